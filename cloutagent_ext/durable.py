"""Bytes that must survive: every open-for-writing, write, fsync, rename, link and unlink of stored data.

The one door to the disk for `store` and `auth` (which never import each other), so that a
fault injector stands at one place and a test can prove that nobody walks around it.

What holds: writes are looped until complete and read back; a file appears under its name
only when its bytes have reached the disk; a rename is followed by an fsync of its folder.
A failed fsync raises `SyncFailed` and is never tried again: the kernel may already have
dropped the dirty pages, and a second fsync would "succeed" over lost data. Owners of a
store answer it by refusing all further writes (`Guard`).

Not here: which files belong together (`store.commit`), paths from outside (`store.files`), who may write
now (`filelocks`).
Everything blocks: call it in a thread.
"""
# The os functions themselves are the point: one call, one place for a fault.
# ruff: noqa: PTH102, PTH103, PTH104, PTH106, PTH108

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from .errors import DiskFull, Unavailable
from .failpoints import failpoint
from .guard import SyncFailed
from .scarcity import is_scarce

_MAX_OPEN = 128
"""Files a batch keeps open before it syncs them; far below the usual limit of 1,024 descriptors."""

_CHUNK = 1024 * 1024
_OUT_OF_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MEANINGFUL = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError)
_WRITE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Operating-system errors as the contract's, except those that say something about the path itself."""
    try:
        yield
    except _MEANINGFUL:
        raise
    except OSError as error:
        if error.errno in _OUT_OF_SPACE:
            raise DiskFull(
                f"No room left on the disk to write {path.name}. Free some space, then try again."
            ) from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        if is_scarce(error):
            raise Unavailable(
                f"{path.name} could not be written now: {reason}. Try again in a moment.", code="OVERLOADED"
            ) from error
        raise Unavailable(
            f"{path.name} could not be written: {reason}. Check the data folder, then try again.",
            code="READ_ONLY",
        ) from error


def _sync(descriptor: int, path: Path) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise SyncFailed(f"{path.name} could not be brought to the disk ({error.strerror}).") from error


