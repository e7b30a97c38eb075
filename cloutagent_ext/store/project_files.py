"""A project's own files (`files/`): data, hook scripts, the scenario of the simulated model.

At most 50 MB together. What is known of a file is its mark: SHA-256 in hex, with `+x` where it may be
executed, so that a script stays one in versions, copies and what trust binds to. Only regular files
count; links, FIFOs and devices that somebody put there are passed over, never followed, copied or
served. Not here: locks and commits (`store.writer`). Everything blocks.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from .. import durable
from ..errors import Conflict, InvalidRequest, NotFound, TooLarge
from ..schema.admin import FileRow
from ..schema.base import JsonObject, timestamp
from . import tree
from .commit import STAGING, pending
from .files import open_beneath, path_parts, safe_join
from .jsonfiles import load_object

Answer = TypeVar("Answer")

FOLDER = "files"
SCENARIO = "scenario.json"
MAX_TOTAL_BYTES = 50 * 1024 * 1024
"""All files of one project together."""
MAX_FILES = 10_000
"""Most files and folders of one project; keeps every walk short."""

_CHUNK = 1024 * 1024
TICK_NS = 2_000_000_000
"""Coarsest tick of a file system that people keep projects on (FAT has 2 s).

What changed less than this ago may change again without a sign of it."""


@dataclass(frozen=True)
class Overlay:
    """A project's live files as a commit that is already valid will leave them."""

    live: Path
    staging: Path
    writes: Mapping[str, tuple[str, str]]
    """Path → name inside `staging`, SHA-256 in hex."""
    removes: frozenset[str]

    def file(self, relative: str) -> Path | None:
        """The staged file for `relative`; None where the live one is what counts."""
        if relative in self.writes and (path := self.staging / self.writes[relative][0]).is_file():
            return path
        return None


Root = Path | Overlay
"""Where files are read: a folder, or live files with an interrupted commit laid over them."""


def live(project: Path) -> Root:
    """Where the live files of `project` are read now. Raises `UnreadableFile` (a damaged journal)."""
    root, prefix = project / FOLDER, f"{FOLDER}/"
    if (journal := pending(project)) is None:
        return root
    writes = {
        path.removeprefix(prefix): item for path, item in journal.writes.items() if path.startswith(prefix)
    }
    removes = [path.removeprefix(prefix) for path in journal.removes if path.startswith(prefix)]
    return Overlay(root, project / STAGING, writes, frozenset(removes)) if writes or removes else root


def mark(digest: str, executable: bool) -> str:
    """What a file is known by."""
    return f"{digest}+x" if executable else digest


def unmarked(value: str) -> tuple[str, bool]:
    """SHA-256 in hex, and whether the file may be executed."""
    return value.removesuffix("+x"), value.endswith("+x")


def mode(value: str | None) -> int:
    """Permissions of a file with this mark."""
    return 0o755 if value is not None and unmarked(value)[1] else 0o644


