"""How the end of an execution is written down: `error.json` first, then the one ending event.

Not here: what came of it (`worker`), and an end that was asked for until it is there (`stopping`).
"""

from __future__ import annotations

import logging
from typing import Any

from ..engine.remembered import Spent
from ..errors import UnreadableFile
from ..failpoints import failpoint
from . import failures, history, unanswered
from .live import Live, Stop

_log = logging.getLogger(__name__)


async def known(live: Live, duration_ms: int | None = None) -> dict[str, Any]:
    """What one has to show that comes to no end of its own: what it has cost by its log, and by its journal.

    A payment is in the journal a moment before it is in the log. Whoever goes on says what the log lacks
    (`engine.loop`); one that does not go on has only this end to say it.
    """
    usage, cost = live.state.usage, live.state.total_cost_usd
    for each in await _untold(live):
        usage = usage + each.usage
        cost = None if cost is None or each.cost is None else cost + each.cost
    return {
        "usage": usage.model_dump(),
        "total_cost_usd": cost,
        "duration_ms": (live.state.duration_ms or 0) if duration_ms is None else duration_ms,
        "result": None,
    }


async def _untold(live: Live) -> list[Spent]:
    if live.state.started_at is None:
        return []
    told = live.state.turns  # each payment that the log tells of counts one
    try:
        return (await history.spent(live.folder))[told:]
    except (UnreadableFile, OSError) as error:  # it must end all the same
        _log.warning("What execution %s has cost is known from its log alone: %s", live.id, error)
        return []


async def _unsettled(live: Live) -> float:
    """Most that calls may have cost which were cut off before the service had said a word of that."""
    try:
        return (await history.read(live.folder)).unsettled_usd
    except (UnreadableFile, OSError) as error:  # whoever goes on with it will say so
        _log.warning("What execution %s may have cost besides is not known: %s", live.id, error)
        return 0.0


async def last(live: Live, type: str, **fields: Any) -> None:
    """The one ending event; before it, what is known of each tool call that has no result yet."""
    await live.end(type, results=await unanswered.results(live), **fields)


async def failed(live: Live, broken: failures.Broken, known: dict[str, Any]) -> None:
    """End it as failed: `error.json`, then the `error` event with what is known so far."""
    content = broken.as_file(turn=live.state.turns, **_place(live))
    await live.keep_error(content)
    failpoint("end.error_written")
    await last(live, "error", code=broken.code, message=broken.message, details=broken.details, **known)


async def stopped(live: Live, stop: Stop, known: dict[str, Any]) -> None:
    """End it as somebody wished, or leave it interrupted; one that waits for a person goes on waiting."""
    if stop.ending == "cancelled":
        await last(live, "cancelled", by=stop.by, **known)
    elif live.state.status != "waiting":
        await live.end("interrupted", why=stop.by, unsettled_cost_usd=await _unsettled(live))
    else:
        with live.guard.noticing():
            await live.log.sync()


def _place(live: Live) -> dict[str, Any]:
    """Which agent and call were at work, as far as the state knows."""
    step = live.state.current_step or ""
    agent = step.partition(": ")[0] if ": " in step else "main"
    return {"agent": agent, "call_id": live.state.open_call()}
