"""Observers look and never disturb; spans of an execution that moves from server to server go out once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.otlp_receiver import receiver
from tests.unit.executions.conftest import Office, Opens, bash, open_office
from tests.unit.executions.test_queue import gated, open_

__all__ = ["open_office"]


class Broken:
    """Cannot take anything."""

    seen = 0

    def saw(self, live: object, event: Mapping[str, Any]) -> None:
        self.seen += 1
        raise ZeroDivisionError


async def test_an_observer_that_fails_costs_a_line_and_no_run(
    open_office: Opens,
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = await open_office()
    broken = Broken()
    office.services.observers.add(broken)
    state = await office.run(await office.project(bash("true")))
    assert state.status == "completed"
    assert broken.seen == state.last_event_id
    assert "Broken could not take the event" in caplog.text


async def test_spans_of_an_execution_that_goes_on_at_another_server_are_those_of_its_trace(
    open_office: Opens,
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    with receiver() as collector:
        first = await open_office(otlp_endpoint=collector.url)
        accepted = await first.accept(await first.project(bash("echo one"), bash(gated(gate))))
        await second_call(first, accepted.execution_id)
        await asyncio.to_thread(sleep_until, lambda: len(collector.spans) >= 3)
        await first.services.stop(0)
        assert not any(span["name"].startswith("execution ") for span in collector.spans)
        second = await open_office(otlp_endpoint=collector.url)
        await open_(gate)
        await second.executions.wait(accepted.execution_id)
        await second.services.stop(0)
        third = await open_office()
        trace = await third.executions.results.trace(accepted.execution_id)
        sent = [(span["span_id"], span["parent_id"]) for span in collector.spans]
        assert sorted(sent) == sorted((span.span_id, span.parent_id) for span in trace.items), "each once"
        assert {span["trace_id"] for span in collector.spans} == {trace.trace_id}


async def second_call(office: Office, execution_id: str) -> None:
    async with asyncio.timeout(90):
        while True:
            events = await office.events(execution_id)
            if len([event for event in events if event["type"] == "tool_call"]) == 2:
                return
            await asyncio.sleep(0.02)


def sleep_until(what: Any) -> None:
    import time

    deadline = time.monotonic() + 90
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
