"""A machine that sleeps eight hours over executions that run, queue, and wait for a person (row F12)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from cloutagent_ext.schema.project import Limits, Queue
from tests.support.sleeping import slept

from .conftest import Office, bash
from .test_approvals import ALLOW, asking, decided, waiting
from .test_clock import running
from .test_queue import gated, open_

EIGHT_HOURS_S = 8 * 3600.0


async def test_nothing_is_ended_for_time_in_which_nobody_worked_and_the_logs_tell_the_true_time(
    office: Office, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    project = await office.project(
        bash("echo one"), bash(gated(gate)), limits=Limits(timeout_s=60),
        queue=Queue(max_concurrent=1, queue_timeout_s=3600),
    )  # fmt: skip
    works = await office.accept(project, key="order-7")
    queued = await office.accept(project)
    asks = await waiting(office, await office.project(bash("echo asked"), agent=asking()))
    await running(office, works.execution_id)
    before = await office.events(works.execution_id)
    with slept(EIGHT_HOURS_S):
        office.executions._scheduler.pump()
        assert (await office.executions.state(queued.execution_id)).status == "queued"
        assert (await office.executions.state(asks.execution_id)).status == "waiting"
        again = await office.accept(project, key="order-7")
        assert again.execution_id == works.execution_id, "the same order is not placed twice"
        await open_(gate)
        for each in (works, queued):
            async with asyncio.timeout(90):
                state = await office.executions.wait(each.execution_id)
            assert state.status == "completed", state
            assert (state.duration_ms or 0) >= 0
        assert (await decided(office, asks, ALLOW)).status == "completed"
        for ended in (works, queued, asks):
            events = await office.events(ended.execution_id)
            assert [event["id"] for event in events] == list(range(1, len(events) + 1))
            moments = [datetime.fromisoformat(event["ts"]) for event in events]
            assert moments == sorted(moments)
            assert moments[-1] - moments[0] > timedelta(seconds=EIGHT_HOURS_S - 60)
    kept = await office.events(works.execution_id)
    assert kept[: len(before)] == before
