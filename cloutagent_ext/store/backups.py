"""Backups of all projects: made each night and on demand, verified, kept for a while, restored.

Daily ones are due at 02:00 local time and carry their day; one that was missed is made at the next
start. Seven are kept, and of those made on demand the newest `keep_manual`: what somebody wants for
longer is downloaded. Beside them lie the last states of deleted and of replaced projects, kept for 30
days. Saving goes on meanwhile: a project is held still only while it is read itself.

Not here: what is in a backup (`store.backup_file`) and how a project changes (`store.restore`).
Async; the work runs in one thread at a time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .. import durable, filelocks
from ..errors import CloutError, Conflict, NewerFormat, NotFound, UnreadableFile
from ..guard import Guard
from ..schema.archives import BACKUP_NAME, BackupKind, BackupRow, Restored
from ..schema.base import timestamp
from . import backup_file, restore
from .backup_file import BackupFile
from .commit import recover
from .shelf import BACKUPS_LOCK, DELETED, REPLACED, Busy, Shelf, is_id, must_rest
from .writer import lock_path

if TYPE_CHECKING:
    from .projects import ProjectStore

DUE = time(2, 0)
"""Local time at which the daily backup is due."""
KEPT = 7
KEPT_MANUAL = 30
"""Of backups made on demand, unless the setting says otherwise."""
KEPT_STATES = timedelta(days=30)
"""How long the last states of deleted and replaced projects stay."""
LOOK_EVERY_S = 600.0
"""A machine that slept notices within this time that a backup is due."""

_NAME = re.compile(BACKUP_NAME)
_DAILY = re.compile(r"backup-(\d{4}-\d{2}-\d{2})\.zip")

log = logging.getLogger("cloutagent.store")


def local_now() -> datetime:
    """The time on this machine's wall."""
    return datetime.now().astimezone()


