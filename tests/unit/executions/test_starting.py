"""While a server starts: what was left comes back in its order, whoever asks or brings something."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from cloutagent_ext.errors import CloutError
from cloutagent_ext.executions import recovery
from cloutagent_ext.schema.project import Queue

from .conftest import Office, Opens, bash
from .test_interleavings import meanwhile
from .test_open_logs import Disks
from .test_open_logs import disks as disks
from .test_queue import gated, open_, program


async def test_who_asks_or_brings_something_while_a_server_starts_changes_no_order(
    open_office: Opens, tmp_path: Path
) -> None:
    """A panel that connects again asks for the newest first: it ran before all that had waited longer."""
    first, gate = await open_office(), tmp_path / "gate"
    project = await first.project(bash(gated(gate)), queue=Queue(max_concurrent=1), on_restart="interrupt")
    running, *waiting = [(await first.accept(project)).execution_id for _ in range(4)]
    await first.until(running, "tool_call")
    await first.services.stop(0)
    await open_(gate)

    second = Office(tmp_path / "data")
    asked = [asyncio.create_task(second.executions.state(each)) for each in reversed(waiting)]
    listed = asyncio.create_task(second.executions.list())
    brought = asyncio.create_task(second.accept(project))
    await meanwhile()
    try:
        assert not second.executions.active, "nothing begins before all are back"
        await second.services.start()
        assert {(await each).status for each in asked} <= {"queued", "running", "completed"}
        assert len((await listed).items) >= 4
        waiting.append((await brought).execution_id)
        states = [await second.executions.wait(each) for each in waiting]
        assert [state.status for state in states] == ["completed"] * 4
        started = [state.started_at or "" for state in states]
        assert started == sorted(started)
    finally:
        await second.services.stop(0)


async def test_one_that_is_left_interrupted_lets_nobody_start_before_all_are_back(
    open_office: Opens, tmp_path: Path
) -> None:
    """People go before programs, over a restart too, however those came that have their fate before them."""
    first, gate = await open_office(allow_simulated_api=True), tmp_path / "gate"
    queue = Queue(max_concurrent=1)
    project = await first.project(bash(gated(gate)), queue=queue, on_restart="interrupt")
    other = await first.project(bash(gated(gate)), queue=queue, on_restart="interrupt")
    one = (await first.accept(project)).execution_id
    await first.until(one, "tool_call")
    called = (await first.accept(project, principal=program(project))).execution_id
    left = (await first.accept(other)).execution_id
    await first.until(left, "tool_call")
    person = (await first.accept(project)).execution_id
    await first.services.stop(0)
    await open_(gate)

    second = await open_office(allow_simulated_api=True)
    states = [await second.executions.wait(each) for each in (person, called)]
    assert [state.status for state in states] == ["completed"] * 2
    assert (states[0].started_at or "") < (states[1].started_at or "")
    assert (await second.executions.state(left)).status == "interrupted"


async def test_one_that_cannot_get_its_fate_keeps_no_other_from_coming_back(
    open_office: Opens, disks: Disks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its disk takes no end: the start had failed with it, and nothing that waited ever ran."""
    first, gate = await open_office(), tmp_path / "gate"
    broken = await first.project(bash(gated(gate)))
    sound = await first.project(bash(gated(gate)), queue=Queue(max_concurrent=1), on_restart="interrupt")
    poison = (await first.accept(broken)).execution_id
    one, waits = [(await first.accept(sound)).execution_id for _ in range(2)]
    for each in (poison, one):
        await first.until(each, "tool_call")
    await first.services.stop(0)
    await open_(gate)

    monkeypatch.setattr(recovery, "MOST_DEATHS", 0)  # as behind the third death of its server
    disks.fail(broken, errno.EROFS)
    second = await open_office()
    assert (await second.executions.wait(waits)).status == "completed"
    assert (await second.executions.state(poison)).status == "interrupted"
    await second.services.stop(0)
    disks.mend()
    third = await open_office()
    state = await third.executions.state(poison)
    assert (state.status, state.error and state.error.code) == ("failed", "INTERRUPTED")


async def test_where_the_data_folder_cannot_be_opened_nobody_who_reads_waits_for_a_start(
    open_office: Opens, tmp_path: Path
) -> None:
    first = await open_office()
    project = await first.project(bash(gated(tmp_path / "gate")), queue=Queue(max_concurrent=1))
    running, waits = [(await first.accept(project)).execution_id for _ in range(2)]
    await first.until(running, "tool_call")
    await first.services.stop(0)
    await asyncio.to_thread((tmp_path / "data/backups").rmdir)
    (tmp_path / "data/backups").write_text("no folder")
    second = Office(tmp_path / "data")
    with pytest.raises((CloutError, OSError)):
        await second.services.start()
    try:
        async with asyncio.timeout(25):  # a start may take thirty
            assert {each.execution_id for each in (await second.executions.list()).items} == {running, waits}
    finally:
        await second.services.stop(0)
