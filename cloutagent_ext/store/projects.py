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
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from ..durable import Guard
from ..errors import Conflict, NotFound
from ..schema.admin import FileRow
from ..schema.base import JsonObject, Page
from ..schema.project import Definition, Project, ProjectRow, Ui, UiPatch
from . import layout, project_files, tree, versions
from .jsonfiles import load_object
from .layout import Loaded
from .listing import Listing
from .shelf import EXECUTIONS, Shelf, is_id
from .writer import Writer

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Stored:
    """A project and the strong ETag of its definition (view state does not count)."""

    project: Project
    etag: str


class ProjectStore:
    """All projects of one data folder. Several servers may share the folder."""

    def __init__(self, data_dir: Path) -> None:
        self._projects = data_dir / "projects"
        self._guard = Guard()
        self._writer = Writer(self._projects, self._guard)
        self._shelf = Shelf(self._projects, data_dir / "backups", self._guard, self._writer)
        self._listing = Listing(self._projects)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def read_only(self) -> str | None:
        """Why nothing is written any more (a failed fsync), None while all is well."""
        return self._guard.closed

    async def open(self) -> None:
        """Make the folders, finish or drop what a crash interrupted."""
        await asyncio.to_thread(self._shelf.open)

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
        return await asyncio.to_thread(self._resolve, name_or_id)

    def executions_dir(self, project_id: str) -> Path:
        """Where the project's executions lie; may not exist yet."""
        return self._folder(project_id) / EXECUTIONS

    # ------------------------------------------------------------ whole projects

    async def create(self, definition: Definition, *, files: Mapping[str, bytes] | None = None) -> Stored:
        """A new project with version 1 and the project files `files` (path → bytes)."""
        project_id = await asyncio.to_thread(self._shelf.create, _plain(definition), files or {})
        return await self.read(project_id)

    async def read(self, project_id: str) -> Stored:
        """The project as it lies on the disk now, hand edits included."""
        folder = self._folder(project_id)

        def load() -> Loaded:
            return layout.parse(tree.read(folder))

        return _stored(project_id, await asyncio.to_thread(load))

    async def save(
        self, project_id: str, definition: Definition, *, if_match: str | None = None, draft: bool = False
    ) -> Stored:
        """Replace the definition in one commit, as a new version unless only view state changed or `draft`.

        What did not change keeps its bytes. `if_match`: the value of an `If-Match` header; raises
        `PreconditionFailed` where the project has changed since.
        """
        wanted = _plain(definition)
        loaded = await self._in_turn(
            project_id, lambda: self._writer.save(str(project_id), wanted, if_match=if_match, draft=draft)
        )
        return _stored(project_id, loaded)

    async def patch_ui(self, project_id: str, patch: UiPatch) -> Ui:
        """Change view state (last write wins); the whole `ui` as it is now."""
        return await self._in_turn(project_id, lambda: self._writer.patch_ui(str(project_id), patch))

    async def delete(self, project_id: str) -> None:
        """Zip it into `backups/`, then remove it. Whether executions still run is the caller's check."""
        await self._in_turn(project_id, lambda: self._shelf.delete(str(project_id)))

    async def freeze(
        self, project_id: str, *, version: int | None = None, published: bool = False
    ) -> tuple[Definition, int]:
        """What an execution runs, and the version that holds exactly this.

        By default the saved state; a draft or a hand edit becomes a version first. `published`: the
        published version, or the newest one: never a draft, but with project files as they are now,
        since those have no drafts. `version`: that one.
        """
        folder = self._folder(project_id)

        def snapshot() -> tuple[Definition, int] | None:
            number = version
            if number is None:
                metadata = layout.parse_metadata(tree.read(folder))
                if metadata.published_version is None:
                    self._writer.version_files(str(project_id))
                    metadata = layout.parse_metadata(tree.read(folder))
                number = metadata.published_version or metadata.version
                if metadata.published_version is None and versions.record(folder, number) is None:
                    return None  # made by hand, never saved here
            elif not folder.is_dir():
                raise NotFound("There is no such project.")
            return layout.parse(versions.read(folder, number)).definition, number

        if version is not None or published:
            found = await self._in_turn(project_id, snapshot)
            if found is not None:
                return found
        return await self._in_turn(project_id, lambda: self._writer.freeze(str(project_id)))

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
        await self._in_turn(project_id, lambda: self._writer.write_file(str(project_id), path, data))
        return (await self.read_file(project_id, path))[1]

    async def delete_file(self, project_id: str, path: str) -> None:
        """Remove one file. Raises `NotFound`, `InvalidRequest`."""
        await self._in_turn(project_id, lambda: self._writer.delete_file(str(project_id), path))

    async def copy_files(self, project_id: str, target: Path, *, version: int | None = None) -> None:
        """Copy the project's files (live ones, or those of `version`) into `target`; not the scenario."""
        await self._with_files(project_id, lambda root: project_files.copy(root, target), version)

    async def scenario(self, project_id: str, *, version: int | None = None) -> JsonObject | None:
        """`files/scenario.json`, None where there is none. Raises `UnreadableFile`."""

        def load(root: Path) -> JsonObject | None:
            try:
                data, _ = project_files.read(root, project_files.SCENARIO)
            except NotFound:
                return None
            return load_object(f"{project_files.FOLDER}/{project_files.SCENARIO}", data)

        return await self._with_files(project_id, load, version)

    # ------------------------------------------------------------ inside

    def _folder(self, project_id: str) -> Path:
        if not is_id(str(project_id)):
            raise NotFound("There is no such project.")
        return self._projects / str(project_id)

    async def _in_turn(self, project_id: str, work: Callable[[], Answer]) -> Answer:
        """Run `work` in a thread, one after the other per project, so that waiting takes no threads."""
        self._folder(project_id)
        turn = self._turns.setdefault(str(project_id), asyncio.Lock())
        async with turn:
            return await asyncio.to_thread(work)

    async def _with_files(
        self, project_id: str, work: Callable[[Path], Answer], version: int | None = None
    ) -> Answer:
        folder = self._folder(project_id)

        def run() -> Answer:
            if not folder.is_dir():
                raise NotFound("There is no such project.")
            if version is None:
                return work(folder / project_files.FOLDER)
            return work(versions.files_root(folder, version))

        return await asyncio.to_thread(run)

    def _resolve(self, name_or_id: str) -> str:
        ids = self._shelf.ids()
        if name_or_id in ids:
            return name_or_id
        rows = self._listing.rows(ids)
        found = [row for row in rows if row.name == name_or_id]
        found = found or [row for row in rows if row.name.casefold() == name_or_id.strip().casefold()]
        if len(found) > 1:
            raise Conflict(
                f"{len(found)} projects are called {name_or_id!r}. Use an id instead.",
                ids=[str(row.id) for row in found],
            )
        if not found:
            near = difflib.get_close_matches(name_or_id, [row.name for row in rows], n=3)
            hint = f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
            raise NotFound(f"There is no project called {name_or_id!r}.{hint}")
        return str(found[0].id)


def _plain(definition: Definition) -> Definition:
    """`definition` without what a subclass adds: a stored project may be handed back as it was read."""
    if type(definition) is Definition:
        return definition
    return Definition(**{name: getattr(definition, name) for name in Definition.model_fields})


def _stored(project_id: str, loaded: Loaded) -> Stored:
    metadata, definition = loaded.metadata, loaded.definition
    project = Project(
        **{name: getattr(definition, name) for name in Definition.model_fields},
        id=UUID(str(project_id)),
        version=metadata.version,
        published_version=metadata.published_version,
        updated_at=metadata.updated_at,
    )
    return Stored(project, layout.etag(definition))
