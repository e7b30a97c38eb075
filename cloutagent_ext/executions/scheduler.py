"""When executions run: slots, the line, patience, and the tasks of the workers.

Holds every execution that this process owns, from acceptance to its end. Limits count in
this process: several servers on one data folder each count their own. Who is next is
`line`; what a run does is `worker`. Not here: checks, lists, other processes' executions.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

from ..engine.ports import Clock
from ..errors import CloutError, Unavailable
from ..failpoints import failpoint
from ..schema.execution import ENDED, Spec, Status
from . import endings
from .failures import Broken
from .line import AGAIN, Line
from .live import Live, Order, Stop
from .reserve import takes_nothing

_log = logging.getLogger(__name__)


class Scheduler:
    """Starts what is admitted, in turn, and sees it to its end.

    `run` plays one execution; `let_go` is told of each that this process no longer holds.
    """

    def __init__(
        self,
        *,
        run: Callable[[Live], Awaitable[None]],
        let_go: Callable[[Live], None],
        clock: Clock,
        per_project: int,
        in_all: int,
    ) -> None:
        self._play = run
        self._let_go = let_go
        self._clock = clock
        self._per_project = per_project
        self._in_all = in_all
        self._line = Line()
        self._live: dict[str, Live] = {}
        self._running: Counter[str] = Counter()
        """Slots taken, per project."""
        self._arriving: Counter[str] = Counter()
        """Admitted ones on their way to the line, per project."""
        self._returning: dict[str, asyncio.Future[None]] = {}
        """Those in the line that have run and wait for their slot again."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._kick = asyncio.Event()
        self._ticker: asyncio.Task[None] | None = None
        self.stopping = False
        self.resting = False
        """Nobody starts for now: those that were left are still coming back."""

    @property
    def live(self) -> Mapping[str, Live]:
        """Everything this process holds, by id."""
        return MappingProxyType(self._live)

    @property
    def running(self) -> int:
        """How many run; those that wait for a person do not."""
        return self._running.total()

    def count(self, status: Status) -> int:
        """How many stand so. May be asked in any thread."""
        return sum(1 for live in list(self._live.values()) if live.state.status == status)

    @property
    def active(self) -> bool:
        """Whether anything runs or waits for its turn. Who waits for a person does so without us, too."""
        waits = [live for live in self._live.values() if live.state.status == "waiting"]
        return len(waits) < len(self._live) or self._arriving.total() > 0

    # ------------------------------------------------------------ life

    def start(self) -> None:
        """Let time pass for those who wait."""
        self._ticker = asyncio.create_task(self._tick(), name="line of executions")

    async def stop(self, grace_s: float) -> None:
        """Start nothing more; what runs after `grace_s` seconds is interrupted. Safe to call twice."""
        self.stopping = True
        for live in self._live.values():
            live.last_call.set()
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
            self._ticker = None
        if runs := [
            live.task for live in self._live.values() if live.task and live.state.status != "waiting"
        ]:
            await asyncio.wait(runs, timeout=grace_s)
        while self._tasks:
            for live in self._live.values():
                if live.task:
                    live.ask_to_stop(Stop("interrupted", "the server was stopped"))
            await asyncio.wait(self._tasks)
        for live in list(self._live.values()):  # these wait: they do so on disk, for the next start
            self._line.remove(live.id)
            await self._close(live)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task that is waited for in `stop`; a fault in it is logged."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None or isinstance(error, CloutError):
            return
        if self.stopping and takes_nothing(error):  # said when it began; the next start looks at it
            _log.error("%s ended without a last event: %s", task.get_name(), error)
        else:
            _log.error("%s failed", task.get_name(), exc_info=error)

    # ------------------------------------------------------------ coming in

    @asynccontextmanager
    async def admission(self, spec: Spec) -> AsyncIterator[tuple[int, Callable[[Live], None]]]:
        """Room for one more: `async with admission(spec) as (position, enter)`; `enter` when it is on disk.

        `position` is 0 when it will start at once. Raises Unavailable (QUEUE_FULL).
        """
        project = spec.project_id
        ahead = self._line.waiting(project) + self._arriving[project]
        at_once = ahead == 0 and self._running[project] < self._most(spec) and self.running < self._in_all
        if not at_once and ahead >= spec.definition.queue.max_queue:
            raise Unavailable(
                f"{ahead} executions of this project wait already, the most it allows. Try again later.",
                code="QUEUE_FULL",
                waiting=ahead,
            )
        slots = self._running if at_once else self._arriving
        slots[project] += 1
        entered = False

        def enter(live: Live) -> None:
            nonlocal entered
            entered = True
            self._live[live.id] = live
            if at_once and not self.stopping:
                self._line.served(project)
                self._begin(live)
            else:
                _give_back(slots, project)
                self._join(live)
                self.pump()

        try:
            yield (0 if at_once else ahead + 1), enter
        finally:
            if not entered:
                _give_back(slots, project)
                self.pump()

    def hold(self, live: Live) -> None:
        """Hold one that came from another process; a queued one joins the line (`pump` starts it)."""
        self._live[live.id] = live
        if live.state.status == "queued":
            self._join(live)

    def resume(self, live: Live, order: Order, *, first: bool = False) -> bool:
        """Let an interrupted one go on when it is its turn (`pump` starts it); False where it will anyway.

        False also where it is being let go of: then it must be held anew. `first`: before those that are new.
        """
        if live.task is not None or live.id in self._line or live.stop is not None or live.leaving:
            return False
        live.order = order
        self._join(live, again=first)
        failpoint("recovery.waiting")
        if live.state.status == "interrupted":  # nobody who follows it needs to think that it is left alone
            _tell(live, 0)
        return True

    def waits(self, live: Live) -> bool:
        """Whether it stands in the line."""
        return live.id in self._line

    async def give_up(self, live: Live, message: str) -> None:
        """End an interrupted one that must not go on."""
        if live.stop is not None:
            return  # cancelled in the same moment
        live.stop = Stop("interrupted", "it must not go on")  # a cancel comes too late
        try:
            await endings.failed(live, Broken("INTERRUPTED", message), await endings.known(live))
        finally:
            await self._close(live)

    def _join(self, live: Live, *, again: bool = False) -> None:
        # One that has begun does not lose what it has done by waiting.
        patient = again or live.state.started_at is not None
        self._line.add(
            live.id,
            live.spec.project_id,
            priority=AGAIN if again else live.spec.priority,
            now=self._clock.monotonic(),
            patience_s=math.inf if patient else live.spec.definition.queue.queue_timeout_s,
        )

    # ------------------------------------------------------------ the line

    def _most(self, spec: Spec) -> int:
        return min(self._per_project, spec.definition.queue.max_concurrent)

    def pump(self) -> None:
        """Start whoever may start, end who has waited too long, and tell the others their place."""
        if self.stopping or self.resting:
            return
        now = self._clock.monotonic()
        for execution_id in self._line.overdue(now):
            self._line.remove(execution_id)
            self.spawn(self._run_out(self._live[execution_id]), f"end of {execution_id}")
        while self.running < self._in_all:
            chosen = self._line.next(now, self._running, lambda each: self._most(self._live[each].spec))
            if chosen is None:
                break
            self._line.remove(chosen)
            turn = self._returning.pop(chosen, None)
            if turn is not None and turn.done():
                continue  # stopped a moment ago, and not awake yet
            live = self._live[chosen]
            self._line.served(live.spec.project_id)
            self._running[live.spec.project_id] += 1
            if turn is not None:
                live.slot = _Slot(self, live)
                turn.set_result(None)
            else:
                self._begin(live)
        for project in self._line.projects():
            for position, execution_id in enumerate(self._line.order(project, now), 1):
                live = self._live[execution_id]
                if live.state.position != position:
                    _tell(live, position)
        self._kick.set()

    async def _tick(self) -> None:
        """Wakes the line when time alone changes it."""
        while not self.stopping:
            self._kick.clear()
            now = self._clock.monotonic()
            change = self._line.next_change(now)
            try:
                async with asyncio.timeout(None if change is None else max(0.01, change - now)):
                    await self._kick.wait()
            except TimeoutError:
                self.pump()

    # ------------------------------------------------------------ running and ending

    def _begin(self, live: Live) -> None:
        live.slot = _Slot(self, live)
        live.task = self.spawn(self._run(live), f"worker of {live.id}")

    async def _run(self, live: Live) -> None:
        try:
            await self._play(live)
        finally:
            try:
                await self._close(live)
            finally:
                live.slot.give_back()
                failpoint("end.slot_free")

    def free(self, live: Live) -> None:
        """One runs less."""
        _give_back(self._running, live.spec.project_id)
        self.pump()

    async def again(self, live: Live) -> None:
        """Return when one that gave its slot away has one again; it goes before those that are new."""
        turn = self._returning[live.id] = asyncio.get_running_loop().create_future()
        self._join(live, again=True)
        self.pump()
        try:
            await turn
        finally:
            self._line.remove(live.id)
            self._returning.pop(live.id, None)

    async def _run_out(self, live: Live) -> None:
        if live.stop is not None:
            return  # cancelled in the same moment
        live.stop = Stop("interrupted", "it waited too long for its turn")  # a cancel comes too late
        patience = live.spec.definition.queue.queue_timeout_s
        broken = Broken(
            "QUEUE_TIMEOUT", f"It waited {patience} s for its turn, the longest this project allows."
        )
        try:
            await endings.failed(live, broken, await endings.known(live))
        finally:
            await self._close(live)

    async def cancel(self, live: Live, by: str) -> None:
        """Stop it: one that runs is asked to, one that waits or is interrupted has ended on return."""
        if live.task is not None:
            live.ask_to_stop(Stop("cancelled", by))
        else:
            await asyncio.shield(self.spawn(self._cancel_idle(live, by), f"cancel of {live.id}"))

    async def _cancel_idle(self, live: Live, by: str) -> None:
        if live.stop is not None or live.leaving or live.id not in self._live:
            await live.done.wait()  # somebody else's cancel, or its end, was a moment earlier
            return
        if live.task is not None:  # its turn was
            live.ask_to_stop(Stop("cancelled", by))
            return
        live.stop = Stop("cancelled", by)
        self._line.remove(live.id)
        try:
            await endings.stopped(live, live.stop, await endings.known(live))
        finally:
            await self.release(live)

    async def release(self, live: Live) -> None:
        """Let go of one that does not run."""
        self._line.remove(live.id)
        await self._close(live)
        self.pump()

    async def _close(self, live: Live) -> None:
        if live.leaving:
            await live.done.wait()
            return
        live.leaving = True
        try:
            await live.close(finished=live.state.status in ENDED)
        finally:
            self._live.pop(live.id, None)
            self._let_go(live)


class _Slot:
    """One execution's right to run (`live.Slot`); given back once."""

    def __init__(self, scheduler: Scheduler, live: Live) -> None:
        self._scheduler = scheduler
        self._live = live
        self._held = True

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._scheduler.free(self._live)

    async def take_again(self) -> None:
        if not self._held:
            await self._scheduler.again(self._live)


def _tell(live: Live, position: int) -> None:
    try:
        live.say("queued", execution_id=live.id, position=position)
    except OSError as error:  # its place is a courtesy; a full disk must not hold up the line
        _log.warning("Execution %s could not be told its place: %s", live.id, error)


def _give_back(slots: Counter[str], project: str) -> None:
    slots[project] -= 1
    if slots[project] <= 0:
        del slots[project]
