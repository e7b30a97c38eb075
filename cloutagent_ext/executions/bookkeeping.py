"""The books of one service, put together: ledger, retention, metrics, disk use.

Not here: any of those, and executions that are still on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ..engine.ports import Clock
from ..errors import Expired
from ..schema.execution import ExecutionState
from ..settings import Settings
from .disk import DiskUse
from .ledger import Ledger
from .live import Live
from .metrics import Metering
from .records import Records
from .retention import Retention


class Bookkeeping:
    """`held`: the execution, if this process holds it; `forget`: it is gone; `state`: how one stands."""

    def __init__(
        self,
        settings: Settings,
        records: Records,
        clock: Clock,
        *,
        held: Callable[[str], Live | None],
        forget: Callable[[str], None],
        projects: Callable[[], Awaitable[list[str]]],
        state: Callable[[str], Awaitable[ExecutionState]],
    ) -> None:
        records.why_gone = self._why_gone
        self.ledger = Ledger(settings.data_dir, records)
        self.retention = Retention(
            settings.retention_h, settings.data_dir, records, self.ledger, clock, held=held, forget=forget
        )
        self._disk = DiskUse(settings.data_dir)
        self.metering = Metering(self.ledger, self._disk, clock, projects, state)

    def start(self, *, recover: bool, read_only: bool) -> None:
        """Begin to write. `recover`: everything on disk is looked at, and what is old enough goes."""
        self.ledger.start(catch_up=recover, in_memory=read_only)
        if recover and not read_only:
            self.retention.start()

    async def stop(self) -> None:
        """Write what is left. Safe to call twice."""
        await self.retention.stop()
        await asyncio.gather(self.ledger.stop(), self._disk.stop())

    async def expired(self, execution_id: str, error: Expired) -> ExecutionState:
        """What is kept of one that has expired; raises `error` where that has been deleted, too."""
        if (state := await self.ledger.expired(execution_id)) is None:
            raise error
        return state

    async def _why_gone(self, execution_id: str) -> Expired | None:
        if await self.ledger.expired(execution_id) is None:
            return None
        return Expired(
            "This execution has expired: its events, files and result are gone, as the setting `retention_h` "
            "says. What the ledger keeps of it is at its own address. Pin what is to stay.",
            execution_id=execution_id,
        )
