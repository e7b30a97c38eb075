"""A project's hooks: what one would have done to past executions.

Hooks are made and changed with the project itself (`projects`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..errors import Unavailable
from ..schema.backtests import Backtest, BacktestRequest
from .reply import Reply
from .sse import either

if TYPE_CHECKING:
    from .handler import Endpoint


async def backtest_hook(call: Endpoint, project_id: str, hook: str, body: BacktestRequest) -> Reply | None:
    """Runs the hook and nothing else; a caller who goes away ends it."""
    backtests = await call.services.backtests.get()
    running: asyncio.Task[Backtest] = asyncio.create_task(backtests.run(project_id, hook, body))
    left = asyncio.create_task(either(call.gone, call.context.closing))
    try:
        await asyncio.wait((running, left), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return Reply(await running)
        if call.gone.is_set():
            return None
        raise Unavailable("The server is shutting down; try again in a moment.", code="SHUTTING_DOWN")
    finally:
        for task in (running, left):
            task.cancel()
        await asyncio.gather(running, left, return_exceptions=True)
