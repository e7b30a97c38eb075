"""Who wants to hear when any execution changes: the newest state of each, never a backlog.

A watcher holds the ids that have changed since it last looked, each once, so a slow one
costs no more than the number of executions. Not here: an execution's events (`log`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

from ..errors import CloutError
from ..schema.execution import ExecutionState


class _Watcher:
    def __init__(self) -> None:
        self.ids: dict[str, None] = {}
        self.woken = asyncio.Event()


class Watchers:
    """All watchers of one service."""

    def __init__(self) -> None:
        self._watchers: set[_Watcher] = set()
        self._closed = False

    def changed(self, execution_id: str) -> None:
        """Something of this execution's state is new."""
        for watcher in self._watchers:
            watcher.ids[execution_id] = None
            watcher.woken.set()

    def close(self) -> None:
        """There will be no more changes: every watcher ends."""
        self._closed = True
        for watcher in self._watchers:
            watcher.woken.set()

    async def follow(
        self, state: Callable[[str], Awaitable[ExecutionState]]
    ) -> AsyncGenerator[ExecutionState, None]:
        """Each changed execution's state, as it is when asked for; an equal one is not repeated."""
        watcher = _Watcher()
        self._watchers.add(watcher)
        if self._closed:
            watcher.woken.set()
        try:
            while True:
                await watcher.woken.wait()
                watcher.woken.clear()
                while watcher.ids:
                    execution_id = next(iter(watcher.ids))
                    del watcher.ids[execution_id]
                    try:
                        found = await state(execution_id)
                    except CloutError:
                        continue  # deleted meanwhile
                    yield found
                if self._closed:
                    return
        finally:
            self._watchers.discard(watcher)


async def first(*events: asyncio.Event) -> None:
    """Return when one of them is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
