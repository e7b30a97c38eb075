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
        self._accepted: dict[str, float] = {}
        """Execution → when this process accepted it, by the steady clock."""
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
                found_there = await self._load(project_id)
                # Who loaded it at the same time and was faster may have begun one since.
                self._known.setdefault(project_id, found_there)
            found = self._known[project_id].get(key)
            yield found if found and self._recent(found) else None

    def remember(self, project_id: str, key: str | None, execution_id: str) -> None:
        """`key` has begun this execution. What is older than a day is forgotten."""
        if key is not None:
            known = self._known.setdefault(project_id, {})
            for old in [each for each, first in known.items() if not self._recent(first)]:
                self._accepted.pop(known.pop(old), None)
            known[key] = execution_id
            self._accepted[execution_id] = time.monotonic()

    def forget(self, execution_id: str) -> None:
        """The execution was deleted."""
        self._accepted.pop(execution_id, None)
        for known in self._known.values():
            for key in [each for each, first in known.items() if first == execution_id]:
                del known[key]

    async def _load(self, project_id: str) -> dict[str, str]:
        known: dict[str, str] = {}
        for execution_id, _ in await self._records.ids(project_id):  # newest first
            if not self._recent(execution_id):
                break
            try:
                key = (await self._records.spec(execution_id)).idempotency_key
            except CloutError:
                continue  # half accepted or unreadable: its caller never got an answer to repeat
            if key is not None:
                known[key] = execution_id
        return known

    def _recent(self, execution_id: str) -> bool:
        if (accepted := self._accepted.get(execution_id)) is not None:
            return time.monotonic() - accepted < KEPT.total_seconds()
        return datetime.now(UTC) - made_at(execution_id) < KEPT