def sync_folder(path: Path) -> None:
    """Make names in `path` (renames, new files, removals) survive a power loss."""
    with translated(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _sync(descriptor, path)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.write(descriptor, view)
        if written == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        view = view[written:]


def _verify(descriptor: int, path: Path, digest: str) -> None:
    """Read back what was written; a difference is a disk that lies."""
    found, offset = hashlib.sha256(), 0
    while chunk := os.pread(descriptor, _CHUNK, offset):
        found.update(chunk)
        offset += len(chunk)
    if found.hexdigest() != digest:
        raise SyncFailed(f"{path.name} reads back differently from what was written.")


class Batch:
    """New files and folders that are written first and synced together.

    All data goes out before the first fsync, so that the file system commits it once
    instead of once per file. Nothing may be relied on before `sync` has returned.
    """

    def __init__(self) -> None:
        self._open: list[tuple[int, Path, str]] = []
        self._folders: dict[Path, None] = {}

    def mkdir(self, path: Path) -> None:
        """Make `path`; its parent must exist, an existing folder is fine."""
        with translated(path), suppress(FileExistsError):
            os.mkdir(path, 0o755)
            self._folders[path] = None
            self._folders[path.parent] = None

    def parents(self, path: Path, below: Path) -> None:
        """Make the folders between `below` (which exists) and the file `path`."""
        missing = []
        folder = path.parent
        while folder != below and not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            self.mkdir(folder)

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> str:
        """A new file with exactly `data`; returns its SHA-256 in hex. It must not exist yet."""
        with translated(path):
            descriptor = os.open(path, _WRITE, mode)
            digest = hashlib.sha256(data).hexdigest()
            self._keep(descriptor, path, digest)
            _write_all(descriptor, data)
        failpoint("save.written")
        return digest

    def copy(self, source: int, path: Path, mode: int = 0o644) -> str:
        """A new file with all bytes of the open descriptor `source`; returns their SHA-256 in hex."""
        digest, offset = hashlib.sha256(), 0
        with translated(path):
            descriptor = os.open(path, _WRITE, mode)
            self._folders[path.parent] = None
            try:
                while chunk := os.pread(source, _CHUNK, offset):
                    digest.update(chunk)
                    _write_all(descriptor, chunk)
                    offset += len(chunk)
            except BaseException:
                os.close(descriptor)
                raise
            self._keep(descriptor, path, digest.hexdigest())
        return digest.hexdigest()

    def link(self, source: Path, path: Path) -> bool:
        """Give the stored file `source` a second name; False where the file system cannot."""
        try:
            os.link(source, path, follow_symlinks=False)
        except OSError as error:
            if error.errno in _OUT_OF_SPACE or error.errno == errno.EIO:
                with translated(path):
                    raise
            return False
        self._folders[path.parent] = None
        return True

    def sync(self) -> None:
        """Everything of this batch is on the disk when this returns."""
        self._sync_files()
        failpoint("save.files_synced")
        for folder in self._folders:
            sync_folder(folder)
        self._folders.clear()
        failpoint("save.synced")

    def _keep(self, descriptor: int, path: Path, digest: str) -> None:
        self._open.append((descriptor, path, digest))
        self._folders[path.parent] = None
        # The newest is still being written, so it stays open.
        if len(self._open) > _MAX_OPEN:
            newest = self._open.pop()
            self._sync_files()
            self._open.append(newest)

    def _sync_files(self) -> None:
        while self._open:
            descriptor, path, digest = self._open.pop(0)
            try:
                _sync(descriptor, path)
                with translated(path):
                    _verify(descriptor, path, digest)
            finally:
                os.close(descriptor)

    def __enter__(self) -> Batch:
        failpoint("save.begun")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor, _, _ in self._open:
            os.close(descriptor)
        self._open.clear()


def rename(source: Path, target: Path) -> None:
    """Give `source` the name `target`, replacing a file there. Lasting only after `sync_folder`."""
    with translated(target):
        os.rename(source, target)
    failpoint("save.renamed")


def remove(path: Path) -> None:
    """Remove the file `path`, if it is there. Lasting only after `sync_folder`."""
    with translated(path), suppress(FileNotFoundError):
        os.unlink(path)


def remove_folder(path: Path) -> bool:
    """Remove the folder `path` if it is empty; whether it is gone."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        with translated(path):
            raise
    return True


def remove_tree(path: Path) -> None:
    """Remove `path` and all below it, following no link. Only for what has lost its name already."""
    with translated(path), suppress(FileNotFoundError):
        shutil.rmtree(path)


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Make `path` and its parents, lasting."""
    if path.is_dir():
        return
    make_folder(path.parent, mode)
    with translated(path), suppress(FileExistsError):
        os.mkdir(path, mode)
    sync_folder(path.parent)


def atomic_write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace `path` by `data`: whoever reads it, and any crash, finds the old bytes or the new ones.

    The folder must exist. Raises `DiskFull`, `Unavailable` (READ_ONLY), `SyncFailed`.
    """
    staged = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with Batch() as batch:
            batch.write(staged, data, mode)
            batch._sync_files()
        rename(staged, path)
    except BaseException:
        with suppress(OSError, Unavailable, DiskFull):
            remove(staged)
        raise
    sync_folder(path.parent)


class _Sink:
    """What `zipfile` and its like write to: every byte through the one door."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        _write_all(self._descriptor, data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


@contextmanager
def staged_file(path: Path, mode: int = 0o644) -> Iterator[tuple[_Sink, Path]]:
    """Write a large file piece by piece; it gets its name `path` at the end of the block, synced.

    Yields the sink (it cannot seek) and the path of the staged file, for a check before the end.
    """
    staged = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with translated(path):
            descriptor = os.open(staged, _WRITE, mode)
            try:
                yield _Sink(descriptor), staged
                _sync(descriptor, path)
            finally:
                os.close(descriptor)
        rename(staged, path)
    except BaseException:
        with suppress(OSError, Unavailable, DiskFull):
            remove(staged)
        raise
    sync_folder(path.parent)


def overwrite_in_place(path: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes inside `path`, which needs no new room: the way out when the disk is full."""
    with translated(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            _write_all(descriptor, data)
            _sync(descriptor, path)
        finally:
            os.close(descriptor)


def scratch_write(path: Path, source: BinaryIO, mode: int) -> None:
    """A new file in a place that is made again after a crash: whole, but not synced."""
    with translated(path):
        descriptor = os.open(path, _WRITE, mode)
        try:
            while chunk := source.read(_CHUNK):
                _write_all(descriptor, chunk)
        finally:
            os.close(descriptor)


def scratch_folder(path: Path) -> None:
    """Make `path` and its parents in a place that is made again after a crash: not synced."""
    with translated(path):
        os.makedirs(path, exist_ok=True)
