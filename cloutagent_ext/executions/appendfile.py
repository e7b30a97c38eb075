"""A file that only grows, one whole record per write, and what lets one process own an execution.

Here: the bytes. Not here: what a record means, and which end is torn (`logfile`, `journal`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Self

from ..guard import SyncFailed
from ..schema.base import timestamp

# A write of a record to the page cache takes about 1 microsecond, handing it to a
# thread and back 60 to 100, and a model speaks in thousands of small pieces: so
# `append` writes on the event loop. O_NONBLOCK changes nothing for a regular file but
# says that this is meant (detectors of blocking calls leave such descriptors alone).
# What really waits for the disk, `sync`, is a thread's business.
_FLAGS = (
    os.O_WRONLY
    | os.O_APPEND
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


class AppendFile:
    """An open file to append records to. One writer; readers open the path themselves."""

    def __init__(self, path: Path, fd: int, size: int) -> None:
        self.path = path
        self._fd = fd
        self.size = size
        """Bytes of all whole records: where the next one begins."""
        self._synced = size
        self._syncing = asyncio.Lock()
        self._torn = False
        """Whether half a record stands behind `size`."""
        self._unsynced: SyncFailed | None = None

    @classmethod
    def open(cls, path: Path, *, new: bool = False) -> Self:
        """Open `path` to append; blocking. `new`: it must not exist yet. Raises OSError."""
        fd = os.open(path, _FLAGS | os.O_CREAT | (os.O_EXCL if new else 0), 0o644)
        return cls(path, fd, os.fstat(fd).st_size)

    @property
    def closed(self) -> bool:
        return self._fd < 0

    def append(self, record: bytes) -> None:
        """Write `record` whole. When this returns, it outlives the death of this process.

        Raises OSError (a full disk, say) with the file as it was before.
        """
        if self._torn:
            self._take_back()
        written = 0
        try:
            while written < len(record):  # the system may take less than all of it
                written += os.write(self._fd, record[written:] if written else record)
        except OSError:
            self._torn = written > 0
            with contextlib.suppress(OSError):  # a disk that takes nothing back now may do so later
                self._take_back()
            raise
        self.size += len(record)

    def _take_back(self) -> None:
        """Half a record must not stay, or the next one would run into it."""
        if self._torn:
            os.ftruncate(self._fd, self.size)
            self._torn = False

    async def sync(self) -> None:
        """Return when everything appended so far has reached the disk.

        Raises `SyncFailed`, and from then on always: the system may have dropped what it could not write,
        and a second try would succeed over the hole.
        """
        wanted = self.size
        async with self._syncing:
            if self._unsynced is not None:
                raise self._unsynced
            if self._synced >= wanted or self.closed:
                return  # somebody else's sync, begun after our append, carried it
            size = self.size
            try:
                await asyncio.to_thread(os.fsync, self._fd)
            except OSError as error:
                place = f"{self.path.parent.name}/{self.path.name}"
                self._unsynced = SyncFailed(f"{place} could not be brought to the disk ({error.strerror}).")
                raise self._unsynced from error
            self._synced = max(self._synced, size)

    async def close(self) -> None:
        """Close it, once no sync is under way. Safe to call twice."""
        async with self._syncing:
            if not self.closed:
                fd, self._fd = self._fd, -1
                with contextlib.suppress(OSError):
                    os.close(fd)


def cut_off(path: Path, good: int) -> Path:
    """Cut off what stands behind byte `good`, on the disk; what it was lies in the file that is returned.

    Only for the owner of the execution, before the file is opened to append. Blocking.
    """
    saved = path.with_name(f"{path.name}.torn-{timestamp().replace(':', '')}")
    with path.open("r+b") as file, saved.open("xb") as aside:
        file.seek(good)
        aside.write(file.read())
        aside.flush()
        os.fsync(aside.fileno())
        file.truncate(good)
        os.fsync(file.fileno())
    return saved
