"""One stream by itself: its client reads nothing, with Tornado's own server; what it follows is let go of."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from cloutagent_ext.errors import NotFound
from cloutagent_ext.schema.execution import ResumeRequest
from cloutagent_ext.server import sse
from cloutagent_ext.server.stream import _Watched
from tests.support.held_threads import HeldThreads
from tests.unit.executions.conftest import USER, Opens
from tests.unit.executions.conftest import open_office as open_office
from tests.unit.executions.test_interleavings import ALLOW, interrupted
from tests.unit.executions.test_queue import open_

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


async def test_a_tab_goes_on_with_what_was_let_go_of_in_that_moment_when_somebody_resumes_it(
    open_office: Opens, tmp_path: Path
) -> None:
    """It had looked at a log that was being closed, and showed nothing of what came afterwards."""
    office, execution_id = await interrupted(open_office, tmp_path / "gate")
    released = HeldThreads().before("release")
    wrong = asyncio.create_task(office.executions.decide(execution_id, "toolu_none", ALLOW))
    await released.reached()
    call: Any = SimpleNamespace(services=SimpleNamespace(executions=office.executions))
    ids: list[int] = []
    async with asyncio.timeout(DEADLINE_S), _Watched(call, {execution_id: 1}) as watched:
        async for frame in watched.frames():
            told = [json.loads(line.removeprefix("data: ")) for line in frame.decode().splitlines() if line]
            events = [each["event"] for each in told if "event" in each]
            ids += [event["id"] for event in events]
            kinds = {event["type"] for event in events}
            if "interrupted" in kinds:
                released.go()
                with pytest.raises(NotFound):
                    await wrong
                await open_(tmp_path / "gate")
                await office.executions.resume(execution_id, ResumeRequest(), principal=USER)
            if "complete" in kinds:
                break
    assert ids == list(range(1, len(ids) + 1))
