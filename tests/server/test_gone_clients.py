"""Row F13: clients that vanish without a word (a black hole), and streams that all come back at once (F14).

A client that is gone is one whose system answers nothing any more: a filter on its socket drops all that
comes, so that no word of it, not even an acknowledgement, leaves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from cloutagent_ext.server import peers
from tests.support.patience import Promised

from .caller import DEADLINE_S, Caller, code, frames
from .test_executions import BASH, SLEEPS, until_running
from .test_streams_under_load import many

_SO_ATTACH_FILTER = 26
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)
"""One instruction of a classic BPF program: keep nothing."""


def vanish(client: socket.socket) -> None:
    """From now on nothing reaches `client`, and it answers nothing."""
    program = ctypes.create_string_buffer(_DROP_ALL)
    filter_ = struct.pack("HL", 1, ctypes.addressof(program))
    client.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)


@asynccontextmanager
async def vanishing(server: Caller, path: str) -> AsyncIterator[int]:
    """A client of the stream `path` that reads its first events and then is gone; its port."""
    url = server.http.build_request("GET", server.path(path)).url
    with socket.create_connection((url.host, url.port)) as client:
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        proof = [f"{name}: {value}" for name, value in server.user_headers.items()]
        head = [f"GET {url.raw_path.decode()} HTTP/1.1", f"Host: {url.host}:{url.port}", *proof]
        await loop.sock_sendall(client, "\r\n".join([*head, "", ""]).encode())
        received = b""
        while b"\ndata:" not in received:
            received += await loop.sock_recv(client, 4096)
        vanish(client)
        yield client.getsockname()[1]


def held(server: Caller, port: int) -> list[Any]:
    """Connections of the server to that port."""
    return [
        each
        for each in psutil.Process().net_connections("tcp")
        if each.laddr.port == server.http.base_url.port and each.raddr and each.raddr.port == port
    ]


@pytest.mark.parametrize("settings", [{"heartbeat_s": 1.0}])  # something is always under way to it
async def test_a_client_that_vanishes_frees_its_place_and_its_connection_and_stops_nothing(
    server: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "GONE_S", 2.5)
    monkeypatch.setattr(peers, "_ASK_EVERY_S", 1)
    await _is_noticed(server)


@pytest.mark.nightly
async def test_a_client_that_vanishes_frees_its_place_within_twenty_seconds(
    server: Caller, promised: Promised
) -> None:
    with promised(20 + 2):
        await _is_noticed(server)


async def _is_noticed(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    slots = server.extension.context.streams
    where = f"executions/{execution}/stream"
    async with vanishing(server, where) as one, vanishing(server, f"stream?watch={execution}:1") as tab:
        assert slots.open == 2
        assert held(server, one)
        assert held(server, tab)
        async with asyncio.timeout(DEADLINE_S):
            while slots.open or held(server, one) or held(server, tab):
                await asyncio.sleep(0.05)
    assert (await server.get(f"executions/{execution}"))["status"] == "running"
    await server.call("POST", f"executions/{execution}/cancel")
    assert (await server.events(execution))[-1]["type"] == "cancelled", "and others still read"


async def test_a_connection_that_is_only_quiet_is_kept_and_goes_on_after_its_stream(
    server: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is there and has nothing to say is not taken for one who is gone."""
    monkeypatch.setattr(peers, "GONE_S", 2.5)
    monkeypatch.setattr(peers, "_ASK_EVERY_S", 1)
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    async with asyncio.timeout(DEADLINE_S), server.stream(f"executions/{execution}/stream") as (_, found):
        await anext(found)
        [ours] = [each for each in psutil.Process().net_connections("tcp") if _streams(server, each)]
        probed = time.monotonic()
        while time.monotonic() - probed < 6:  # longer than one who is gone may keep silent
            await asyncio.sleep(0.05)
        assert held(server, ours.laddr.port)
        await server.call("POST", f"executions/{execution}/cancel")
        assert [frame.data async for frame in found][-1]["type"] == "cancelled"


def _streams(server: Caller, connection: Any) -> bool:
    there = connection.raddr and connection.raddr.port == server.http.base_url.port
    return bool(there) and connection.status == "ESTABLISHED"


