"""Changes of one project stand in line before they take a thread, so that waiting takes none.

Between processes the project's lock does the same (`store.writer`). Async.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakValueDictionary

Answer = TypeVar("Answer")


class Turns:
    """One turn at a time for each name."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, name: str, work: Callable[[], Answer]) -> Answer:
        """Run `work` in a thread when nothing else of `name` is under way here."""
        turn = self._locks.setdefault(name, asyncio.Lock())
        async with turn:
            return await asyncio.to_thread(work)
