"""An older project's files brought up to the current format on the disk, before its first change.

What the steps (`store.migrations`) may touch is copied to `backups/format-{old}-{id}-{digest}.zip`
first; then all files change in one commit, so that any crash leaves the old format or the new one.
Not here: the steps themselves; versions, project files and executions, which are left alone.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from .. import durable
from ..errors import Internal
from . import layout, migrations, project_files, tree
from .commit import commit
from .jsonfiles import dump, load_object
from .tree import METADATA, Tree


def upgrade(project: Path, backups: Path) -> bool:
    """Bring `project` up to the current format; whether anything was to do. Blocks.

    The caller holds the project's lock and has called `recover`. Raises `NewerFormat`,
    `UnreadableFile` (nothing is changed then), `DiskFull`.
    """
    if not migrations.STEPS:
        return False
    old = tree.read(project)
    new = migrations.upgraded(old)
    if new is old:
        return False
    layout.parse(new)  # what cannot be read afterwards is not written
    new = _noted(project, old, new)
    _copy(old, backups, f"format-{migrations.format_of(old)}-{project.name}")
    with commit(project) as staging:
        for path in sorted(old.keys() | new.keys()):
            if path not in new:
                staging.remove(path)
            elif new[path] != old.get(path):
                staging.write(path, new[path])
    return True


def _noted(project: Path, old: Tree, new: Tree) -> Tree:
    """`new` with the digest of what we write, unless `old` waits to become a version as a hand edit."""
    metadata = load_object(METADATA, new[METADATA])
    files = project_files.digests(project / project_files.FOLDER, project_files.Digests())
    if metadata.get("content") != layout.content_digest(old, files):
        return new
    return {**new, METADATA: dump({**metadata, "content": layout.content_digest(new, files)})}


def _copy(old: Tree, backups: Path, name: str) -> None:
    """The files as they were; a copy that an interrupted attempt has finished is not made again."""
    for litter in backups.glob(f".{name}-*.tmp"):
        durable.remove(litter)
    digest = hashlib.sha256(b"\0".join(part for path in sorted(old) for part in (path.encode(), old[path])))
    target = backups / f"{name}-{digest.hexdigest()[:16]}.zip"
    if target.exists():
        return
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(old.items()):
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(packed) as archive:
        if (broken := archive.testzip()) is not None:
            raise Internal(f"The copy of the old format reads back damaged at {broken}; nothing was changed.")
    durable.atomic_write(target, packed.getvalue(), 0o600)
