"""What is streamed: one execution's log, or everything that a browser tab watches.

A frame of one execution is `id: N` and one line of JSON, so that `EventSource` resumes
by itself and `onmessage` gets every type. JSON is ASCII without line breaks, so nothing
that a model or tool wrote can forge a frame. Not here: how a stream is kept (`server.sse`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..errors import Expired, InvalidRequest, NotFound, UnreadableFile
from ..schema.query import StreamQuery, WatchQuery
from .reply import Reply
from .sse import serve

if TYPE_CHECKING:
    from ..executions.log import EventLog
    from ..schema.execution import ExecutionState
    from .handler import Endpoint

_LOOK_AGAIN_S = 0.2
"""Pause before one that was let go of is looked for again."""


async def stream_execution(call: Endpoint, execution_id: str, query: StreamQuery) -> Reply | None:
    """From `from_event`, or from the one after `Last-Event-ID`, on and live until the end."""
    with call.context.streams.one():
        return await send(call, execution_id, _last_seen(call) or query.from_event)


async def send(
    call: Endpoint, execution_id: str, from_event: int, headers: dict[str, str] | None = None
) -> Reply | None:
    """The caller holds a place among the streams."""
    log = await call.services.executions.log(execution_id)
    if log.ended and from_event > log.last_id:
        # Nothing can follow: this status is what stops an EventSource for good.
        return Reply(status=HTTPStatus.NO_CONTENT)
    await log.page(from_event, 1)  # damage right there is an answer, not a stream that ends again and again
    await serve(call, _frames(log, from_event), headers)
    return None


def _last_seen(call: Endpoint) -> int | None:
    """The event after the last one that the client saw, by its header."""
    header = (call.header("Last-Event-ID") or "").strip()
    if not header:
        return None
    if not (header.isascii() and header.isdecimal() and len(header) < 16):
        raise InvalidRequest("Last-Event-ID is the id of an event: a whole number.")
    return int(header) + 1


async def _frames(log: EventLog, from_event: int) -> AsyncGenerator[bytes, None]:
    number = from_event
    async with aclosing(log.batches(from_event)) as batches:
        async for lines in batches:
            yield b"".join(b"id: %d\ndata: %b\n\n" % (id_, line) for id_, line in enumerate(lines, number))
            number += len(lines)


# ------------------------------------------------------------ a whole browser tab


async def stream_watched(call: Endpoint, query: WatchQuery) -> None:
    """`{"execution_id", "event"}` of each watched log, and `{"execution_id", "state"}` of every execution."""
    with call.context.streams.one():
        async with _Watched(call, dict(_wishes(query.watch))) as watched:
            await serve(call, watched.frames())


def _wishes(watch: list[str]) -> Iterator[tuple[str, int]]:
    for wish in watch:
        execution_id, _, first = wish.partition(":")
        yield execution_id, max(1, int(first or 1))


class _Watched:
    """Several cursors into one stream. Each waits until its last frame is taken: nothing piles up."""

    def __init__(self, call: Endpoint, wishes: dict[str, int]) -> None:
        self._executions = call.services.executions
        self._wishes = wishes
        self._next: asyncio.Queue[bytes | Exception] = asyncio.Queue(maxsize=1)
        self._sources: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> _Watched:
        """Listens from here on, so that a client that lists after the stream has opened misses nothing."""
        sources = [self._states(), *(self._events(*wish) for wish in self._wishes.items())]
        self._sources = [asyncio.create_task(self._follow(source)) for source in sources]
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for source in self._sources:
            source.cancel()
        await asyncio.gather(*self._sources, return_exceptions=True)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        while True:
            frame = await self._next.get()
            if isinstance(frame, Exception):
                raise frame
            yield frame

    async def _follow(self, source: Coroutine[Any, Any, None]) -> None:
        """A source that breaks ends the whole stream: a tab must not believe that all is quiet."""
        try:
            await source
        except Exception as failure:
            await self._next.put(failure)

    async def _states(self) -> None:
        async with aclosing(self._executions.changes()) as changes:
            async for state in changes:
                await self._next.put(_state_frame(state))

    async def _events(self, execution_id: str, from_event: int) -> None:
        head = b'data: {"execution_id": "%b", "event": ' % execution_id.encode()
        try:
            while not await self._sent(head, log := await self._executions.log(execution_id), from_event):
                # Let go of, and not over: whoever goes on with it writes it through another log.
                from_event = max(from_event, log.last_id + 1)
                await asyncio.sleep(_LOOK_AGAIN_S)
        except (NotFound, Expired, UnreadableFile) as error:
            # One log that is gone or damaged must not cost the tab all others.
            await self._next.put(_frame({"execution_id": execution_id, **error.envelope()}))

    async def _sent(self, head: bytes, log: EventLog, from_event: int) -> bool:
        """Send what `log` holds and gets; whether nothing can follow."""
        async with aclosing(log.batches(from_event)) as batches:
            async for lines in batches:
                await self._next.put(b"".join(head + line + b"}\n\n" for line in lines))
        return log.ended


def _state_frame(state: ExecutionState) -> bytes:
    return _frame({"execution_id": state.execution_id, "state": state.model_dump(mode="json")})


def _frame(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
