"""One open event stream: headers, frames, heartbeat, and every reason to end it.

A stream is a cursor that is pulled as fast as its client reads: nothing is queued here.
It ends when its source does, when the client goes away (without a word, too) or stops
reading, when its key is revoked, when the server shuts down, and after a day. Not here:
what is streamed (`server.stream`), how a silent client is noticed (`server.peers`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from tornado.iostream import StreamClosedError

from ..errors import UnreadableFile
from . import peers

if TYPE_CHECKING:
    from .handler import Endpoint

_log = logging.getLogger("cloutagent.server")

MEDIA_TYPE = "text/event-stream"

KEY_CHECK_S = 3.0
"""Between two looks whether the caller's key still stands: a revoked key's streams end within 5 s."""
_STALLED_S = 17.0
"""How long a client may leave one write unread: its place is free within 20 s."""
_LONGEST_S = 24 * 3600.0
_OPENING = b"retry: 1000\n\n"
"""Milliseconds until a browser connects again."""
_HEARTBEAT = b": still here\n\n"


async def serve(
    endpoint: Endpoint, frames: AsyncGenerator[bytes, None], headers: dict[str, str] | None = None
) -> None:
    """Send `frames` (each whole SSE frames) until one of the ends above. The caller holds a place for it."""
    stream = _Stream(endpoint)
    tasks: list[asyncio.Task[None]] = []
    try:
        peers.watch(stream.connection)
        stream.open(headers or {})
        tasks = [asyncio.create_task(stream.pump(frames)), asyncio.create_task(stream.guard())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        peers.let_be(stream.connection)
    for outcome in ended:
        if isinstance(outcome, UnreadableFile):
            _log.warning("A stream ended: %s", outcome.message)  # who asks for what follows is told so
        elif isinstance(outcome, Exception) and not isinstance(outcome, StreamClosedError):
            raise outcome
    if not endpoint.gone.is_set():
        endpoint.finish()


class _Stream:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._settings = endpoint.services.settings
        self.connection = getattr(endpoint.request.connection, "stream", None)
        self._last_write = time.monotonic()
        self._writing_since: float | None = None
        self._sending = asyncio.Lock()
        self._beat: asyncio.Task[None] | None = None

    def open(self, headers: dict[str, str]) -> None:
        endpoint = self._endpoint
        endpoint.set_header("Content-Type", MEDIA_TYPE)
        endpoint.set_header("Cache-Control", "no-cache, no-store, no-transform")
        endpoint.set_header("X-Accel-Buffering", "no")
        for name, value in headers.items():
            endpoint.set_header(name, value)

    async def pump(self, frames: AsyncGenerator[bytes, None]) -> None:
        await self._send(_OPENING)
        async with aclosing(frames):
            async for frame in frames:
                await self._send(frame)

    async def _send(self, data: bytes) -> None:
        """Returns when the client has taken (almost) everything: this is what holds a cursor back.

        One after another: of two flushes at once Tornado ends only the one that began last.
        """
        async with self._sending:
            self._writing_since = self._last_write = time.monotonic()
            self._endpoint.write(data)
            await self._endpoint.flush()
            self._writing_since = None

    async def guard(self) -> None:
        """Returns when the stream must end."""
        try:
            await self._guard()
        finally:
            if self._beat is not None:
                self._beat.cancel()
                await asyncio.gather(self._beat, return_exceptions=True)

    async def _guard(self) -> None:
        opened = checked = time.monotonic()
        tick = min(1.0, self._settings.heartbeat_s)
        by_key = self._endpoint.caller().kind == "key"
        while not await either(self._endpoint.gone, self._endpoint.context.closing, timeout_s=tick):
            now = time.monotonic()
            if by_key:
                limits, address = self._endpoint.context.gate.limits, self._endpoint.address
                limits.stream_seen(address, self._endpoint.request.path)
            if now - opened > _LONGEST_S:
                return
            if peers.is_gone(self.connection):
                self._drop()
                return
            if self._writing_since is not None:
                if now - self._writing_since > _STALLED_S:
                    self._drop()
                    return
            elif now - self._last_write >= self._settings.heartbeat_s and not self._beating:
                # Not waited for: who reads nothing would keep the guard from seeing that.
                self._beat = asyncio.create_task(self._send(_HEARTBEAT))
            if by_key and now - checked >= KEY_CHECK_S:
                checked = now
                if not await self._endpoint.context.gate.still_valid(self._endpoint.caller()):
                    return

    @property
    def _beating(self) -> bool:
        return self._beat is not None and not self._beat.done()

    def _drop(self) -> None:
        """Cut a client that reads nothing: a polite end would wait for it."""
        if self.connection is not None:
            self.connection.close()
        self._endpoint.gone.set()


async def either(*events: asyncio.Event, timeout_s: float | None = None) -> bool:
    """Whether one of `events` is set within `timeout_s`."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()
