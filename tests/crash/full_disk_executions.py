"""Executions on a disk that fills up while they run: how they end, and what still works.

`python -m tests.crash.full_disk_executions <folder>`, for `test_real_disks`, in a mount namespace of
its own: a small tmpfs is mounted on the folder. Prints `done` at the end.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from threading import Event

from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.errors import DiskFull, NotFound, Unauthorized
from cloutagent_ext.executions import reserve
from cloutagent_ext.schema.project import Queue
from tests.support.live_server import until
from tests.support.patience import promised
from tests.unit.executions.conftest import Office, bash
from tests.unit.executions.test_queue import gated

from .full_disk import mount

PAGE = 4096
"""Bytes that a tmpfs gives to a file at once."""


def fill(folder: Path) -> None:
    """Leave no room at all."""
    with (folder / "ballast").open("ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                if not reserve.is_full(error):
                    raise


def keep_full(folder: Path, enough: Event) -> None:
    """Take whatever room there comes to be, until `enough`."""
    while not enough.is_set():
        fill(folder)


def gate(number: int, outside: Path) -> Path:
    return outside / f"gate-{number}"


async def one_without_room(office: Office, command: str, outside: Path) -> str:
    """An execution in its first tool call, whose log ends so near a page's end that no event fits in it."""
    rooms: list[int] = []
    padding = 0
    for number in range(20):
        started = outside / f"started-{number}"
        script = bash(f"touch '{started}'; {command} #{'x' * padding}")
        project = await office.project(script, on_restart="interrupt")
        execution = (await office.accept(project)).execution_id
        await until(started.exists)
        log = office.services.settings.data_dir / f"projects/{project}/executions/{execution}/events.jsonl"
        rooms.append(-log.stat().st_size % PAGE)
        if rooms[-1] < 150:
            return execution
        await office.executions.cancel(execution, by="ada")
        await office.executions.wait(execution)
        # The padding is in more than one event: by how much it moves the end is seen, not known.
        copies = max(1, round((rooms[0] - rooms[1]) % PAGE / 64)) if len(rooms) > 1 else 1
        padding += 64 if len(rooms) == 1 else max(1, (rooms[-1] - 75) // copies)
    raise AssertionError(f"no log ended near a page's end: {rooms}")


async def refused(office: Office, project: str) -> None:
    try:
        await office.accept(project)
    except DiskFull as error:
        if error.status != 507:
            raise AssertionError(error.status) from error
    else:
        raise AssertionError("new work was taken on a full disk")


async def main(folder: Path, outside: Path) -> None:
    mount("-t", "tmpfs", "-o", "size=8m", "none", str(folder))
    office = Office(folder / "data")
    kept = folder / "data/projects" / reserve.NAME
    await office.services.start()
    executions = office.executions

    # More output than the last block of a file could still take in.
    chatty = "; head -c 30000 /dev/urandom | base64 -w 100"
    projects = [
        await office.project(
            bash(gated(gate(number, outside)) + chatty), name=f"P{number}", queue=Queue(max_concurrent=1)
        )
        for number in range(3)
    ]
    quick = await office.project(bash("echo hello"), name="Quick")
    old = await office.run(quick)
    assert old.status == "completed", old
    fails, cancelled, spared = [(await office.accept(each)).execution_id for each in projects]
    waiting = (await office.accept(projects[1])).execution_id
    mute = await one_without_room(office, gated(gate(3, outside)), outside)
    for each in (fails, cancelled, spared):
        await office.until(each, "tool_call")
    key = await office.services.keys.create(quick, "CI")
    before = await office.events(fails)

    await asyncio.to_thread(fill, folder)
    await refused(office, quick)
    assert kept.stat().st_size == reserve.BYTES, "new work must not take what is kept for endings"

    # The running one ends at its next step, with a plain name; all that was said before is kept.
    gate(0, outside).touch()
    async with asyncio.timeout(90):
        state = await executions.wait(fails)
    assert state.error, state
    assert (state.status, state.error.code) == ("failed", "DISK_FULL"), state
    assert "Free some" in state.error.message
    assert not kept.exists(), "it was said without the reserve: the disk was not full"
    events = await office.events(fails)
    assert events[: len(before)] == before
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "error"
    assert (folder / f"data/projects/{projects[0]}/executions/{fails}/error.json").stat().st_size
    await refused(office, quick)  # its megabyte is for other endings, not for new work

    # Somebody else takes the room that was kept. One that ends now cannot say so yet: nothing of it runs,
    # others have its slot, and its end is said when there is room.
    kept.unlink(missing_ok=True)
    greedy = asyncio.create_task(asyncio.to_thread(keep_full, folder, enough := Event()))
    gate(3, outside).touch()
    async with asyncio.timeout(90):
        while "waiting for the disk" not in ((state := await executions.state(mute)).current_step or ""):
            await asyncio.sleep(0.02)
    enough.set()
    await greedy
    assert state.status == "running", state
    assert "error" not in [event["type"] for event in await office.events(mute)]

    # Reading, cancelling, deleting, revoking.
    with promised(10):
        await executions.cancel(waiting, by="ada")
        await executions.cancel(cancelled, by="ada")
        for each in (waiting, cancelled):
            async with asyncio.timeout(90):
                assert (await executions.wait(each)).status == "cancelled"
    assert (await office.events(old.execution_id))[-1]["type"] == "complete"
    assert len([each for each in (await executions.list()).items if each.status != "cancelled"]) == 4
    await executions.delete(old.execution_id)
    try:
        await executions.state(old.execution_id)
    except NotFound:
        pass
    else:
        raise AssertionError("it is still there")
    await office.services.keys.revoke(quick, key.id)
    try:
        verified: Principal = await office.services.keys.verify(key.api_key)
    except Unauthorized:
        pass
    else:
        raise AssertionError(f"the revoked key still opens: {verified}")

    # Room again: no restart is needed.
    (folder / "ballast").unlink()
    gate(2, outside).touch()
    async with asyncio.timeout(90):
        assert (await executions.wait(spared)).status == "completed"
    async with asyncio.timeout(90):
        state = await executions.wait(mute)
    assert (state.status, state.error and state.error.code) == ("failed", "DISK_FULL"), state
    assert [event["type"] for event in await office.events(mute)].count("error") == 1
    assert (await office.run(quick)).status == "completed"
    assert kept.stat().st_size == reserve.BYTES
    await office.services.stop(0)
    print("done")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
