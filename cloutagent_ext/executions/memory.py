"""The notes of one project: text files under its folder `memory/` (the engine's `MemoryFiles` port).

Every change is made under a lock that all processes share, and is on disk, whole, when it
returns. Paths come as plain names; no link, pipe or device on the way is ever followed or
opened. Not in versions and exports; backups have them. Not here: the commands (`engine.tools.memory`).
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from .. import durable, filelocks
from ..engine.ports import MemoryPath, ToolError
from ..engine.tools import beneath
from ..errors import CloutError

MAX_BYTES = 10 * 1024 * 1024
"""All notes of one project together."""
MAX_FILES = 1_000

Arguments = ParamSpec("Arguments")
T = TypeVar("T")


class ProjectMemory:
    """`folder` and what is needed of it are made with the first note."""

    def __init__(self, folder: Path, lock: Path) -> None:
        self._folder = folder
        self._lock = lock

    async def list(self) -> dict[MemoryPath, int]:
        """See `ports.MemoryFiles`."""
        return await self._in_thread(lambda: dict(self._walk(self._folder, ())))

    async def read(self, path: MemoryPath) -> str:
        """See `ports.MemoryFiles`."""
        return await self._in_thread(self._read, path)

    async def change(self, path: MemoryPath, edit: Callable[[str | None], str]) -> None:
        """See `ports.MemoryFiles`."""
        await self._in_thread(self._change, path, edit)

    async def delete(self, path: MemoryPath) -> None:
        """See `ports.MemoryFiles`."""
        await self._in_thread(self._delete, path)

    async def rename(self, old: MemoryPath, new: MemoryPath) -> None:
        """See `ports.MemoryFiles`."""
        await self._in_thread(self._rename, old, new)

    async def _in_thread(
        self, function: Callable[Arguments, T], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> T:
        """In a thread, which a cancelled caller waits for: nothing is written after the end."""
        task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise
        except CloutError as error:
            raise ToolError(f"The notes cannot be changed now: {error.message}") from error
        except beneath.Refused as error:
            raise ToolError(f"This note cannot be used: {error}.") from error
        except OSError as error:
            raise ToolError(f"This note cannot be used: {error.strerror or error}.") from error

    # ------------------------------------------------------------ in a thread

    def _read(self, path: MemoryPath) -> str:
        if self._kind(path) != stat.S_IFREG:
            raise ToolError(f"{_shown(path)} is no file.")
        with beneath.located(str(self._folder), path) as (directory, name):
            return beneath.read(directory, name, limit=MAX_BYTES).decode("utf-8", "replace")

    def _change(self, path: MemoryPath, edit: Callable[[str | None], str]) -> None:
        with self._changing():
            kind = self._kind(path)
            if kind not in (None, stat.S_IFREG):
                raise ToolError(f"{_shown(path)} is a folder: name a file in it.")
            before = self._read(path) if kind is not None else None
            data = edit(before).encode()
            self._must_fit(len(data) - len((before or "").encode()), new=before is None)
            target = self._folder.joinpath(*path)
            durable.make_folder(target.parent)
            durable.atomic_write(target, data)

    def _delete(self, path: MemoryPath) -> None:
        with self._changing():
            kind = self._kind(path)
            if kind is None:
                raise ToolError(f"The path {_shown(path)} does not exist.")
            target = self._folder.joinpath(*path)
            if kind == stat.S_IFDIR:
                durable.remove_tree(target)
            else:
                durable.remove(target)
            durable.sync_folder(target.parent)

    def _rename(self, old: MemoryPath, new: MemoryPath) -> None:
        with self._changing():
            if self._kind(old) is None:
                raise ToolError(f"The path {_shown(old)} does not exist.")
            if self._kind(new) is not None:
                raise ToolError(f"The destination {_shown(new)} already exists.")
            source, target = self._folder.joinpath(*old), self._folder.joinpath(*new)
            durable.make_folder(target.parent)
            durable.rename(source, target)
            durable.sync_folder(target.parent)
            durable.sync_folder(source.parent)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        durable.make_folder(self._lock.parent)
        with filelocks.locked(self._lock):
            durable.make_folder(self._folder)
            if self._folder.is_symlink():
                raise ToolError("The folder of the notes is a link: nothing is written through it.")
            yield

    def _kind(self, path: MemoryPath) -> int | None:
        """Kind of what is there: None, a regular file or a folder. Raises `ToolError` for all else."""
        place = self._folder
        for index, name in enumerate(path):
            place = place / name
            try:
                mode = stat.S_IFMT(place.lstat().st_mode)
            except FileNotFoundError:
                return None
            last = index == len(path) - 1
            if mode == stat.S_IFDIR or (last and mode == stat.S_IFREG):
                continue
            what = "a file" if mode == stat.S_IFREG else "something that is neither a file nor a folder"
            raise ToolError(f"{_shown(path[: index + 1])} is {what}.")
        return stat.S_IFDIR if not path else mode

    def _must_fit(self, more: int, *, new: bool) -> None:
        sizes = [size for _, size in self._walk(self._folder, ())]
        if sum(sizes) + more > MAX_BYTES:
            raise ToolError(
                f"The notes of a project may have {MAX_BYTES // 1024 // 1024} MB together, and this would be "
                "more: delete or shorten some first."
            )
        if new and len(sizes) >= MAX_FILES:
            raise ToolError(f"A project may have {MAX_FILES} notes: delete or join some first.")

    def _walk(self, folder: Path, above: MemoryPath) -> Iterator[tuple[MemoryPath, int]]:
        """Regular files and their sizes; links and hidden names are passed over."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), (*above, entry.name))
            elif entry.is_file(follow_symlinks=False):
                yield (*above, entry.name), entry.stat(follow_symlinks=False).st_size


def _shown(path: MemoryPath) -> str:
    return "/".join(["/memories", *path])
