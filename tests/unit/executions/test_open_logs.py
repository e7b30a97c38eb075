"""A disk that turns read-only, full or broken under logs that are open: what becomes of their executions.

A mount cannot be made read-only while somebody writes on it, but a disk can fail so. Here each project
has a disk of its own, which fails when the test says so, below the one place where logs are written
(`appendfile`). On a real server: `server/test_broken_disk.py`, `crash/test_real_disks.py`.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.ports import Decision
from cloutagent_ext.errors import CloutError, DiskFull, Unavailable
from cloutagent_ext.executions import appendfile
from tests.support.live_server import until

from .conftest import Office, Opens, agent, bash
from .test_queue import gated

WAITS = "waiting for the disk"


class Disks:
    """Stands in for `os` below the logs: a project's writes fail from the `from_`-th on, until mended."""

    def __init__(self) -> None:
        self.broken: dict[str, tuple[str, int, int]] = {}
        self.writes: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._projects: dict[int, str] = {}

    def fail(self, project: str, number: int, *, call: str = "write", from_: int = 0) -> None:
        self.broken[project] = (call, number, from_)

    def mend(self) -> None:
        self.broken.clear()

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name == "open":
            return self._open
        if name not in ("write", "fsync", "ftruncate"):
            return real

        def operate(descriptor: int, *arguments: Any) -> Any:
            project = self._projects[descriptor]
            self.writes[project] += name == "write"
            call, number, from_ = self.broken.get(project, ("", 0, 0))
            if call == "half" and name in ("write", "ftruncate") and not self.failed[project]:
                self.failed[project] += 1
                return real(descriptor, bytes(arguments[0])[:7])
            if (call == name or (call == "half" and name != "fsync")) and self.writes[project] >= from_:
                self.failed[project] += 1
                raise OSError(number, os.strerror(number))
            return real(descriptor, *arguments)

        return operate

    def _open(self, path: Path, *arguments: Any) -> int:
        descriptor = os.open(path, *arguments)
        self._projects[descriptor] = path.parents[2].name
        return descriptor


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disks]:
    found = Disks()
    monkeypatch.setattr(appendfile, "os", found)
    yield found
    found.mend()


async def waits_for_disk(office: Office, execution: str) -> None:
    async with asyncio.timeout(90):
        while WAITS not in ((await office.executions.state(execution)).current_step or ""):
            await asyncio.sleep(0.02)


def whole(events: list[dict[str, Any]]) -> str:
    """The one ending of a log without a gap."""
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    ends = [event["type"] for event in events if event["type"] in ("complete", "error", "cancelled")]
    assert len(ends) == 1, ends
    assert events[-1]["type"] == ends[0]
    return str(ends[0])


@pytest.mark.parametrize("wish", ["end", "cancel"])
@pytest.mark.parametrize(
    ("number", "call", "code"),
    [
        (errno.EROFS, "write", "READ_ONLY"),
        (errno.EIO, "half", "READ_ONLY"),
        (errno.ENOSPC, "write", "DISK_FULL"),
        (errno.EFBIG, "half", "DISK_FULL"),
    ],
)
async def test_its_end_is_said_when_the_disk_is_back_and_a_cancel_stays_one(
    open_office: Opens, disks: Disks, tmp_path: Path, number: int, call: str, code: str, wish: str
) -> None:
    """It had been nobody's, "running" without running, and ran again by itself: a cancelled one, too."""
    office = await open_office(max_running=1)
    executions, gate, began = office.executions, tmp_path / "gate", tmp_path / "began"
    project = await office.project(bash(f"echo x >> {began}; {gated(gate)}"), bash("echo more", "more"))
    execution = (await office.accept(project)).execution_id
    await until(lambda: began.exists() and began.stat().st_size > 0)
    followed = asyncio.create_task(_follow(office, execution))
    disks.fail(project, number, call=call)
    if wish == "cancel":
        assert (await executions.cancel(execution, "ada")).cancelling
        await waits_for_disk(office, execution)  # nothing of it runs any more, whatever the disk does
        gate.touch()
    else:
        gate.touch()
        await waits_for_disk(office, execution)
    before = await office.events(execution)
    assert (await executions.state(execution)).status == "running"
    assert not followed.done()

    # Others have its slot, and are read, run and listed as always; new work of its own is refused by name.
    other = await office.project(bash("echo hello"), name="Other")
    assert (await office.run(other)).status == "completed"
    assert {row.status for row in (await executions.list()).items} == {"running", "completed"}
    with pytest.raises(DiskFull if code == "DISK_FULL" else Unavailable):
        await office.accept(project)
    assert len((await executions.list()).items) == 2

    disks.mend()
    async with asyncio.timeout(90):
        state = await executions.wait(execution)
    assert disks.failed[project] >= 2
    events = await office.events(execution)
    assert events[: len(before)] == before
    assert whole(events) == ("cancelled" if wish == "cancel" else "error")
    assert (state.status, state.error and state.error.code) == (
        ("cancelled", None) if wish == "cancel" else ("failed", code)
    )
    async with asyncio.timeout(90):
        assert await followed == [event["id"] for event in events], "who reads it learns of its end"
    assert began.read_text() == "x\n", "it ran a second time"
    await executions.delete(execution)