class Backups:
    """The folder `backups/` of one data folder, which several servers may share."""

    def __init__(
        self,
        projects: Path,
        folder: Path,
        shelf: Shelf,
        guard: Guard,
        store: ProjectStore,
        *,
        keep_manual: int = KEPT_MANUAL,
        now: Callable[[], datetime] = local_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._keep_manual = keep_manual
        self._projects = projects
        self._folder = folder
        self._shelf = shelf
        self._guard = guard
        self._store = store
        self._now = now
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Make daily backups from now on, first a missed one."""
        self._task = asyncio.create_task(self._daily(), name="cloutagent backups")

    async def stop(self) -> None:
        """Make no more; one that is being written is finished."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def rows(self) -> list[BackupRow]:
        """All backups, newest first."""
        return await asyncio.to_thread(self._rows)

    async def make(self) -> BackupRow:
        """A backup now, its time in its name; the oldest such beyond `keep_manual` go (0: none).

        Raises `DiskFull`, `Unavailable`.
        """
        return await asyncio.to_thread(self._make, None)

    async def open(self, name: str) -> BinaryIO:
        """The backup for reading; the caller closes it. Raises `NotFound`."""
        return await asyncio.to_thread(self._open, name)

    async def restore(self, name: str, *, project_id: str | None, busy: Busy) -> Restored:
        """Put one project, or all of the backup, back; what that replaces is kept as `replaced-…`.

        `busy` is asked of each project before anything is changed, and once more in the moment of its
        change: one that begins in between is not put on another ground. Raises `NotFound`, `Conflict`
        (busy, or what stands in the way), `BadArchive` (nothing is changed).
        """
        # Open to the end: the clock may let go of its name before the last project is back.
        file = await asyncio.to_thread(self._open, name)
        try:
            ids = await asyncio.to_thread(self._check, file, project_id, busy)
            kept = []
            for each in ids:
                replaced = await self._store.in_turn(
                    each, partial(self._restore, os.dup(file.fileno()), each, busy)
                )
                kept += [replaced] if replaced else []
                try:
                    await self._store.freeze(each)
                except (UnreadableFile, NewerFormat) as error:  # as it was when the backup was made
                    log.warning("The restored project %s has no version of this state yet: %s", each, error)
            return Restored(restored=ids, kept=kept)
        finally:
            file.close()

    # ------------------------------------------------------------ the clock

    async def _daily(self) -> None:
        while True:
            try:
                await self.make_if_due()
            except (CloutError, OSError) as error:
                log.error("The daily backup could not be made, and is tried again: %s", error)
            await self._sleep(LOOK_EVERY_S)

    async def make_if_due(self) -> BackupRow | None:
        """The daily backup, if it is due, not there yet, and there is something to back up."""
        now = self._now()
        day = now.date() if now.time() >= DUE else now.date() - timedelta(days=1)
        work = asyncio.ensure_future(asyncio.to_thread(self._make_daily, day))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.gather(work, return_exceptions=True)
            raise

    def _make_daily(self, day: date) -> BackupRow | None:
        days = [each for each, _ in self._dailies()]
        # Not "the newest is of today or later": one backup of a clock that was ahead would be the last.
        # Where all that are kept are newer, this clock is behind, and what it made would go at once.
        behind = sum(each > day.isoformat() for each in days) >= KEPT
        if behind or day.isoformat() in days or not self._shelf.ids():
            return None
        return self._make(day)

    # ------------------------------------------------------------ making

    def _make(self, day: date | None) -> BackupRow:
        with self._guard.writing():
            durable.make_folder(self._folder)
            with filelocks.locked(self._folder / BACKUPS_LOCK, timeout_s=600):
                target = self._folder / self._name(day)
                if not target.exists():
                    for litter in self._folder.glob(".backup-*.tmp"):  # of a server that was killed
                        durable.remove(litter)
                    backup_file.write(target, self._shelf.ids(), self._held)
                    self._prune(made=target.name)
                return self._row(target)  # before anybody else makes one, and lets go of this one

    def _name(self, day: date | None) -> str:
        if day is not None:
            return f"backup-{day.isoformat()}.zip"
        stem = self._now().strftime("backup-%Y-%m-%dT%H%M%S")
        taken = {path.name for path in self._folder.iterdir()}
        names = (f"{stem}{ending}.zip" for ending in ("", *(f"-{number}" for number in range(2, 9999))))
        return next(name for name in names if name not in taken)

    @contextmanager
    def _held(self, project_id: str) -> Iterator[Path | None]:
        folder = self._projects / project_id
        with filelocks.locked(lock_path(self._projects, project_id)):
            if not folder.is_dir():
                yield None
                return
            with suppress(UnreadableFile):  # kept as it lies there
                recover(folder)
            yield folder

    def _prune(self, made: str) -> None:
        for _, path in self._dailies()[KEPT:]:
            durable.remove(path)
        rows = self._rows()
        # What was asked for just now stays: others may look newer, made by a clock that was ahead.
        manual = [row.name for row in rows if row.kind == "manual"]
        manual.sort(key=lambda name: name != made)
        for name in manual[self._keep_manual :] if self._keep_manual else ():
            durable.remove(self._folder / name)
            log.info("%s is gone: the newest %d backups made on demand are kept.", name, self._keep_manual)
        oldest = (self._now() - KEPT_STATES).timestamp()
        for row in rows:
            path = self._folder / row.name
            with suppress(FileNotFoundError):  # a deletion that was called off takes its own along
                if row.kind in ("deleted", "replaced") and path.lstat().st_mtime < oldest:
                    durable.remove(path)
        durable.sync_folder(self._folder)

    def _dailies(self) -> list[tuple[str, Path]]:
        """Day and path, newest first."""
        try:
            found = [
                (match[1], path) for path in self._folder.iterdir() if (match := _DAILY.fullmatch(path.name))
            ]
        except FileNotFoundError:
            return []
        return sorted(found, reverse=True)

    # ------------------------------------------------------------ reading

    def _rows(self) -> list[BackupRow]:
        try:
            names = [path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        rows = []
        for name in names:
            with suppress(FileNotFoundError):  # pruned meanwhile
                rows.append(self._row(self._folder / name))
        return sorted(rows, key=lambda row: (row.created_at, row.name), reverse=True)

    def _row(self, path: Path) -> BackupRow:
        found = path.lstat()
        kind: BackupKind = "daily" if _DAILY.fullmatch(path.name) else "manual"
        if path.name.startswith(DELETED):
            kind = "deleted"
        elif path.name.startswith(REPLACED):
            kind = "replaced"
        moment = timestamp(datetime.fromtimestamp(found.st_mtime, UTC))
        return BackupRow(name=path.name, kind=kind, created_at=moment, size=found.st_size)

    def _path(self, name: str) -> Path:
        path = self._folder / name
        if not _NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
            raise NotFound("There is no backup of this name.")
        return path

    def _open(self, name: str) -> BinaryIO:
        return os.fdopen(os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW), "rb")

    # ------------------------------------------------------------ restoring

    def _check(self, file: BinaryIO, project_id: str | None, busy: Busy) -> list[str]:
        """Ids to restore, after every byte of them was read and nothing is in the way of any."""
        with BackupFile(file) as backup:
            ids = sorted(each for each in backup.projects if is_id(each))
            if project_id is not None and project_id not in ids:
                raise NotFound("This backup does not hold that project.")
            ids = ids if project_id is None else [project_id]
            for each in ids:
                backup.verify(each)
                restore.judge(self._projects / each, backup, each)
                must_rest(self._projects / each, busy, "restore")
        return ids

    def _restore(self, descriptor: int, project_id: str, busy: Busy) -> str | None:
        """Name of the backup of what was replaced; None where nothing was there. Closes `descriptor`."""
        folder = self._projects / project_id
        with (
            os.fdopen(descriptor, "rb") as file,  # of its own: who asked may have gone away
            self._guard.writing(),
            filelocks.locked(lock_path(self._projects, project_id)),
            BackupFile(file) as backup,
        ):
            if folder.is_dir():
                with suppress(UnreadableFile):  # kept as it lies there
                    recover(folder)
                kept = self._shelf.keep(folder, project_id, REPLACED)
                self._shelf.forget_counter(project_id)
                try:
                    restore.over(folder, backup, project_id, lambda: must_rest(folder, busy, "restore"))
                except Conflict:  # nothing was replaced
                    durable.remove(self._folder / kept)
                    raise
                return kept
            self._shelf.forget_counter(project_id)
            self._shelf.appear(
                project_id,
                lambda staged: restore.anew(staged, backup, project_id, self._last_keys(project_id)),
            )
        return None

    def _last_keys(self, project_id: str) -> bytes | None:
        """The keys that a deleted project had in the end; None where that is not known."""
        for row in self._rows():
            if row.kind == "deleted" and row.name.startswith(f"{DELETED}{project_id}-"):
                with suppress(CloutError), BackupFile(self._folder / row.name) as backup:
                    entries = backup.projects.get(project_id, [])
                    found = [backup.data(entry) for entry in entries if entry.path == restore.KEYS]
                    return found[0] if found else b'{"keys": [], "schema_version": 1}\n'
        return None
