"""Waiting: how many run, who is next, how long, and what the same request twice means."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.errors import Conflict, InvalidRequest, Unavailable
from cloutagent_ext.executions.scheduler import Scheduler
from cloutagent_ext.schema.project import Queue

from .conftest import Office, Opens, agent, bash


def gated(gate: Path) -> str:
    """A command that runs until `gate` exists."""
    return f"while [ ! -e '{gate}' ]; do sleep 0.02; done"


_opened: list[str] | None = None


def _note(event: str, given: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(given[0]))


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Paths that this process opens meanwhile, as the interpreter tells them."""
    global _opened
    sys.addaudithook(_note)
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def program(project: str) -> Principal:
    return Principal(kind="key", name="ci", project_id=project, scopes=frozenset({"execute"}))


async def open_(gate: Path) -> None:
    await asyncio.to_thread(gate.touch)


async def test_three_run_fifty_wait_and_the_next_one_is_refused(office: Office, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    project = await office.project(bash(gated(gate)))
    accepted = [await office.accept(project) for _ in range(53)]
    assert [each.status for each in accepted] == ["running"] * 3 + ["queued"] * 50
    assert [each.position for each in accepted[3:]] == list(range(1, 51))
    with pytest.raises(Unavailable) as caught:
        await office.accept(project)
    assert caught.value.error_code == "QUEUE_FULL"
    assert caught.value.retry_after_s
    assert len((await office.executions.list(limit=1000)).items) == 53
    other = await office.accept(await office.project(bash("true")))
    assert other.status == "running"
    await asyncio.gather(*[office.executions.cancel(each.execution_id, by="ada") for each in accepted])


async def test_they_start_in_the_order_they_came_and_hear_their_place(office: Office, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    project = await office.project(bash(gated(gate)), queue=Queue(max_concurrent=1))
    accepted = [await office.accept(project) for _ in range(4)]
    assert [each.position for each in accepted] == [None, 1, 2, 3]
    await open_(gate)
    states = [await office.executions.wait(each.execution_id) for each in accepted]
    assert [state.status for state in states] == ["completed"] * 4
    started = [state.started_at or "" for state in states]
    assert started == sorted(started)
    events = await office.events(accepted[3].execution_id)
    assert [event["position"] for event in events if event["type"] == "queued"] == [3, 2, 1]


async def test_a_person_does_not_wait_behind_programs(open_office: Opens, tmp_path: Path) -> None:
    office = await open_office(allow_simulated_api=True)
    gate = tmp_path / "gate"
    project = await office.project(bash(gated(gate)), queue=Queue(max_concurrent=1))
    await office.accept(project)
    keyed = await office.accept(project, principal=program(project))
    person = await office.accept(project)
    assert (keyed.position, person.position) == (1, 1)
    moved = await office.until(keyed.execution_id, "queued", position=2)
    assert moved["position"] == 2
    await open_(gate)
    first = await office.executions.wait(person.execution_id)
    second = await office.executions.wait(keyed.execution_id)
    assert (first.started_at or "") < (second.started_at or "")


async def test_the_whole_server_has_a_ceiling_too(open_office: Opens, tmp_path: Path) -> None:
    office = await open_office(max_running=2)
    gate = tmp_path / "gate"
    projects = [await office.project(bash(gated(gate))) for _ in range(3)]
    accepted = [await office.accept(project) for project in projects]
    assert [each.status for each in accepted] == ["running", "running", "queued"]
    assert office.executions.running == 2
    await open_(gate)
    for each in accepted:
        assert (await office.executions.wait(each.execution_id)).status == "completed"


async def test_who_waits_too_long_is_told_so(office: Office, tmp_path: Path) -> None:
    project = await office.project(
        bash(gated(tmp_path / "gate")), queue=Queue(max_concurrent=1, queue_timeout_s=1)
    )
    await office.accept(project)
    late = await office.accept(project)
    state = await office.executions.wait(late.execution_id)
    assert state.status == "failed"
    assert state.error is not None
    assert (state.error.code, state.started_at) == ("QUEUE_TIMEOUT", None)


async def test_a_cancel_in_the_moment_of_a_queue_timeout_ends_it_once(office: Office, tmp_path: Path) -> None:
    project = await office.project(bash(gated(tmp_path / "gate")), queue=Queue(max_concurrent=1))
    await office.accept(project)
    late = await office.accept(project)
    scheduler = office.executions._scheduler
    live = scheduler.live[late.execution_id]
    scheduler._line.remove(live.id)  # as `pump` does with one that has waited too long
    ran_out = scheduler.spawn(scheduler._run_out(live), "end")
    state = await office.executions.cancel(late.execution_id, by="ada")
    await ran_out
    assert (state.status, state.error and state.error.code) == ("failed", "QUEUE_TIMEOUT")
    events = await office.events(late.execution_id)
    assert [event["type"] for event in events] == ["queued", "error"]


async def test_a_slot_that_comes_free_for_one_that_is_just_being_stopped_goes_to_nobody() -> None:
    def live(name: str) -> Any:
        definition = SimpleNamespace(queue=Queue(max_concurrent=1))
        return SimpleNamespace(
            id=name,
            spec=SimpleNamespace(project_id="p", priority=0, definition=definition),
            state=SimpleNamespace(position=1, started_at="2026-01-01T00:00:00Z"),
        )

    async def never(_: object) -> None:
        raise AssertionError("nothing begins here")

    clock: Any = SimpleNamespace(monotonic=lambda: 0.0)
    scheduler = Scheduler(run=never, let_go=lambda _: None, clock=clock, per_project=1, in_all=1)
    waits, runs = live("waits"), live("runs")
    scheduler._live |= {"waits": waits, "runs": runs}
    scheduler._running["p"] = 1
    waiting = asyncio.create_task(scheduler.again(waits))
    await asyncio.sleep(0)
    waiting.cancel()
    scheduler.free(runs)
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert scheduler.running == 0


async def test_one_that_waits_is_cancelled_at_once(office: Office, tmp_path: Path) -> None:
    project = await office.project(bash(gated(tmp_path / "gate")), queue=Queue(max_concurrent=1))
    await office.accept(project)
    waiting = [await office.accept(project) for _ in range(2)]
    state = await office.executions.cancel(waiting[0].execution_id, by="ada")
    assert state.status == "cancelled"
    assert (await office.executions.state(waiting[1].execution_id)).position == 1
    with pytest.raises(Conflict):
        await office.executions.delete(waiting[1].execution_id)
    await office.executions.delete(waiting[0].execution_id)


async def test_the_same_idempotency_key_is_the_same_execution(office: Office) -> None:
    project = await office.project(bash("true"))
    both = await asyncio.gather(*[office.accept(project, key="order-7") for _ in range(5)])
    assert len({each.execution_id for each in both}) == 1
    other = await office.accept(project, key="order-8")
    assert other.execution_id != both[0].execution_id
    for key in ("", "x" * 256, "a\nb"):
        with pytest.raises(InvalidRequest):
            await office.accept(project, key=key)


async def test_an_idempotency_key_survives_a_restart(open_office: Opens) -> None:
    first = await open_office()
    project = await first.project(bash("true"))
    accepted = await first.accept(project, key="order-7")
    await first.executions.wait(accepted.execution_id)
    await first.services.stop()
    second = await open_office()
    again = await second.accept(project, key="order-7")
    assert again.execution_id == accepted.execution_id


async def test_many_keys_at_once_after_a_restart_look_at_each_earlier_execution_once(
    open_office: Opens,
) -> None:
    first = await open_office()
    project = await first.project(bash("true"))
    before = [await first.accept(project, key=f"order-{number}") for number in range(8)]
    for each in before:
        await first.executions.wait(each.execution_id)
    await first.services.stop()
    second = await open_office()
    with opened_files() as opened:
        again = await asyncio.gather(*[second.accept(project, key=f"order-{n}") for n in range(8)])
    assert [each.execution_id for each in again] == [each.execution_id for each in before]
    specs = [path for path in opened if path.endswith("spec.json")]
    assert len(specs) == len(set(specs)) == 8


async def test_a_key_whose_server_died_before_the_first_event_begins_anew_and_what_is_answered_is_there(
    open_office: Opens,
) -> None:
    first = await open_office()
    project = await first.project(bash("true"))
    half = (await first.accept(project, key="order-7")).execution_id
    await first.executions.wait(half)
    _, folder = await first.executions._records.find(half)
    await first.services.stop()
    second = await open_office()
    # As a server leaves it that dies between the folder and its first event.
    (folder / "events.jsonl").write_bytes(b"")
    (folder / "state.json").unlink()
    (folder / "owner").touch()
    again = await second.accept(project, key="order-7")
    assert again.execution_id != half
    assert (await second.executions.wait(again.execution_id)).status == "completed"
    assert not folder.exists()


async def test_an_execution_whose_server_died_while_it_wrote_the_spec_is_gone(open_office: Opens) -> None:
    first = await open_office()
    project = await first.project(bash("true"))
    half = (await first.accept(project)).execution_id
    await first.executions.wait(half)
    _, folder = await first.executions._records.find(half)
    await first.services.stop()
    for each in folder.iterdir():
        each.unlink()
    (folder / "spec.json").touch()
    (folder / "owner").touch()
    second = await open_office()
    await second.executions.list()
    assert not folder.exists()


async def test_nothing_is_accepted_while_shutting_down(office: Office) -> None:
    project = await office.project(agent=agent())
    await office.services.stop()
    with pytest.raises(Unavailable) as caught:
        await office.accept(project)
    assert caught.value.error_code == "SHUTTING_DOWN"
