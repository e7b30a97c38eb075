"""What one tool call is handed of its execution (`ports.ToolContext`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..schema.base import JsonObject
from ..schema.events import WarningCode
from .context import Run
from .ports import ToolContext
from .scope import Scope


def tool_context(
    run: Run,
    scope: Scope,
    span: str,
    call_id: str,
    *,
    keep: JsonObject | None = None,
    alive: Callable[[], None] = lambda: None,
) -> ToolContext:
    """For the call `call_id` of the turn `span`; nothing is started by it. `keep`: see there."""
    return ToolContext(
        execution_id=run.job.execution_id,
        agent=scope.agent,
        call_id=call_id,
        span=f"{span}/{call_id}",
        workspace=run.job.workspace,
        env=run.job.env,
        warn=_warner(run, scope, f"{span}/{call_id}"),
        folders=run.job.folders,
        network=run.job.definition.agent.network,
        mask=run.job.mask,
        keep={} if keep is None else keep,
        alive=alive,
        shown=run.shown.get(f"{span}/{call_id}"),
    )


def _warner(run: Run, scope: Scope, span: str) -> Callable[[WarningCode, str], Awaitable[None]]:
    async def warn(code: WarningCode, message: str) -> None:
        await run.warn(code, message, agent=scope.agent, span=span)

    return warn
