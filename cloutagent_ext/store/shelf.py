"""Whole project folders: they appear and disappear by one rename.

A new project is built as `.new-{id}` and then gets its name; a deleted one is zipped into
`backups/`, loses its name, and is removed at leisure. What a crash leaves of either begins with a
dot and is swept at the next start, unless a living server still works on it.

The zip holds everything but `executions/`. Content that several versions share (hard links on the
disk) is in it once, under the first version that has it; each `version.json` names it by digest.

Not here: changes inside a project (`store.writer`). Everything blocks.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from .. import durable
from ..errors import CloutError, Conflict, Internal, NotFound, UnreadableFile
from ..schema.project import Definition
from .commit import STAGING, recover
from .writer import LOCKS, Writer, lock_path

EXECUTIONS = "executions"
_NEW, _DELETED = ".new-", ".deleted-"
_BACKUP = "deleted-"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LITTER = re.compile(rf"\.(?:new|deleted)-(?P<id>{_ID.pattern})(?:$|-.*\.tmp$)")
"""A project without a name yet or any more, or a zip that was never finished."""

log = logging.getLogger("cloutagent.store")


def is_id(text: str) -> bool:
    """Whether `text` is a project id as we make them: only these ever become part of a path."""
    return _ID.fullmatch(text) is not None


class Shelf:
    """The folder `projects/`."""

    def __init__(self, projects: Path, backups: Path, guard: durable.Guard, writer: Writer) -> None:
        self._projects = projects
        self._backups = backups
        self._guard = guard
        self._writer = writer

    def open(self) -> None:
        """Make the folders, sweep litter, finish interrupted commits. One bad project stops nothing."""
        with self._guard.writing():
            for folder in (self._projects, self._projects / LOCKS, self._backups):
                durable.make_folder(folder)
        unfinished_backups = self._backups.glob(f".{_BACKUP}*.tmp")
        for path in sorted([*self._projects.iterdir(), *unfinished_backups]):
            try:
                self._settle(path)
            except (CloutError, OSError) as error:
                log.error("%s: an interrupted change could not be settled: %s", path.name, error)

    def ids(self) -> list[str]:
        """Ids of all projects, readable or not."""
        try:
            return sorted(entry.name for entry in self._projects.iterdir() if is_id(entry.name))
        except FileNotFoundError:
            return []

    def create(self, definition: Definition, files: Mapping[str, bytes]) -> str:
        """A new project with version 1; its id."""
        project_id = str(uuid.uuid4())
        staged = self._projects / f"{_NEW}{project_id}"
        with self._guard.writing(), durable.locked(lock_path(self._projects, project_id)):
            try:
                self._writer.build(staged, definition, files)
                durable.rename(staged, self._projects / project_id)
            except BaseException:
                with suppress(CloutError, OSError):
                    durable.remove_tree(staged)
                raise
            durable.sync_folder(self._projects)
        return project_id

    def delete(self, project_id: str) -> None:
        """Zip the project into the backups, then let it go. Raises `NotFound`, `DiskFull`."""
        folder = self._projects / project_id
        nameless = self._projects / f"{_DELETED}{project_id}"
        with self._guard.writing(), durable.locked(lock_path(self._projects, project_id)):
            if not folder.is_dir():
                raise NotFound("There is no such project.")
            with suppress(UnreadableFile):  # zipped as it lies there
                recover(folder)
            self._zip(folder, project_id)
            durable.rename(folder, nameless)
            durable.sync_folder(self._projects)
        try:
            durable.remove_tree(nameless)
        except (CloutError, OSError) as error:
            log.warning("The remains of project %s will be removed at the next start: %s", project_id, error)

    def _settle(self, path: Path) -> None:
        if is_id(path.name):
            if (path / STAGING).exists():
                with self._guard.writing(), durable.locked(lock_path(self._projects, path.name)):
                    recover(path)
        elif (litter := _LITTER.match(path.name)) is not None:
            # Its writer may still live, here or in another server, and then holds the lock.
            with suppress(Conflict), durable.locked(lock_path(self._projects, litter["id"]), timeout_s=0):
                if path.is_dir():
                    durable.remove_tree(path)
                else:
                    durable.remove(path)

    def _zip(self, folder: Path, project_id: str) -> None:
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
        target = self._backups / f"{_BACKUP}{project_id}-{moment}.zip"
        with durable.staged_file(target, 0o600) as (sink, staged):
            with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:  # type: ignore[call-overload]
                for path in _contents(folder):
                    _add(archive, folder, path)
            with zipfile.ZipFile(staged) as archive:
                if (broken := archive.testzip()) is not None:
                    raise Internal(f"The backup reads back damaged at {broken}; nothing was deleted.")


def _contents(folder: Path) -> Iterator[Path]:
    """Regular files to back up, shared ones once, links never followed."""
    shared: set[int] = set()
    for place, folders, names in os.walk(folder):
        folders.sort()
        if Path(place) == folder and EXECUTIONS in folders:
            folders.remove(EXECUTIONS)
        for name in sorted(names):
            path = Path(place) / name
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_ino in shared:
                continue
            if found.st_nlink > 1:
                shared.add(found.st_ino)
            yield path


def _add(archive: zipfile.ZipFile, folder: Path, path: Path) -> None:
    name = str(path.relative_to(folder)).encode(errors="backslashreplace").decode()
    info = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
    info.compress_type = zipfile.ZIP_DEFLATED
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as source, archive.open(info, "w") as target:
        while chunk := source.read(1024 * 1024):
            target.write(chunk)
