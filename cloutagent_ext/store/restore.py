"""A project as a backup has it, put back as one change: what was, or what the backup says, never mixed.

Where the project still lies there, its definition, files, notes and secrets change in one commit; versions
made since stay, executions stay, and API keys stay as they are now, so that a key revoked since
opens nothing. Of the rest (recordings, what people keep beside ours) only what is missing comes back: a
`.git` rewound to an older state would lose the commits made since. Where the project is gone, it appears
by one rename; its keys are those of its last state before it was deleted, if that was kept. Either way
nobody's trust comes along.

Not here: which backup, and what is kept of the state before (`store.backups`). Everything blocks;
the caller holds the project's lock.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from .. import durable
from ..errors import BadArchive, Conflict, InvalidRequest
from . import layout, project_files, tree, versions
from .backup_file import BackupFile, Entry
from .commit import commit, recover
from .files import safe_join
from .jsonfiles import dump, load_object
from .shelf import MEMORY
from .tree import METADATA
from .writer import GITIGNORE

KEYS = "keys.json"
"""Of `auth.key_file`, which the store does not know."""
_SECRETS = ".secrets"
_REPLACED = tuple(f"{folder}/" for folder in (project_files.FOLDER, MEMORY, _SECRETS))
"""Folders that become what the backup says, as the definition does."""


def judge(folder: Path, backup: BackupFile, project_id: str) -> None:
    """Raise what `over` (or `anew`, where nothing is there) would refuse, before anything is changed."""
    entries = _entries(backup, project_id)
    _metadata(backup, entries, 0)
    if folder.is_dir():
        for path in _wanted(folder, entries):
            _must_fit(folder, path)


def over(folder: Path, backup: BackupFile, project_id: str, last_look: Callable[[], None]) -> None:
    """Make the existing project in `folder` what the backup says. Raises `Conflict`, `NewerFormat`.

    `last_look` may still refuse, by raising, when all that takes time is done.
    """
    recover(folder)
    entries = _entries(backup, project_id)
    taken = versions.numbers(folder)
    metadata = _metadata(backup, entries, max([0, *taken]))
    old = {path: entry for path, entry in entries.items() if _number(path) is not None}
    wanted = _wanted(folder, entries)
    for path in wanted:
        _must_fit(folder, path)
    with commit(folder, last_look) as staging:
        for number in sorted({_number(path) for path in old} - set(taken) - {None}, key=str):
            place = versions.path_of(int(number or 0))
            _fill(staging.batch, staging.place(place), backup, old, f"{place}/")
        for path, entry in wanted.items():
            data = metadata if path == METADATA else backup.data(entry)
            staging.write(path, data, _mode(path, entry))
        for path in _present(folder):
            if path not in wanted:
                staging.remove(path)


def anew(staged: Path, backup: BackupFile, project_id: str, keys: bytes | None) -> None:
    """Build the project in the new folder `staged`, with `keys` in place of those of the backup."""
    entries = _entries(backup, project_id)
    metadata = _metadata(backup, entries, 0)
    durable.make_folder(staged)
    with durable.Batch() as batch:
        _fill(batch, staged, backup, {p: e for p, e in entries.items() if p not in (METADATA, KEYS)}, "")
        batch.write(staged / METADATA, metadata)
        content = backup.data(entries[KEYS]) if keys is None and KEYS in entries else keys
        if content is not None:
            batch.write(staged / KEYS, content, 0o600)
        batch.sync()


def _entries(backup: BackupFile, project_id: str) -> dict[str, Entry]:
    return {entry.path: entry for entry in backup.projects[project_id]}


def _wanted(folder: Path, entries: dict[str, Entry]) -> dict[str, Entry]:
    """What of the backup goes into the project that lies in `folder`; versions come beside its own."""
    return {path: e for path, e in entries.items() if _number(path) is None and _may_change(folder, path)}


def _fill(
    batch: durable.Batch, target: Path, backup: BackupFile, entries: dict[str, Entry], prefix: str
) -> None:
    """Write all `entries` below `prefix` into `target`; snapshots share what they shared."""
    shared: dict[str, Path] = {}
    for path, entry in sorted(entries.items()):
        if not path.startswith(prefix):
            continue
        place = target / path.removeprefix(prefix)
        batch.parents(place, target)
        snapshot = _number(path) is not None
        if snapshot and entry.at in shared and batch.link(shared[entry.at], place):
            continue
        batch.write(place, backup.data(entry), entry.mode)
        if snapshot:
            shared[entry.at] = place


def _mode(path: str, entry: Entry) -> int:
    if path.startswith(f"{_SECRETS}/"):
        return 0o600
    if path.startswith(f"{project_files.FOLDER}/"):
        return 0o755 if entry.mode & stat.S_IXUSR else 0o644
    return 0o644 if tree.is_definition(path) else entry.mode & 0o755


def _metadata(backup: BackupFile, entries: dict[str, Entry], newest: int) -> bytes:
    """Its `metadata.json`, without anybody's trust, and with no number that was given already."""
    if METADATA not in entries:
        raise BadArchive("This backup has no metadata.json for the project. Nothing was restored.")
    raw = load_object(METADATA, backup.data(entries[METADATA]))
    metadata = layout.parse_metadata({METADATA: dump(raw)})
    return dump({**raw, "trust": [], "version": max(metadata.version, newest)})


def _number(path: str) -> int | None:
    folder, _, rest = path.partition("/")
    name = rest.partition("/")[0]
    if folder == versions.FOLDER and name[:1] == "v" and name[1:].isdecimal() and len(name) < 11:
        return int(name[1:])
    return None


def _may_change(folder: Path, path: str) -> bool:
    if path in (KEYS, GITIGNORE) or path.startswith(f"{versions.FOLDER}/"):
        return False
    return tree.is_definition(path) or path.startswith(_REPLACED) or not os.path.lexists(folder / path)


def _present(folder: Path) -> list[str]:
    """What a restore replaces: definition files, project files, notes and secrets."""
    found = list(tree.present(folder))
    found += [f"{project_files.FOLDER}/{path}" for path in _below(folder / project_files.FOLDER)]
    found += [f"{MEMORY}/{path}" for path in _below(folder / MEMORY)]
    return found + [f"{_SECRETS}/{path}" for path in _below(folder / _SECRETS)]


def _below(root: Path) -> list[str]:
    return [path for path, _ in project_files.walk(root)]


def _must_fit(folder: Path, path: str) -> None:
    """Judged before anything changes: a link, a folder or a file in the way would stop it halfway."""
    try:
        place = safe_join(folder, path)
    except InvalidRequest as error:
        raise Conflict(f"{error.message} Move it away, then restore again.") from error
    for parent in place.parents:
        if parent == folder:
            break
        if parent.exists() and not parent.is_dir():
            raise Conflict(f"{parent.name!a} is a file where a folder is needed; move it away first.")
    if place.is_dir():
        raise Conflict(f"{path!a} is a folder where a file is needed; move it away first.")
