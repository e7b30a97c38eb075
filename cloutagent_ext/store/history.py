"""A project's versions as people handle them: list, read, label, restore, publish, prune; and trust.

Changes take the project's lock through `store.writer`; readers need none, snapshots never change.
Not here: what a snapshot is (`store.versions`), what differs between two (`store.diff`), when
pruning is due (`services`). Everything blocks.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..errors import CloutError, Conflict, InvalidRequest, NotFound
from ..schema.base import Page, timestamp
from ..schema.project import Definition
from ..schema.versions import Version, VersionDiff, VersionRow
from . import layout, project_files, tree, trust, versions
from .commit import commit, drop
from .held import Held
from .layout import Loaded
from .shelf import Busy, must_rest
from .tree import METADATA, VIEW
from .writer import Writer, check_match, prune_folders

MAX_LIMIT = 1000
"""Most rows of one page; larger wishes are clamped."""


def page(project: Path, *, limit: int, cursor: str | None) -> Page[VersionRow]:
    """Rows of the versions, newest first. Raises `NotFound`, `InvalidRequest` (a cursor of others)."""
    if not project.is_dir():
        raise NotFound("There is no such project.")
    found = versions.numbers(project)[::-1]
    if cursor is not None:
        if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 16):
            raise InvalidRequest("This cursor is not one of ours. Ask for the first page without one.")
        found = [number for number in found if number < int(cursor)]
    limit = min(max(limit, 1), MAX_LIMIT)
    rows = [row for number in found[:limit] if (row := _row(project, number)) is not None]
    more = len(found) > limit
    return Page[VersionRow](items=rows, next_cursor=str(found[limit - 1]) if more else None)


def _row(project: Path, number: int) -> VersionRow | None:
    """Row of one version; None where it has just been pruned."""
    try:
        record = versions.record(project, number)
    except CloutError as error:
        try:
            changed = versions.folder_of(project, number).stat().st_mtime
        except FileNotFoundError:
            return None
        made = timestamp(datetime.fromtimestamp(changed, UTC))
        return VersionRow(version=number, created_at=made, unreadable=error.message)
    return None if record is None else row(record)


def row(record: versions.Record) -> VersionRow:
    """The record as the contract shows it."""
    return VersionRow(
        version=record.version, label=record.label, author=record.author, created_at=record.created_at
    )


def read(project: Path, number: int) -> Version:
    """One version, checked. Raises `NotFound`, `UnreadableFile`."""
    if not project.is_dir():
        raise NotFound("There is no such project.")
    record, definition = found(project, number)
    return _version(record, definition)


def _version(record: versions.Record, definition: Definition) -> Version:
    return Version(
        version=record.version,
        label=record.label,
        author=record.author,
        created_at=record.created_at,
        definition=definition,
        files=sorted(record.files()),
    )


def found(project: Path, number: int) -> tuple[versions.Record, Definition]:
    """Record and definition of one version, checked. Raises `NotFound`, `UnreadableFile`."""
    content = versions.read(project, number)
    record = versions.record(project, number)
    if record is None:
        raise NotFound(f"This project has no version {number}.")
    return record, layout.parse(content).definition


class History:
    """Changes of versions and trust."""

    def __init__(self, projects: Path, writer: Writer, agreed: trust.Trust) -> None:
        self._projects = projects
        self._writer = writer
        self._trust = agreed

    def label(self, project_id: str, *, label: str | None, author: str | None) -> VersionRow:
        """A version of the saved state, made now even where the newest one holds the same."""
        with self._writer.held(project_id) as held:
            if held.edited and not held.versioned:
                author = versions.BY_HAND
            made = self._writer.make_version(
                held, held.loaded.tree, held.loaded.metadata, author=author, label=label
            )
            assert made.newest is not None
            return row(made.newest)

    def restore(
        self, project_id: str, number: int, *, author: str | None, busy: Busy, if_match: str | None = None
    ) -> Loaded:
        """Make the project what it was in version `number`, as a new version; view state stays.

        What waits to become a version (a draft, a hand edit) becomes one first. `busy` is asked in the
        moment of the change, too. Raises `NotFound`, `UnreadableFile` (a digest differs),
        `PreconditionFailed`, `Conflict` (executions are unfinished, or something that is no project file
        lies where one must go).
        """

        def rest() -> None:
            must_rest(held.folder, busy, "restore")

        with self._writer.held(project_id) as held:
            check_match(held, if_match)
            rest()
            content = versions.read(held.folder, number)
            versions.files_root(held.folder, number)
            source = versions.record(held.folder, number)
            assert source is not None
            for path in source.files():
                project_files.check_place(held.folder / project_files.FOLDER, path)
            layout.parse(content)
            held = self._writer.settled(held, author)
            if VIEW in held.loaded.tree:
                content = content | {VIEW: held.loaded.tree[VIEW]}
            made = self._writer.make_version(
                held, content, held.loaded.metadata, author=author, source=source, last_look=rest
            )
            for path in held.files.keys() - source.files().keys():
                prune_folders(held.folder, path)
            return made.loaded

    def publish(self, project_id: str, number: int) -> Loaded:
        """Version `number` is what calls with a key run. Raises `NotFound`, `UnreadableFile`."""
        with self._writer.held(project_id) as held:
            layout.parse(versions.read(held.folder, number))
            versions.files_root(held.folder, number)
            return self._note(held, published_version=number)

    def unpublish(self, project_id: str, number: int) -> Loaded:
        """Calls with a key run the newest version again. Raises `Conflict` where another one is published."""
        with self._writer.held(project_id) as held:
            if held.loaded.metadata.published_version not in (None, number):
                raise Conflict(
                    f"Version {held.loaded.metadata.published_version} is published, not {number}.",
                    published_version=held.loaded.metadata.published_version,
                )
            return self._note(held, published_version=None)

    def confirm(self, project_id: str, agreed: str) -> Loaded:
        """A person agrees to what the hash `agreed` stands for: the saved state's, or that of a version.

        It may also stand for a trial of the saved hooks that are switched off.

        Raises `NotTrusted` (with what would run now) where it stands for neither.
        """
        with self._writer.held(project_id) as held:
            definition, files, given = held.loaded.definition, held.files, held.loaded.metadata.trust
            if trust.digest_off(definition, files) == agreed:
                return self._note(held, trust=self._trust.add_off(project_id, definition, files, given))
            if trust.digest(definition, files) != agreed:
                definition, files = self._with_hash(held, agreed)
            return self._note(held, trust=self._trust.add(project_id, definition, files, given))

    def snapshot(self, project_id: str, version: int | None) -> tuple[Definition, int] | None:
        """What `version` holds, by default what calls with a key run; None: never saved here."""
        folder = self._projects / project_id
        number = version
        if number is None:
            metadata = layout.parse_metadata(tree.read(folder))
            if metadata.published_version is None:
                self._writer.version_files(project_id)
                metadata = layout.parse_metadata(tree.read(folder))
            number = metadata.published_version or metadata.version
            if metadata.published_version is None and versions.record(folder, number) is None:
                return None
        elif not folder.is_dir():
            raise NotFound("There is no such project.")
        return layout.parse(versions.read(folder, number)).definition, number

    def prune(self, project_id: str, *, keep: int, max_age_days: int, in_use: Collection[int]) -> list[int]:
        """Remove versions beyond the newest `keep` and those older than `max_age_days` (0: no limit).

        The newest, the published one, labelled ones, those in `in_use` and unreadable ones stay.
        Returns the numbers of those that went. Snapshots that share content with them keep it.
        """
        with self._writer.held(project_id) as held:
            gone = []
            stays = {*in_use, held.loaded.metadata.published_version}
            for number in due(held.folder, keep=keep, max_age_days=max_age_days):
                if number not in stays:
                    drop(held.folder, versions.path_of(number))
                    gone.append(number)
            return gone

    def _with_hash(self, held: Held, agreed: str) -> tuple[Definition, dict[str, str]]:
        for number in {held.loaded.metadata.published_version, *versions.numbers(held.folder)[::-1]}:
            if number is None:
                continue
            try:
                record, definition = found(held.folder, number)
            except CloutError:
                continue  # what cannot be read cannot run
            if trust.digest(definition, record.files()) == agreed:
                return definition, record.files()
        raise trust.refused(held.loaded.definition, None, held.files)

    def _note(self, held: Held, **update: object) -> Loaded:
        """Change bookkeeping in `metadata.json`, one atomic write; the same again changes no byte."""
        loaded = held.loaded
        metadata = loaded.metadata.model_copy(update=update)
        if metadata == loaded.metadata:
            return loaded
        metadata = metadata.model_copy(update={"updated_at": timestamp()})
        wanted = layout.render(loaded.definition, metadata, loaded)
        with commit(held.folder) as staging:
            staging.write(METADATA, wanted[METADATA])
        return layout.parse(wanted)


def due(project: Path, *, keep: int, max_age_days: int) -> list[int]:
    """Versions that pruning may remove by number, age and label, oldest first. Cheap where there are none."""
    found = versions.numbers(project)
    if not found:
        return []
    try:
        newest = layout.parse_metadata(tree.read_metadata(project)).version
    except CloutError:
        return []
    beyond = set(found[: max(len(found) - keep, 0)]) if keep else set()
    oldest = timestamp(datetime.now(UTC) - timedelta(days=max_age_days)) if max_age_days else ""
    chosen = []
    for number in found:
        if number in (newest, found[-1]) or not (number in beyond or oldest):
            continue
        try:
            record = versions.record(project, number)
        except CloutError:
            continue
        if record is None or record.label is not None:
            continue
        if number in beyond or record.created_at < oldest:
            chosen.append(number)
        elif not beyond or number > max(beyond):
            break  # versions are made one after the other, so all that follow are younger
    return chosen


def compare(folder: Path, before: int, after: int) -> VersionDiff:
    """What differs between two versions. Raises `NotFound`, `UnreadableFile`."""
    from . import diff  # first needed when somebody looks

    return diff.between(folder, before, after)
