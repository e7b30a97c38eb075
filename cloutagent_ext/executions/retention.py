"""How long executions are kept: pins, and the sweep that lets go of old ones.

An execution goes `retention_h` hours after its end, with its log, its workspace and all it
made; the ledger keeps its summary. It stays while it is pinned, has not ended, belongs to
an experiment (a batch), or a caller may still repeat the request that began it. What a
death in the middle of a sweep leaves half gone, the next sweep removes.

Not here: deleting one on wish (`queue`), the ledger (`ledger`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from weakref import WeakValueDictionary

from .. import durable
from ..engine.ports import Clock
from ..errors import CloutError, Expired, NotFound
from ..failpoints import failpoint
from ..schema.base import timestamp
from ..schema.execution import ENDED
from . import records, repeats
from .ids import is_id, made_at
from .ledger import Ledger
from .live import Live
from .owner import unfinished
from .records import Records
from .workspace import Workspace

_log = logging.getLogger(__name__)

SWEEP_S = 600.0
"""Time between two sweeps."""
_LITTER = timedelta(days=1)
"""Age at which a workspace that no execution has is a dead process's; making one takes less."""


class Retention:
    """Lets go of old executions of one data folder, and keeps those that are pinned."""

    def __init__(
        self,
        hours: float,
        data_dir: Path,
        records: Records,
        ledger: Ledger,
        clock: Clock,
        *,
        held: Callable[[str], Live | None],
        forget: Callable[[str], None],
    ) -> None:
        self._keeps_s = hours * 3600
        self._data_dir = data_dir
        self._records = records
        self._ledger = ledger
        self._clock = clock
        self._held = held
        self._forget = forget
        self._began = (clock.time(), clock.monotonic())
        self._sweeping = asyncio.Lock()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Sweep now and then."""
        self._began = (self._clock.time(), self._clock.monotonic())
        self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="retention of executions")

    async def stop(self) -> None:
        """Safe to call twice."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
            self._sweeper = None

    @contextlib.asynccontextmanager
    async def turn(self, execution_id: str) -> AsyncIterator[None]:
        """Nobody else of this process decides whether it stays: sweep, pin and deletion come one by one."""
        turn = self._turns.setdefault(execution_id, asyncio.Lock())
        async with turn:
            yield

    # ------------------------------------------------------------ pins

    async def pin(self, execution_id: str, pinned: bool) -> None:
        """Keep it for as long as it is pinned, or no longer. Raises NotFound, Expired, DiskFull."""
        async with self.turn(execution_id):
            await self._pin(execution_id, pinned)

    async def _pin(self, execution_id: str, pinned: bool) -> None:
        _, folder = await self._records.find(execution_id)
        if pinned:
            await asyncio.to_thread(durable.atomic_write, folder / records.PIN, b"")
        else:
            await asyncio.to_thread(_unpin, folder)
        if (live := self._held(execution_id)) is not None:
            live.state.pinned = pinned
            live.save()
        else:
            await self._records.pinned(execution_id, pinned)

    # ------------------------------------------------------------ the sweep

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self.sweep()
            except (CloutError, OSError) as error:
                _log.warning("Old executions could not be let go of; tried again later: %s", error)
            except Exception:  # whatever it is, the disk would fill if this were the last sweep
                _log.exception("Old executions could not be let go of; tried again later.")
            await self._clock.sleep(SWEEP_S)

    async def sweep(self) -> int:
        """Let go of what is old enough; how many executions went. Raises OSError, CloutError."""
        async with self._sweeping:
            return await self._sweep()

    async def _sweep(self) -> int:
        await self._clear_litter()
        if not self._keeps_s:
            return 0
        gone, stuck = 0, list[str]()
        for execution_id in await self._ledger.ended_before(self._now() - self._keeps_s):
            try:
                async with self.turn(execution_id):
                    gone += await self._let_go(execution_id)
            except (NotFound, Expired):
                continue  # gone meanwhile: deleted, or another server sweeps
            except OSError as error:  # its folder is in the way of nobody's that is younger
                stuck.append(f"{execution_id}: {error}")
        if stuck:
            _log.warning("%d old executions could not be removed, the first: %s", len(stuck), stuck[0])
        if gone:
            _log.info("%d executions have expired; the ledger keeps their summaries", gone)
        return gone

    def _now(self) -> float:
        """The wall's time, but never further on than this process has lived: a clock that is set
        forward must not make everything old at once."""
        wall, steady = self._began
        return min(self._clock.time(), wall + self._clock.monotonic() - steady)

    async def _let_go(self, execution_id: str) -> bool:
        if self._held(execution_id) is not None:
            return False
        _, folder = await self._records.find(execution_id)
        if not await asyncio.to_thread(self._may_go, folder):
            return False
        await self._ledger.depart(execution_id, folder, "expired")
        failpoint("expire.kept")
        with contextlib.suppress(NotFound, Expired, FileNotFoundError):  # another server was faster
            await self._records.delete(execution_id)
        await self._ledger.departed(execution_id, "expired")
        self._forget(execution_id)
        failpoint("expire.removed")
        await Workspace(self._data_dir, execution_id).remove()
        return True

    def _may_go(self, folder: Path) -> bool:
        """By its own files: the ledger is only where one looks first. Blocking."""
        if unfinished(folder) or records.is_pinned(folder):
            return False
        try:
            spec, state = records.read_spec(folder), records.refold(folder)
        except CloutError:
            return False  # unreadable: a person has to look at it
        old = timestamp(datetime.fromtimestamp(self._now() - self._keeps_s, UTC))
        if state.status not in ENDED or state.ended_at is None or state.ended_at >= old:
            return False
        repeatable = spec.idempotency_key is not None and (
            made_at(folder.name).timestamp() + repeats.KEPT.total_seconds() > self._now()
        )
        return spec.batch is None and not repeatable

    async def _clear_litter(self) -> None:
        """Remove what nobody can find: folders half-removed or half-made, workspaces of no execution."""
        folders = await self._records.folders()
        if not folders:
            return  # or the disk with the projects is not there: their workspaces may lie on another one
        kept = {each for each, _ in await self._records.ids()}
        await asyncio.to_thread(self._clear, kept, folders, self._now())

    def _clear(self, kept: set[str], folders: list[Path], now: float) -> None:
        for executions in folders:
            for left in executions.glob(".deleted-*"):
                shutil.rmtree(left, ignore_errors=True)
            for name in records.names(executions):
                _remove_unless_begun(executions / name, now)
        before = datetime.fromtimestamp(now, UTC) - _LITTER
        try:
            with os.scandir(self._data_dir / "temp") as entries:
                names = [entry.name for entry in entries if is_id(entry.name)]
        except FileNotFoundError:
            return
        for name in names:
            if name not in kept and made_at(name) < before:
                shutil.rmtree(self._data_dir / "temp" / name, ignore_errors=True)


def _remove_unless_begun(folder: Path, now: float) -> None:
    """Remove it if it is empty: a server died between making and signing it, and no start looks there."""
    with contextlib.suppress(OSError):  # `rmdir` takes none with anything in it
        if now - folder.stat().st_mtime > records.HALF_MADE_S:
            folder.rmdir()


def _unpin(folder: Path) -> None:
    durable.remove(folder / records.PIN)
    durable.sync_folder(folder)
