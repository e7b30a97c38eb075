"""How the end of an execution is written down: `error.json` first, then the one ending event.

Not here: what came of it (`worker`), and an end that was asked for until it is there (`stopping`).
"""

from __future__ import annotations

from typing import Any

from ..failpoints import failpoint
from . import failures
from .live import Live, Stop


async def failed(live: Live, broken: failures.Broken, known: dict[str, Any]) -> None:
    """End it as failed: `error.json`, then the `error` event with what is known so far."""
    content = broken.as_file(turn=live.state.turns, **_place(live))
    await live.keep_error(content)
    failpoint("end.error_written")
    await live.end("error", code=broken.code, message=broken.message, details=broken.details, **known)


async def stopped(live: Live, stop: Stop, known: dict[str, Any]) -> None:
    """End it as somebody wished, or leave it interrupted; one that waits for a person goes on waiting."""
    if stop.ending == "cancelled":
        await live.end("cancelled", by=stop.by, **known)
    elif live.state.status != "waiting":
        await live.end("interrupted", why=stop.by)
    else:
        await live.log.sync()


def _place(live: Live) -> dict[str, Any]:
    """Which agent and call were at work, as far as the state knows."""
    step = live.state.current_step or ""
    agent = step.partition(": ")[0] if ": " in step else "main"
    return {"agent": agent, "call_id": live.state.open_call()}