async def _follow(office: Office, execution: str) -> list[int]:
    log = await office.executions.log(execution)
    return [json.loads(line)["id"] async for line in log.cursor()]


async def test_a_server_that_ends_meanwhile_leaves_it_to_the_next_one(
    open_office: Opens, disks: Disks, tmp_path: Path
) -> None:
    first, gate, began = await open_office(), tmp_path / "gate", tmp_path / "began"
    project = await first.project(bash(f"echo x >> {began}; {gated(gate)}"), on_restart="interrupt")
    execution = (await first.accept(project)).execution_id
    await until(lambda: began.exists() and began.stat().st_size > 0)
    disks.fail(project, errno.EROFS)
    gate.touch()
    await waits_for_disk(first, execution)
    async with asyncio.timeout(10):
        await first.services.stop(5)
    disks.mend()
    second = await open_office()
    assert (await second.executions.state(execution)).status == "interrupted"
    assert (await second.events(execution))[-1]["type"] == "interrupted"


async def test_whatever_write_is_the_first_to_fail_there_is_one_end_and_no_tool_runs_twice(
    open_office: Opens, disks: Disks, tmp_path: Path
) -> None:
    office = await open_office(max_running=64, max_concurrent=1)
    runs: dict[int, tuple[str, str]] = {}
    for nth in range(1, 41):
        number = (errno.EROFS, errno.EIO, errno.ENOSPC, errno.EFBIG)[nth % 4]
        project = await office.project(
            bash(f"echo x >> {tmp_path / f'first-{nth}'}"),
            bash(f"echo x >> {tmp_path / f'second-{nth}'}", "b"),
        )
        disks.fail(project, number, from_=nth, call="write")
        try:
            runs[nth] = project, (await office.accept(project)).execution_id
        except (DiskFull, Unavailable):
            assert nth == 1
            assert (await office.executions.list(project=project)).items == []

    def settled() -> bool:
        return office.executions.running == 0

    await until(settled)
    disks.mend()
    ends = Counter[str]()
    for nth, (project, execution) in runs.items():
        async with asyncio.timeout(90):
            state = await office.executions.wait(execution)
        ends[state.status] += 1
        whole(await office.events(execution))
        if state.status != "completed":
            assert disks.failed[project], nth
            assert state.error is not None
            assert state.error.code in ("READ_ONLY", "DISK_FULL"), (nth, state.error)
        for name in ("first", "second"):
            place = tmp_path / f"{name}-{nth}"
            assert not place.exists() or place.read_text() == "x\n", (nth, name)
    assert ends["failed"] >= 15, ends
    assert ends["completed"] >= 1, "the loop met every write"


