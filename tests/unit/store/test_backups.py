"""Backups: made when due, whole, whatever is in the way. What is restored from them: `test_restores`."""

from __future__ import annotations

import asyncio
import ctypes
import os
import tempfile
import threading
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cloutagent_ext.errors import Conflict, NotFound
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.backups import KEPT_MANUAL, Backups
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.stored import Stored

from .conftest import Wall, idle, names


async def test_a_missed_one_is_made_at_once_and_only_once(backups: Backups, pid: str) -> None:
    row = await backups.make_if_due()
    assert row is not None
    assert (row.name, row.kind) == ("backup-2026-03-10.zip", "daily")
    assert await backups.make_if_due() is None


async def test_it_is_due_at_two_and_seven_are_kept(backups: Backups, wall: Wall, pid: str) -> None:
    wall.time = wall.time.replace(hour=1, minute=59)
    await backups.make_if_due()
    assert await names(backups, "daily") == ["backup-2026-03-09.zip"]
    manual = await backups.make()
    assert manual.name == "backup-2026-03-10T015900.zip"
    for _ in range(9):
        wall.time += timedelta(days=1)
        await backups.make_if_due()
    assert await names(backups, "daily") == [f"backup-2026-03-{day}.zip" for day in range(12, 19)]
    assert await names(backups, "manual") == [manual.name]


async def test_a_clock_that_was_wrong_for_a_while_does_not_end_the_daily_backups(
    backups: Backups, wall: Wall, pid: str
) -> None:
    """Far ahead once, then right again; far behind; and at either end of summer time."""
    right = wall.time
    wall.time = right + timedelta(days=3650)
    assert await backups.make_if_due() is not None
    wall.time = right
    for days in range(3):
        wall.time = right + timedelta(days=days)
        row = await backups.make_if_due()
        assert row is not None
        assert row.name == f"backup-2026-03-{10 + days}.zip"
        assert await backups.make_if_due() is None
    # A day back finds that day's; where all that are kept are newer, what it made would go at once.
    wall.time = right + timedelta(days=1)
    assert await backups.make_if_due() is None
    for days in range(3, 9):
        wall.time = right + timedelta(days=days)
        assert await backups.make_if_due() is not None
    wall.time = right - timedelta(days=3650)
    assert await backups.make_if_due() is None


