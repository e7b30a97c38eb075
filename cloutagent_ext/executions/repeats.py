"""The same request twice: `Idempotency-Key` returns the first execution for 24 hours.

The key is kept in `spec.json`, so it holds over a restart. Not here: what is accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

from ..errors import CloutError, InvalidRequest
from .ids import made_at
from .records import Records

KEPT = timedelta(hours=24)
_LONGEST = 255
"""Characters of a key at most."""


class Repeats:
    """Which key has led to which execution, per project."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[str, dict[str, str]] = {}
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

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
        place = (project_id, key)
        lock = self._locks.setdefault(place, asyncio.Lock())
        async with lock:
            if project_id not in self._known:
                self._known[project_id] = await self._load(project_id)
            found = self._known[project_id].get(key)
            yield found if found and _recent(found) else None

    def remember(self, project_id: str, key: str | None, execution_id: str) -> None:
        """`key` has begun this execution. What is older than a day is forgotten."""
        if key is not None:
            known = self._known.setdefault(project_id, {})
            for old in [each for each, first in known.items() if not _recent(first)]:
                del known[old]
            known[key] = execution_id

    def forget(self, execution_id: str) -> None:
        """The execution was deleted."""
        for known in self._known.values():
            for key in [each for each, first in known.items() if first == execution_id]:
                del known[key]

    async def _load(self, project_id: str) -> dict[str, str]:
        known: dict[str, str] = {}
        for execution_id, _ in await self._records.ids(project_id):  # newest first
            if not _recent(execution_id):
                break
            try:
                key = (await self._records.spec(execution_id)).idempotency_key
            except CloutError:
                continue  # half accepted or unreadable: its caller never got an answer to repeat
            if key is not None:
                known[key] = execution_id
        return known


def _recent(execution_id: str) -> bool:
    return datetime.now(UTC) - made_at(execution_id) < KEPT
