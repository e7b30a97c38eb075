"""One backup as a zip: projects as they lie on the disk, and a manifest that proves every byte.

Everything of a project but its executions and half-done work. Content that several files share
(versions, mostly) is in the zip once; the manifest, written last, says which path has which bytes.
Secrets travel encrypted as they are, API keys as hashes; the key that opens secrets lies outside
the data folder and never comes here. `backup-…` zips hold projects below `projects/{id}/`, a zip of
one project holds it at the top.

Not here: when backups are made, kept and restored (`store.backups`). Everything blocks.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import Field, ValidationError

from .. import durable
from ..errors import BadArchive, Conflict, Internal, InvalidRequest, TooLarge
from ..schema.base import Model, Timestamp, timestamp
from . import project_files
from .commit import STAGING
from .files import path_parts
from .jsonfiles import dump

MANIFEST = ".cloutagent-backup.json"
EXECUTIONS = "executions"
MAX_FILE = 64 * 1024 * 1024
"""Largest single file that is restored; nothing of a project may be as large."""
_MAX_MANIFEST = 512 * 1024 * 1024
_CHUNK = 1024 * 1024
_FIRST, _LAST = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 59)
"""What a zip can say about a time."""
_LITTER = re.compile(r"\..*\.tmp")

log = logging.getLogger("cloutagent.store")

Held = Callable[[str], AbstractContextManager[Path | None]]
"""A project's folder, held still while it is read; None where it is gone."""


class Entry(Model):
    """One file of a project."""

    path: str
    """Relative to the project."""
    sha256: str
    size: int = Field(ge=0, le=2**50)
    mode: int
    at: str
    """Name of the member that has its bytes."""


class _Manifest(Model):
    schema_version: int = 1
    created_at: Timestamp
    projects: dict[str, list[Entry]]


def write(target: Path, ids: list[str], held: Held, *, flat: bool = False) -> None:
    """The backup `target` of the projects `ids`, verified by reading it back before it has its name.

    `flat`: the one project stands at the top. Projects that are gone when their turn comes are left out.
    """
    projects: dict[str, list[Entry]] = {}
    with durable.staged_file(target, 0o600) as (sink, staged):
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # type: ignore[call-overload]
            for project_id in ids:
                prefix = "" if flat else f"projects/{project_id}/"
                with held(project_id) as folder:
                    if folder is not None:
                        projects[project_id] = list(_copy(archive, folder, prefix))
            manifest = _Manifest(created_at=timestamp(), projects=projects)
            archive.writestr(MANIFEST, dump(manifest.model_dump(mode="json")))
        try:
            with BackupFile(staged) as written:
                written.verify()
        except BadArchive as error:
            raise Internal(f"The backup reads back damaged: {error.message}") from error


def _copy(archive: zipfile.ZipFile, folder: Path, prefix: str) -> Iterator[Entry]:
    shared: dict[int, tuple[str, str]] = {}
    for path in _files(folder, strict=not prefix):
        relative = str(path.relative_to(folder))
        name = prefix + relative.encode(errors="backslashreplace").decode()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            continue  # as in `_files`
        except PermissionError as error:
            _unreadable(path.relative_to(folder), folder, error, strict=not prefix)
            continue
        with os.fdopen(descriptor, "rb") as source:
            found = os.fstat(source.fileno())
            if found.st_ino in shared:
                digest, at = shared[found.st_ino]
                size = found.st_size
            else:
                info = _info(name, found)
                digest, size, at = _add(archive, info, source), info.file_size, name
                if found.st_nlink > 1:
                    shared[found.st_ino] = (digest, at)
            if _plain(relative):
                mode = stat.S_IMODE(found.st_mode) & 0o755
                yield Entry(path=relative, sha256=digest, size=size, mode=mode, at=at)


def _info(name: str, found: os.stat_result) -> zipfile.ZipInfo:
    moment = time.localtime(found.st_mtime)[:6]
    info = zipfile.ZipInfo(name, min(max(moment, _FIRST), _LAST))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (found.st_mode & 0xFFFF) << 16
    info.file_size = found.st_size
    return info


def _add(archive: zipfile.ZipFile, info: zipfile.ZipInfo, source: Any) -> str:
    digest = hashlib.sha256()
    with archive.open(info, "w") as target:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            target.write(chunk)
    return digest.hexdigest()


