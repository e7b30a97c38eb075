"""The trace of an execution as it stands: its log read and folded. Not here: the fold (`trace`)."""

from __future__ import annotations

import asyncio

from ..schema.base import JsonObject
from ..schema.execution import ExecutionState, Spec
from ..schema.trace import Trace
from .log import EventLog
from .trace import TraceFold, trace_id


async def of(state: ExecutionState, spec: Spec, log: EventLog, first: int, limit: int) -> Trace:
    """The spans from the one at `first` on (counted from 0), at most `limit`."""
    fold = await folded(spec, log)
    found, following = fold.spans[first : first + limit], first + limit
    return Trace(
        trace_id=trace_id(spec.execution_id),
        execution_id=spec.execution_id,
        status=state.status,
        items=found,
        next_cursor=str(following) if following < len(fold.spans) else None,
    )


async def folded(spec: Spec, log: EventLog, *, keep: bool = True, until: int | None = None) -> TraceFold:
    """The fold of the log as it is now, or of its events before `until`."""
    fold, following = TraceFold(spec, keep=keep), 1

    def take(events: list[JsonObject]) -> None:
        for event in events:
            if until is None or event["id"] < until:
                fold.apply(event)

    while True:
        events, more = await log.page(following)
        await asyncio.to_thread(take, events)
        if more is None or (until is not None and more >= until):
            return fold
        following = more
