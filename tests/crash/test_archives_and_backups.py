"""Imports, copies, restores and backups under the fault injector: old or new, never mixed, no litter."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
from pathlib import Path

import pytest

from cloutagent_ext.store.backup_file import BackupFile
from cloutagent_ext.store.projects import ProjectStore
from tests.support.archives import zipped

from .faults import MODES, Disk, Tally, failing, faults
from .loop import run
from .test_every_operation import NEW, SHORT, Change, Trial, base, check, place

__all__ = ["base", "place"]

ARCHIVE = zipped([("files/a.csv", b"1")])
NAME = "backup-2026-01-01.zip"


def idle(_: Path) -> bool:
    return False


async def restore(store: ProjectStore, pid: str) -> None:
    await store.backups().restore(NAME, project_id=pid, busy=idle)


CHANGES = {
    "import": Change(lambda store, pid: store.archives.load(io.BytesIO(ARCHIVE), len(ARCHIVE))),
    "duplicate": Change(lambda store, pid: store.archives.duplicate(pid)),
    "restore over a project": Change(restore),
    "restore of a deleted project": Change(restore),
    "backup": Change(lambda store, pid: store.backups().make()),
}


async def _prepare(data_dir: Path, pid: str, name: str) -> None:
    store = ProjectStore(data_dir)
    await store.open()
    row = await store.backups().make()
    folder = data_dir / "backups"
    await asyncio.to_thread((folder / row.name).rename, folder / NAME)
    if name == "restore of a deleted project":
        await store.delete(pid)
    elif name == "restore over a project":
        await store.save(pid, NEW)
        await store.write_file(pid, "data.csv", b"newer")


def states(trial: Trial, name: str) -> list[object]:
    """Before, after, and for a restore in between: the state is back, but not yet a version of its own."""
    found = [trial.seen()]
    if name.startswith("restore"):
        between = Trial((trial.source, trial.pid), trial.data_dir.parent / "between", trial.change)
        backup = os.open(between.data_dir / "backups" / NAME, os.O_RDONLY)
        between.store.backups()._restore(backup, between.pid, idle)
        found.append(between.seen())
    assert trial.fail(Disk()) is None
    return [*found, trial.seen()]


@pytest.mark.parametrize(
    "thorough", [False, pytest.param(True, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])]
)
@pytest.mark.parametrize("name", CHANGES)
def test_old_or_new_whatever_operation_fails(
    base: tuple[Path, str], place: Path, name: str, thorough: bool
) -> None:
    source, pid = base
    shutil.copytree(source, place / "base", symlinks=True)
    with failing(Disk()):
        run(_prepare(place / "base", pid, name))
    begin, change = (place / "base", pid), CHANGES[name]
    whole = states(Trial(begin, place / "good", change), name)
    counting = Disk()
    Trial(begin, place / "count", change).fail(counting)
    assert len(counting.log) >= 3
    tally, modes = Tally(name), MODES if thorough else SHORT[:1]
    for mode, for_good in faults(modes, thorough=thorough):
        for at in range(1, len(counting.log) + 1):
            trial = Trial(begin, place / "trial", change)
            disk = Disk(mode, at, for_good)
            failure = trial.fail(disk)
            if tally.add(disk):
                check(trial, disk, failure, whole)
                every_backup_is_whole(trial.data_dir)
    tally.tell()
    assert set(modes) <= tally.hits.keys(), tally


def every_backup_is_whole(data_dir: Path) -> None:
    for path in (data_dir / "backups").glob("*.zip"):
        with BackupFile(path) as backup:
            backup.verify()
