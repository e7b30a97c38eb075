"""Room on the disk that is kept back, so that executions can say how they ended when it is full.

A file `.reserve` beside the projects, on their file system. It is let go for endings and for
nothing else; new work is taken only while it is there, and it comes back as soon as there is
room for it. Several servers on one data folder share it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from ..engine.ports import EndExecution
from ..errors import DiskFull, Unavailable
from ..guard import Guard, SyncFailed

_log = logging.getLogger(__name__)

NAME = ".reserve"
BYTES = 1024 * 1024
"""Enough for the last files of a hundred executions, a block or two each."""
DISK_FULL = "The disk of the data folder is full. What was done is kept. Free some space, then run it again."
READ_ONLY = (
    "The data folder cannot be written. What was done is kept. Mend the disk, its mount, or the folder's "
    "owner and mode, then resume it."
)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


def is_full(error: BaseException | None) -> bool:
    """Whether `error` says that there is no room left on the disk."""
    return isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in _FULL)


def is_read_only(error: BaseException | None) -> bool:
    """Whether `error` says that the data folder takes nothing any more."""
    if isinstance(error, Unavailable):
        return error.error_code == "READ_ONLY"
    return isinstance(error, OSError) and error.errno in (errno.EROFS, errno.EIO)


def takes_nothing(error: BaseException) -> bool:
    """Whether `error` says that a file which is open took nothing: the disk may again, later."""
    return isinstance(error, OSError) and error.errno in _FULL | _READ_ONLY


@contextlib.contextmanager
def ending_when_unwritable() -> Iterator[None]:
    """Around what an execution writes down: without it, it must not go on. Raises `EndExecution`."""
    try:
        yield
    except SyncFailed as error:
        raise EndExecution("READ_ONLY", READ_ONLY, reason=error.message) from error
    except OSError as error:
        if is_full(error):
            raise EndExecution("DISK_FULL", DISK_FULL) from error
        if error.errno in _READ_ONLY:
            raise EndExecution("READ_ONLY", READ_ONLY, reason=error.strerror) from error
        raise


class Reserve:
    """The reserve of one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "projects" / NAME
        self.guard = Guard()
        """Closed, for new work, by a log or journal that could not be brought to the disk."""

    def hold(self) -> None:
        """Have it, before new work is taken. Blocking. Raises `DiskFull`, OSError."""
        with contextlib.suppress(FileNotFoundError):
            if self._path.stat().st_size == BYTES:
                return
        # No other name first: allocating the same room twice, by two at once, is allocating it once.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, BYTES)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)  # what was got of it is for those who end
            if is_full(error):
                raise DiskFull(
                    "No room left on the disk for a new execution. Free some, then try again."
                ) from error
            raise
        finally:
            os.close(descriptor)

    async def spend(self, ending: Callable[[], Awaitable[None]]) -> None:
        """`ending`; where the disk is full, once more in the room that was kept. Raises what it raises."""
        try:
            await ending()
        except OSError as error:
            if not is_full(error):
                raise
            if await asyncio.to_thread(self._let_go):
                _log.error("The disk is full; the reserve goes for the last words of executions")
            await ending()

    def _let_go(self) -> bool:
        """Whether there was one."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True
