"""A cancel in the moment in which something else is being decided: it counts, or it is told why not."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from cloutagent_ext.executions.live import Order
from tests.support.held_threads import HeldThreads

from .conftest import Opens, bash
from .test_interleavings import errors, interrupted, meanwhile
from .test_run import processes_of


async def test_a_cancel_while_it_is_said_that_it_cannot_go_on_is_not_lost(
    open_office: Opens, tmp_path: Path
) -> None:
    """It had been answered with `cancelling`, and stayed interrupted."""
    office, execution_id = await interrupted(open_office, tmp_path / "gate")
    scheduler = office.executions._scheduler
    live = await office.executions._fates.hold(execution_id)
    assert live is not None
    await asyncio.to_thread(shutil.rmtree, office.services.settings.data_dir / "temp" / execution_id)
    said = HeldThreads().before("fsync")
    assert scheduler.resume(live, Order())
    scheduler.pump()
    await said.reached()
    assert (live.state.status, live.task is not None) == ("interrupted", True)
    state = await office.executions.cancel(execution_id, by="ada")
    said.go()
    assert state.cancelling
    assert (await office.executions.wait(execution_id)).status == "cancelled"
    kinds = [event["type"] for event in await office.events(execution_id)]
    assert (kinds[-1], kinds.count("cancelled")) == ("cancelled", 1)


async def test_a_cancel_while_one_is_given_up_ends_it_once(
    open_office: Opens, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    office, execution_id = await interrupted(open_office, tmp_path / "gate")
    scheduler = office.executions._scheduler
    live = await office.executions._fates.hold(execution_id)
    assert live is not None
    written = HeldThreads().before("write_error")
    giving_up = asyncio.create_task(scheduler.give_up(live, "It may be the cause."))
    await written.reached()
    cancel = asyncio.create_task(office.executions.cancel(execution_id, by="ada"))
    await meanwhile()
    written.go()
    await giving_up
    state = await cancel
    assert (state.status, state.error and state.error.code) == ("failed", "INTERRUPTED")
    kinds = [event["type"] for event in await office.events(execution_id)]
    assert kinds.count("error") + kinds.count("cancelled") == 1
    assert not errors(caplog)


async def appears(path: Path) -> None:
    """Return when it is there; looked for in a thread that is none of the loop's, whose calls are counted."""
    loop, there, over = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def look() -> None:
        while not path.exists():
            if over.wait(0.01):
                return
        loop.call_soon_threadsafe(there.set)

    threading.Thread(target=look, daemon=True).start()
    try:
        await there.wait()
    finally:
        over.set()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("after", [False, True], ids=["before", "behind"])
async def test_a_cancel_at_any_hand_over_between_loop_and_threads_is_over_soon(
    open_office: Opens, tmp_path: Path, after: bool
) -> None:
    """From acceptance until its command runs. Held there while the cancel comes, and let go again."""
    began, office = tmp_path / "began", await open_office()
    project = await office.project(bash(f"touch {began}; sleep 600"))
    scheduler = office.executions._scheduler

    async def case(number: int | None) -> int:
        threads, held = HeldThreads(), None
        if number is not None:
            held = threads.number(number, after=after)
        accepting = asyncio.create_task(office.accept(project))
        running = asyncio.create_task(appears(began))
        ways = {running} if held is None else {running, asyncio.create_task(held.reached())}
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        passed = threads.count
        live = next(iter(scheduler.live.values()), None)
        if live is not None:  # else it is not accepted yet, and nobody knows its name
            state = await office.executions.cancel(live.id, by="ada")
            assert state.status in ("running", "cancelled", "queued")
        if held is not None:
            held.go()
        execution_id = (await accepting).execution_id
        if live is None:
            await office.executions.cancel(execution_id, by="ada")
        async with asyncio.timeout(30):
            state = await office.executions.wait(execution_id)
        assert state.status == "cancelled", (number, state)
        assert await processes_of(execution_id) == [], number
        for each in {running, *ways}:
            each.cancel()
        await asyncio.gather(running, *ways, return_exceptions=True)
        began.unlink(missing_ok=True)
        return passed

    most = await case(None)
    assert most > 10
    for number in range(1, most + 1):
        await case(number)
