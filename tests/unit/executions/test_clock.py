"""The clock on the wall is set while executions run, wait and are repeated: only shown times move."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import time_machine

from cloutagent_ext.executions.ids import Ids, made_at
from cloutagent_ext.schema.project import Limits, Queue
from cloutagent_ext.services import SystemClock

from .conftest import Office, Opens, bash
from .test_queue import gated, open_

DAY = timedelta(days=1)
JUMPS = [DAY, -DAY, timedelta(hours=1), -timedelta(hours=1)]
NAMES = ["a day on", "a day back", "summer time begins", "summer time ends"]


def jumped(by: timedelta) -> time_machine.travel:
    """The wall `by` away, and going on from there."""
    return time_machine.travel(datetime.now(UTC) + by, tick=True)


@pytest.mark.parametrize("by", JUMPS, ids=NAMES)
async def test_a_clock_that_is_set_in_the_middle_neither_lengthens_nor_ends_an_execution(
    office: Office, tmp_path: Path, by: timedelta
) -> None:
    gate = tmp_path / "gate"
    project = await office.project(
        bash("echo one"), bash(gated(gate)), bash("echo two"), limits=Limits(timeout_s=60)
    )
    began = time.monotonic()
    accepted = await office.accept(project)
    await running(office, accepted.execution_id)
    with jumped(by):
        shown = await office.executions.state(accepted.execution_id)
        assert 0 <= (shown.duration_ms or 0) < 60_000
        await open_(gate)
        state = await office.executions.wait(accepted.execution_id)
    took_ms = (time.monotonic() - began) * 1000
    assert state.status == "completed", state
    assert 0 <= (state.duration_ms or 0) <= took_ms + 100
    events = await office.events(accepted.execution_id)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    moments = [datetime.fromisoformat(event["ts"]) for event in events]
    assert moments == sorted(moments), "times of one log never go back"
    assert moments[-1] - moments[0] < timedelta(milliseconds=took_ms + 100)
    assert all(event.get("duration_ms", 0) >= 0 for event in events)


async def running(office: Office, execution_id: str) -> None:
    """It is in its second command."""
    async with asyncio.timeout(90):
        while True:
            calls = [each for each in await office.events(execution_id) if each["type"] == "tool_call"]
            if len(calls) == 2:
                return
            await asyncio.sleep(0.02)


async def test_after_a_restart_on_a_clock_a_day_on_the_time_limit_counts_what_was_worked(
    open_office: Opens, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first = await open_office()
    project = await first.project(bash("echo one"), bash(gated(gate)), limits=Limits(timeout_s=60))
    accepted = await first.accept(project)
    await running(first, accepted.execution_id)
    with jumped(DAY):
        # The word of its interruption is written on the changed clock by who began on the old one.
        await first.services.stop(0)
        second = await open_office()
        state = await second.executions.wait(accepted.execution_id)
    assert state.status == "completed", state
    assert 0 <= (state.duration_ms or 0) < 60_000


@pytest.mark.parametrize("by", JUMPS, ids=NAMES)
async def test_an_idempotency_key_counts_its_day_whatever_the_wall_says(
    office: Office, by: timedelta
) -> None:
    project = await office.project(bash("true"))
    first = await office.accept(project, key="order-7")
    with jumped(by + (timedelta(hours=1) if by > timedelta() else timedelta())):
        again = await office.accept(project, key="order-7")
    assert again.execution_id == first.execution_id


async def test_an_idempotency_key_is_good_for_a_day_and_no_longer(
    open_office: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office()
    project = await office.project(bash("true"))
    first = await office.accept(project, key="order-7")
    await office.executions.wait(first.execution_id)
    with monkeypatch.context() as later:  # by the steady clock of the server that took it
        day_on = SimpleNamespace(monotonic=lambda: time.monotonic() + 24 * 3600)
        later.setattr("cloutagent_ext.executions.repeats.time", day_on)
        second = await office.accept(project, key="order-7")
        assert second.execution_id != first.execution_id
        await office.executions.wait(second.execution_id)
    for hours, same in ((23, True), (25, False)):  # by the wall for one that was not there
        await office.services.stop(0)
        with jumped(timedelta(hours=hours)):
            office = await open_office()
            again = await office.accept(project, key="order-7")
            assert (again.execution_id == second.execution_id) == same, hours
            await office.executions.wait(again.execution_id)


async def test_ids_and_the_order_of_starting_are_those_of_coming_though_the_clock_goes_back(
    office: Office, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    project = await office.project(bash(gated(gate)), queue=Queue(max_concurrent=1))
    accepted = [await office.accept(project)]
    with jumped(-DAY):
        accepted += [await office.accept(project) for _ in range(2)]
    with jumped(DAY):
        accepted.append(await office.accept(project))
    accepted.append(await office.accept(project))
    ids = [each.execution_id for each in accepted]
    assert ids == sorted(ids)
    listed = [row.execution_id for row in (await office.executions.list()).items]
    assert listed == ids[::-1]
    assert [each.position for each in accepted] == [None, 1, 2, 3, 4]
    await open_(gate)
    for each in ids:
        assert (await office.executions.wait(each)).status == "completed"


async def test_waiting_too_long_is_not_measured_by_the_wall(office: Office, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    project = await office.project(bash(gated(gate)), queue=Queue(max_concurrent=1, queue_timeout_s=3600))
    await office.accept(project)
    late = await office.accept(project)
    with jumped(DAY):
        office.executions._scheduler.pump()
        await asyncio.sleep(0.1)
        assert (await office.executions.state(late.execution_id)).status == "queued"
        await open_(gate)
        assert (await office.executions.wait(late.execution_id)).status == "completed"


def test_ids_made_on_any_clock_are_strictly_increasing() -> None:
    ids, made = Ids(), []
    for by in (timedelta(), DAY, -DAY, -365 * DAY, timedelta(seconds=-1), 2 * DAY):
        with jumped(by):
            made += [ids.new() for _ in range(5)]
    assert all(one < other for one, other in pairwise(made))
    assert made_at(made[0]) <= made_at(made[-1])


class SetForward(SystemClock):
    """A clock on the wall that somebody sets a month forward."""

    ahead_s = 0.0

    def time(self) -> float:
        return time.time() + self.ahead_s


async def test_a_clock_that_is_set_forward_lets_nothing_expire_at_once(tmp_path: Path) -> None:
    clock = SetForward()
    office = Office(tmp_path / "data", clock=clock)
    await office.services.start()
    try:
        state = await office.run(await office.project())
        retention = office.executions.books.retention
        clock.ahead_s = 30 * 86400.0
        assert await retention.sweep() == 0
        assert not (await office.executions.state(state.execution_id)).expired
    finally:
        await office.services.stop(0)
    office = Office(tmp_path / "data", clock=clock)  # a month later, by all that a new process can know
    await office.services.start()
    try:
        async with asyncio.timeout(60):
            while not (await office.executions.state(state.execution_id)).expired:
                await office.executions.books.retention.sweep()
    finally:
        await office.services.stop(0)
