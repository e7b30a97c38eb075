"""Text and thinking of a stream as events: at most 20 a second per agent, in order, none lost.

Adding a piece appends to a list and nothing else; a timer writes what has gathered.
The first piece after a pause is written at once, so that a reader never waits for it.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from .ports import Events
from .text import clean

INTERVAL_S = 0.05
"""Seconds between two events of one agent."""

Kind = Literal["text", "thinking"]


class Coalescer:
    """The text and thinking of one agent. `span` may change between turns."""

    def __init__(self, events: Events, agent: str) -> None:
        self._events = events
        self._agent = agent
        self.span = agent
        self._kind: Kind = "text"
        self._pieces: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None
        self._last = float("-inf")

    def add(self, kind: Kind, piece: str) -> None:
        """One more piece of the open block; blocks are closed by `finish` before another kind begins."""
        self._kind = kind
        self._pieces.append(piece)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, self._last + INTERVAL_S - loop.time()), self._due)

    def _due(self) -> None:
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        self._timer = None
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write(final=False))
        else:  # the log is slower than the stream: what gathers meanwhile makes one larger event
            self._timer = loop.call_later(INTERVAL_S, self._due)

    async def finish(self, kind: Kind) -> None:
        """Close the block: writes what is left with `final`. Raises what writing raised."""
        await self._settle()
        self._kind = kind
        await self._write(final=True)

    async def discard(self) -> None:
        """Write what is left of a broken-off block, without `final`. Safe to call twice."""
        await self._settle()
        if self._pieces:
            await self._write(final=False)

    async def _settle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (writing := self._writing) is not None:
            self._writing = None
            await writing

    async def _write(self, *, final: bool) -> None:
        content, self._pieces = clean("".join(self._pieces)), []
        await self._events.emit(self._kind, agent=self._agent, span=self.span, content=content, final=final)
