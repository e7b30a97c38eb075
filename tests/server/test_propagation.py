"""A trace goes on in the services that an execution calls: W3C's `traceparent`, to the right ones only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.messages_api import Call, MessagesApi, Say
from tests.support.otlp_receiver import Receiver, receiver
from tests.support.scripted_http import Answer, ScriptedHttp, scripted_http

from .caller import Caller

CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OWN = "00-11111111111111111111111111111111-2222222222222222-00"


@pytest.fixture
async def model() -> AsyncIterator[MessagesApi]:
    async with MessagesApi([]) as api:
        yield api


@pytest.fixture
def services() -> Iterator[ScriptedHttp]:
    """What plays the hook, and the MCP servers (which refuse: what they were asked is enough)."""
    with scripted_http() as found:
        found.routes["POST /hook"] = Answer(200, {})
        yield found


@pytest.fixture
def settings(model: MessagesApi) -> dict[str, Any]:
    return {"base_url": model.url, "api_key": "test-key"}


async def run(
    server: Caller, model: MessagesApi, services: ScriptedHttp, header: str | None
) -> tuple[str, dict[str, list[str | None]]]:
    """An execution, and what each service was told of its trace."""
    model.play([Call("view", {"path": "none"}), Say("Done.")])
    services.requests.clear()
    hook = {
        "id": "watch", "name": "Watch", "event": "PreToolUse", "on_failure": "continue",
        "action": {"type": "http", "url": f"{services.url}hook", "headers": {}},
    }  # fmt: skip
    said = {"id": "own", "name": "Own", "transport": "http", "url": f"{services.url}own",
            "headers": {"TraceParent": OWN}}  # fmt: skip
    project = await server.create(
        agent={"task": "Go.", "tools": ["view"], "model": "claude-opus-5-5"}, hooks=[hook],
        mcps=[
            {"id": "plain", "name": "Plain", "transport": "http", "url": f"{services.url}plain"},
            {"id": "old", "name": "Old", "transport": "sse", "url": f"{services.url}old"}, said,
        ],
    )  # fmt: skip
    answer = await server.call(
        "POST", f"projects/{project['id']}/execute", json={"wait": True},
        headers={"traceparent": header} if header else {},
    )  # fmt: skip
    state = answer.json()
    assert state["status"] == "completed", state
    told: dict[str, list[str | None]] = {"model": [each.get("traceparent") for each in model.headers]}
    for request in services.requests:
        told.setdefault(request.path.strip("/"), []).append(request.headers.get("traceparent"))
    assert set(told) == {"model", "hook", "plain", "old", "own"}
    assert len(told["model"]) == 2
    return str(state["execution_id"]), told


async def test_without_a_collector_a_callers_trace_is_passed_on_and_nothing_is_made_up(
    server: Caller, model: MessagesApi, services: ScriptedHttp
) -> None:
    _, told = await run(server, model, services, CALLERS)
    assert set(told.pop("own")) == {OWN}, "what the project says itself stays"
    assert {each for said in told.values() for each in said} == {CALLERS}
    for header in (None, "not one", f"{CALLERS}-more"):
        _, told = await run(server, model, services, header)
        assert set(told.pop("own")) == {OWN}
        assert {each for said in told.values() for each in said} == {None}


class TestWithACollector:
    @pytest.fixture
    def collector(self) -> Iterator[Receiver]:
        with receiver() as found:
            yield found

    @pytest.fixture
    def settings(self, model: MessagesApi, collector: Receiver) -> dict[str, Any]:
        return {"base_url": model.url, "api_key": "test-key", "otlp_endpoint": collector.url}

    async def test_what_is_called_hangs_below_the_executions_own_span(
        self, server: Caller, model: MessagesApi, services: ScriptedHttp
    ) -> None:
        execution, told = await run(server, model, services, CALLERS)
        trace = await server.get(f"executions/{execution}/trace")
        root = next(span for span in trace["items"] if span["kind"] == "execution")
        assert root["attributes"]["cloutagent.caller.traceparent"] == CALLERS
        assert set(told.pop("own")) == {OWN}
        named = {each for said in told.values() for each in said}
        assert named == {f"00-{execution.replace('-', '')}-{root['span_id']}-01"}
