"""As many streams as there may be, and readers that stop reading: who reads is not held up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from cloutagent_ext.executions import logfile
from cloutagent_ext.executions.encode import line
from cloutagent_ext.server import sse

from .caller import DEADLINE_S, Caller, code, frames
from .test_executions import BASH, SLEEPS, until_running

EVENTS = 3000
STALLED = 10


@asynccontextmanager
async def many(server: Caller) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a limit of its own."""
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(
        base_url=server.http.base_url, trust_env=False, timeout=60, limits=limits
    ) as http:
        yield http


async def test_a_hundred_streams_are_kept_and_the_next_one_is_told_when_to_come_back(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    one, tab = server.path(f"executions/{execution}/stream"), server.path("stream")
    async with many(server) as http, AsyncExitStack() as stack:

        async def opened(number: int) -> httpx2.Response:
            path, watch = (one, None) if number % 2 else (tab, {"watch": f"{execution}:1"})
            return await stack.enter_async_context(
                http.stream("GET", path, params=watch, headers=server.user_headers)
            )

        responses = [await opened(number) for number in range(100)]
        assert {response.status_code for response in responses} == {200}
        for path in (one, tab):
            refused = await http.get(path, headers=server.user_headers)
            assert (refused.status_code, code(refused)) == (503, "TOO_MANY_STREAMS")
            assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert (await http.get(server.path("projects"), headers=server.user_headers)).status_code == 200
        await responses.pop(0).aclose()
        slots = server.extension.context.streams
        async with asyncio.timeout(DEADLINE_S):
            while slots.open == 100:
                await asyncio.sleep(0.02)
        responses.append(await opened(1))
        assert responses[-1].status_code == 200
        reading = [asyncio.create_task(_until_over(response)) for response in responses]
        await server.call("POST", f"executions/{execution}/cancel")
        async with asyncio.timeout(DEADLINE_S):
            logs = await asyncio.gather(*reading)
    log = (await server.get(f"executions/{execution}/events"))["items"]
    assert all(each == log for each in logs)


async def _until_over(response: httpx2.Response) -> list[dict[str, Any]]:
    events = []
    async for frame in frames(response):
        event = frame.data.get("event", None if "state" in frame.data else frame.data)
        if event is not None:
            events.append(event)
            if event["type"] == "cancelled":
                break
    return events


def _fill(path: Path) -> None:
    """A log of 30 MB in the place of a short one: what an execution of hours leaves."""
    common = {"ts": "2026-11-22T08:00:00.000Z", "agent": "main", "span": "main"}
    with path.open("wb") as file:
        for number in range(1, EVENTS):
            event = {"id": number, "type": "text", **common, "content": f"{number} " * 2000}
            file.write(logfile.sealed(line(event)[:-1]))
        end = {"id": EVENTS, "type": "complete", **common, "usage": {}, "total_cost_usd": 0.0}
        file.write(logfile.sealed(line(end | {"duration_ms": 1, "result": None})[:-1]))


async def _stall(server: Caller, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, int]:
    """Reads a little of a stream, then nothing; the id of the last event that came whole."""
    url = server.http.build_request("GET", server.path(path)).url
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (url.host, url.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    head = (f"GET {url.raw_path.decode()} HTTP/1.1", f"Host: {url.host}:{url.port}")
    proof = [f"{name}: {value}" for name, value in server.user_headers.items()]
    writer.write("\r\n".join([*head, *proof, "", ""]).encode())
    received = b""
    while received.count(b"\n\nid:") < 2:
        received += await reader.read(4096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return reader, writer, 1


@pytest.mark.timeout(180)
async def test_readers_that_stall_are_dropped_cost_little_and_can_go_on_where_they_were(
    server: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_STALLED_S", 3.0)
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    [path] = server.extension.services.settings.data_dir.glob(f"projects/*/executions/{execution}")
    await asyncio.to_thread(_fill, path / "events.jsonl")
    assert (path / "events.jsonl").stat().st_size > 25_000_000
    process = psutil.Process(os.getpid())
    before = process.memory_info().rss
    where = f"executions/{execution}/stream"
    stalled = [await _stall(server, where) for _ in range(STALLED)]
    slots = server.extension.context.streams
    assert slots.open == STALLED
    ids = []
    async with server.stream(where) as (_, found):
        async for frame in found:
            ids.append(frame.id)
            if len(ids) == 500:
                assert process.memory_info().rss - before < 48 * 1024 * 1024, "ten logs of 25 MB are not held"
    assert ids == list(range(1, EVENTS + 1)), "beside the stalled ones"
    async with asyncio.timeout(60):
        while slots.open:
            await asyncio.sleep(0.05)
    for reader, writer, last in stalled[:3]:
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        left = 0
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65536):
                    left += len(data)
        assert left < 8 * 1024 * 1024, "its connection was cut, not served to its end"
        rest = []
        async with server.stream(where, headers={"Last-Event-ID": str(last)}) as (_, found):
            async for frame in found:
                rest.append(frame.id)
                if len(rest) == 300:
                    break
        assert rest == list(range(last + 1, last + 301))
    for _, writer, _ in stalled:
        writer.close()


async def test_a_damaged_log_ends_its_stream_at_the_damage_and_a_poller_is_told(server: Caller) -> None:
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    [path] = server.extension.services.settings.data_dir.glob(f"projects/*/executions/{execution}")
    log = path / "events.jsonl"
    lines = (await asyncio.to_thread(log.read_bytes)).splitlines(keepends=True)
    assert len(lines) >= 4
    broken = lines[2].replace(b"a", b"b", 1)
    await asyncio.to_thread(log.write_bytes, b"".join([*lines[:2], broken, *lines[3:]]))
    where = f"executions/{execution}/stream"
    assert [event["id"] for event in await server.events(execution)] == [1, 2]
    told = await server.call("GET", where, headers={"Last-Event-ID": "2"})
    assert (told.status_code, code(told)) == (409, "UNREADABLE_FILE"), "which stops an EventSource"
    first = await server.get(f"executions/{execution}/events")
    assert ([event["id"] for event in first["items"]], first["next_cursor"]) == ([1, 2], "3")
    page = await server.call("GET", f"executions/{execution}/events?from_event=3")
    assert (page.status_code, code(page)) == (409, "UNREADABLE_FILE")
    assert page.json()["error"]["details"]["line"] == 3
    behind = (await server.get(f"executions/{execution}/events?from_event=4"))["items"]
    assert [event["id"] for event in behind] == [json.loads(each)["id"] for each in lines[3:]]
    other = await server.execute(project["id"])
    watch = {"watch": [f"{execution}:1", f"{other}:1"]}
    got: list[dict[str, Any]] = []
    async with asyncio.timeout(DEADLINE_S), server.stream("stream", params=watch) as (_, found):
        async for frame in found:
            got.append(frame.data)
            damaged = any("error" in each for each in got)
            if damaged and any(each.get("event", {}).get("type") == "complete" for each in got):
                break
    assert [each["event"]["id"] for each in got if each["execution_id"] == execution and "event" in each] == [
        1, 2,
    ]  # fmt: skip
