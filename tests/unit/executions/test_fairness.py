"""The line over a long time and over restarts: nobody starves, nobody jumps it, no limit is passed."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloutagent_ext.errors import Unavailable
from cloutagent_ext.executions.line import AGE_S, Line
from cloutagent_ext.schema.project import Queue
from cloutagent_ext.services import SystemClock

from .conftest import Office, Opens, bash
from .test_queue import gated, open_, program


@dataclass
class Job:
    project: str
    priority: int
    arrived: float
    number: int
    started: float | None = None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["arrives", "arrives", "ends", "waits"]),
        st.sampled_from("abc"),
        st.sampled_from([0, 1]),
        st.floats(0, 30),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, most=st.integers(1, 3), in_all=st.integers(1, 5))
def test_in_any_history_limits_hold_and_order_is_that_of_coming_once_one_has_waited(
    steps: list[tuple[str, str, int, float]], most: int, in_all: int
) -> None:
    line, running, jobs, now = Line(), Counter[str](), dict[str, Job](), 0.0

    def start() -> None:
        while running.total() < in_all and (chosen := line.next(now, running, lambda _: most)):
            line.remove(chosen)
            job = jobs[chosen]
            job.started = now
            running[job.project] += 1
            assert running[job.project] <= most
            rivals = [each for each in jobs.values() if each.project == job.project and each.started is None]
            for rival in rivals:
                aged = now - rival.arrived >= AGE_S
                assert not (rival.number < job.number and (rival.priority <= job.priority or aged)), (
                    "one that came earlier, and is no less urgent, was passed"
                )
            others = {each.project for each in jobs.values() if each.started is None} - {job.project}
            for other in others:
                assert running[other] >= min(most, running[job.project] - 1), "another project was kept back"

    for number, (what, project, priority, seconds) in enumerate(steps):
        now += seconds
        if what == "arrives":
            name = f"{number}"
            jobs[name] = Job(project, priority, now, number)
            line.add(name, project, priority=priority, now=now, patience_s=10**6)
        elif what == "ends" and running[project]:
            running[project] -= 1
        start()
        assert running.total() <= in_all
        free = running.total() < in_all
        for each in line.projects():
            assert not (free and running[each] < most), "a place was left empty while somebody waited"
    for _ in range(len(jobs) + 1):  # all that run end, again and again: everybody gets a turn
        running.clear()
        start()
    assert all(job.started is not None for job in jobs.values())


class Hurried(SystemClock):
    """Steady seconds that a test lets pass."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


async def test_who_called_with_a_key_and_has_waited_a_minute_goes_before_people_who_come_later(
    tmp_path: Path,
) -> None:
    clock = Hurried()
    office = Office(tmp_path / "data", clock=clock, allow_simulated_api=True)
    await office.services.start()
    gate = tmp_path / "gate"
    project = await office.project(bash(gated(gate)), queue=Queue(max_concurrent=1))
    await office.accept(project)
    keyed = await office.accept(project, principal=program(project))
    clock.ahead = AGE_S + 1
    person = await office.accept(project)
    assert person.position == 2
    await open_(gate)
    states = [await office.executions.wait(each.execution_id) for each in (keyed, person)]
    assert (states[0].started_at or "") < (states[1].started_at or "")
    await office.services.stop(0)


async def test_a_project_that_asks_for_much_leaves_the_others_their_turn(
    open_office: Opens, tmp_path: Path
) -> None:
    office = await open_office(max_running=1)
    gate = tmp_path / "gate"
    greedy = await office.project(bash(gated(gate)))
    modest = await office.project(bash("true"))
    many = [await office.accept(greedy) for _ in range(6)]
    one = await office.accept(modest)
    await open_(gate)
    states = [await office.executions.wait(each.execution_id) for each in (*many, one)]
    started = sorted(states, key=lambda state: state.started_at or "")
    assert started.index(states[-1]) <= 2, "it does not wait for all six"


async def test_people_stay_before_programs_over_a_restart(open_office: Opens, tmp_path: Path) -> None:
    first = await open_office(allow_simulated_api=True)
    gate = tmp_path / "gate"
    project = await first.project(bash(gated(gate)), queue=Queue(max_concurrent=1), on_restart="interrupt")
    await first.accept(project)
    early, late = [await first.accept(project, principal=program(project)) for _ in range(2)]
    person = await first.accept(project)
    await first.services.stop(0)
    await open_(gate)
    second = await open_office(allow_simulated_api=True)
    states = [await second.executions.wait(each.execution_id) for each in (person, early, late)]
    assert [state.status for state in states] == ["completed"] * 3
    started = [state.started_at or "" for state in states]
    assert started == sorted(started)


async def test_what_is_refused_for_want_of_room_leaves_nothing(open_office: Opens, tmp_path: Path) -> None:
    office = await open_office()
    queue = Queue(max_concurrent=1, max_queue=2)
    project = await office.project(bash(gated(tmp_path / "gate")), queue=queue)
    taken = [await office.accept(project) for _ in range(3)]

    def files() -> set[Path]:
        return {path for path in (tmp_path / "data").rglob("*") if "ledger" not in path.name}

    await office.until(taken[0].execution_id, "tool_call")
    # Until all is there that those who were taken leave, some of it a moment later.
    before, alike = await asyncio.to_thread(files), 0
    async with asyncio.timeout(90):
        while alike < 5 or not any(path.name == "state.json" for path in before):
            await asyncio.sleep(0.1)
            last, before = before, await asyncio.to_thread(files)
            alike = alike + 1 if before == last else 0
    for _ in range(20):
        with pytest.raises(Unavailable) as caught:
            await office.accept(project, key="again")
        assert (caught.value.error_code, bool(caught.value.retry_after_s)) == ("QUEUE_FULL", True)
    assert await asyncio.to_thread(files) == before
    await office.executions.cancel(taken[2].execution_id, by="ada")
    assert (await office.accept(project, key="again")).position == 2, "the key of a refusal is not used up"
