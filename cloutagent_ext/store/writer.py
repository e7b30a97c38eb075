"""One writer at a time per project: save, freeze, view state and project files, each as one commit.

Every method takes the project's lock (between threads and processes), settles what a crash left,
reads what is on the disk now, decides, and commits. Blocks; `store.projects` calls it in threads.
Not here: labels, restoring, publishing, pruning and trust (`store.history`, on `held` and
`make_version` of this room), whole folders that come and go (`store.shelf`), reading without a
lock (`store.projects`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from ..durable import make_folder, remove_folder
from ..errors import InvalidRequest, NotFound, PreconditionFailed, UnreadableFile
from ..filelocks import locked
from ..guard import Guard
from ..schema.base import timestamp
from ..schema.canvas import Ui, UiPatch
from ..schema.project import Definition
from . import layout, project_files, tree, trust, versions
from .commit import Staging, commit, recover
from .files import open_beneath, path_parts
from .held import EditedMeanwhile, Held
from .layout import Loaded, Metadata
from .tree import METADATA, VIEW, Tree
from .upgrade import upgrade

LOCKS = ".locks"
"""Folder beside the projects: a lock inside a project would go with its folder."""


GITIGNORE = ".gitignore"


def lock_path(projects: Path, project_id: str) -> Path:
    return projects / LOCKS / f"{project_id}.lock"


_ATTEMPTS = 3
"""How often a save begins anew where somebody edits the same files on the disk."""


class Writer:
    """All changes inside existing projects."""

    def __init__(self, projects: Path, guard: Guard, agreed: trust.Trust) -> None:
        self._projects = projects
        self._guard = guard
        self._trust = agreed
        self.digests = project_files.Digests()

    def build(
        self,
        folder: Path,
        project_id: str,
        definition: Definition,
        files: Mapping[str, bytes],
        *,
        author: str | None,
        trusted: bool,
        source: Loaded | None = None,
        executable: Collection[str] = (),
    ) -> None:
        """Fill the new `folder` with a whole project, version 1 included. Nobody else knows it yet.

        `executable`: which of the `files` may be executed. `source`: a project whose bytes and unknown
        fields it keeps where they say the same.
        """
        for path in files:
            path_parts(path)
        project_files.check_total(sum(len(files[path]) for path in files))
        make_folder(folder)
        now = timestamp()
        metadata = Metadata(name=definition.name, created_at=now, updated_at=now)
        if trusted:
            given = {path: _mark_of(data, path in executable) for path, data in files.items()}
            metadata.trust = self._trust.add_off(
                project_id, definition, given, self._trust.add(project_id, definition, given, [])
            )
        content = _rendered(definition, metadata, source)
        with commit(folder) as staging:
            staging.write(GITIGNORE, layout.GITIGNORE)
            _stage_changes(staging, {}, content)
            for path, data in files.items():
                staging.write(f"{project_files.FOLDER}/{path}", data, 0o755 if path in executable else 0o644)
        loaded = layout.parse(content)
        digests = project_files.digests(folder / project_files.FOLDER, self.digests)
        self.make_version(Held(folder, loaded, None, digests, ""), content, loaded.metadata, author=author)

    def save(
        self,
        project_id: str,
        definition: Definition,
        *,
        if_match: str | None,
        draft: bool,
        author: str | None = None,
    ) -> Loaded:
        """Make the project mean `definition`. Raises `PreconditionFailed`, `InvalidRequest`, `Conflict`."""
        for _ in range(_ATTEMPTS - 1):
            with suppress(EditedMeanwhile):
                return self._save(project_id, definition, if_match=if_match, draft=draft, author=author)
        return self._save(project_id, definition, if_match=if_match, draft=draft, author=author)

    def _save(
        self,
        project_id: str,
        definition: Definition,
        *,
        if_match: str | None,
        draft: bool,
        author: str | None,
    ) -> Loaded:
        with self.held(project_id) as held:
            check_match(held, if_match)
            if held.edited and not held.versioned:
                held = self.make_version(
                    held, held.loaded.tree, held.loaded.metadata, author=versions.BY_HAND
                )
            metadata = self._agreed(project_id, held, definition, held.files)
            wanted = _rendered(definition, metadata, held.loaded)
            content = layout.content_digest(wanted, held.files)
            if not draft and (held.newest is None or held.newest.content != content):
                return self.make_version(held, wanted, metadata, author=author).loaded
            changed = _changed(held.loaded.tree, wanted)
            if not changed:
                return held.loaded
            if changed != {VIEW}:
                metadata = metadata.model_copy(update={"updated_at": timestamp(), "content": content})
                wanted = _rendered(definition, metadata, held.loaded)
            with commit(held.folder, held.check) as staging:
                _stage_changes(staging, held.loaded.tree, wanted)
            return layout.parse(wanted)

    def freeze(self, project_id: str, author: str | None = None) -> Held:
        """The saved state, which is its newest version: made now if that does not hold it."""
        with self.held(project_id) as held:
            return self.settled(held, author)

    def version_files(self, project_id: str) -> None:
        """Make a version of changed project files, unless a draft is waiting: that is not ours to publish."""
        with self.held(project_id) as held:
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
                self.make_version(held, held.loaded.tree, held.loaded.metadata, author=author)

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
        """Put `data` as the project file `path`; a script that may be executed stays one.

        Raises `InvalidRequest`, `Conflict`, `TooLarge`.
        """
        with self.held(project_id) as held:
            root, before = held.folder / project_files.FOLDER, held.files.get(path)
            project_files.check_room(root, path, len(data))
            if before is not None and before == _mark_of(data, project_files.unmarked(before)[1]):
                return
            with commit(held.folder) as staging:
                staging.write(f"{project_files.FOLDER}/{path}", data, project_files.mode(before))
            self._note_files(project_id, held, held.files | {path: self.digests.of(root, path)})

    def delete_file(self, project_id: str, path: str) -> None:
        """Remove the project file `path`. Raises `NotFound`, `InvalidRequest`."""
        with self.held(project_id) as held:
            project_files.must_exist(held.folder / project_files.FOLDER, path)
            with commit(held.folder) as staging:
                staging.remove(f"{project_files.FOLDER}/{path}")
            self._note_files(project_id, held, {k: v for k, v in held.files.items() if k != path})
            prune_folders(held.folder, path)

    # ------------------------------------------------------------ for `store.history` too

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
    def held(self, project_id: str) -> Iterator[Held]:
        """The project under its lock, settled. Raises `NotFound`, `UnreadableFile`."""
        with self._locked(project_id) as folder:
            loaded = layout.parse(tree.read(folder))
            files = project_files.digests(folder / project_files.FOLDER, self.digests)
            newest = versions.record(folder, loaded.metadata.version)
            yield Held(folder, loaded, newest, files, layout.content_digest(loaded.tree, files))

    def settled(self, held: Held, author: str | None) -> Held:
        """`held` with what waits to become a version as one: a hand edit, or a draft of `author`."""
        if held.versioned:
            return held
        author = versions.BY_HAND if held.edited else author
        return self.make_version(held, held.loaded.tree, held.loaded.metadata, author=author)

    def make_version(
        self,
        held: Held,
        content: Tree,
        metadata: Metadata,
        *,
        author: str | None,
        label: str | None = None,
        source: versions.Record | None = None,
        last_look: Callable[[], None] = lambda: None,
    ) -> Held:
        """Commit `content` together with a snapshot of it, as the next version.

        `source`: the version whose project files become the live ones in the same commit. `last_look` may
        refuse, by raising, when all that takes time is done.
        """

        def look() -> None:
            held.check()
            last_look()

        folder = held.folder
        definition = layout.parse(content).definition
        # A checkout may bring back an older metadata.json; a number is never given twice.
        taken = versions.numbers(folder)
        version = max(metadata.version, taken[-1]) + 1 if taken else metadata.version
        now = timestamp()
        with commit(folder, look) as staging:
            metadata = metadata.model_copy(update={"version": version, "updated_at": now, "content": None})
            copied = self._stage_files(staging, version, held, source)
            digest = layout.content_digest(content, copied)
            metadata = metadata.model_copy(update={"content": digest})
            wanted = _rendered(definition, metadata, Loaded(content, held.loaded.metadata, definition))
            _stage_changes(staging, held.loaded.tree, wanted)
            record = versions.stage_definition(
                staging,
                versions.Record(
                    version=version,
                    label=label,
                    author=author,
                    created_at=now,
                    content=digest,
                    manifest={f"{project_files.FOLDER}/{path}": value for path, value in copied.items()},
                ),
                wanted,
                previous=held.newest,
                known=self.digests,
            )
        return Held(folder, layout.parse(wanted), record, copied, digest)

    # ------------------------------------------------------------ inside

    def _stage_files(
        self, staging: Staging, version: int, held: Held, source: versions.Record | None
    ) -> dict[str, str]:
        if source is None:
            live = held.folder / project_files.FOLDER
            return versions.stage_files(
                staging, version, held.files, root=live, previous=held.newest, known=self.digests
            )
        root = versions.folder_of(held.folder, source.version) / project_files.FOLDER
        files = source.files()
        for path in sorted(held.files.keys() - files.keys()):
            staging.remove(f"{project_files.FOLDER}/{path}")
        for path in sorted(path for path in files if held.files.get(path) != files[path]):
            project_files.check_place(held.folder / project_files.FOLDER, path)
            descriptor = open_beneath(root, path)
            try:
                staging.copy(f"{project_files.FOLDER}/{path}", descriptor, project_files.mode(files[path]))
            finally:
                os.close(descriptor)
        return versions.stage_files(staging, version, files, root=root, previous=source, known=self.digests)

    def _agreed(
        self, project_id: str, held: Held, definition: Definition, files: Mapping[str, str]
    ) -> Metadata:
        """Metadata for a change through us: what a person makes of a trusted project stays trusted."""
        metadata, agreed = held.loaded.metadata, self._trust
        before, given = (held.loaded.definition, held.files), held.loaded.metadata.trust
        if not agreed.holds(project_id, *before, given):
            return metadata
        tried = agreed.holds_off(project_id, *before, given)
        if not agreed.holds(project_id, definition, files, given):
            given = agreed.add(project_id, definition, files, given)
        if tried and not agreed.holds_off(project_id, definition, files, given):
            given = agreed.add_off(project_id, definition, files, given)
        return metadata if given == metadata.trust else metadata.model_copy(update={"trust": given})

    def _note_files(self, project_id: str, held: Held, files: dict[str, str]) -> None:
        """Our own change of files is no hand edit; an edit that waits to become a version stays one.

        A commit of its own: a crash in between costs no more than a wrong author of the next
        version, or that a person is asked again what may run.
        """
        update: dict[str, str | None] = {"updated_at": timestamp()}
        if not held.edited:
            update["content"] = layout.content_digest(held.loaded.tree, files)
        agreed = self._agreed(project_id, held, held.loaded.definition, files)
        metadata = agreed.model_copy(update=update)
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


def _mark_of(data: bytes, executable: bool) -> str:
    return project_files.mark(hashlib.sha256(data).hexdigest(), executable)


def _changed(old: Tree, new: Tree) -> set[str]:
    return {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}


def _stage_changes(staging: Staging, old: Tree, new: Tree) -> None:
    for path in sorted(_changed(old, new)):
        if path in new:
            staging.write(path, new[path])
        else:
            staging.remove(path)


def check_match(held: Held, if_match: str | None) -> None:
    """Raises `PreconditionFailed` where the project is no longer what the header `If-Match` names."""
    if if_match is not None and not _matches(if_match, layout.etag(held.loaded.definition)):
        raise PreconditionFailed(
            "The project has changed since you read it. Read it again, then repeat your change.",
            etag=layout.etag(held.loaded.definition),
        )


def prune_folders(project: Path, path: str) -> None:
    """Remove the folders of the project file `path` that are empty now."""
    for parent in list(PurePosixPath(path).parents)[:-1]:
        if not remove_folder(project / project_files.FOLDER / parent):
            break


def _matches(if_match: str, etag: str) -> bool:
    """Whether the header `If-Match` names `etag`; a proxy may have weakened it by `W/`."""
    tags = [tag.strip().removeprefix("W/") for tag in if_match.split(",")]
    return "*" in tags or etag in tags
