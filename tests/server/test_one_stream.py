"""One stream whose client reads nothing, not even heartbeats: with Tornado's own server and small buffers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from cloutagent_ext.server import sse

from .caller import DEADLINE_S


class Quiet(RequestHandler):
    """A stream on which nothing happens, with a heart that beats fast."""

    def initialize(self, ended: asyncio.Event) -> None:
        self.ended = ended
        self.gone, self.address = asyncio.Event(), "127.0.0.1"
        self.services = SimpleNamespace(settings=SimpleNamespace(heartbeat_s=0.001))
        slots = SimpleNamespace(one=contextlib.nullcontext)
        self.context = SimpleNamespace(closing=asyncio.Event(), streams=slots)

    def caller(self) -> Any:
        return SimpleNamespace(kind="user")

    async def frames(self) -> AsyncGenerator[bytes, None]:
        await asyncio.Event().wait()
        yield b""

    async def get(self) -> None:
        try:
            await sse.serve(self, self.frames())  # type: ignore[arg-type]
        finally:
            self.ended.set()


async def test_a_client_that_does_not_even_take_heartbeats_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_STALLED_S", 0.3)
    ended = asyncio.Event()
    server = HTTPServer(Application([("/", Quiet, {"ended": ended})]))
    [listening] = bind_sockets(0, "127.0.0.1")
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    server.add_sockets([listening])
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, listening.getsockname())
        await asyncio.get_running_loop().sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            await ended.wait()
    server.stop()
    await server.close_all_connections()
