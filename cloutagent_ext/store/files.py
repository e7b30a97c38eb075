"""Paths that came from outside, and reading below a folder without being led out of it.

`safe_join` decides by the text and by what lies on the disk now; `open_beneath` walks with
descriptors and follows no link, so that swapping a folder for a link in between leads nowhere.
Not confined: a process of the same user that writes into the data folder itself. Writing is
`cloutagent_ext.durable`, whose `atomic_write` is named here too.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..durable import atomic_write
from ..errors import InvalidRequest, NotFound

__all__ = ["MAX_NAME_BYTES", "MAX_PATH_BYTES", "atomic_write", "open_beneath", "path_parts", "safe_join"]

MAX_NAME_BYTES = 255
"""Longest name of one file or folder, as Linux file systems have it."""
MAX_PATH_BYTES = 1000
"""Longest relative path."""


def path_parts(relative: str) -> list[str]:
    """The names in `relative`, a path with forward slashes; raises `InvalidRequest` unless it is plain.

    Refused: absolute paths, `.` and `..`, empty names, backslashes, drive letters, control
    characters, lone surrogates, names or paths that are too long.
    """
    parts = relative.split("/")
    reason = None
    try:
        if len(relative.encode()) > MAX_PATH_BYTES or any(len(p.encode()) > MAX_NAME_BYTES for p in parts):
            reason = "it is too long"
    except UnicodeEncodeError:
        reason = "it is not valid text"
    if reason is None:
        if any(part in ("", ".", "..") for part in parts):
            reason = "write it relative to the folder, without `..`, `.` or empty names"
        elif "\\" in relative:
            reason = "separate folders with forward slashes"
        elif len(parts[0]) == 2 and parts[0][1] == ":":
            reason = "drive letters have no place in it"
        elif any(ord(c) < 32 or 127 <= ord(c) < 160 for c in relative):
            reason = "control characters have no place in it"
    if reason:
        shown = relative if len(relative) <= 80 else relative[:80] + "…"
        raise InvalidRequest(f"The path {shown!a} cannot be used: {reason}.")
    return parts


def safe_join(root: Path, relative: str) -> Path:
    """`root` / `relative`, which never lies outside `root` and leads over no symbolic link.

    The file need not exist. Raises `InvalidRequest`. Blocks (looks at the disk).
    """
    path = root
    for part in path_parts(relative):
        path = path / part
        if path.is_symlink():
            raise InvalidRequest(f"The path {relative!a} leads over a symbolic link, which is not followed.")
    return path


def open_beneath(root: Path, relative: str) -> int:
    """A descriptor for reading the regular file `relative` below `root`, following no link on the way.

    Raises `NotFound` where there is no such regular file, `InvalidRequest` for a bad path. The
    caller closes it.
    """
    *folders, name = path_parts(relative)
    missing = NotFound(f"There is no file {relative!a}.")
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise missing from error
    try:
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise missing from error
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise missing
    return descriptor
