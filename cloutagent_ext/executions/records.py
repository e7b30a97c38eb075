"""Executions as they lie on disk: which there are, what they were accepted with, how they stand.

`projects/<id>/executions/<execution id>/` holds `spec.json`, `events.jsonl`, `state.json`,
`error.json`, `journal`, until it has ended `owner`, and `pinned` if it is. The log is the truth; `state.json`
is derived from it and is rebuilt when it is missing; one that cannot be read, or speaks of
another execution, is set aside as `state.json.corrupt-<time>` first.

Not here: executions that this process runs (`live`), and the pages of lists (`listing`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import stat
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from ..errors import Expired, NotFound, UnreadableFile
from ..schema.base import timestamp
from ..schema.execution import ENDED, ExecutionState, Spec
from . import fold, logfile
from .ids import is_id

SPEC, STATE, ERROR, PIN = "spec.json", "state.json", "error.json", "pinned"
HALF_MADE_S = 60.0
"""Age after which a folder without a first event counts as never accepted."""
_REMEMBERED = 512
"""States of ended executions kept in memory; they never change."""
_PLACED = 10_000
"""Executions of which it is remembered whose they are; one that is not costs a look into each project."""
_MAX_BYTES = 16 * 1024 * 1024
"""Largest file that is read whole; the largest honest one holds a definition and is far smaller."""
_FOLLOWED = 32
"""Folds kept for executions that another process runs."""


_log = logging.getLogger(__name__)


class Places(Protocol):
    """Where projects keep their executions: the part of `store.projects.ProjectStore` used here."""

    async def ids(self) -> list[str]: ...

    def executions_dir(self, project_id: str) -> Path: ...


class Records:
    """The executions of all projects of one data folder. Async; everything that blocks runs in threads."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._project_of: dict[str, str] = {}
        self._ended: OrderedDict[str, ExecutionState] = OrderedDict()
        self._folds: OrderedDict[str, fold.Folded] = OrderedDict()
        self._deletions = 0
        self.why_gone: Callable[[str], Awaitable[NotFound | Expired | None]] | None = None
        """Says more than NotFound about an execution that is not on disk; None where there is no more."""

    def folder(self, project_id: str, execution_id: str) -> Path:
        """Where an execution of a project lies, whether or not it exists."""
        return self._places.executions_dir(project_id) / execution_id

    async def find(self, execution_id: str) -> tuple[str, Path]:
        """Project and folder of an execution. Raises NotFound."""
        if is_id(execution_id):
            known = self._project_of.get(execution_id)
            projects = [known] if known else await self._places.ids()
            folders = [(project, self.folder(project, execution_id)) for project in projects]
            for project, folder in await asyncio.to_thread(_existing, folders):
                if len(self._project_of) >= _PLACED:
                    self._project_of.clear()
                self._project_of[execution_id] = project
                return project, folder
            self._project_of.pop(execution_id, None)
            if self.why_gone is not None and (why := await self.why_gone(execution_id)) is not None:
                raise why
        raise NotFound(f"There is no execution {execution_id!r}.")

    async def folders(self) -> list[Path]:
        """Where each project keeps its executions."""
        return [self._places.executions_dir(project) for project in await self._places.ids()]

    async def has(self, execution_id: str, project_id: str) -> bool:
        """Whether the project has this execution."""
        return is_id(execution_id) and await asyncio.to_thread(self.folder(project_id, execution_id).is_dir)

    async def ids(self, project_id: str | None = None) -> list[tuple[str, str]]:
        """(execution, project) of everything that was ever accepted and is still kept, newest first."""
        projects = await self._places.ids() if project_id is None else [project_id]
        return await asyncio.to_thread(
            lambda: sorted(
                (
                    (name, project)
                    for project in projects
                    for name in names(self._places.executions_dir(project))
                ),
                reverse=True,
            )
        )

    async def spec(self, execution_id: str) -> Spec:
        """What it was accepted with. Raises NotFound, UnreadableFile."""
        _, folder = await self.find(execution_id)
        return await asyncio.to_thread(read_spec, folder)

    async def state(self, execution_id: str, *, listed: bool = False) -> ExecutionState:
        """How it stands by its files. Raises NotFound, UnreadableFile.

        `listed`: it was there a moment ago (`ids`), so that for one in memory nobody looks once more.
        """
        if (known := self._ended.get(execution_id)) is not None:
            self._ended.move_to_end(execution_id)
            if listed:
                return known
            # Another server on this data folder may have deleted it, or its project, or pinned it.
            folder = self.folder(known.project_id, execution_id)
            there, known.pinned = await asyncio.to_thread(_standing, folder)
            if there:
                return known
            self._forget(execution_id)
        _, folder = await self.find(execution_id)
        followed = self._folds.pop(execution_id, None)
        before = self._deletions
        state = await asyncio.to_thread(_read_state, folder, followed)
        if before != self._deletions:
            return state.model_copy()  # it may be gone by now: nothing that was read is kept
        if state.status in ENDED:
            self.remember(state)
        elif isinstance(state, fold.Folded):
            self._folds[execution_id] = state
            while len(self._folds) > _FOLLOWED:
                self._folds.popitem(last=False)
        return state.model_copy()

    def remember(self, state: ExecutionState) -> None:
        """Keep the state of an ended execution in memory."""
        self._folds.pop(state.execution_id, None)
        self._ended[state.execution_id] = state
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    async def pinned(self, execution_id: str, pinned: bool) -> None:
        """Show that one that nobody runs is pinned, or is not. Raises NotFound, UnreadableFile."""
        _, folder = await self.find(execution_id)
        if (state := await self.state(execution_id)).pinned != pinned:
            state.pinned = pinned
            with contextlib.suppress(OSError):  # derived from the file that says so
                await asyncio.to_thread(write_state, folder, state)
        if execution_id in self._ended:
            self.remember(state)

    async def delete(self, execution_id: str) -> None:
        """Remove it from disk, at once as far as readers can see. Raises NotFound, OSError."""
        _, folder = await self.find(execution_id)
        try:
            await asyncio.to_thread(remove, folder)
        except FileNotFoundError:  # somebody else's removal was faster
            raise NotFound(f"There is no execution {execution_id!r}.") from None
        finally:
            self._forget(execution_id)

    def _forget(self, execution_id: str) -> None:
        self._deletions += 1
        self._project_of.pop(execution_id, None)
        self._ended.pop(execution_id, None)
        self._folds.pop(execution_id, None)


