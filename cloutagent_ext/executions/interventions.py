"""What people do to an execution while it is not over: stop it, answer its questions; and let go of it.

Whoever asks may come to a process that does not hold it; then it is taken over where nobody owns it, and
refused where somebody else does. Not here: how one stops (`scheduler`), how an answer is kept (`questions`).
"""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ..engine.ports import Decision
from ..errors import Conflict, DiskFull
from ..schema.client_tools import ClientAnswer, ClientCallTaken
from ..schema.execution import ENDED, ExecutionState
from . import history
from .fates import Fates
from .questions import Closed
from .scheduler import Scheduler


class Interventions:
    """All of it, on the executions of one service."""

    def __init__(
        self, fates: Fates, scheduler: Scheduler, state: Callable[[str], Awaitable[ExecutionState]]
    ) -> None:
        self._fates = fates
        self._scheduler = scheduler
        self._state = state

    async def cancel(self, execution_id: str, by: str) -> ExecutionState:
        """See `Executions.cancel`."""
        live = await self._fates.hold(execution_id)
        if live is None or live.state.status in ENDED:
            state = live.snapshot() if live else await self._state(execution_id)
            if state.status in ENDED:
                raise Conflict(f"This execution has ended already ({state.status}).", status=state.status)
            raise Conflict("Another process runs this execution; cancel it there.", status=state.status)
        await self._scheduler.cancel(live, by)
        return live.snapshot()

    async def answer(self, execution_id: str, call_id: str, answer: ClientAnswer) -> ClientCallTaken:
        """See `Executions.answer`."""
        live = self._scheduler.live.get(execution_id)
        if live is None:
            status = (await self._state(execution_id)).status
            raise Conflict("This execution does not run here: nobody waits for an answer.", status=status)
        return live.calls.take(call_id, answer)

    @asynccontextmanager
    async def removal(self, execution_id: str) -> AsyncIterator[ExecutionState]:
        """Nobody holds it inside the block, nor begins to, so that it can be removed; how it stood.

        Raises Conflict while it runs or waits, NotFound, Expired.
        """
        async with self._fates.alone(execution_id) as live:
            if live is not None and (live.state.status in ENDED or (live.stop and live.task is None)):
                await live.done.wait()  # its last files are being written
                live = None
            state = live.snapshot() if live else await self._fates.seen(execution_id)
            if state.status not in ENDED and (live is None or state.status != "interrupted"):
                raise Conflict("This execution has not ended; cancel it first.", status=state.status)
            if live is not None and live.task is not None:
                await live.done.wait()
            elif live is not None:
                await self._scheduler.release(live)
            yield state

    async def decide(self, execution_id: str, call_id: str, decision: Decision) -> ExecutionState:
        """See `Executions.decide`."""
        while True:
            try:
                return await self._decide(execution_id, call_id, decision)
            except Closed:
                continue  # somebody else had decided another call, and let go of it in this moment

    async def _decide(self, execution_id: str, call_id: str, decision: Decision) -> ExecutionState:
        live = await self._fates.hold(execution_id)
        state = live.snapshot() if live else await self._state(execution_id)
        if state.status in ENDED or state.cancelling:
            how = "is being stopped" if state.cancelling else f"has ended ({state.status})"
            raise Conflict(f"This execution {how}: nothing waits for an answer.", status=state.status)
        if live is None:
            raise Conflict("Another process runs this execution; answer there.", status=state.status)
        try:
            if live.task is None and not live.questions.restored:
                live.questions.restore((await history.read(live.folder)).questions)
            await live.questions.decide(call_id, decision)
            return live.snapshot()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    "No room left on the disk for the decision. Free some, then decide again."
                ) from error
            raise
        finally:  # an answer is kept for when it is resumed, and a wrong one keeps nobody else from it
            idle = live.task is None and live.stop is None and not self._scheduler.waits(live)
            if idle and live.state.status == "interrupted":
                await self._scheduler.release(live)
