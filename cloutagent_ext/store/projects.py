"""Projects as the rest of the program knows them: the one public face of the store.

Async throughout; everything that touches the disk runs in a thread, and writers of one project
stand in line here before they take a thread. The work is done by the rooms beside: `writer`,
`shelf`, `listing`, `project_files`, `versions`. Not here: executions and keys, which have folders
inside a project but know themselves what is in them.

Errors everywhere: `NotFound` (an unknown or malformed id), `UnreadableFile` / `NewerFormat` (the
project is read-only until mended), `Unavailable` READ_ONLY and `DiskFull` (nothing was changed).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..errors import NotFound
from ..guard import Guard
from ..schema.admin import FileRow
from ..schema.base import JsonObject, Page
from ..schema.canvas import Ui, UiPatch
from ..schema.project import Definition, ProjectRow
from ..schema.versions import Agreement, Version, VersionDiff, VersionRow
from . import history, project_files, trust, versions
from .archive import Archives
from .backups import KEPT_MANUAL, Backups, local_now
from .cassettes import CassetteFiles
from .consent import Consent
from .definitions import Definitions
from .frozen import Frozen
from .history import History
from .layout import Loaded
from .listing import Listing
from .project_files import Root
from .shelf import EXECUTIONS, MEMORY, Busy, Shelf, is_id
from .stored import Stored, plain, stored
from .turns import Turns
from .writer import Writer, lock_path

Answer = TypeVar("Answer")


class ProjectStore:
    """All projects of one data folder. Several servers may share the folder."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"
        self._backups = data_dir / "backups"
        self._guard = Guard()
        self._trust = trust.Trust(data_dir)
        self._writer = Writer(self._projects, self._guard, self._trust)
        self._history = History(self._projects, self._writer, self._trust)
        self._shelf = Shelf(self._projects, self._backups, self._guard, self._writer)
        self._definitions = Definitions(self._projects)
        self._consent = Consent(self._projects, self._trust, self._writer.digests)
        self._listing = Listing(self._projects, self._consent.given)
        self._frozen = Frozen(self._projects, self._definitions, self._writer.digests)
        self.archives = Archives(self._projects, self._shelf, self._listing)
        """Copies of whole projects."""
        self.cassettes = CassetteFiles(self._projects, self._guard)
        """Recordings of their executions. Blocking."""
        self._turns = Turns()

    @property
    def read_only(self) -> str | None:
        """Why nothing is written (a failed fsync, locks that do not work), None while all is well."""
        return self._guard.closed

    async def open(self) -> None:
        """Make the folders, finish or drop what a crash interrupted."""
        await asyncio.to_thread(self._shelf.open)
        if self._guard.closed:
            return

        def key() -> None:
            with self._guard.writing():
                self._trust.make_key()

        await asyncio.to_thread(key)

    def backups(
        self,
        *,
        keep_manual: int = KEPT_MANUAL,
        now: Callable[[], datetime] = local_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> Backups:
        """The backups of this data folder, by this clock. Nothing is made before `start`."""
        ours = (self._projects, self._backups, self._shelf, self._guard, self)
        return Backups(*ours, keep_manual=keep_manual, now=now, sleep=sleep)

    async def in_turn(self, project_id: str, work: Callable[[], Answer]) -> Answer:
        """Run `work` in a thread when no other change of the project is under way here."""
        self._folder(project_id)
        return await self._turns.take(str(project_id), work)

    # ------------------------------------------------------------ finding

    async def ids(self) -> list[str]:
        """Ids of all projects, unreadable ones included."""
        return await asyncio.to_thread(self._shelf.ids)

    async def list(
        self, *, q: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page[ProjectRow]:
        """Projects whose name or description contains `q`, newest change first."""

        def page() -> Page[ProjectRow]:
            return self._listing.page(self._shelf.ids(), q=q, limit=limit, cursor=cursor)

        return await asyncio.to_thread(page)

    async def resolve(self, name_or_id: str) -> str:
        """Id of the project with this id or name (its case only counts where it must).

        Raises `NotFound` (with the nearest names), `Conflict` where several have the name.
        """
        return await asyncio.to_thread(lambda: self._listing.resolve(name_or_id, self._shelf.ids()))

    def executions_dir(self, project_id: str) -> Path:
        """Where the project's executions lie; may not exist yet."""
        return self._folder(project_id) / EXECUTIONS

    def memory(self, project_id: str) -> tuple[Path, Path]:
        """Folder of the project's notes, and the lock of whoever changes them; may not exist yet."""
        folder = self._folder(project_id)
        return folder / MEMORY, lock_path(folder.parent, f"{project_id}.memory")

    # ------------------------------------------------------------ whole projects

    async def create(
        self,
        definition: Definition,
        *,
        files: Mapping[str, bytes] | None = None,
        executable: Collection[str] = (),
        author: str | None = None,
        trusted: bool = True,
    ) -> Stored:
        """A new project with version 1 and the project files `files` (path → bytes).

        `executable`: paths of those that may be executed. `trusted=False` for what came from elsewhere:
        a person must confirm first what it would run.
        """

        def make() -> str:
            return self._shelf.create(
                plain(definition), files or {}, author=author, trusted=trusted, executable=executable
            )

        return await self.read(await asyncio.to_thread(make))

    async def read(self, project_id: str) -> Stored:
        """The project as it lies on the disk now, hand edits included."""
        self._folder(project_id)

        def found() -> Stored:
            loaded = self._definitions.get(str(project_id))
            # A copy: who asks may change what they get.
            mine = replace(loaded, definition=loaded.definition.model_copy(deep=True))
            return self._stored(project_id, mine)

        return await asyncio.to_thread(found)

    async def save(
        self,
        project_id: str,
        definition: Definition,
        *,
        if_match: str | None = None,
        draft: bool = False,
        author: str | None = None,
    ) -> Stored:
        """Replace the definition in one commit, as a new version unless only view state changed or `draft`.

        What did not change keeps its bytes; positions of cards that are gone do not stay. `if_match`: the
        value of an `If-Match` header; raises `PreconditionFailed` where the project has changed since.
        """
        wanted = plain(definition)
        return await self._changed(
            project_id,
            lambda: self._writer.save(str(project_id), wanted, if_match=if_match, draft=draft, author=author),
        )

    async def patch_ui(self, project_id: str, patch: UiPatch) -> Ui:
        """Change view state (last write wins); the whole `ui` as it is now."""
        return await self.in_turn(project_id, lambda: self._writer.patch_ui(str(project_id), patch))

    async def delete(self, project_id: str, *, busy: Busy = lambda _: False) -> None:
        """Zip it into `backups/`, then remove it. Raises `Conflict` where its executions are `busy`."""
        await self.in_turn(project_id, lambda: self._shelf.delete(str(project_id), busy))

    async def freeze(
        self,
        project_id: str,
        *,
        version: int | None = None,
        published: bool = False,
        author: str | None = None,
    ) -> tuple[Definition, int]:
        """What an execution runs, which nobody may change, and the version that holds exactly this.

        By default the saved state; a draft (of `author`) or a hand edit becomes a version first.
        `published`: the published version, or the newest one: never a draft, but with project files
        as they are now, since those have no drafts. `version`: that one.
        """
        pid = str(project_id)
        if version is not None or published:
            found = await self.in_turn(
                project_id, lambda: self._frozen.note(pid, self._history.snapshot(pid, version))
            )
            if found is not None:
                return found
        self._folder(project_id)
        if (kept := await asyncio.to_thread(self._frozen.saved, pid)) is not None:
            return kept
        return await self.in_turn(pid, lambda: self._frozen.keep(pid, self._writer.freeze(pid, author)))

    # ------------------------------------------------------------ versions

    async def list_versions(
        self, project_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[VersionRow]:
        """Its versions, newest first. Raises `NotFound`, `InvalidRequest` (a bad cursor)."""
        return await asyncio.to_thread(history.page, self._folder(project_id), limit=limit, cursor=cursor)

    async def read_version(self, project_id: str, version: int) -> Version:
        """One version with its definition, checked. Raises `NotFound`, `UnreadableFile`."""
        return await asyncio.to_thread(history.read, self._folder(project_id), version)

    async def diff(self, project_id: str, before: int, after: int) -> VersionDiff:
        """What differs between two versions. Raises `NotFound`, `UnreadableFile`."""
        return await asyncio.to_thread(history.compare, self._folder(project_id), before, after)

    async def make_version(
        self, project_id: str, *, label: str | None = None, author: str | None = None
    ) -> VersionRow:
        """A version of the saved state, made now; pruning leaves it alone while it has a label."""
        return await self.in_turn(
            project_id, lambda: self._history.label(str(project_id), label=label, author=author)
        )

    async def restore(
        self,
        project_id: str,
        version: int,
        *,
        author: str | None = None,
        busy: Busy = lambda _: False,
        if_match: str | None = None,
    ) -> Stored:
        """Definition and files of `version` again, as a new version.

        Raises `NotFound`, `UnreadableFile`, `PreconditionFailed`, `Conflict` (executions are `busy`).
        """
        restore = partial(self._history.restore, str(project_id), version, author=author, busy=busy)
        return await self._changed(project_id, lambda: restore(if_match=if_match))

    async def publish(self, project_id: str, version: int) -> Stored:
        """From now on calls with a key run `version`. Raises `NotFound`, `UnreadableFile`."""
        return await self._changed(project_id, lambda: self._history.publish(str(project_id), version))

    async def unpublish(self, project_id: str, version: int) -> Stored:
        """Calls with a key run the newest version again. Raises `Conflict` where another is published."""
        return await self._changed(project_id, lambda: self._history.unpublish(str(project_id), version))

    async def prune_is_due(self, project_id: str, *, keep: int, max_age_days: int) -> bool:
        """Whether `prune` may find something to remove; cheap."""
        folder = self._folder(project_id)
        return await asyncio.to_thread(
            lambda: bool(history.due(folder, keep=keep, max_age_days=max_age_days))
        )

    async def prune(
        self, project_id: str, *, keep: int, max_age_days: int, in_use: Collection[int] = ()
    ) -> Sequence[int]:
        """Remove versions beyond the newest `keep`, and those older than `max_age_days` (0: no such limit).

        The newest, the published, labelled ones and `in_use` (what unfinished executions run) stay,
        and so does what was frozen lately. Returns the numbers that went.
        """

        def work() -> list[int]:
            stays = {*in_use, *self._frozen.of(str(project_id))}
            return self._history.prune(str(project_id), keep=keep, max_age_days=max_age_days, in_use=stays)

        return await self.in_turn(project_id, work)

    # ------------------------------------------------------------ trust

    async def confirm_trust(self, project_id: str, agreed: str) -> Stored:
        """A person has looked at what the hash `agreed` stands for. Raises `NotTrusted` where it is stale."""
        return await self._changed(project_id, lambda: self._history.confirm(str(project_id), agreed))

    async def agreement(self, project_id: str) -> Agreement:
        """What of the saved state would run, and whether a person has agreed to it."""
        self._folder(project_id)
        return await asyncio.to_thread(
            lambda: self._consent.shown(str(project_id), self._definitions.get(str(project_id)))
        )

    async def check_trust_off(self, project_id: str) -> None:
        """Raises `NotTrusted` unless a person has agreed to a trial of the hooks that are switched off."""
        self._folder(project_id)
        await asyncio.to_thread(
            lambda: self._consent.require_off(str(project_id), self._definitions.get(str(project_id)))
        )

    async def check_trust(
        self, project_id: str, *, version: int | None = None, definition: Definition | None = None
    ) -> None:
        """Raises `NotTrusted` (`hash`, `would_run`) unless a person has agreed to all that would run.

        Before anything of it is started. `version`: that snapshot (of `definition`), else the live state.
        """
        self._folder(project_id)
        if definition is not None and not trust.starts_anything(definition):
            return
        await asyncio.to_thread(
            lambda: self._consent.require(str(project_id), self._definitions.get(str(project_id)), version)
        )

    # ------------------------------------------------------------ project files

    async def list_files(self, project_id: str) -> Sequence[FileRow]:
        """The project's own files, by path."""
        return await self._with_files(project_id, project_files.rows)

    async def read_file(self, project_id: str, path: str) -> tuple[bytes, FileRow]:
        """Bytes and row of one file. Raises `NotFound`, `InvalidRequest` (a bad path)."""
        return await self._with_files(project_id, lambda root: project_files.read(root, path))

    async def write_file(self, project_id: str, path: str, data: bytes) -> FileRow:
        """Make or replace one file.

        Raises `InvalidRequest` (a bad path), `Conflict` (a folder), `TooLarge` (50 MB in all).
        """
        folder = self._folder(project_id)

        def write() -> FileRow:
            self._writer.write_file(str(project_id), path, data)
            return project_files.read(project_files.live(folder), path)[1]  # before anybody else's turn

        return await self.in_turn(project_id, write)

    async def delete_file(self, project_id: str, path: str) -> None:
        """Remove one file. Raises `NotFound`, `InvalidRequest`."""
        await self.in_turn(project_id, lambda: self._writer.delete_file(str(project_id), path))

    async def copy_files(self, project_id: str, target: Path, *, version: int | None = None) -> None:
        """Copy the project's files (live ones, or those of `version`) into `target`; not the scenario."""
        folder = self._folder(project_id)

        def copy(root: Root) -> None:
            record = None if version is None else versions.record(folder, version)
            project_files.copy(root, target, record.files() if record else None)

        # Live files are copied as they come: what an execution runs is a version.
        await self._with_files(project_id, copy, version, steady=False)

    async def scenario(self, project_id: str, *, version: int | None = None) -> JsonObject | None:
        """`files/scenario.json`, None where there is none. Raises `UnreadableFile`."""
        return await self._with_files(project_id, project_files.scenario, version)

    # ------------------------------------------------------------ inside

    def _folder(self, project_id: str) -> Path:
        if not is_id(str(project_id)):
            raise NotFound("There is no such project.")
        return self._projects / str(project_id)

    async def _changed(self, project_id: str, work: Callable[[], Loaded]) -> Stored:
        return await self.in_turn(project_id, lambda: self._stored(project_id, work()))

    def _stored(self, project_id: str, loaded: Loaded) -> Stored:
        return stored(project_id, loaded, self._consent.given(str(project_id), loaded))

    async def _with_files(
        self,
        project_id: str,
        work: Callable[[Root], Answer],
        version: int | None = None,
        *,
        steady: bool = True,
    ) -> Answer:
        folder = self._folder(project_id)

        def run() -> Answer:
            if not folder.is_dir():
                raise NotFound("There is no such project.")
            if version is None:
                return project_files.steady(folder, work) if steady else work(project_files.live(folder))
            return work(versions.files_root(folder, version))

        return await asyncio.to_thread(run)
