"""What differs between two versions: per file as a unified diff, per field of the definition.

Our own bookkeeping (version numbers, dates) is no difference. Not here: reading snapshots
(`store.versions`). Everything blocks.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import NotFound
from ..schema.versions import FieldChange, FileChange, VersionDiff
from . import history, project_files, versions
from .jsonfiles import dump, load_object
from .layout import BOOKKEEPING
from .tree import METADATA

MAX_BYTES = 256 * 1024
MAX_LINES = 4000
"""Longest text on either side that is compared by lines; beyond it only the change is told."""


def between(project: Path, before: int, after: int) -> VersionDiff:
    """From version `before` to version `after`. Raises `NotFound`, `UnreadableFile`."""
    if not project.is_dir():
        raise NotFound("There is no such project.")
    (old, old_definition), (new, new_definition) = (
        history.found(project, before),
        history.found(project, after),
    )
    for number in {before, after}:
        versions.files_root(project, number)  # digests of project files
    return VersionDiff(
        before=before,
        after=after,
        files=list(_files(project, old, new)),
        fields=list(
            _fields("", old_definition.model_dump(mode="json"), new_definition.model_dump(mode="json"))
        ),
    )


def _files(project: Path, old: versions.Record, new: versions.Record) -> Iterator[FileChange]:
    for path in sorted(old.manifest.keys() | new.manifest.keys()):
        if old.manifest.get(path) == new.manifest.get(path):
            continue
        left, right = _content(project, old, path), _content(project, new, path)
        if left == right:
            if left is not None and path.startswith(f"{project_files.FOLDER}/"):
                yield FileChange(path=path, change="changed", diff=_modes(old, new, path))
            continue
        kind = "added" if left is None else "removed" if right is None else "changed"
        yield FileChange(path=path, change=kind, diff=_unified(path, old, new, left or b"", right or b""))


def _modes(old: versions.Record, new: versions.Record, path: str) -> str:
    """As git tells that only the right to execute a file has changed."""
    before, after = (f"100{project_files.mode(record.manifest[path]):o}" for record in (old, new))
    return f"old mode {before}\nnew mode {after}\n"


def _content(project: Path, record: versions.Record, path: str) -> bytes | None:
    if path not in record.manifest:
        return None
    data = project_files.read(versions.folder_of(project, record.version), path)[0]
    if path != METADATA:
        return data
    return dump({name: value for name, value in load_object(path, data).items() if name not in BOOKKEEPING})


def _unified(path: str, old: versions.Record, new: versions.Record, left: bytes, right: bytes) -> str | None:
    before, after = _lines(left), _lines(right)
    if before is None or after is None:
        return None
    lines = difflib.unified_diff(
        before, after, f"v{old.version}/{path}", f"v{new.version}/{path}", old.created_at, new.created_at
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _lines(data: bytes) -> list[str] | None:
    if len(data) > MAX_BYTES or b"\0" in data:
        return None
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        return None
    whole = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return whole if len(whole) <= MAX_LINES else None


def _fields(path: str, before: Any, after: Any) -> Iterator[FieldChange]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _fields(f"{path}.{name}" if path else name, before.get(name), after.get(name))
        return
    old, new = _by_id(before), _by_id(after)
    if old is None or new is None:
        yield FieldChange(path=path, before=before, after=after)
        return
    for key in [*old, *(key for key in new if key not in old)]:
        yield from _fields(f"{path}.{key}", old.get(key), new.get(key))
    kept_before, kept_after = [key for key in old if key in new], [key for key in new if key in old]
    if kept_before != kept_after:
        yield FieldChange(path=path, before=list(old), after=list(new))


def _by_id(items: Any) -> Mapping[str, Any] | None:
    """Items of a list by their id; None for what is no list of such."""
    if not isinstance(items, list) or not all(isinstance(item, dict) and "id" in item for item in items):
        return None
    return {item["id"]: item for item in items}
