"""Following an execution's events: in order, each once, across cut connections and server restarts.

The server's stream is a cursor into a log on disk, so going on is asking for what comes
after the last id seen. Not here: what events mean.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
from pydantic import ValidationError

from ..errors import CloutError
from ..schema.events import ENDINGS, EVENT, Event
from .transport import Transport, pause, segment

PATIENCE_S = 120.0
"""How long a server may stay silent before following its stream gives up."""
_COMES_BACK = frozenset({"SHUTTING_DOWN", "TOO_MANY_STREAMS", "RATE_LIMITED"})
_BAD_GATEWAY = (502, 503, 504)


class NewerEvent(Event, extra="allow"):
    """An event of a server newer than this client: `type` and all fields are there, unchecked."""

    type: str


def read_event(line: str) -> Any:
    """One event from its line of JSON; fields and types that this client does not know are let through."""
    try:
        return EVENT.validate_json(line, extra="ignore")
    except ValidationError:
        return NewerEvent.model_validate_json(line)


async def follow(
    transport: Transport, execution_id: str, *, from_event: int = 1, patience_s: float = PATIENCE_S
) -> AsyncGenerator[Any, None]:
    """Yield events of `execution_id` with id ≥ `from_event` until the one that ends it.

    A cut connection is taken up again after the last event seen. Raises `Unreachable` when no
    answer came for `patience_s` seconds, and the server's own error where it refuses.
    """
    path = f"v1/executions/{segment(execution_id)}/stream"
    last, attempt = from_event - 1, 0
    failing_since: float | None = None
    while True:
        try:
            async with transport.events(path, after=last) as source:
                if source is None:
                    return
                failing_since = None
                async for frame in source:
                    attempt = 0
                    if not frame.data:
                        continue
                    event = read_event(frame.data)
                    if event.id <= last:
                        continue
                    if event.id != last + 1:
                        break  # never seen from our server; asking again from `last` mends it
                    last = event.id
                    yield event
                    if event.type in ENDINGS:
                        return
        except (httpx2.TransportError, CloutError) as failure:
            if isinstance(failure, CloutError) and not _passes(failure):
                raise
            now = time.monotonic()
            failing_since = now if failing_since is None else failing_since
            if now - failing_since > patience_s:
                raise (
                    failure if isinstance(failure, CloutError) else transport.unreachable(failure)
                ) from failure
        attempt += 1
        await pause(attempt, longest=5.0)


def _passes(error: CloutError) -> bool:
    """Whether the server, or a proxy before it, may answer again when asked later."""
    return error.error_code in _COMES_BACK or int(error.status) in _BAD_GATEWAY
