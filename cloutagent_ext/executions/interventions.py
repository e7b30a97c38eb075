"""What people do to an execution while it is not over: stop it, answer its questions; and let go of it.

Whoever asks may come to a process that does not hold it; then it is taken over where nobody owns it, and
refused where somebody else does. Not here: how one stops (`scheduler`), how an answer is kept (`questions`).
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable

from ..engine.ports import Decision
from ..errors import Conflict, DiskFull
from ..schema.client_tools import ClientAnswer, ClientCallTaken
from ..schema.execution import ENDED, ExecutionState
from . import history
from .fates import Fates
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
        if live is None:
            state = await self._state(execution_id)
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

    async def let_go(self, execution_id: str) -> ExecutionState:
        """Nobody holds it when this returns, so that it can be removed; how it stood.

        Raises Conflict while it runs or waits, NotFound, Expired.
        """
        live = await self._fates.hold(execution_id)
        state = live.snapshot() if live else await self._state(execution_id)
        if state.status not in ENDED and (live is None or state.status != "interrupted"):
            raise Conflict("This execution has not ended; cancel it first.", status=state.status)
        if live is not None:
            if live.task is not None:
                await live.done.wait()
            else:
                await self._scheduler.release(live)
        return state

    async def decide(self, execution_id: str, call_id: str, decision: Decision) -> ExecutionState:
        """See `Executions.decide`."""
        live = await self._fates.hold(execution_id)
        state = live.snapshot() if live else await self._state(execution_id)
        if state.status in ENDED or state.cancelling:
            how = "is being stopped" if state.cancelling else f"has ended ({state.status})"
            raise Conflict(f"This execution {how}: nothing waits for an answer.", status=state.status)
        if live is None:
            raise Conflict("Another process runs this execution; answer there.", status=state.status)
        if live.task is None and not live.questions.restored:
            live.questions.restore((await history.read(live.folder)).questions)
        try:
            await live.questions.decide(call_id, decision)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    "No room left on the disk for the decision. Free some, then decide again."
                ) from error
            raise
        state = live.snapshot()
        if state.status == "interrupted" and live.task is None:
            await self._scheduler.release(live)  # the answer is kept for when it is resumed
        return state