# ------------------------------------------------------------ a storm of reconnects

CLIENTS = 110
"""Ten more than may stream at once."""
TURNS = 10


class Herd:
    """Clients of one stream that are all cut at once and all come back at once."""

    def __init__(self, server: Caller, http: httpx2.AsyncClient, execution: str) -> None:
        self._server = server
        self._http = http
        self._path = server.path(f"executions/{execution}/stream")
        self.cut = asyncio.Event()
        self.connected = 0
        self.refusals = 0

    async def follow(self) -> list[dict[str, Any]]:
        """Every event that one of them gets, until the last."""
        got: list[dict[str, Any]] = []
        while not got or got[-1]["type"] not in ("complete", "cancelled", "error"):
            headers = self._server.user_headers | ({"Last-Event-ID": str(got[-1]["id"])} if got else {})
            async with self._http.stream("GET", self._path, headers=headers) as response:
                if response.status_code == 503:
                    await response.aread()
                    assert code(response) == "TOO_MANY_STREAMS"
                    assert int(response.headers["Retry-After"]) > 0
                    self.refusals += 1
                    await asyncio.sleep(0.3)  # sooner than it is told to
                    continue
                assert response.status_code == 200, response.status_code
                self.connected += 1
                await self._read(response, got)
        return got

    async def _read(self, response: httpx2.Response, got: list[dict[str, Any]]) -> None:
        async def read() -> None:
            async for frame in frames(response):
                got.append(frame.data)

        reading, cut = asyncio.create_task(read()), asyncio.create_task(self.cut.wait())
        await asyncio.wait((reading, cut), return_when=asyncio.FIRST_COMPLETED)
        for task in (reading, cut):
            task.cancel()
        await asyncio.gather(reading, cut, return_exceptions=True)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("settings", [{"isolation": "off"}])  # the command looks for a file of the test
async def test_a_hundred_streams_that_come_back_at_once_lose_nothing_and_hold_up_nobody(
    server: Caller, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    project = await server.create(**BASH)
    command = f"until [ -e {gate} ]; do sleep 0.1; done"
    waits = {"text": "Ready.", "tools": [{"name": "bash", "as": "a", "input": {"command": command}}]}
    says = [
        {"text": f"Part {n}.", "tools": [{"name": "glob", "as": "g", "input": {"pattern": f"*.{n}"}}]}
        for n in range(TURNS)
    ]
    definition = await server.get(f"projects/{project['id']}")
    definition["agent"] |= {"tools": ["bash", "glob"]}
    assert (await server.call("PUT", f"projects/{project['id']}", json=definition)).status_code == 200
    await server.script(project["id"], waits, *says, {"text": "Done."})
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    slots = server.extension.context.streams
    async with many(server) as http:
        herd = Herd(server, http, execution)
        clients = [asyncio.create_task(herd.follow()) for _ in range(CLIENTS)]
        for storm in range(3):
            async with asyncio.timeout(DEADLINE_S):
                while herd.connected < (storm + 1) * slots.most or slots.open < slots.most:
                    await asyncio.sleep(0.02)
            before, beside = herd.connected, 0
            if storm == 1:
                await asyncio.to_thread(gate.touch)  # the next ones come while events do
            herd.cut.set()
            await asyncio.sleep(0)
            herd.cut.clear()
            async with asyncio.timeout(DEADLINE_S):
                while herd.connected == before or beside < 5:
                    assert (await server.call("GET", "projects")).status_code == 200
                    beside += 1
            if storm == 1:
                break
        async with asyncio.timeout(120):
            logs = await asyncio.gather(*clients)
    assert herd.refusals > 0, "there were more than there is room for"
    log = (await server.get(f"executions/{execution}/events"))["items"]
    assert log[-1]["type"] == "complete", log[-1]
    assert len(log) > 3 * TURNS
    for each in logs:
        assert json.dumps(each) == json.dumps(log), "each event once and in order, however often it came back"
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while slots.open:
                await asyncio.sleep(0.02)
    assert slots.open == 0