def names(executions: Path) -> list[str]:
    """Ids of the executions in a project's folder. Blocking."""
    try:
        with os.scandir(executions) as entries:
            return [entry.name for entry in entries if is_id(entry.name)]
    except FileNotFoundError:
        return []


def read_spec(folder: Path) -> Spec:
    """What the execution in `folder` was accepted with. Blocking. Raises NotFound, UnreadableFile."""
    try:
        return Spec.model_validate_json(_bytes(folder / SPEC))
    except FileNotFoundError:
        raise NotFound(f"There is no execution {folder.name!r}.") from None
    except (ValidationError, OSError) as error:
        reason = str(error)
        if isinstance(error, ValidationError):
            reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise UnreadableFile(
            f"{folder.name}/{SPEC} cannot be read: {reason}. Restore it, or delete the execution.",
            file=SPEC,
            line=None,
            reason=reason,
        ) from None


def refold(folder: Path, state: fold.Folded | None = None) -> fold.Folded:
    """The state by log and pin; `state` is gone on with, when given. Blocking. Raises as `read_spec`."""
    state = state or fold.initial(read_spec(folder))
    state.pinned = is_pinned(folder)
    offset = None
    try:
        while True:
            found = logfile.read(folder / logfile.NAME, state.last_event_id + 1, offset)
            if not found.lines:
                return state
            for line in found.lines:
                fold.apply(state, json.loads(line))
            offset = found.offset
    except FileNotFoundError:
        return state


def is_pinned(folder: Path) -> bool:
    """Whether it is kept beyond the retention. Blocking."""
    return (folder / PIN).exists()


def _standing(folder: Path) -> tuple[bool, bool]:
    return folder.is_dir(), is_pinned(folder)


def _read_state(folder: Path, followed: fold.Folded | None) -> ExecutionState:
    if followed is not None:
        state = refold(folder, followed)
        state.files = followed.files
        return state
    written = _written(folder)
    if written is not None and written.status in ENDED:
        written.pinned = is_pinned(folder)
        return written
    state = refold(folder)
    state.files = written.files if written else 0
    if written is None and state.status in ENDED:
        with contextlib.suppress(OSError):  # a full disk must not keep anybody from reading
            write_state(folder, state)
    return state


def _written(folder: Path) -> ExecutionState | None:
    """What `state.json` says; None where it is missing, or of no use and set aside."""
    try:
        found = ExecutionState.model_validate_json(_bytes(folder / STATE))
        if (found.execution_id, found.project_id) == (folder.name, folder.parent.parent.name):
            return found
        reason = f"it is about the execution {found.execution_id} of project {found.project_id}"
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        reason = str(error).partition("\n")[0]
    _set_aside(folder / STATE, reason)
    return None


def _bytes(path: Path) -> bytes:
    """The bytes of `path`. Raises FileNotFoundError, and OSError for links, folders, pipes and giants."""
    # O_NONBLOCK: opening a pipe must not wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("it is no regular file")
        if found.st_size > _MAX_BYTES:
            raise OSError(f"it is larger than {_MAX_BYTES // 1024 // 1024} MB")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _set_aside(path: Path, reason: str) -> None:
    """Put a derived file that cannot be used out of the way; nothing of it is lost."""
    aside = path.with_name(f"{path.name}.corrupt-{timestamp().replace(':', '')}")
    _log.warning(
        "%s/%s is rebuilt from the log (%s); it is kept as %s",
        path.parent.name,
        path.name,
        reason,
        aside.name,
    )
    path.rename(aside)


def write_state(folder: Path, state: ExecutionState) -> None:
    """Replace `state.json`. Blocking. Not synced: it can always be folded from the log again."""
    write_derived(folder / STATE, state.model_dump_json(indent=2).encode())


def write_derived(path: Path, data: bytes) -> None:
    """Replace a file of which readers must see the old or the new one, and which the log can restore."""
    # Two that read one for the first time both write it down: each under a name of its own.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    temporary.write_bytes(data)
    try:
        temporary.replace(path)
    except IsADirectoryError:
        _set_aside(path, "it is a folder")
        temporary.replace(path)


def write_error(folder: Path, error: dict[str, Any]) -> None:
    """Write `error.json`. Blocking."""
    write_derived(folder / ERROR, (json.dumps(error, indent=2, sort_keys=True, default=str) + "\n").encode())


def _existing(folders: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    return [(project, folder) for project, folder in folders if (folder / SPEC).is_file()]


def remove(folder: Path) -> None:
    gone = folder.with_name(f".deleted-{folder.name}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
