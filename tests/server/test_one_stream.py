"""One stream's heart beats on, whatever comes in the same moment: with Tornado's own server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from cloutagent_ext.server import sse

from .caller import DEADLINE_S


class Beating(RequestHandler):
    """A stream whose source speaks in the very moment of each heartbeat."""

    def initialize(self) -> None:
        self.gone, self.address = asyncio.Event(), "127.0.0.1"
        self.services = SimpleNamespace(settings=SimpleNamespace(heartbeat_s=0.02))
        slots = SimpleNamespace(take=lambda: None, free=lambda: None)
        self.context = SimpleNamespace(closing=asyncio.Event(), streams=slots)
        self.beaten = asyncio.Event()

    def caller(self) -> Any:
        return SimpleNamespace(kind="user")

    def on_connection_close(self) -> None:
        self.gone.set()

    def write(self, chunk: Any) -> None:
        super().write(chunk)
        if chunk == sse._HEARTBEAT:
            self.beaten.set()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        while True:
            await self.beaten.wait()
            self.beaten.clear()
            yield b"data: {}\n\n"

    async def get(self) -> None:
        await sse.serve(self, self.frames())  # type: ignore[arg-type]


async def test_a_frame_in_the_moment_of_a_heartbeat_does_not_stop_the_heart() -> None:
    server = HTTPServer(Application([("/", Beating)]))
    [listening] = bind_sockets(0, "127.0.0.1")
    server.add_sockets([listening])
    reader, writer = await asyncio.open_connection(*listening.getsockname())
    try:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        beats = 0
        async with asyncio.timeout(DEADLINE_S):
            while beats < 5:
                beats += (await reader.readline()).startswith(b":")
    finally:
        writer.close()
        server.stop()
        await server.close_all_connections()
