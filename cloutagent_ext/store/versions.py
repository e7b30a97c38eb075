"""Snapshots: `versions/v{n}/` holds the definition files and `files/` as they were, and `version.json`.

Readable folders that never change. Content that two neighbouring snapshots share is stored once
(hard links between snapshots, never to live files: an editor that writes in place must not reach a
snapshot), and checked against its digest before it is linked or read.

Not here: when a version is made (`store.writer`); listing, labels, restoring and pruning
(`store.history`), diffs (`store.diff`). Everything blocks.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from ..errors import NotFound, UnreadableFile
from ..schema.base import Model, Timestamp
from . import project_files, tree
from .commit import STAGING, Staging, pending
from .files import open_beneath, path_parts
from .jsonfiles import dump, invalid, load_object, unreadable
from .tree import VIEW, Tree

FOLDER = "versions"
RECORD = "version.json"
BY_HAND = "disk"
"""Author of a version that captures an edit made on the disk."""

_NAME = re.compile(r"v([1-9][0-9]{0,8})")


class Record(Model):
    """`version.json`: the row of a version, and what proves its files."""

    version: int
    label: str | None = None
    author: str | None = None
    created_at: Timestamp
    content: str
    """`layout.content_digest` of what it holds."""
    manifest: dict[str, str]
    """Path → mark of each file (`project_files.mark`)."""

    def files(self) -> dict[str, str]:
        """The project files among `manifest`, relative to `files/`, with their marks."""
        prefix = f"{project_files.FOLDER}/"
        return {
            path.removeprefix(prefix): digest
            for path, digest in self.manifest.items()
            if path.startswith(prefix)
        }


def path_of(version: int) -> str:
    """Folder of `version`, relative to the project."""
    return f"{FOLDER}/v{version}"


def folder_of(project: Path, version: int) -> Path:
    """Where the snapshot `version` lies now: a valid commit may still be about to put it in place."""
    final = project / path_of(version)
    if not final.is_dir() and (journal := pending(project)) is not None:
        name = journal.places.get(path_of(version))
        # Looked at again last, since the commit may have gone on meanwhile.
        if name is not None and (staged := project / STAGING / name).is_dir() and not final.is_dir():
            return staged
    return final


def numbers(project: Path) -> list[int]:
    """Numbers of all snapshots, ascending; that of a commit which is valid already is among them."""
    journal = pending(project)
    names = {path.removeprefix(f"{FOLDER}/") for path in journal.places} if journal else set()
    with suppress(FileNotFoundError, NotADirectoryError):
        names |= {entry.name for entry in (project / FOLDER).iterdir()}
    return sorted(int(match[1]) for name in names if (match := _NAME.fullmatch(name)))


def record(project: Path, version: int) -> Record | None:
    """The record of `version`, None where there is no such snapshot. Raises `UnreadableFile`."""
    path = f"{path_of(version)}/{RECORD}"
    try:
        data = (folder_of(project, version) / RECORD).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return Record.model_validate(load_object(path, data), extra="ignore")
    except ValidationError as error:
        raise invalid(path, data, error) from None


def stage_files(
    staging: Staging,
    version: int,
    files: dict[str, str],
    *,
    root: Path,
    previous: Record | None,
    known: project_files.Digests,
) -> dict[str, str]:
    """Begin the snapshot `version` with the files `files` of `root`; returns their marks as copied.

    What `previous` holds with the same mark is linked instead of copied. `root`: the live project
    files, or those of an older snapshot.
    """
    folder = staging.place(path_of(version))
    copied = {}
    for relative, known_as in sorted(files.items()):
        _, executable = project_files.unmarked(known_as)
        path = f"{project_files.FOLDER}/{relative}"
        staging.batch.parents(folder / path, folder)
        if _link(staging, folder, path, known_as, previous, known):
            copied[relative] = known_as
        else:
            try:
                source = open_beneath(root, relative)
            except NotFound:
                continue  # removed by hand since it was listed
            try:
                digest = staging.batch.copy(source, folder / path, 0o555 if executable else 0o444)
            finally:
                os.close(source)
            copied[relative] = project_files.mark(digest, executable)
    return copied


def stage_definition(
    staging: Staging, row: Record, content: Tree, *, previous: Record | None, known: project_files.Digests
) -> Record:
    """Complete the snapshot that `stage_files` began with the definition files `content` and its record."""
    folder = staging.folder(path_of(row.version))
    manifest = dict(row.manifest)
    for path, data in sorted(content.items()):
        if path == VIEW:
            continue
        digest = hashlib.sha256(data).hexdigest()
        staging.batch.parents(folder / path, folder)
        if not _link(staging, folder, path, digest, previous, known):
            staging.batch.write(folder / path, data, 0o444)
        manifest[path] = digest
    complete = row.model_copy(update={"manifest": manifest})
    staging.batch.write(folder / RECORD, dump(complete.model_dump(mode="json")), 0o444)
    return complete


def _link(
    staging: Staging,
    folder: Path,
    path: str,
    known_as: str,
    previous: Record | None,
    known: project_files.Digests,
) -> bool:
    if previous is None or previous.manifest.get(path) != known_as:
        return False
    source = staging.project / path_of(previous.version)
    try:
        intact = _same(known.of(source, path, frozen=True), known_as)
    except NotFound:
        return False
    return intact and staging.batch.link(source / path, folder / path)


def _same(found: str, known_as: str) -> bool:
    """Whether the bytes are the same; who may execute them is for the record to say, not for the disk."""
    return project_files.unmarked(found)[0] == project_files.unmarked(known_as)[0]


def read(project: Path, version: int) -> Tree:
    """The definition files of `version`, checked. Raises `NotFound`, `UnreadableFile`."""
    try:
        return _read(project, version)
    except (NotFound, UnreadableFile):
        # It may have been put in place between two of our reads; a snapshot at rest fails again.
        return _read(project, version)


def _read(project: Path, version: int) -> Tree:
    row = record(project, version)
    if row is None:
        raise NotFound(f"This project has no version {version}.")
    folder = folder_of(project, version)
    content = tree.read_snapshot(folder)
    expected = {path: digest for path, digest in row.manifest.items() if tree.is_definition(path)}
    for path in sorted(expected.keys() | content.keys()):
        data = content.get(path)
        if data is None or hashlib.sha256(data).hexdigest() != expected.get(path):
            raise unreadable(f"{path_of(version)}/{path}", "does not hold what was saved as this version")
    return content


def files_root(project: Path, version: int) -> Path:
    """Where the project files of `version` lie, checked. Raises `NotFound`, `UnreadableFile`."""
    try:
        return _files_root(project, version)
    except (NotFound, UnreadableFile):  # as above; and a version that was pruned meanwhile is no damage
        return _files_root(project, version)


def _files_root(project: Path, version: int) -> Path:
    row = record(project, version)
    if row is None:
        raise NotFound(f"This project has no version {version}.")
    root = folder_of(project, version) / project_files.FOLDER
    known = project_files.Digests()
    for relative, digest in row.files().items():
        path_parts(relative)
        try:
            intact = _same(known.of(root, relative), digest)
        except NotFound:
            intact = False
        if not intact:
            raise unreadable(
                f"{path_of(version)}/{project_files.FOLDER}/{relative}",
                "does not hold what was saved as this version",
            )
    return root
