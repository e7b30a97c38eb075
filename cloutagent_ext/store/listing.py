"""The list of projects: rows newest change first, a filter, pages.

A project that cannot be read has a row that says why. Rows are remembered as long as nothing of
their project changed on the disk. Not here: anything that writes. Everything blocks.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from ..errors import CloutError, InvalidRequest, NotFound
from ..schema.base import Page, timestamp
from ..schema.project import ProjectRow
from . import layout, tree, trust
from .layout import Loaded

MAX_LIMIT = 1000
"""Most rows of one page; larger wishes are clamped."""


class Listing:
    """Rows of the projects in `projects`."""

    def __init__(self, projects: Path, trusted: Callable[[str, Loaded], bool]) -> None:
        self._projects = projects
        self._trusted = trusted
        self._rows: dict[str, tuple[object, ProjectRow, Loaded | None]] = {}
        """Id → stamp, row, and the project where trust must be judged anew (scripts are no definition)."""

    def page(self, ids: list[str], *, q: str | None, limit: int, cursor: str | None) -> Page[ProjectRow]:
        """One page of the projects `ids` whose name or description contains `q`, in any case."""
        wanted = (q or "").strip().casefold()
        rows = [row for row in self.rows(ids) if wanted in f"{row.name}\n{row.description}".casefold()]
        if cursor is not None:
            after = _decode(cursor)
            rows = [row for row in rows if _key(row) < after]
        limit = min(max(limit, 1), MAX_LIMIT)
        more = len(rows) > limit
        return Page[ProjectRow](items=rows[:limit], next_cursor=_encode(rows[limit - 1]) if more else None)

    def rows(self, ids: list[str]) -> list[ProjectRow]:
        """All rows, newest change first."""
        found = [row for project_id in ids if (row := self._row(project_id)) is not None]
        for gone in self._rows.keys() - set(ids):
            self._rows.pop(gone, None)
        return sorted(found, key=_key, reverse=True)

    def _row(self, project_id: str) -> ProjectRow | None:
        folder = self._projects / project_id
        try:
            stamp: object = tree.stamp(folder)
        except CloutError:
            stamp = None  # read it, which tells why
        known = self._rows.get(project_id)
        try:
            if not (known and stamp is not None and known[0] == stamp):
                known = (stamp, *_read(folder, project_id))
                self._rows[project_id] = known
            _, row, loaded = known
            if loaded is None:
                return row
            return row.model_copy(update={"trusted": self._trusted(project_id, loaded)})
        except NotFound:
            return None


def _read(folder: Path, project_id: str) -> tuple[ProjectRow, Loaded | None]:
    try:
        loaded = layout.parse(tree.read(folder))
    except NotFound:
        raise
    except CloutError as error:
        return _unreadable(folder, project_id, error), None
    metadata = loaded.metadata
    row = ProjectRow(
        id=UUID(project_id),
        name=metadata.name,
        description=metadata.description,
        version=metadata.version,
        updated_at=metadata.updated_at,
    )
    return row, loaded if trust.starts_anything(loaded.definition) else None


def _unreadable(folder: Path, project_id: str, error: CloutError) -> ProjectRow:
    """What can still be said about a project of which some file is broken."""
    row = ProjectRow(
        id=UUID(project_id),
        name=project_id,
        description="",
        version=0,
        updated_at=timestamp(datetime.fromtimestamp(folder.stat().st_mtime, UTC)),
        unreadable=error.message,
    )
    try:
        metadata = layout.parse_metadata(tree.read_metadata(folder))
    except CloutError:
        return row
    return row.model_copy(
        update={
            "name": metadata.name,
            "description": metadata.description,
            "version": metadata.version,
            "updated_at": metadata.updated_at,
        }
    )


def _key(row: ProjectRow) -> tuple[str, str]:
    return (row.updated_at, str(row.id))


def _encode(row: ProjectRow) -> str:
    return base64.urlsafe_b64encode(json.dumps(_key(row)).encode()).decode()


def _decode(cursor: str) -> tuple[str, str]:
    try:
        match json.loads(base64.urlsafe_b64decode(cursor.encode())):
            case [str(moment), str(project_id)]:
                return moment, project_id
    except ValueError:
        pass
    raise InvalidRequest("This cursor is not one of ours. Ask for the first page without one.")
