"""The same request twice: `Idempotency-Key` returns the first execution for 24 hours.

The key is kept in `spec.json`, so it holds over a restart. What this process has accepted
itself is timed by the machine's steady clock: a clock on the wall that is set forth or back
neither begins an execution twice nor keeps a key for ever. Not here: what is accepted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from weakref import WeakValueDictionary

from ..errors import CloutError, InvalidRequest
from .ids import made_at
from .records import Records, read_spec

KEPT = timedelta(hours=24)
_LONGEST = 255
"""Characters of a key at most."""
_SWEPT_S = 600.0
"""Seconds between two looks for keys that are too old to be kept in memory."""


class Repeats:
    """Which key has led to which execution, per project."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, dict[str, str]] = {}
        """Project → key → execution; of a project whose specs have been read."""
        self._places: dict[str, tuple[str, str]] = {}
        """Execution → its project and key: what `_known` has, from the other end."""
        self._accepted: dict[str, float] = {}
        """Execution → when this process accepted it, by the steady clock."""
        self._swept = time.monotonic()
        self._locks: WeakValueDictionary[tuple[str, ...], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def first(self, project_id: str, key: str | None) -> AsyncIterator[str | None]:
        """The execution that `key` began, or None: then the caller begins one, and others wait for it.

        Raises InvalidRequest for a key that cannot be one.
        """
        if key is None:
            yield None
            return
        if not 0 < len(key) <= _LONGEST or not key.isprintable():
            raise InvalidRequest(f"Idempotency-Key takes 1 to {_LONGEST} printable characters.")
        async with self._lock(project_id, key):
            found = (await self._of(project_id)).get(key)
            yield found if found and self._recent(found) else None

    def remember(self, project_id: str, key: str | None, execution_id: str) -> None:
        """`key` has begun this execution."""
        if key is not None:
            self._sweep()
            self._accepted[execution_id] = time.monotonic()
            self._keep(project_id, key, execution_id)

    def forget(self, execution_id: str) -> None:
        """The execution was deleted, or is older than a key is kept."""
        self._accepted.pop(execution_id, None)
        project_id, key = self._places.pop(execution_id, ("", ""))
        if self._known.get(project_id, {}).get(key) == execution_id:
            del self._known[project_id][key]

    async def _of(self, project_id: str) -> dict[str, str]:
        """Key → execution; from the disk where nobody has asked before, and then once for all who wait."""
        async with self._lock(project_id):
            if project_id not in self._known:
                newest_first = [each for each, _ in await self._records.ids(project_id)]
                recent = list(takewhile(self._recent, newest_first))
                folders = [self._records.folder(project_id, each) for each in reversed(recent)]
                found = await asyncio.to_thread(_keys, folders)
                self._known[project_id] = {}
                for key, execution_id in found:
                    self._keep(project_id, key, execution_id)
            return self._known[project_id]

    def _keep(self, project_id: str, key: str, execution_id: str) -> None:
        known = self._known.setdefault(project_id, {})
        if (before := known.get(key)) is not None:
            self.forget(before)
        known[key] = execution_id
        self._places[execution_id] = (project_id, key)

    def _sweep(self) -> None:
        if time.monotonic() - self._swept > _SWEPT_S:
            self._swept = time.monotonic()
            for old in [each for each in self._places if not self._recent(each)]:
                self.forget(old)

    def _lock(self, *place: str) -> asyncio.Lock:
        return self._locks.setdefault(place, asyncio.Lock())

    def _recent(self, execution_id: str) -> bool:
        if (accepted := self._accepted.get(execution_id)) is not None:
            return time.monotonic() - accepted < KEPT.total_seconds()
        return datetime.now(UTC) - made_at(execution_id) < KEPT


def _keys(folders: list[Path]) -> list[tuple[str, str]]:
    """Key and execution of those that were accepted with one. Blocking."""
    found = []
    for folder in folders:
        try:
            key = read_spec(folder).idempotency_key
        except CloutError:
            continue  # half accepted or unreadable: its caller never got an answer to repeat
        if key is not None:
            found.append((key, folder.name))
    return found
