"""The folder an execution works in: made with the project's files, listed, read, removed.

`temp/<execution id>/workspace/`, and beside it `baseline.json`, what the folder held when
the run began: so the files that count as the run's own are those it made or changed.
The workspace outlives the run and goes with the execution. Not here: what tools may
touch in it (`engine.tools`).
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import os
import shutil
import stat
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..errors import NotFound
from ..schema.admin import FileRow
from ..schema.base import timestamp

_MOST_FILES = 10_000
"""Files listed at most; a run that makes more is cut off there."""
_IGNORED = frozenset({"__pycache__", ".ipynb_checkpoints"})
"""Folders that tools make by the way and nobody asked for."""

_BASELINE = "baseline.json"

Baseline = dict[str, tuple[int, int]]
"""Path → (size, modification time in ns)."""


class Workspace:
    """The working folder of one execution, whether it exists or not."""

    def __init__(self, data_dir: Path, execution_id: str) -> None:
        self.root = data_dir / "temp" / execution_id
        self.path = self.root / "workspace"
        self.home = self.root / "home"
        """Home folder of its processes."""
        self.scripts = self.root / "hooks"
        """The hooks' own copy of the project's files, out of the agent's reach."""
        self.hooks_home = self.root / "hooks-home"
        """Home folder of the hooks: what the agent leaves in its own home is not theirs to run."""

    async def prepare(self, copy_files: Callable[[Path], Awaitable[None]]) -> None:
        """Make it, fill it with the project's files, and note what it holds. Raises OSError.

        `copy_files` makes the folder that it is given.
        """
        await copy_files(self.path)
        await asyncio.to_thread(self._note_baseline)

    async def ready(self) -> bool:
        """Whether it was prepared whole, so that a run may go on in it."""
        return await asyncio.to_thread((self.root / _BASELINE).is_file)

    async def copy(self, other: Workspace) -> None:
        """Make it a copy of `other` as that is now: regular files, folders and links. Raises OSError."""
        await asyncio.to_thread(self._copy, other)

    async def files(self) -> list[FileRow]:
        """Regular files that the run made or changed, by path; links are not followed."""
        return await asyncio.to_thread(self._changed)

    def count(self) -> int:
        """How many `files` there are. Blocking."""
        return sum(1 for _ in self._changed_paths())

    async def file(self, relative: str) -> Path:
        """The regular file at `relative`, resolved. Raises NotFound for anything else."""
        return await asyncio.to_thread(self._safe, relative)

    async def remove(self) -> None:
        """Delete it with all it holds; nothing happens when it is gone."""
        await asyncio.to_thread(shutil.rmtree, self.root, ignore_errors=True)

    # ------------------------------------------------------------ blocking parts

    def _make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)

    def _copy(self, other: Workspace) -> None:
        """Links are copied as links, times kept; pipes, sockets and devices are left out."""
        self._make()
        for folder, folders, names in os.walk(other.path, followlinks=False):
            to = self.path / Path(folder).relative_to(other.path)
            to.mkdir(exist_ok=True)
            for name in folders + names:
                source, target = Path(folder, name), to / name
                try:
                    mode = source.lstat().st_mode
                    if stat.S_ISLNK(mode):
                        target.symlink_to(source.readlink())
                    elif stat.S_ISREG(mode):
                        shutil.copy2(source, target, follow_symlinks=False)
                except FileNotFoundError:
                    continue  # a run that still works there has removed it
        shutil.copy2(other.root / _BASELINE, self.root / _BASELINE)

    def _note_baseline(self) -> None:
        self._make()
        held = {path: (info.st_size, info.st_mtime_ns) for path, info in self._walk()}
        # Its presence says that all before it is there, so it appears whole.
        temporary = self.root / f".{_BASELINE}.tmp"
        temporary.write_text(json.dumps(held))
        temporary.replace(self.root / _BASELINE)

    def _baseline(self) -> Baseline:
        try:
            held = json.loads((self.root / _BASELINE).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return {path: (size, modified) for path, (size, modified) in held.items()}

    def _walk(self) -> Iterator[tuple[str, os.stat_result]]:
        """Regular files below the workspace, sorted, without following a link anywhere."""
        for folder, folders, names in os.walk(self.path, followlinks=False):
            folders[:] = sorted(name for name in folders if name not in _IGNORED)
            for name in sorted(names):
                path = Path(folder, name)
                try:
                    info = path.lstat()
                except OSError:
                    continue  # gone since it was listed
                if stat.S_ISREG(info.st_mode):
                    yield path.relative_to(self.path).as_posix(), info

    def _changed_paths(self) -> Iterator[tuple[str, os.stat_result]]:
        before = self._baseline()
        found = 0
        for path, info in self._walk():
            if before.get(path) != (info.st_size, info.st_mtime_ns):
                yield path, info
                found += 1
                if found >= _MOST_FILES:
                    return

    def _changed(self) -> list[FileRow]:
        return [
            FileRow(
                path=_text(path),
                size=info.st_size,
                modified_at=timestamp(datetime.fromtimestamp(info.st_mtime, UTC)),
                media_type=mimetypes.guess_type(path)[0] or "application/octet-stream",
            )
            for path, info in self._changed_paths()
        ]

    def _safe(self, relative: str) -> Path:
        missing = NotFound(f"The workspace of this execution has no file {relative!r}.")
        if not relative or "\0" in relative:
            raise missing
        try:
            root = self.path.resolve(strict=True)
            path = (root / relative).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise missing from None
        if not path.is_relative_to(root) or not path.is_file():
            raise missing
        return path


def _text(path: str) -> str:
    """A name as JSON can carry it: bytes that are no UTF-8 shown as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