@pytest.mark.parametrize(("month", "day"), [(3, 29), (10, 25)], ids=["begins", "ends"])
async def test_when_summer_time_changes_there_is_one_backup_a_day(
    backups: Backups, wall: Wall, pid: str, month: int, day: int
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    moment = datetime(2026, month, day - 1, 12, tzinfo=UTC)
    made = []
    for _ in range(6 * 48):  # every ten minutes for two days
        wall.time = moment.astimezone(zone)
        row = await backups.make_if_due()
        made += [row.name] if row else []
        moment += timedelta(minutes=10)
    assert made == [f"backup-2026-{month:02}-{each:02}.zip" for each in (day - 1, day, day + 1)]


async def test_of_those_made_on_demand_the_newest_are_kept(
    store: ProjectStore, pid: str, data_dir: Path, wall: Wall
) -> None:
    backups = store.backups(keep_manual=2, now=wall)
    await backups.make_if_due()
    made = []
    for minute in range(4):
        made.append((await backups.make()).name)
        for path in (data_dir / "backups").glob("backup-*T*.zip"):  # as if a minute passed
            found = path.stat()
            os.utime(path, (found.st_atime - 60, found.st_mtime - 60))
        assert made[minute] in {row.name for row in await backups.rows()}
    kinds = [(row.kind, row.name) for row in await backups.rows()]
    assert sorted(name for kind, name in kinds if kind == "manual") == sorted(made[-2:])
    assert [kind for kind, _ in kinds].count("daily") == 1


async def test_the_one_that_was_asked_for_stays_where_the_others_are_from_the_future(
    store: ProjectStore, pid: str, wall: Wall, data_dir: Path
) -> None:
    """The clock was ahead when they were made and is right now: theirs look newer than what is made."""
    backups = store.backups(now=wall, keep_manual=2)
    for _ in range(2):
        row = await backups.make()
        later = datetime.now().timestamp() + 86_400 * 365
        os.utime(data_dir / "backups" / row.name, (later, later))
        wall.time += timedelta(minutes=1)
    made = await backups.make()
    assert made.name in await names(backups, "manual")


async def test_without_a_bound_all_of_them_stay(store: ProjectStore, pid: str) -> None:
    backups = store.backups(keep_manual=0)
    for _ in range(KEPT_MANUAL + 2):
        await backups.make()
    assert len(await backups.rows()) == KEPT_MANUAL + 2
    await store.backups().make()
    assert len(await backups.rows()) == KEPT_MANUAL


async def test_nothing_to_back_up_makes_no_backup(backups: Backups) -> None:
    assert await backups.make_if_due() is None
    assert await backups.rows() == []


async def test_states_of_deleted_projects_go_after_30_days(
    backups: Backups, wall: Wall, store: ProjectStore, pid: str, data_dir: Path
) -> None:
    wall.time = datetime.now().astimezone()
    other = await store.archives.duplicate(pid)
    await store.delete(other)
    await backups.make()
    assert len(await names(backups, "deleted")) == 1
    wall.time += timedelta(days=31)
    await backups.make()
    assert await names(backups, "deleted") == []


def vanishing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Somebody removes the file `name` between the walk that found it and the reading."""
    real = os.open

    def opened(path: str | Path, *rest: int, **more: int) -> int:
        if os.fspath(path).endswith(f"/{name}"):
            os.unlink(path)
        return real(path, *rest, **more)

    monkeypatch.setattr(os, "open", opened)


async def test_a_file_that_goes_while_it_is_read_takes_no_project_out_of_the_backup(
    backups: Backups, store: ProjectStore, stored: Stored, pid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note or a key file in the making, a file removed by hand: the rest is kept, above all by a delete."""
    await store.write_file(pid, "gone.csv", b"1")
    await store.write_file(pid, "gone too.csv", b"1")
    with monkeypatch.context() as patch:
        vanishing(patch, "gone.csv")
        row = await backups.make()
    with monkeypatch.context() as patch:
        vanishing(patch, "gone too.csv")
        await store.delete(pid)
    for name in (row.name, *await names(backups, "deleted")):
        await backups.restore(name, project_id=pid, busy=idle)
        assert (await store.read(pid)).project.agent == stored.project.agent
        assert (await store.read_file(pid, "data/sales.csv"))[0] == b"a,b\n1,2\n"


async def test_what_stands_in_the_way_of_one_project_keeps_all_of_them_as_they_are(
    backups: Backups, store: ProjectStore, stored: Stored, pid: str, data_dir: Path
) -> None:
    other = str((await store.create(stored.project)).project.id)
    first, last = sorted([pid, other])
    await store.write_file(last, "notes", b"1")
    row = await backups.make()
    await store.save(first, stored.project.model_copy(update={"description": "changed"}))
    await store.delete_file(last, "notes")
    await asyncio.to_thread((data_dir / "projects" / last / "files/notes").mkdir)
    with pytest.raises(Conflict, match="is a folder"):
        await backups.restore(row.name, project_id=None, busy=idle)
    assert (await store.read(first)).project.description == "changed"
    assert await names(backups, "replaced") == []


def as_an_ordinary_user(work: Callable[[], None]) -> None:
    """`work` in a thread for which modes count, also where root runs the tests: rights are a thread's own."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    rights = (ctypes.c_uint32 * 6)()
    failed: list[BaseException] = []

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.capget(header, rights) == 0
        rights[0] &= ~0b110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert libc.capset(header, rights) == 0
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


@pytest.mark.parametrize("unreadable", ["files/data/sales.csv", "files/data", "files", "own/secret"])
async def test_what_may_not_be_read_costs_the_backup_nothing_else(
    backups: Backups, store: ProjectStore, pid: str, folder: Path, unreadable: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    other = str((await store.create(Definition(name="Other"))).project.id)
    (folder / "own").mkdir()
    (folder / "own/secret").write_text("mine")
    (folder / unreadable).chmod(0)
    try:
        await asyncio.to_thread(as_an_ordinary_user, lambda: backups._make(None))
        assert f"{unreadable} of project {pid} is in no backup: it cannot be read" in caplog.text

        def deletion() -> None:
            with pytest.raises(Conflict, match="cannot be read"):
                store._shelf.delete(pid, lambda _: False)

        await asyncio.to_thread(as_an_ordinary_user, deletion)  # nothing else would be left of it
    finally:
        (folder / unreadable).chmod(0o755)
    assert (await store.read(pid)).project.id
    [row] = [row for row in await backups.rows() if row.kind == "manual"]
    for each in (pid, other):
        await store.delete(each)
        await backups.restore(row.name, project_id=each, busy=idle)
        assert (await store.read(each)).project.id


async def test_names_from_outside_reach_no_other_file(backups: Backups, pid: str, data_dir: Path) -> None:
    row = await backups.make()
    for name in ("../projects", f"../backups/{row.name}", "backup-2026-01-01.zip", ".lock", ""):
        with pytest.raises(NotFound):
            await backups.open(name)
    with pytest.raises(NotFound):
        await backups.restore(row.name, project_id="00000000-0000-0000-0000-000000000000", busy=idle)


async def test_a_backup_made_while_people_save_holds_one_state_of_each_project(
    backups: Backups, store: ProjectStore, stored: Stored, pid: str
) -> None:
    stop, saved = asyncio.Event(), asyncio.Event()

    async def save() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            changed = stored.project.model_copy(update={"description": f"state {number}"})
            changed.agent.system_prompt = f"state {number}"
            await store.save(pid, changed, draft=True)
            saved.set()

    saving = asyncio.create_task(save())
    await saved.wait()
    rows = [await backups.make() for _ in range(5)]
    stop.set()
    await saving
    for row in rows:
        await backups.restore(row.name, project_id=pid, busy=idle)
        project = (await store.read(pid)).project
        assert project.description == project.agent.system_prompt


async def test_what_is_running_or_half_done_is_not_in_it(
    backups: Backups, pid: str, folder: Path, data_dir: Path
) -> None:
    (folder / "executions/one").mkdir(parents=True)
    (folder / "executions/one/events.jsonl").write_text("x")
    (folder / "files/link").symlink_to("/etc/passwd")
    row = await backups.make()
    with zipfile.ZipFile(data_dir / "backups" / row.name) as archive:
        found = archive.namelist()
    assert not [name for name in found if "executions" in name or "link" in name or ".staging" in name]
    assert f"projects/{pid}/versions/v1/version.json" in found


async def test_the_clock_makes_one_by_itself_and_stops(store: ProjectStore, pid: str, wall: Wall) -> None:
    asked = asyncio.Event()

    async def sleep(_: float) -> None:
        asked.set()
        await asyncio.Event().wait()

    backups = store.backups(now=wall, sleep=sleep)
    backups.start()
    async with asyncio.timeout(60):
        await asked.wait()
    await backups.stop()
    assert await names(backups, "daily") == ["backup-2026-03-10.zip"]


async def test_projects_backups_and_workspaces_may_be_different_file_systems(tmp_path: Path) -> None:
    """A rename never leads from one to another: what is staged lies beside its target."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=memory) as other:
        data_dir = tmp_path / "data"
        data_dir.mkdir()
        (data_dir / "backups").symlink_to(other)
        store = ProjectStore(data_dir)
        await store.open()
        pid = str((await store.create(Definition(name="Here"), files={"a.csv": b"1"})).project.id)
        backups = store.backups()
        row = await backups.make()
        await store.save(pid, Definition(name="Here", description="newer"))
        done = await backups.restore(row.name, project_id=pid, busy=idle)
        assert len(done.kept) == 1
        await store.delete(pid)
        assert len(list(Path(other).glob("*.zip"))) == 3
        await backups.restore(row.name, project_id=pid, busy=idle)
        assert (await store.read(pid)).project.description == ""
        await store.copy_files(pid, Path(other) / "workspace")
        assert (Path(other) / "workspace/a.csv").read_bytes() == b"1"
