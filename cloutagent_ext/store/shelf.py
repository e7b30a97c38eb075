"""Whole project folders: they appear and disappear by one rename.

A new project is built as `.new-{id}` and then gets its name; a deleted one is zipped into
`backups/`, loses its name, and is removed at leisure. What a crash leaves of either begins with a
dot and is swept at the next start, unless a living server still works on it.

What the zip holds: `store.backup_file`.

Not here: changes inside a project (`store.writer`). Everything blocks.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

from .. import durable, filelocks
from ..errors import CloutError, Conflict, NotFound, UnreadableFile
from ..guard import Guard
from ..schema.project import Definition
from . import backup_file
from .commit import STAGING, recover
from .layout import Loaded
from .writer import LOCKS, Writer, lock_path

EXECUTIONS = "executions"
MEMORY = "memory"
"""Notes that its agent keeps from one execution to the next: in backups, in no version or export."""
_NEW, _DELETED = ".new-", ".deleted-"
COUNTERS = ".counters"
"""Folder beside the projects: of each the number of the last write of its secrets (`store.secrets`)."""
BACKUPS_LOCK = ".lock"
"""Held in `backups/` by whoever makes a backup of all."""
DELETED, REPLACED = "deleted-", "replaced-"
"""How the names of backups of one project begin."""
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LITTER = re.compile(rf"\.(?:new|deleted|replaced|format-\d+)-(?P<id>{_ID.pattern})(?:$|-.*\.tmp$)")
"""A project without a name yet or any more, or a zip that was never finished."""
_STAGED = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{12}\.tmp")
"""A file whose writer died before it had its name (`durable.atomic_write`)."""

log = logging.getLogger("cloutagent.store")

Busy = Callable[[Path], bool]
"""Whether any of the executions in a project's folder for them is unfinished. Blocking."""


def must_rest(folder: Path, busy: Busy, what: str) -> None:
    """Raise Conflict where executions of the project in `folder` are unfinished; `what` is to be done."""
    if busy(folder / EXECUTIONS):
        raise Conflict(
            f"Executions of this project wait or run; let them end or cancel them before you {what} it."
        )


def is_id(text: str) -> bool:
    """Whether `text` is a project id as we make them: only these ever become part of a path."""
    return _ID.fullmatch(text) is not None


