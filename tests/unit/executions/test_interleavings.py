"""Two who do something to the same execution at once: each is told what holds, and nothing is lost.

The threads of one are held where the other one comes in between.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.ports import Decision
from cloutagent_ext.errors import CloutError, Conflict, Expired, NotFound, Unavailable
from cloutagent_ext.executions import entrance
from cloutagent_ext.executions.batches import Batches
from cloutagent_ext.executions.inputs import Inputs
from cloutagent_ext.executions.watchers import Watchers
from cloutagent_ext.jupyter.kernels import _started
from cloutagent_ext.schema.execution import Batch, ForkRequest, ResumeRequest
from cloutagent_ext.schema.project import Queue
from cloutagent_ext.services import SystemClock
from tests.support.held_threads import HeldThreads

from .conftest import USER, Office, Opens, agent, bash
from .test_queue import gated, open_
from .test_resume import kill, server, until_there

ALLOW = Decision(True, "ada")


async def ended(open_office: Opens) -> tuple[str, str]:
    """An execution that has ended, of a service that is gone; project and id."""
    first = await open_office()
    project = await first.project(bash("echo a > made"))
    state = await first.run(project)
    await first.services.stop(0)
    return project, state.execution_id


async def interrupted(open_office: Opens, gate: Path) -> tuple[Office, str]:
    """One that waits for somebody to resume it, and the service that shows it."""
    first = await open_office()
    project = await first.project(bash(gated(gate)), on_restart="interrupt")
    accepted = await first.accept(project)
    await first.until(accepted.execution_id, "tool_call")
    await first.services.stop(0)
    return await open_office(), accepted.execution_id


async def meanwhile() -> None:
    """Let others go as far as they come."""
    for _ in range(1000):
        await asyncio.to_thread(int)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR]


# ------------------------------------------------------------ deleting


async def test_who_read_it_while_it_was_deleted_leaves_nothing_of_it_in_memory(open_office: Opens) -> None:
    _, execution_id = await ended(open_office)
    office = await open_office()
    read = HeldThreads().after("_read_state")
    reader = asyncio.create_task(office.executions.state(execution_id))
    await read.reached()
    await office.executions.delete(execution_id)
    read.go()
    await asyncio.wait({reader})
    with pytest.raises(NotFound):
        await office.executions.state(execution_id)


async def test_of_two_who_delete_it_one_is_told_that_it_is_gone(open_office: Opens) -> None:
    _, execution_id = await ended(open_office)
    office, other = await open_office(), await open_office()
    both = await asyncio.gather(
        *[office.executions.delete(execution_id) for _ in range(2)], return_exceptions=True
    )
    assert [type(each) for each in both] == [type(None), NotFound]
    assert not (await other.executions.list()).items


async def test_of_two_servers_that_delete_it_one_is_told_that_it_is_gone(open_office: Opens) -> None:
    _, execution_id = await ended(open_office)
    office, other = await open_office(), await open_office()
    removal = HeldThreads().before("remove")
    late = asyncio.create_task(office.executions.delete(execution_id))
    await removal.reached()
    await other.executions.delete(execution_id)
    removal.go()
    with pytest.raises(NotFound):
        await late
    with pytest.raises(NotFound):
        await office.executions.state(execution_id)


async def test_one_that_is_being_cancelled_can_be_deleted_and_both_are_answered(
    open_office: Opens, tmp_path: Path
) -> None:
    office, execution_id = await interrupted(open_office, tmp_path / "gate")
    told = HeldThreads().before("_fold")
    cancel = asyncio.create_task(office.executions.cancel(execution_id, by="ada"))
    await told.reached()
    deletion = asyncio.create_task(office.executions.delete(execution_id))
    await meanwhile()
    told.go()
    assert (await cancel).status == "cancelled"
    await deletion
    with pytest.raises(NotFound):
        await office.executions.state(execution_id)


async def test_what_is_being_deleted_is_not_resumed(open_office: Opens, tmp_path: Path) -> None:
    office, execution_id = await interrupted(open_office, tmp_path / "gate")
    removal = HeldThreads().before("remove")
    deletion = asyncio.create_task(office.executions.delete(execution_id))
    await removal.reached()
    resumed = asyncio.create_task(office.executions.resume(execution_id, ResumeRequest(), principal=USER))
    await meanwhile()
    removal.go()
    await deletion
    with pytest.raises(NotFound):
        await resumed
    assert not office.executions.active


@pytest.mark.parametrize("held", ["before", "after"])
async def test_a_fork_of_what_is_deleted_meanwhile_has_no_half_of_its_workspace(
    open_office: Opens, held: str
) -> None:
    _, execution_id = await ended(open_office)
    office = await open_office()
    threads = HeldThreads()
    copy = threads.before("_copy") if held == "before" else threads.after("_copy")
    request = ForkRequest(from_event=1)
    fork = asyncio.create_task(office.executions.fork(execution_id, request, principal=USER))
    await copy.reached()
    await office.executions.delete(execution_id)
    copy.go()
    with pytest.raises(NotFound):
        await fork


# ------------------------------------------------------------ going on, and letting go


async def test_a_resume_is_not_lost_to_somebody_who_lets_go_of_it(open_office: Opens, tmp_path: Path) -> None:
    office, execution_id = await interrupted(open_office, tmp_path / "gate")
    await open_(tmp_path / "gate")
    released = HeldThreads().before("release")
    wrong = asyncio.create_task(office.executions.decide(execution_id, "no-such-call", ALLOW))
    await released.reached()
    resumed = asyncio.create_task(office.executions.resume(execution_id, ResumeRequest(), principal=USER))
    await meanwhile()
    released.go()
    with pytest.raises(NotFound):
        await wrong
    await resumed
    assert (await office.executions.wait(execution_id)).status == "completed"


async def test_after_a_wrong_answer_nobody_holds_it(open_office: Opens, tmp_path: Path) -> None:
    office, execution_id = await interrupted(open_office, tmp_path / "gate")
    with pytest.raises(NotFound):
        await office.executions.decide(execution_id, "no-such-call", ALLOW)
    assert not office.executions.active
    await (await open_office()).executions.delete(execution_id)


async def test_nothing_is_taken_over_by_a_service_that_has_stopped(
    open_office: Opens, tmp_path: Path
) -> None:
    office, execution_id = await interrupted(open_office, tmp_path / "gate")
    await office.services.stop(0)
    with pytest.raises(Unavailable, match="shutting down"):
        await office.executions.cancel(execution_id, by="ada")


async def test_a_cancel_in_the_moment_of_its_turn_stops_the_run(
    office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = await office.project(bash(gated(tmp_path / "gate")), queue=Queue(max_concurrent=2))
    scheduler = office.executions._scheduler
    scheduler._per_project = 1
    first = await office.accept(project)
    second = await office.accept(project)
    live = scheduler.live[second.execution_id]
    cancel = asyncio.create_task(office.executions.cancel(second.execution_id, by="ada"))
    await asyncio.sleep(0)
    assert live.task is None
    scheduler._per_project = 2
    scheduler.pump()
    assert live.task is not None
    await cancel
    assert (await office.executions.wait(second.execution_id)).status == "cancelled"
    assert not errors(caplog)
    assert [event["type"] for event in await office.events(second.execution_id)].count("cancelled") == 1
    await office.executions.cancel(first.execution_id, by="ada")


async def test_a_cancel_that_comes_after_the_end_changes_nothing(office: Office) -> None:
    project = await office.project(bash("true"))
    threads = HeldThreads()
    accepted = await office.accept(project)
    live = office.executions._scheduler.live[accepted.execution_id]
    await office.until(accepted.execution_id, "tool_result")
    stop = threads.before("fsync")
    async with asyncio.timeout(90):
        while live.state.status != "completed":
            await asyncio.sleep(0)
    with pytest.raises(Conflict, match="has ended already"):
        await office.executions.cancel(accepted.execution_id, by="ada")
    stop.go()
    state = await office.executions.wait(accepted.execution_id)
    assert (state.status, state.cancelling) == ("completed", False)


async def test_a_decision_that_a_cancel_overtakes_is_refused(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    project = await office.project(bash("true"), agent=agent(permissions={"bash": "ask"}))
    accepted = await office.accept(project)
    call = await office.until(accepted.execution_id, "approval_required")
    await office.until(accepted.execution_id, "waiting")
    kept = HeldThreads().before("fsync")
    decision = asyncio.create_task(office.executions.decide(accepted.execution_id, call["call_id"], ALLOW))
    await kept.reached()
    await office.executions.cancel(accepted.execution_id, by="ada")
    await office.until(accepted.execution_id, "cancelled")
    kept.go()
    with pytest.raises(Conflict, match="has ended"):
        await decision
    assert not errors(caplog)


# ------------------------------------------------------------ coming in


async def test_two_new_keys_at_once_after_a_start_are_both_remembered(open_office: Opens) -> None:
    project, _ = await ended(open_office)
    office = await open_office()
    threads = HeldThreads()
    first, second = threads.before("_keys"), threads.before("_keys")
    one = asyncio.create_task(office.accept(project, key="one"))
    await first.reached()
    two = asyncio.create_task(office.accept(project, key="two"))
    apart = asyncio.create_task(second.reached())  # what it would read then, it read too early
    await asyncio.wait({apart}, timeout=0.3)
    apart.cancel()
    first.go()
    begun = (await one).execution_id
    second.go()
    await two
    assert (await office.accept(project, key="one")).execution_id == begun


def test_an_upload_is_not_broken_off_by_another_that_has_just_got_its_name(tmp_path: Path) -> None:
    inputs = Inputs(tmp_path, None)
    waiting = tmp_path / "temp/uploads/p"
    waiting.mkdir(parents=True)
    (waiting / ".gone.part").symlink_to("nowhere")  # listed, and not there any more when it is looked at
    upload = asyncio.run(inputs.keep("p", BytesIO(b"data"), 4))
    assert (waiting / upload.upload_id).read_bytes() == b"data"


async def test_a_server_that_looks_at_a_new_one_does_not_refuse_it(office: Office) -> None:
    project = await office.project(bash("true"))
    accepted = await office.accept(project)
    spec = office.executions._scheduler.live[accepted.execution_id].spec
    folder = office.services.store.executions_dir(project) / "e-new"
    await asyncio.to_thread(folder.mkdir)
    looked = await asyncio.to_thread(os.open, folder / "owner", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looked, fcntl.LOCK_EX)
    placing = asyncio.create_task(asyncio.to_thread(entrance._placed, folder, spec, None))
    await asyncio.wait({placing}, timeout=0.2)
    os.close(looked)
    owner, log = await placing
    await log.close()
    await asyncio.to_thread(owner.release, finished=True)
    await office.executions.wait(accepted.execution_id)


def test_all_threads_of_a_process_hold_money_under_one_name(tmp_path: Path) -> None:
    for round in range(20):
        batches = Batches(tmp_path / str(round))
        asyncio.run(batches.open(Batch(id="b", max_cost_usd=1), "server"))
        with ThreadPoolExecutor(8) as pool:
            assert len({*pool.map(lambda _: batches.owner(), range(8))}) == 1  # noqa: B023
        batches.close()


# ------------------------------------------------------------ waiting, keeping, watching


async def test_who_waits_for_another_server_s_execution_hears_of_that_server_s_death(
    open_office: Opens, tmp_path: Path
) -> None:
    first = await open_office()
    project = await first.project(
        bash(f"touch {tmp_path / 'begun'}; {gated(tmp_path / 'gate')}"), on_restart="interrupt"
    )
    await first.services.stop(0)
    victim = await server(tmp_path / "data", project)
    assert victim.stdout is not None
    execution_id = (await victim.stdout.readline()).decode().strip()
    await until_there(tmp_path / "begun")
    office = await open_office()
    waiting = asyncio.create_task(office.executions.wait(execution_id))
    await meanwhile()
    await kill(victim)
    async with asyncio.timeout(60):
        assert (await waiting).status == "interrupted"


class TwoDaysOn(SystemClock):
    def time(self) -> float:
        return time.time() + 2 * 86400


async def test_a_pin_that_comes_too_late_is_refused(open_office: Opens) -> None:
    _, execution_id = await ended(open_office)
    kept = HeldThreads().before("keep")
    office = await open_office(clock=TwoDaysOn(), retention_h=47)
    await kept.reached()  # the sweep is about to let go of it
    pin = asyncio.create_task(office.executions.books.retention.pin(execution_id, True))
    deletion: asyncio.Task[Any] = asyncio.create_task(office.executions.delete(execution_id))
    await meanwhile()
    assert not pin.done()
    kept.go()
    with pytest.raises(Expired):
        await pin
    await deletion
    with pytest.raises(CloutError) as caught:
        await office.executions.state(execution_id)
    assert isinstance(caught.value, NotFound), "what was deleted is shown no more, expired or not"


async def test_who_begins_to_watch_at_the_end_is_not_kept_waiting() -> None:
    watchers = Watchers()
    watchers.close()

    async def state(_: str) -> Any:
        raise AssertionError

    async with asyncio.timeout(90):
        assert [each async for each in watchers.follow(state)] == []


async def test_a_kernel_that_comes_after_two_cancels_is_ended_all_the_same() -> None:
    start: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ended = asyncio.Event()

    async def end(which: str) -> None:
        assert which == "k"
        ended.set()

    starting = asyncio.create_task(_started(lambda: start, lambda _: None, end))
    await asyncio.sleep(0)
    for _ in range(2):
        starting.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.wait({starting})
    start.set_result("k")
    async with asyncio.timeout(90):
        await ended.wait()
