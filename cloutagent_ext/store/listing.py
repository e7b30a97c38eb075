"""The list of projects: rows newest change first, a filter, pages.

A project that cannot be read has a row that says why. Rows are remembered as long as nothing of
their project changed on the disk. Not here: anything that writes. Everything blocks.
"""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from ..errors import CloutError, Conflict, InvalidRequest, NotFound
from ..schema.base import Page, timestamp
from ..schema.project import ProjectRow
from . import definitions, layout, tree, trust
from .definitions import Stamp
from .layout import Loaded

MAX_LIMIT = 1000
"""Most rows of one page; larger wishes are clamped."""


@dataclass(frozen=True)
class _Known:
    """What a project's files said when they were last read."""

    stamp: Stamp | None
    """None: not believed again."""
    row: ProjectRow
    starts: Loaded | None = None
    """What it would start, where trust must be judged anew each time (scripts are no definition)."""


class Listing:
    """Rows of the projects in `projects`."""

    def __init__(self, projects: Path, trusted: Callable[[str, Loaded], bool]) -> None:
        self._projects = projects
        self._trusted = trusted
        self._rows: dict[str, _Known] = {}

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

    def resolve(self, name_or_id: str, ids: list[str]) -> str:
        """Which of the projects `ids` has this id or name (its case only counts where it must).

        Raises `NotFound` (with the nearest names), `Conflict` where several have the name.
        """
        if name_or_id in ids:
            return name_or_id
        rows = self.rows(ids)
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

    def _row(self, project_id: str) -> ProjectRow | None:
        known = self._rows.get(project_id)
        try:
            if known is None or known.stamp is None or not known.stamp.holds():
                known = self._rows[project_id] = _read(self._projects / project_id, project_id)
            if known.starts is None:
                return known.row
            return known.row.model_copy(update={"trusted": self._trusted(project_id, known.starts)})
        except (NotFound, FileNotFoundError):  # deleted since the ids were listed
            return None


def _read(folder: Path, project_id: str) -> _Known:
    try:
        stamp, loaded = definitions.read(folder)
    except NotFound:
        raise
    except CloutError as error:
        return _Known(None, _unreadable(folder, project_id, error))
    metadata = loaded.metadata
    row = ProjectRow(
        id=UUID(project_id),
        name=metadata.name,
        description=metadata.description,
        version=metadata.version,
        updated_at=metadata.updated_at,
    )
    return _Known(stamp, row, trust.part(loaded))


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
    except (ValueError, RecursionError):
        pass
    raise InvalidRequest("This cursor is not one of ours. Ask for the first page without one.")
