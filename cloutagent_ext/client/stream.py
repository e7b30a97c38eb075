"""Following an execution's events: in order, each once, across cut connections and server restarts.

The server's stream is a cursor into a log on disk, so going on is asking for what comes
after the last id seen. Where a proxy holds streams back until they end, the same log is read page
by page. Not here: what events mean.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import httpx2
from pydantic import ValidationError

from ..errors import CloutError, Unreachable
from ..schema.events import ENDINGS, EVENT, Event
from ..schema.execution import ENDED, ExecutionState
from .transport import Transport, pause, segment

PATIENCE_S = 120.0
"""How long a server may stay silent before following its stream gives up."""
QUIET_S = 6.0
"""Silence after which a stream that was just opened counts as held back."""
POLL_S, LONGEST_POLL_S = 0.25, 3.0
"""Between two looks at a log whose stream is held back: at first, and when nothing happens."""
ALIVE, OVER = object(), object()
"""In place of an event: the server answers; nothing can follow."""
_COMES_BACK = frozenset({"SHUTTING_DOWN", "TOO_MANY_STREAMS", "RATE_LIMITED"})
_BAD_GATEWAY = (502, 503, 504)


class HeldBack(Exception):
    """A stream is open and nothing comes: something on the way waits for its end."""


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
    transport: Transport,
    execution_id: str,
    *,
    from_event: int = 1,
    patience_s: float = PATIENCE_S,
    quiet_s: float = QUIET_S,
) -> AsyncGenerator[Any, None]:
    """Yield events of `execution_id` with id ≥ `from_event` until the one that ends it.

    A cut connection is taken up again after the last event seen; where nothing comes for `quiet_s`
    seconds, the log is read page by page instead. Raises `Unreachable` when no answer came for
    `patience_s` seconds, and the server's own error where it refuses.
    """
    path = f"v1/executions/{segment(execution_id)}"
    last, attempt = max(from_event, 1) - 1, 0
    failing_since: float | None = None
    while True:
        held = time.monotonic() < transport.held_until
        source = _polled(transport, path, last) if held else _streamed(transport, path, last, quiet_s)
        try:
            async with aclosing(source) as events:
                async for event in events:
                    failing_since = None
                    if event is OVER:
                        return
                    if event is ALIVE or event.id <= last:
                        continue
                    if event.id != last + 1:
                        break  # never seen from our server; asking again from `last` mends it
                    last, attempt = event.id, 0
                    yield event
                    if event.type in ENDINGS:
                        return
        except HeldBack:
            transport.held_back()
            continue
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


async def _streamed(transport: Transport, path: str, after: int, quiet_s: float) -> AsyncGenerator[Any, None]:
    """Events after `after` as the server sends them. Raises `HeldBack`.

    A server speaks as soon as a stream is open, and every few seconds from then on.
    """
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(quiet_s):
                opened = await stack.enter_async_context(transport.events(f"{path}/stream", after=after))
                if opened is None:
                    frames = None
                else:
                    frames = aiter(opened)
                    frame = await anext(frames, None)
        except TimeoutError as silence:
            raise HeldBack from silence
        if frames is None:
            yield OVER
            return
        transport.passes()
        yield ALIVE
        try:
            while frame is not None:
                if frame.data:
                    yield read_event(frame.data)
                frame = await anext(frames, None)
        except httpx2.ReadTimeout as silence:
            raise HeldBack from silence


async def _polled(transport: Transport, path: str, after: int) -> AsyncGenerator[Any, None]:
    """Events after `after`, asked for again and again, until it is time to try a stream."""
    idle, heard = 0, False
    while time.monotonic() < transport.held_until:
        page = await transport.json("GET", f"{path}/events", params={"from_event": after + 1}, tries=1)
        yield ALIVE
        for item in page["items"]:
            event = read_event(json.dumps(item))
            yield event
            after, heard, idle = event.id, True, 0
        if page["items"]:
            continue
        if not heard:  # its last event may be one that was seen long ago
            state = ExecutionState.model_validate(await transport.json("GET", path, tries=1), extra="ignore")
            if state.status in ENDED and state.last_event_id <= after:
                yield OVER
                return
        await asyncio.sleep(min(LONGEST_POLL_S, POLL_S * 2**idle))
        idle += 1


def _passes(error: CloutError) -> bool:
    """Whether the server, or a proxy before it, may answer again when asked later."""
    return (
        isinstance(error, Unreachable) or error.error_code in _COMES_BACK or int(error.status) in _BAD_GATEWAY
    )