class Digests:
    """Marks of files, remembered as long as the file looks untouched."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}

    def of(self, root: Path, relative: str, *, frozen: bool = False) -> str:
        """Mark of the regular file `relative` below `root`. Raises `NotFound`.

        `frozen`: a snapshot's, whose change time moves with each further link to it.
        """
        descriptor, began = open_beneath(root, relative), time.time_ns()
        try:
            found = os.fstat(descriptor)
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns, 0 if frozen else found.st_ctime_ns)
            known = self._known.get(root / relative)
            executable = bool(found.st_mode & stat.S_IXUSR)
            if known and known[0] == stamp:
                return mark(known[1], executable)
            digest = hashlib.sha256()
            while chunk := os.read(descriptor, _CHUNK):
                digest.update(chunk)
        finally:
            os.close(descriptor)
        if began - (found.st_mtime_ns if frozen else found.st_ctime_ns) > TICK_NS:
            if len(self._known) > MAX_FILES:
                self._known.clear()
            self._known[root / relative] = (stamp, digest.hexdigest())
        return mark(digest.hexdigest(), executable)


def walk(root: Root) -> Iterator[tuple[str, os.stat_result]]:
    """Relative path and status of each regular file below `root`, sorted within each folder.

    Raises `TooLarge` beyond `MAX_FILES` entries.
    """
    if isinstance(root, Overlay):
        yield from _walk_over(root)
        return
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
            raise _too_many()
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif entry.is_file(follow_symlinks=False) and _plain(path):
                with suppress(FileNotFoundError):  # removed by hand since it was listed
                    yield path, entry.stat(follow_symlinks=False)


def _too_many() -> TooLarge:
    return TooLarge(f"The project's files are more than {MAX_FILES:,}. Pack small ones into an archive.")


def _walk_over(root: Overlay) -> Iterator[tuple[str, os.stat_result]]:
    for path, found in walk(root.live):
        if path not in root.removes and root.file(path) is None:
            yield path, found
    for path in sorted(root.writes):
        if (staged := root.file(path)) is not None:
            yield path, staged.stat()


def _open(root: Root, relative: str) -> int:
    """As `open_beneath`."""
    if not isinstance(root, Overlay):
        return open_beneath(root, relative)
    if relative in root.removes:
        raise NotFound(f"There is no file {relative!a}.")
    if (staged := root.file(relative)) is not None:
        try:
            return open_beneath(root.staging, staged.name)
        except NotFound:
            pass  # put in place meanwhile
    return open_beneath(root.live, relative)


def _plain(path: str) -> bool:
    try:
        path_parts(path)
    except InvalidRequest:
        return False
    return True


def rows(root: Root) -> list[FileRow]:
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


def read(root: Root, relative: str) -> tuple[bytes, FileRow]:
    """Bytes and row of one file. Raises `NotFound`, `InvalidRequest`."""
    descriptor = _open(root, relative)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(), row(relative, os.fstat(descriptor))


def check_room(root: Path, relative: str, size: int) -> None:
    """Refuse what may not be written as `relative`: a bad path, a folder in its place, too many bytes."""
    check_place(root, relative)
    check_total(size + sum(found.st_size for path, found in walk(root) if path != relative))
    check_count(root, relative)


def check_count(root: Path, relative: str) -> None:
    """Raises `TooLarge` where `relative` and its folders would be more than `walk` lists again."""
    path, new = root / relative, 0
    while path != root and not path.exists():
        path, new = path.parent, new + 1
    if new and new + sum(len(folders) + len(names) for _, folders, names in os.walk(root)) > MAX_FILES:
        raise _too_many()


def check_place(root: Path, relative: str) -> None:
    """Raises `InvalidRequest` for a bad path, `Conflict` where a folder or file is in the way."""
    target = safe_join(root, relative)
    if target.is_dir():
        raise Conflict(f"{relative!a} is a folder.")
    for parent in target.relative_to(root).parents:
        if (root / parent).exists() and not (root / parent).is_dir():
            raise Conflict(f"{str(parent)!a} is a file, so nothing can lie below it.")


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


def digests(root: Root, known: Digests) -> dict[str, str]:
    """Path → mark of all files. Raises `TooLarge` before a byte is read of more than a project may hold."""
    found = {}
    live = root.live if isinstance(root, Overlay) else root
    entries = list(walk(root))
    check_total(sum(status.st_size for _, status in entries))
    for path, status in entries:
        if isinstance(root, Overlay) and path in root.writes:
            found[path] = mark(root.writes[path][1], bool(status.st_mode & stat.S_IXUSR))
            continue
        try:
            found[path] = known.of(live, path)
        except NotFound:
            continue  # removed while we walked
    return found


def copy(root: Root, target: Path, marks: Mapping[str, str] | None = None) -> None:
    """Copy all files but the scenario into the folder `target` (made if missing), fresh and writable.

    `marks`: which of them may be executed, where it is not the files themselves that say so.
    Not durable: a workspace is made again after a crash.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path, found in walk(root):
        if path == SCENARIO:
            continue
        destination = safe_join(target, path)
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            source = _open(root, path)
        except NotFound:
            continue
        with os.fdopen(source, "rb") as reader:
            own = mark("", bool(found.st_mode & stat.S_IXUSR))
            durable.scratch_write(destination, reader, mode(own if marks is None else marks.get(path)))


def steady(folder: Path, work: Callable[[Root], Answer]) -> Answer:
    """What `work` finds in the live files, none of which a commit of several files moved meanwhile."""
    for _ in range(tree.ATTEMPTS):
        before = tree.moment(folder)
        try:
            found = work(live(folder))
        except NotFound:
            if tree.moment(folder) == before:
                raise
            continue
        if tree.moment(folder) == before:
            return found
    raise Conflict("The project is being saved without a pause. Try again.")


def scenario(root: Root) -> JsonObject | None:
    """What the simulated model plays, None where there is no such file. Raises `UnreadableFile`."""
    try:
        data, _ = read(root, SCENARIO)
    except NotFound:
        return None
    return load_object(f"{FOLDER}/{SCENARIO}", data)
