"""A project's own files (`files/`): data, hook scripts, the scenario of the simulated model.

At most 50 MB together. Only regular files count; links, FIFOs and devices that somebody put there
are passed over, never followed, copied or served. Not here: locks and commits (`store.writer`).
Everything blocks.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from .. import durable
from ..errors import Conflict, InvalidRequest, NotFound, TooLarge
from ..schema.admin import FileRow
from ..schema.base import timestamp
from .files import open_beneath, path_parts, safe_join

FOLDER = "files"
SCENARIO = "scenario.json"
MAX_TOTAL_BYTES = 50 * 1024 * 1024
"""All files of one project together."""
MAX_FILES = 10_000
"""Most files and folders of one project; keeps every walk short."""

_CHUNK = 1024 * 1024
_SETTLED_NS = 1_000_000_000
"""A file changed less than this ago may change again within one tick of the file system's clock."""


class Digests:
    """SHA-256 of files, remembered as long as the file looks untouched."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}

    def of(self, root: Path, relative: str, *, frozen: bool = False) -> str:
        """Hex SHA-256 of the regular file `relative` below `root`. Raises `NotFound`.

        `frozen`: a snapshot's, whose change time moves with each further link to it.
        """
        descriptor = open_beneath(root, relative)
        try:
            found = os.fstat(descriptor)
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns, 0 if frozen else found.st_ctime_ns)
            known = self._known.get(root / relative)
            if known and known[0] == stamp:
                return known[1]
            digest = hashlib.sha256()
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
        finally:
            os.close(descriptor)
        if time.time_ns() - (found.st_mtime_ns if frozen else found.st_ctime_ns) > _SETTLED_NS:
            if len(self._known) > MAX_FILES:
                self._known.clear()
            self._known[root / relative] = (stamp, digest.hexdigest())
        return digest.hexdigest()


def walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Relative path and status of each regular file below `root`, sorted within each folder.

    Raises `TooLarge` beyond `MAX_FILES` entries.
    """
    count = 0
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        count += len(entries)
        if count > MAX_FILES:
            raise TooLarge(
                f"The project's files are more than {MAX_FILES:,}. Pack small ones into an archive."
            )
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_file(follow_symlinks=False) and _plain(path):
                yield path, entry.stat(follow_symlinks=False)


def _plain(path: str) -> bool:
    try:
        path_parts(path)
    except InvalidRequest:
        return False
    return True


def rows(root: Path) -> list[FileRow]:
    """All files, sorted by path."""
    return sorted((row(path, found) for path, found in walk(root)), key=lambda item: item.path)


def row(path: str, found: os.stat_result) -> FileRow:
    """One file as the contract shows it."""
    return FileRow(
        path=path,
        size=found.st_size,
        modified_at=timestamp(datetime.fromtimestamp(found.st_mtime, UTC)),
        media_type=mimetypes.guess_type(path)[0] or "application/octet-stream",
    )


def read(root: Path, relative: str) -> tuple[bytes, FileRow]:
    """Bytes and row of one file. Raises `NotFound`, `InvalidRequest`."""
    descriptor = open_beneath(root, relative)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(), row(relative, os.fstat(descriptor))


def check_room(root: Path, relative: str, size: int) -> None:
    """Refuse what may not be written as `relative`: a bad path, a folder in its place, too many bytes."""
    target = safe_join(root, relative)
    if target.is_dir():
        raise Conflict(f"{relative!a} is a folder.")
    for parent in target.relative_to(root).parents:
        if (root / parent).exists() and not (root / parent).is_dir():
            raise Conflict(f"{str(parent)!a} is a file, so nothing can lie below it.")
    check_total(size + sum(found.st_size for path, found in walk(root) if path != relative))


def check_total(size: int) -> None:
    """Raises `TooLarge` where `size` bytes are more than one project may hold."""
    if size > MAX_TOTAL_BYTES:
        raise TooLarge(
            f"The project's files would be {size:,} bytes; they may have {MAX_TOTAL_BYTES:,} together. "
            "Put larger data into a folder of the Jupyter server and name it in `agent.folders`."
        )


def must_exist(root: Path, relative: str) -> None:
    """Raises `NotFound` unless `relative` is a regular file below `root`."""
    os.close(open_beneath(root, relative))


def digests(root: Path, known: Digests) -> dict[str, str]:
    """Path → SHA-256 of all files."""
    found = {}
    for path, _ in walk(root):
        try:
            found[path] = known.of(root, path)
        except NotFound:
            continue  # removed while we walked
    return found


def copy(root: Path, target: Path) -> None:
    """Copy all files but the scenario into the folder `target` (made if missing), fresh and writable.

    Not durable: a workspace is made again after a crash.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path, found in walk(root):
        if path == SCENARIO:
            continue
        destination = safe_join(target, path)
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            source = open_beneath(root, path)
        except NotFound:
            continue
        with os.fdopen(source, "rb") as reader:
            durable.scratch_write(destination, reader, 0o755 if found.st_mode & stat.S_IXUSR else 0o644)
