"""What becomes of executions that another process left: each is taken over once and gets its fate.

At a start for all of them, later for one when somebody asks about it. Those that waited
wait again; those that ran go on where their project says so, else they stay interrupted
and nobody's. Not here: who counts as left behind, and what its log is told (`recovery`);
new executions and those that somebody lets go on (`arrivals`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from ..errors import CloutError, Unavailable
from ..schema.execution import ExecutionState
from . import recovery
from .live import Live, Order
from .records import Records
from .scheduler import Scheduler
from .workspace import Workspace

_log = logging.getLogger(__name__)

UNFINISHED = frozenset({"queued", "running", "waiting"})
"""Statuses in which somebody must own an execution."""
_DECISION_S = 30.0
"""Longest that a question waits for a fate that is just being decided."""


class Fates:
    """Takes over what nobody owns; `adopt` makes each the service's own."""

    def __init__(
        self, scheduler: Scheduler, records: Records, data_dir: Path, *, adopt: recovery.Adopt
    ) -> None:
        self._scheduler = scheduler
        self._records = records
        self._data_dir = data_dir
        self._adopt = adopt
        self._taking_over = asyncio.Lock()
        self._decided = asyncio.Event()
        self.read_only: str | None = None
        """Why nothing is taken over (locks that do not work, so that nobody's owner can be told)."""

    def decided(self) -> None:
        """What the start had to decide is decided, or is not this process's to decide."""
        self._decided.set()

    async def settled(self) -> None:
        """Return when the start has decided (or takes too long): before that whatever somebody asks about,
        or brings, would go before those that have waited for longer."""
        if not self._decided.is_set():
            try:
                async with asyncio.timeout(_DECISION_S):
                    await self._decided.wait()
            except TimeoutError:
                self.decided()  # nobody else waits as long once more

    async def give_all(self) -> None:
        """Give everything that nobody owns its fate, oldest first; `pump` starts what may start."""
        found = [(each, self._records.folder(project, each)) for each, project in await self._records.ids()]
        left = [folder for _, folder in await recovery.orphans(found)]
        async with self._taking_over:
            taken = await recovery.take_over(left, self._adopt)
            self._scheduler.resting = True  # until all are back: who goes first is decided among all
            try:
                for live in taken:
                    await self._give_or_leave(live)
            finally:
                self._scheduler.resting = False

    async def state(self, execution_id: str, *, listed: bool = False) -> ExecutionState:
        """How it stands, once it has its fate if nobody owned it. Raises NotFound, UnreadableFile.

        `listed`: see `Records.state`.
        """
        state = await self.seen(execution_id, listed=listed)
        if state.status == "interrupted" and not self._scheduler.stopping:
            # Said so a moment ago, and perhaps about to go on: nobody must take that for its end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DECISION_S):
                    await self._decided.wait()
                    async with self._taking_over:
                        state = await self.seen(execution_id)
        if execution_id in self._scheduler.live:
            return state
        if state.status in UNFINISHED and not self._scheduler.stopping:
            # Another process runs it, or none any more.
            _, folder = await self._records.find(execution_id)
            if await self._take_over(folder):
                self._scheduler.pump()
                live = self._scheduler.live.get(execution_id)
                return live.snapshot() if live else await self._records.state(execution_id)
            await self._records.find(execution_id)  # one that was never answered for is gone by now
        return state

    async def seen(self, execution_id: str, *, listed: bool = False) -> ExecutionState:
        """How it stands here or on the disk, whoever owns it. Raises NotFound, UnreadableFile."""
        live = self._scheduler.live.get(execution_id)
        return live.snapshot() if live is not None else await self._records.state(execution_id, listed=listed)

    async def hold(self, execution_id: str) -> Live | None:
        """The execution, if this process holds it or can, because it has not ended and nobody owns it.

        Raises NotFound, Unavailable (READ_ONLY, SHUTTING_DOWN).
        """
        if (live := await self._here(execution_id)) is not None:
            return live
        async with self.alone(execution_id) as found:
            return found

    @contextlib.asynccontextmanager
    async def alone(self, execution_id: str) -> AsyncIterator[Live | None]:
        """`hold`; inside the block nobody else of this process takes over anything. Raises as that."""
        if await self._here(execution_id) is None:
            await self._records.find(execution_id)
            await self.settled()
        async with self._taking_over:
            yield await self._here(execution_id) or await self._taken(execution_id)

    async def _here(self, execution_id: str) -> Live | None:
        """It, where this process holds it and goes on doing so."""
        while (live := self._scheduler.live.get(execution_id)) is not None and live.leaving:
            await live.done.wait()
        return live

    async def _taken(self, execution_id: str) -> Live | None:
        """It, taken over in this moment, where nobody owns it."""
        _, folder = await self._records.find(execution_id)
        if self.read_only:
            raise Unavailable(self.read_only, code="READ_ONLY")
        if self._scheduler.stopping:
            raise Unavailable("The server is shutting down; try again when it is back.", code="SHUTTING_DOWN")
        taken = None
        if await recovery.orphans([(execution_id, folder)]):
            for taken in await recovery.take_over([folder], self._adopt):
                self._scheduler.hold(taken)
                self.go_on(taken)
                self._scheduler.pump()
        return taken

    def go_on(self, live: Live, by: str = "restart") -> None:
        """Let one that is not played here go on, if it may: somebody has answered."""
        if live.id in self._scheduler.live and live.state.status == "running":
            self._scheduler.resume(live, Order(by), first=True)
            self._scheduler.pump()

    async def _take_over(self, folder: Path) -> bool:
        """Give what nobody owns its fate; whether there was anything to do."""
        await self.settled()
        if self.read_only:
            return False
        async with self._taking_over:
            if folder.name in self._scheduler.live:
                return True
            found = await recovery.take_over([folder], self._adopt)
            for live in found:
                await self._give(live)
        return bool(found)

    async def _give_or_leave(self, live: Live) -> None:
        """One that cannot get its fate, on a full disk say, keeps no other from coming back."""
        try:
            await self._give(live)
        except (CloutError, OSError) as error:
            _log.error("Execution %s has no fate yet; the next start looks again: %s", live.id, error)
            with contextlib.suppress(CloutError, OSError):
                await self._scheduler.release(live)

    async def _give(self, live: Live) -> None:
        """What becomes of one whose server is gone."""
        self._scheduler.hold(live)
        if live.state.status == "queued":
            return
        if live.state.status in ("waiting", "running"):
            self.go_on(live)
        elif live.state.deaths >= recovery.MOST_DEATHS:
            await self._scheduler.give_up(
                live,
                f"The server died {live.state.deaths} times while this execution ran; it may be the cause, "
                "so it is not started again by itself. Resume it to try once more.",
            )
        elif live.spec.definition.on_restart == "resume" and await recovery.can_go_on(
            live, Workspace(self._data_dir, live.id)
        ):
            self._scheduler.resume(live, Order())
        else:  # interrupted: said so, and nobody's
            await self._scheduler.release(live)
