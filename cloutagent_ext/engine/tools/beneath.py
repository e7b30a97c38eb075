"""Files beneath a folder, reached so that no name, symbolic link or race leads out of it.

Every component is opened by itself, from the descriptor of the one before, with
O_NOFOLLOW. A symbolic link is read and its target looked up again from the folder's
top, so links inside the folder work and links out of it are refused, whoever swaps
what in between. Only regular files are read or replaced: no device, pipe or socket is
ever opened.

Standard library only: `search_child` imports this file without the package. Not here:
which folders there are (`paths`). Not covered: hard links (a hard link *is* a file of
the folder; replacing it leaves the other name as it was) and mounts inside the folder.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence

MAX_LINKS = 40
"""Symbolic links on the way to one file, as in the kernel."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Refused(Exception):
    """The path leads out, or to something that is no regular file. The text says which."""


def normal(text: str) -> tuple[str, ...]:
    """Components of a relative path, `.` and `..` worked out; `Refused` where it climbs out."""
    parts: list[str] = []
    for name in text.split("/"):
        if name == "..":
            if not parts:
                raise Refused("the path leads out of the folder")
            parts.pop()
        elif name not in ("", "."):
            parts.append(name)
    return tuple(parts)


def _through(root: str, link: str, before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """Components once the symbolic link at `before` with target `link` is followed."""
    if not link.startswith("/"):
        return normal("/".join([*before, link, *after]))
    for top in (root, os.path.realpath(root)):
        if link == top or link.startswith(top.rstrip("/") + "/"):
            return normal("/".join([link[len(top) :], *after]))
    raise Refused("a symbolic link on the way leads out of the folder")


def _is_link(name: str, directory: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _walk(
    root: str, parts: tuple[str, ...], make: bool, follow_root: bool
) -> tuple[int, str] | tuple[str, ...]:
    """Descriptor of the last component's folder and its name; or the path behind the first link met."""
    directory = os.open(root, _DIRECTORY & ~os.O_NOFOLLOW if follow_root else _DIRECTORY)
    try:
        for index, name in enumerate(parts):
            if _is_link(name, directory):
                link = os.readlink(name, dir_fd=directory)
                os.close(directory)
                directory = -1
                return _through(root, link, parts[:index], parts[index + 1 :])
            if index == len(parts) - 1:
                break
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=directory)
            below = os.open(name, _DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = below
        found, directory = directory, -1
        return found, parts[-1] if parts else "."
    finally:
        if directory >= 0:
            os.close(directory)


@contextlib.contextmanager
def located(
    root: str, parts: tuple[str, ...], *, make: bool = False, follow_root: bool = False
) -> Iterator[tuple[int, str]]:
    """The folder that holds the last component, as a descriptor, and that component's name.

    With `make`, missing folders on the way are made. Raises `Refused`, or OSError as the
    system says it (a component that became a link meanwhile: ELOOP or ENOTDIR).
    """
    for _ in range(MAX_LINKS):
        found = _walk(root, parts, make, follow_root)
        if found and isinstance(found[0], int):
            directory, name = found[0], str(found[1])
            try:
                yield directory, name
            finally:
                os.close(directory)
            return
        parts = tuple(str(part) for part in found)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def open_regular(directory: int, name: str) -> int:
    """Descriptor for reading of a regular file; anything else is refused without being opened."""
    if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        raise Refused("it is not a regular file")
    descriptor = os.open(
        name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, dir_fd=directory
    )
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused("it is not a regular file")
    return descriptor


def read(directory: int, name: str, *, limit: int) -> bytes:
    """The whole file; `Refused` where it holds more than `limit` bytes."""
    with open(open_regular(directory, name), "rb", buffering=0) as file:
        if (size := os.fstat(file.fileno()).st_size) > limit:
            raise Refused(f"it holds {size:,} bytes, more than the {limit:,} that can be read here")
        data = bytearray()
        while piece := file.read(1024 * 1024):
            data += piece
            if len(data) > limit:
                raise Refused(f"it grew beyond {limit:,} bytes while it was read")
        return bytes(data)


def replace(directory: int, name: str, data: bytes) -> bool:
    """Write the whole file in one step: readers see the old or the new. Whether there was one before."""
    mode = None
    try:
        before = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not stat.S_ISREG(before.st_mode):
            raise Refused("something other than a regular file is there")
        mode = before.st_mode & 0o777
    except FileNotFoundError:
        pass
    temporary = f".{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666, dir_fd=directory)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if mode is not None:
                os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    return mode is not None


def open_directory(directory: int, name: str) -> int:
    """Descriptor of a folder, never through a link."""
    return os.open(name, _DIRECTORY, dir_fd=directory)
