"""Which process an execution belongs to: a lock that the operating system frees when it dies.

A file `owner` beside the log, held with flock from acceptance to the end, and removed
then: a start finds what is unfinished by its name alone. Process ids are not used, since
systems reuse them. All functions block and are called in threads.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Self

NAME = "owner"


class Owner:
    """Held: this process, and no other, writes the execution's files."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, folder: Path) -> Self | None:
        """Own the execution in `folder`, or None when a living process does. Raises OSError."""
        path = folder / NAME
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return None
            except BaseException:
                os.close(fd)
                raise
            # The owner before us may have removed the file between our open and our lock.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), path.stat()):
                    return cls(path, fd)
            os.close(fd)

    def release(self, *, finished: bool) -> None:
        """Let go. `finished`: the execution has ended and nobody needs to look at it again."""
        if self._fd < 0:
            return
        if finished:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()
        fd, self._fd = self._fd, -1
        os.close(fd)


def unfinished(folder: Path) -> bool:
    """Whether the execution in `folder` has not ended, as far as its owner file says."""
    return (folder / NAME).exists()
