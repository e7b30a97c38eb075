"""What the dashboard draws, and pins. Not here: how it is counted (`executions.metrics`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..schema.query import MetricsQuery
from .reply import Reply
from .route import Nothing

if TYPE_CHECKING:
    from .handler import Endpoint


async def read_metrics(call: Endpoint, query: MetricsQuery) -> Reply:
    streams = call.context.streams
    metering = call.services.executions.books.metering
    return Reply(await metering.metrics(query, streams=streams.open, max_streams=streams.most))


async def pin_execution(call: Endpoint, execution_id: str, body: Nothing) -> Reply:
    """Keep it, whatever the retention says, until it is unpinned or deleted."""
    await call.services.executions.books.retention.pin(execution_id, True)
    return Reply(await call.services.executions.state(execution_id))


async def unpin_execution(call: Endpoint, execution_id: str) -> Reply:
    await call.services.executions.books.retention.pin(execution_id, False)
    return Reply(await call.services.executions.state(execution_id))
