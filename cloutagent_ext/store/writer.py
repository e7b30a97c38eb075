"""One writer at a time per project: save, freeze, view state and project files, each as one commit.

Every method takes the project's lock (between threads and processes), settles what a crash left,
reads what is on the disk now, decides, and commits. Blocks; `store.projects` calls it in threads.
Not here: whole folders that come and go (`store.shelf`), reading without a lock (`store.projects`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..durable import Guard, locked, make_folder, remove_folder
from ..errors import InvalidRequest, NotFound, PreconditionFailed, UnreadableFile
from ..schema.base import timestamp
from ..schema.project import Definition, Ui, UiPatch
from . import layout, project_files, tree, versions
from .commit import Staging, commit, recover
from .files import path_parts
from .layout import Loaded, Metadata
from .tree import METADATA, VIEW, Tree
from .upgrade import upgrade

LOCKS = ".locks"
"""Folder beside the projects: a lock inside a project would go with its folder."""


GITIGNORE = ".gitignore"


def lock_path(projects: Path, project_id: str) -> Path:
    return projects / LOCKS / f"{project_id}.lock"


@dataclass
class _Held:
    """A project under its lock, as it is now."""

    folder: Path
    loaded: Loaded
    newest: versions.Record | None
    """Record of the newest version; None where its snapshot is missing."""
    files: dict[str, str]
    content: str
    """Digest of what is on the disk now."""

    @property
    def edited(self) -> bool:
        """Whether somebody changed it on the disk since we last wrote."""
        return self.content != self.loaded.metadata.content

    @property
    def versioned(self) -> bool:
        """Whether the newest version holds exactly this."""
        return self.newest is not None and self.newest.content == self.content


class Writer:
    """All changes inside existing projects."""

    def __init__(self, projects: Path, guard: Guard) -> None:
        self._projects = projects
        self._guard = guard
        self._digests = project_files.Digests()

    def build(self, folder: Path, definition: Definition, files: Mapping[str, bytes]) -> None:
        """Fill the new `folder` with a whole project, version 1 included. Nobody else knows it yet."""
        for path in files:
            path_parts(path)
        project_files.check_total(sum(map(len, files.values())))
        make_folder(folder)
        now = timestamp()
        metadata = Metadata(name=definition.name, created_at=now, updated_at=now)
        content = _rendered(definition, metadata, None)
        with commit(folder) as staging:
            staging.write(GITIGNORE, layout.GITIGNORE)
            _stage_changes(staging, {}, content)
            for path, data in files.items():
                staging.write(f"{project_files.FOLDER}/{path}", data)
        loaded = layout.parse(content)
        digests = project_files.digests(folder / project_files.FOLDER, self._digests)
        self._make_version(_Held(folder, loaded, None, digests, ""), content, loaded.metadata, author=None)

    def save(self, project_id: str, definition: Definition, *, if_match: str | None, draft: bool) -> Loaded:
        """Make the project mean `definition`. Raises `PreconditionFailed`, `InvalidRequest`."""
        with self._held(project_id) as held:
            if if_match is not None and not _matches(if_match, layout.etag(held.loaded.definition)):
                raise PreconditionFailed(
                    "The project has changed since you read it. Read it again, then repeat your change.",
                    etag=layout.etag(held.loaded.definition),
                )
            if held.edited and not held.versioned:
                held = self._make_version(
                    held, held.loaded.tree, held.loaded.metadata, author=versions.BY_HAND
                )
            metadata = held.loaded.metadata
            wanted = _rendered(definition, metadata, held.loaded)
            content = layout.content_digest(wanted, held.files)
            if not draft and (held.newest is None or held.newest.content != content):
                return self._make_version(held, wanted, metadata, author=None).loaded
            changed = _changed(held.loaded.tree, wanted)
            if not changed:
                return held.loaded
            if changed != {VIEW}:
                metadata = metadata.model_copy(update={"updated_at": timestamp(), "content": content})
                wanted = _rendered(definition, metadata, held.loaded)
            with commit(held.folder) as staging:
                _stage_changes(staging, held.loaded.tree, wanted)
            return layout.parse(wanted)

    def freeze(self, project_id: str) -> tuple[Definition, int]:
        """The saved state as a version, made now if the newest one does not hold it."""
        with self._held(project_id) as held:
            if not held.versioned:
                author = versions.BY_HAND if held.edited else None
                held = self._make_version(held, held.loaded.tree, held.loaded.metadata, author=author)
            assert held.newest is not None
            return held.loaded.definition, held.newest.version

    def version_files(self, project_id: str) -> None:
        """Make a version of changed project files, unless a draft is waiting: that is not ours to publish."""
        with self._held(project_id) as held:
            if held.newest is None or held.versioned:
                return
            prefix = f"{project_files.FOLDER}/"
            before = {
                path.removeprefix(prefix): digest
                for path, digest in held.newest.manifest.items()
                if path.startswith(prefix)
            }
            if layout.content_digest(held.loaded.tree, before) == held.newest.content:
                author = versions.BY_HAND if held.edited else None
                self._make_version(held, held.loaded.tree, held.loaded.metadata, author=author)

    def patch_ui(self, project_id: str, patch: UiPatch) -> Ui:
        """Change view state; last write wins, nothing else of the project is touched."""
        with self._locked(project_id) as folder:
            loaded = layout.parse(tree.read(folder))
            # A null viewport means "fit everything"; for the others null means "not sent".
            sent = {name: getattr(patch, name) for name in patch.model_fields_set}
            update = {name: value for name, value in sent.items() if value is not None or name == "viewport"}
            ui = loaded.definition.ui.model_copy(update=update)
            wanted = _rendered(loaded.definition.model_copy(update={"ui": ui}), loaded.metadata, loaded)
            if _changed(loaded.tree, wanted):
                with commit(folder) as staging:
                    staging.write(VIEW, wanted[VIEW])
            return ui

    def write_file(self, project_id: str, path: str, data: bytes) -> None:
        """Put `data` as the project file `path`. Raises `InvalidRequest`, `Conflict`, `TooLarge`."""
        with self._held(project_id) as held:
            project_files.check_room(held.folder / project_files.FOLDER, path, len(data))
            if held.files.get(path) == hashlib.sha256(data).hexdigest():
                return
            with commit(held.folder) as staging:
                staging.write(f"{project_files.FOLDER}/{path}", data)
            self._note_files(held, held.files | {path: hashlib.sha256(data).hexdigest()})

    def delete_file(self, project_id: str, path: str) -> None:
        """Remove the project file `path`. Raises `NotFound`, `InvalidRequest`."""
        with self._held(project_id) as held:
            project_files.must_exist(held.folder / project_files.FOLDER, path)
            with commit(held.folder) as staging:
                staging.remove(f"{project_files.FOLDER}/{path}")
            self._note_files(held, {k: v for k, v in held.files.items() if k != path})
            for parent in list(PurePosixPath(path).parents)[:-1]:
                if not remove_folder(held.folder / project_files.FOLDER / parent):
                    break

    # ------------------------------------------------------------ inside

    @contextmanager
    def _locked(self, project_id: str) -> Iterator[Path]:
        folder = self._projects / project_id
        if not folder.is_dir():
            raise NotFound("There is no such project.")
        with self._guard.writing(), locked(lock_path(self._projects, project_id)):
            if not folder.is_dir():  # deleted while we waited
                raise NotFound("There is no such project.")
            recover(folder)
            upgrade(folder, self._projects.parent / "backups")
            yield folder

    @contextmanager
    def _held(self, project_id: str) -> Iterator[_Held]:
        with self._locked(project_id) as folder:
            loaded = layout.parse(tree.read(folder))
            files = project_files.digests(folder / project_files.FOLDER, self._digests)
            newest = versions.record(folder, loaded.metadata.version)
            yield _Held(folder, loaded, newest, files, layout.content_digest(loaded.tree, files))

    def _make_version(self, held: _Held, content: Tree, metadata: Metadata, *, author: str | None) -> _Held:
        """Commit `content` together with a snapshot of it, as the next version."""
        folder = held.folder
        definition = layout.parse(content).definition
        # A checkout may bring back an older metadata.json; a number is never given twice.
        taken = versions.numbers(folder)
        version = max(metadata.version, taken[-1]) + 1 if taken else metadata.version
        now = timestamp()
        with commit(folder) as staging:
            metadata = metadata.model_copy(update={"version": version, "updated_at": now, "content": None})
            copied = self._stage_files(staging, version, held)
            digest = layout.content_digest(content, copied)
            metadata = metadata.model_copy(update={"content": digest})
            wanted = _rendered(definition, metadata, Loaded(content, held.loaded.metadata, definition))
            _stage_changes(staging, held.loaded.tree, wanted)
            record = versions.stage_definition(
                staging,
                versions.Record(
                    version=version,
                    author=author,
                    created_at=now,
                    content=digest,
                    manifest={f"{project_files.FOLDER}/{path}": value for path, value in copied.items()},
                ),
                wanted,
                previous=held.newest,
                known=self._digests,
            )
        return _Held(folder, layout.parse(wanted), record, copied, digest)

    def _stage_files(self, staging: Staging, version: int, held: _Held) -> dict[str, str]:
        return versions.stage_files(staging, version, held.files, previous=held.newest, known=self._digests)

    def _note_files(self, held: _Held, files: dict[str, str]) -> None:
        """Our own change of files is no hand edit; an edit that waits to become a version stays one.

        A commit of its own: readers of files then need not look into journals, and a crash in
        between costs no more than a wrong author of the next version.
        """
        update: dict[str, str | None] = {"updated_at": timestamp()}
        if not held.edited:
            update["content"] = layout.content_digest(held.loaded.tree, files)
        metadata = held.loaded.metadata.model_copy(update=update)
        wanted = _rendered(held.loaded.definition, metadata, held.loaded)
        with commit(held.folder) as staging:
            staging.write(METADATA, wanted[METADATA])


def _rendered(definition: Definition, metadata: Metadata, old: Loaded | None) -> Tree:
    """`layout.render`, with proof that what is about to be written can be read back as the same."""
    wanted = layout.render(definition, metadata, old)
    try:
        found = layout.parse(wanted).definition
    except UnreadableFile as error:
        raise InvalidRequest(
            f"The definition cannot be stored: {error.details['reason']}.", file=error.details["file"]
        ) from error
    if found != definition:
        raise InvalidRequest("The definition cannot be stored: it would read back differently.")
    return wanted


def _changed(old: Tree, new: Tree) -> set[str]:
    return {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}


def _stage_changes(staging: Staging, old: Tree, new: Tree) -> None:
    for path in sorted(_changed(old, new)):
        if path in new:
            staging.write(path, new[path])
        else:
            staging.remove(path)


def _matches(if_match: str, etag: str) -> bool:
    """Whether the header `If-Match` names `etag`; a proxy may have weakened it by `W/`."""
    tags = [tag.strip().removeprefix("W/") for tag in if_match.split(",")]
    return "*" in tags or etag in tags