@pytest.mark.parametrize("wish", ["end", "cancel"])
async def test_a_failed_sync_is_never_tried_again_as_if_it_had_not_been(
    open_office: Opens, disks: Disks, tmp_path: Path, caplog: pytest.LogCaptureFixture, wish: str
) -> None:
    office, gate, began = await open_office(), tmp_path / "gate", tmp_path / "began"
    project = await office.project(bash(f"touch {began}; {gated(gate)}"), bash("echo more", "more"))
    later, other = tmp_path / "later", await office.project(bash(gated(tmp_path / "later")), name="Other")
    execution = (await office.accept(project)).execution_id
    spared = (await office.accept(other)).execution_id
    await until(began.exists)
    disks.fail(project, errno.EIO, call="fsync")
    if wish == "cancel":
        await office.executions.cancel(execution, "ada")
    gate.touch()
    async with asyncio.timeout(90):
        state = await office.executions.wait(execution)
    code = state.error and state.error.code
    assert (state.status, code) == (("cancelled", None) if wish == "cancel" else ("failed", "READ_ONLY"))
    whole(await office.events(execution))
    disks.mend()

    # Said loudly until a restart; nothing new is begun, whatever runs goes on and is read.
    assert "disk failed" in (office.services.read_only or "")
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 1
    with pytest.raises(CloutError) as refused:
        await office.accept(other)
    assert (refused.value.status, refused.value.error_code) == (503, "READ_ONLY")
    later.touch()
    async with asyncio.timeout(90):
        assert (await office.executions.wait(spared)).status == "completed"
    await office.services.stop(0)

    again = await open_office()
    assert again.services.read_only is None
    assert (await again.executions.state(execution)).status == state.status
    assert (await again.run(other)).status == "completed"


async def test_a_decision_that_did_not_reach_the_disk_is_refused_and_closes_it(
    open_office: Opens, disks: Disks, tmp_path: Path
) -> None:
    office, ran = await open_office(), tmp_path / "ran"
    project = await office.project(bash(f"touch {ran}"), agent=agent(permissions={"bash": "ask"}))
    execution = (await office.accept(project)).execution_id
    asked = await office.until(execution, "approval_required")
    disks.fail(project, errno.EIO, call="fsync")
    with pytest.raises(Unavailable, match="could not be brought to the disk"):
        await office.executions.decide(execution, asked["call_id"], Decision(True, "ada"))
    assert "disk failed" in (office.services.read_only or "")
    await office.executions.cancel(execution, "ada")
    async with asyncio.timeout(30):
        assert (await office.executions.wait(execution)).status == "cancelled"
    assert not ran.exists()


async def test_a_log_whose_sync_failed_says_so_for_good(disks: Disks, tmp_path: Path) -> None:
    folder = tmp_path / "project" / "executions" / "one"
    folder.mkdir(parents=True)
    file = appendfile.AppendFile.open(folder / "events.jsonl", new=True)
    file.append(b"1\n")
    disks.fail("project", errno.EIO, call="fsync")
    with pytest.raises(Unavailable, match="could not be brought to the disk"):
        await file.sync()
    disks.mend()
    for _ in range(2):  # the kernel itself would say that all is well now
        with pytest.raises(Unavailable, match="Input/output error"):
            await file.sync()
    await file.close()


async def test_half_a_record_that_could_not_be_taken_back_is_taken_back_later(
    disks: Disks, tmp_path: Path
) -> None:
    folder = tmp_path / "project" / "executions" / "one"
    folder.mkdir(parents=True)
    file = appendfile.AppendFile.open(folder / "events.jsonl", new=True)
    file.append(b"a whole record\n")
    disks.fail("project", errno.EIO, call="half")
    for _ in range(3):
        with pytest.raises(OSError, match="Input/output"):
            file.append(b"another record\n")
    assert (folder / "events.jsonl").read_bytes() == b"a whole record\nanother"
    disks.mend()
    file.append(b"the last record\n")
    await file.sync()
    await file.close()
    assert (folder / "events.jsonl").read_bytes() == b"a whole record\nthe last record\n"
