"""Reading a small file of ours that somebody may have put something else in the place of.

A link is not followed, a pipe is not waited for, a giant is not read. Not here: writing
(`durable`), what the bytes mean, and what a caller is told about a file that is of no use.
Everything blocks.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

Stamp = tuple[int, int, int, int]


class Unusable(Exception):
    """It cannot be read. `reason` goes on from the file's name: `is not a regular file`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read(path: Path, most: int, *, follow: bool = False) -> bytes | None:
    """The file's bytes, None where there is none. `follow`: through links. Raises `Unusable`."""
    try:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unusable(f"cannot be opened ({error.strerror})") from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unusable("is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from None
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise Unusable("is far too large")
    return data


def stamp(path: Path) -> Stamp | None:
    """Something that differs whenever the file may have changed; None where there is none."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
