"""The seven days of a question, when somebody sets the clock on the wall: neither at once nor for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cloutagent_ext.executions.questions import GRACE_S, PATIENCE_S, patience_left

from .conftest import Office, Opens, bash
from .test_approvals import ALLOW, Stepping, asking, decided, waiting

YEAR_S = 365 * 24 * 3600.0


class SetClock(Stepping):
    """A `Stepping` clock whose wall can be set; time passes by the other one."""

    def __init__(self, wall_s: float = 0.0) -> None:
        super().__init__()
        self.wall_s = wall_s

    def time(self) -> float:
        return super().time() + self.wall_s

    async def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        self.sleepers.set()
        while self.monotonic() < until:
            self._moved.clear()
            await self._moved.wait()

    async def set_wall(self, seconds: float) -> None:
        """Somebody sets it; whoever sleeps is woken, as a machine that comes back would."""
        self.wall_s += seconds
        self._moved.set()
        await asyncio.sleep(0.05)


async def still_waits(office: Office, execution_id: str) -> bool:
    await asyncio.sleep(0.05)
    return (await office.executions.state(execution_id)).status == "waiting"


async def denied(office: Office, execution_id: str) -> dict[str, Any]:
    async with asyncio.timeout(90):
        ended = await office.executions.wait(execution_id)
    assert ended.status == "completed", ended.error
    told = await office.until(execution_id, "approval")
    assert (told["decision"], told["by"]) == ("deny", "policy")
    return told


@pytest.mark.parametrize("by_s", [YEAR_S, -YEAR_S], ids=["a year on", "a year back"])
async def test_while_a_server_runs_the_wall_says_nothing(open_office: Opens, by_s: float) -> None:
    clock = SetClock()
    office = await open_office(clock=clock)
    state = await waiting(office, await office.project(bash("echo hello"), agent=asking()))
    await clock.sleepers.wait()
    await clock.set_wall(by_s)
    assert await still_waits(office, state.execution_id)
    clock.move(PATIENCE_S - 60)
    assert await still_waits(office, state.execution_id)
    clock.move(61)
    await denied(office, state.execution_id)


async def test_set_on_by_a_year_over_a_restart_there_is_a_day_to_answer(open_office: Opens) -> None:
    first = await open_office(clock=SetClock())
    project = await first.project(bash("echo hello"), agent=asking())
    answered, forgotten = await waiting(first, project), await waiting(first, project)
    await first.services.stop()
    clock = SetClock(YEAR_S)
    office = await open_office(clock=clock)
    await clock.sleepers.wait()
    assert await still_waits(office, answered.execution_id)
    assert (await decided(office, answered, ALLOW)).status == "completed"
    clock.move(GRACE_S - 60)
    assert await still_waits(office, forgotten.execution_id)
    clock.move(61)
    await denied(office, forgotten.execution_id)


async def test_set_back_by_a_year_over_restarts_it_is_not_for_ever(open_office: Opens) -> None:
    """What it has waited is in the journal; so each restart goes on from there, not from the beginning."""
    clock = SetClock()
    office = await open_office(clock=clock)
    state = await waiting(office, await office.project(bash("echo hello"), agent=asking()))
    for day in range(1, 7):
        await clock.sleepers.wait()
        clock.move(24 * 3600)
        assert await still_waits(office, state.execution_id)
        await office.services.stop()
        clock = SetClock(-YEAR_S * day)
        office = await open_office(clock=clock)
    await clock.sleepers.wait()
    clock.move(24 * 3600 - 60)
    assert await still_waits(office, state.execution_id)
    clock.move(120)
    await denied(office, state.execution_id)


def test_patience_is_bounded_whatever_the_wall_says() -> None:
    day = 24 * 3600.0
    assert patience_left(0, passed_s=0) == PATIENCE_S
    assert patience_left(0, passed_s=3 * day) == 4 * day, "days without a server count, by the wall"
    assert patience_left(2 * day, passed_s=-YEAR_S) == 5 * day
    assert patience_left(0, passed_s=YEAR_S) == GRACE_S
    assert patience_left(6.5 * day, passed_s=YEAR_S) == 0.5 * day
    assert patience_left(7 * day, passed_s=7 * day) == 0
