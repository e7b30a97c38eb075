"""What a run may write down: closed once it is over, and the end of it where the disk takes nothing.

Not here: the log and the journal themselves (`log`, `journal`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..engine.masking import Mask
from .journal import JournalFile
from .live import Live
from .reserve import ending_when_unwritable


class Gate:
    """The engine's `Events` port: closed once the run is over, whatever still wants to speak.

    `mask`: of an execution whose children or hooks were given secrets; nothing it says holds one.
    """

    def __init__(self, live: Live, mask: Mask) -> None:
        self._live = live
        self._mask = mask

    async def emit(self, type: str, *, agent: str = "main", span: str = "main", **fields: Any) -> int:
        if self._live.given_up:
            raise asyncio.CancelledError(f"execution {self._live.id} is over")
        with ending_when_unwritable():
            return await self._live.emit(type, agent=agent, span=span, **self._mask.deep(fields))


class JournalGate:
    """The engine's `Journal` port, closed like `Gate`: by then somebody else may own the file."""

    def __init__(self, live: Live, journal: JournalFile) -> None:
        self._live = live
        self._journal = journal

    async def record(self, kind: str, *, sync: bool = False, **fields: Any) -> None:
        if self._live.given_up:
            raise asyncio.CancelledError(f"execution {self._live.id} is over")
        with ending_when_unwritable(), self._live.guard.noticing():
            await self._journal.record(kind, sync=sync, **fields)