def _files(folder: Path, *, strict: bool) -> Iterator[Path]:
    """Regular files; links are never followed.

    Keys and notes change under locks of their own, and people under none: what goes while we walk is gone,
    and takes nothing else of the project out of the backup.

    What is beyond any size a project may have, or not for this user to read (somebody put it there by
    hand), is left out and named in the log; `strict`: refused, since nothing else would be left of it.
    """
    left_out = _too_large(folder, strict=strict)

    def refused(error: OSError) -> None:
        if isinstance(error, PermissionError):
            _unreadable(Path(error.filename).relative_to(folder), folder, error, strict=strict)
        elif not isinstance(error, FileNotFoundError):
            raise error

    for place, folders, names in os.walk(folder, onerror=refused):
        folders.sort()
        if Path(place) == folder:
            folders[:] = [name for name in folders if name not in (EXECUTIONS, STAGING, left_out)]
        for name in sorted(names):
            if _LITTER.fullmatch(name):
                continue
            path = Path(place) / name
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(found.st_mode):
                continue
            if found.st_size > MAX_FILE:
                _leave_out(
                    path.relative_to(folder), folder, f"it has {found.st_size:,} bytes.", strict=strict
                )
                continue
            yield path


def _too_large(folder: Path, *, strict: bool) -> str | None:
    root = folder / project_files.FOLDER
    try:
        project_files.check_total(sum(found.st_size for _, found in project_files.walk(root)))
    except TooLarge as error:
        _leave_out(root.relative_to(folder), folder, error.message, strict=strict)
        return root.name
    except PermissionError:
        return None  # it is named where its turn comes
    return None


def _unreadable(path: Path, folder: Path, error: OSError, *, strict: bool) -> None:
    if strict:
        raise Conflict(
            f"{path} of project {folder.name} cannot be kept: it cannot be read ({error.strerror}). "
            "Mend its owner or mode, or move it away first."
        )
    log.warning("%s of project %s is in no backup: it cannot be read (%s)", path, folder.name, error.strerror)


def _leave_out(path: Path, folder: Path, why: str, *, strict: bool) -> None:
    if strict:
        raise TooLarge(f"{path} of project {folder.name} cannot be kept: {why} Move it away first.")
    log.warning("%s of project %s is in no backup: %s", path, folder.name, why)


def _plain(path: str) -> bool:
    try:
        path_parts(path)
    except InvalidRequest:
        return False
    return True


class BackupFile:
    """A backup opened for reading. Raises `BadArchive` for one that is not whole."""

    def __init__(self, source: Path | BinaryIO) -> None:
        self._source = source

    def __enter__(self) -> BackupFile:
        try:
            self._archive = zipfile.ZipFile(self._source)
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            raise self._bad(f"it cannot be opened ({error})") from None
        try:
            self.projects = self._manifest()
        except BaseException:
            self._archive.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def _bad(self, reason: str) -> BadArchive:
        return BadArchive(f"This backup is not whole: {reason}. Nothing was restored.", reason=reason)

    def _manifest(self) -> Mapping[str, list[Entry]]:
        try:
            info = self._archive.getinfo(MANIFEST)
            if info.file_size > _MAX_MANIFEST:
                raise self._bad("its manifest is too large")
            projects = _Manifest.model_validate_json(self._archive.read(info)).projects
        except (KeyError, ValidationError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
            raise self._bad("it has no manifest that can be read") from None
        for entries in projects.values():
            if any(not _plain(each.path) or each.path.startswith(f"{EXECUTIONS}/") for each in entries):
                raise self._bad("its manifest names a path that no backup has")
            if len({each.path for each in entries}) < len(entries):
                raise self._bad("its manifest names a path twice")
        return projects

    def verify(self, project_id: str | None = None) -> None:
        """Read every byte and compare it with the manifest."""
        chosen = self.projects.values() if project_id is None else [self.projects[project_id]]
        for at, (digest, size) in {e.at: (e.sha256, e.size) for each in chosen for e in each}.items():
            found = hashlib.sha256()
            for chunk in self._chunks(at, size):
                found.update(chunk)
            if found.hexdigest() != digest:
                raise self._bad(f"{at} has other bytes than it should")

    def data(self, entry: Entry) -> bytes:
        """The bytes of `entry`, checked."""
        if entry.size > MAX_FILE:
            raise self._bad(f"{entry.path} is larger than any file of a project")
        data = b"".join(self._chunks(entry.at, entry.size))
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise self._bad(f"{entry.path} has other bytes than it should")
        return data

    def _chunks(self, at: str, size: int) -> Iterator[bytes]:
        archive, left = self._archive, size
        try:
            with archive.open(at) as source:
                while chunk := source.read(_CHUNK):
                    left -= len(chunk)
                    if left < 0:
                        break
                    yield chunk
        except (
            KeyError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise self._bad(f"{at} cannot be read ({error})") from None
        if left:
            raise self._bad(f"{at} has not the size it should")