class Shelf:
    """The folder `projects/`."""

    def __init__(self, projects: Path, backups: Path, guard: Guard, writer: Writer) -> None:
        self._projects = projects
        self._backups = backups
        self._guard = guard
        self._writer = writer

    def open(self) -> None:
        """Make the folders, sweep litter, finish interrupted commits. One bad project stops nothing.

        Where locks do not work, nothing of this is done and the guard is closed.
        """
        with self._guard.writing():
            for folder in (self._projects, self._projects / LOCKS, self._backups):
                durable.make_folder(folder)
            for folder in (self._projects / LOCKS, self._backups):
                if why := filelocks.why_no_locks(folder):
                    self._guard.close(why)
                    return
        self._guard.place = self._projects
        unfinished_backups = [
            path for kind in (DELETED, REPLACED, "format-") for path in self._backups.glob(f".{kind}*.tmp")
        ]
        for path in self._projects.parent.glob(".*.tmp"):
            if match := _STAGED.fullmatch(path.name):
                self._sweep(path, path.with_name(f".{match['name']}.lock"))
        for path in self._backups.glob(".backup-*.tmp"):
            self._sweep(path, self._backups / BACKUPS_LOCK)
        for path in (self._projects / COUNTERS).glob(".*.tmp"):
            if (match := _STAGED.fullmatch(path.name)) and is_id(match["name"]):
                self._sweep(path, lock_path(self._projects, match["name"]))
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

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder for what may become a project; gone at the end, and after a crash swept."""
        place = str(uuid.uuid4())
        folder, lock = self._projects / f"{_NEW}{place}", lock_path(self._projects, place)
        try:
            with self._guard.writing(), filelocks.locked(lock):
                try:
                    durable.make_folder(folder)
                    yield folder
                finally:
                    with suppress(CloutError, OSError):
                        durable.remove_tree(folder)
        finally:
            with suppress(CloutError, OSError):
                durable.remove(lock)

    def create(
        self,
        definition: Definition,
        files: Mapping[str, bytes],
        *,
        author: str | None,
        trusted: bool,
        source: Loaded | None = None,
        executable: Collection[str] = (),
    ) -> str:
        """A new project with version 1; its id.

        `executable`: which of its files may be executed. `source`: whose bytes and unknown fields it keeps.
        """
        project_id = str(uuid.uuid4())
        staged = self._projects / f"{_NEW}{project_id}"
        with self._guard.writing(), filelocks.locked(lock_path(self._projects, project_id)):
            try:
                self._writer.build(
                    staged,
                    project_id,
                    definition,
                    files,
                    author=author,
                    trusted=trusted,
                    source=source,
                    executable=executable,
                )
                durable.rename(staged, self._projects / project_id)
            except BaseException:
                with suppress(CloutError, OSError):
                    durable.remove_tree(staged)
                raise
            durable.sync_folder(self._projects)
        return project_id

    def delete(self, project_id: str, busy: Busy) -> None:
        """Zip the project into the backups, then let it go. Raises `NotFound`, `Conflict`, `DiskFull`.

        `busy` is asked at the end too: an execution may begin while the project is being zipped. One that
        begins later finds no project any more.
        """
        folder = self._projects / project_id
        # Its own name: the remains of an earlier one of this id may still be there.
        nameless = self._projects / f"{_DELETED}{project_id}-{uuid.uuid4().hex}.tmp"
        with self._guard.writing(), filelocks.locked(lock_path(self._projects, project_id)):
            if not folder.is_dir():
                raise NotFound("There is no such project.")
            with suppress(UnreadableFile):  # zipped as it lies there
                recover(folder)
            must_rest(folder, busy, "delete")
            kept = self.keep(folder, project_id, DELETED)
            try:
                durable.rename(folder, nameless)
                try:
                    must_rest(nameless, busy, "delete")
                except Conflict:
                    durable.rename(nameless, folder)
                    raise
            except BaseException:
                durable.remove(self._backups / kept)
                raise
            durable.sync_folder(self._projects)
        try:
            durable.remove_tree(nameless)
        except (CloutError, OSError) as error:
            log.warning("The remains of project %s will be removed at the next start: %s", project_id, error)

    def forget_counter(self, project_id: str) -> None:
        """Before older secrets are put in place knowingly: they are no rollback.

        A crash in between costs no more than that a rollback goes unnoticed until the next write.
        """
        durable.remove(self._projects / COUNTERS / project_id)
        if (self._projects / COUNTERS).is_dir():
            durable.sync_folder(self._projects / COUNTERS)

    def _settle(self, path: Path) -> None:
        if is_id(path.name):
            if (path / STAGING).exists():
                with self._guard.writing(), filelocks.locked(lock_path(self._projects, path.name)):
                    recover(path)
            for staged in (*path.glob(".*.tmp"), *path.glob(".secrets/.*.tmp")):
                if match := _STAGED.fullmatch(staged.name):
                    lock = lock_path(self._projects, path.name)
                    keys = match["name"] == "keys.json"  # which have a lock of their own (`auth.key_file`)
                    self._sweep(staged, lock.with_name(f"{path.name}.keys.lock") if keys else lock)
        elif (litter := _LITTER.match(path.name)) is not None:
            # Its writer may still live, here or in another server, and then holds the lock.
            with suppress(Conflict), filelocks.locked(lock_path(self._projects, litter["id"]), timeout_s=0):
                if path.is_dir():
                    durable.remove_tree(path)
                else:
                    durable.remove(path)

    def _sweep(self, litter: Path, lock: Path) -> None:
        """Its writer may still live, here or in another server, and then holds the lock."""
        try:
            with filelocks.locked(lock, timeout_s=0):
                durable.remove(litter)
        except Conflict:
            pass
        except (CloutError, OSError) as error:
            log.error("%s could not be swept away: %s", litter.name, error)

    def keep(self, folder: Path, project_id: str, kind: str) -> str:
        """Zip the project, whose lock the caller holds, into the backups; the name of the zip."""
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
        target = self._backups / f"{kind}{project_id}-{moment}.zip"
        backup_file.write(target, [project_id], lambda _: nullcontext(folder), flat=True)
        return target.name

    def appear(self, project_id: str, build: Callable[[Path], None]) -> None:
        """What `build` makes in a folder becomes the project by one rename; the caller holds its lock."""
        staged = self._projects / f"{_NEW}{project_id}"
        try:
            build(staged)
            durable.rename(staged, self._projects / project_id)
        except BaseException:
            with suppress(CloutError, OSError):
                durable.remove_tree(staged)
            raise
        durable.sync_folder(self._projects)
