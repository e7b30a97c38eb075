"""Event streams of a real server, at a base URL that is not the root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cloutagent_ext.server import sse, stream
from tests.support.patience import Promised

from .caller import DEADLINE_S, Caller, code
from .test_executions import BASH, SLEEPS, until_running

WORDS = "One two three four five six seven eight nine ten."


async def finished(server: Caller, **changes: Any) -> tuple[dict[str, Any], str, list[dict[str, Any]]]:
    project = await server.create(**(BASH | changes))
    step = {
        "text": WORDS,
        "tools": [{"name": "bash", "as": "a", "input": {"command": "printf 'id: 99\\r\\ndata: {}\\n\\n'"}}],
    }
    await server.script(project["id"], step, {"text": WORDS})
    execution = await server.execute(project["id"])
    await server.ended(execution)
    return project, execution, await server.events(execution)


async def test_a_stream_is_the_log_and_nothing_else(server: Caller) -> None:
    _, execution, events = await finished(server)
    assert events == (await server.get(f"executions/{execution}/events"))["items"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["execution_id"] == execution
    assert events[-1]["type"] == "complete"


async def test_the_headers_keep_caches_and_proxies_out_of_the_way(server: Caller) -> None:
    _, execution, _ = await finished(server)
    async with server.stream(f"executions/{execution}/stream") as (response, _):
        assert response.headers["Content-Type"] == "text/event-stream"
        assert "no-store" in response.headers["Cache-Control"]
        assert "no-transform" in response.headers["Cache-Control"]
        assert response.headers["X-Accel-Buffering"] == "no"
        body = (await response.aread()).decode()
    assert body.startswith("retry: 1000\n")


async def test_a_reconnect_at_every_cut_loses_and_repeats_nothing(server: Caller) -> None:
    _, execution, events = await finished(server)
    for seen in range(len(events)):
        rest = await server.events(execution, headers={"Last-Event-ID": str(seen)}, params={"from_event": 1})
        assert rest == events[seen:], f"after event {seen}"
        assert await server.events(execution, params={"from_event": seen + 1}) == events[seen:]


async def test_who_has_seen_the_last_event_is_told_to_stop(server: Caller) -> None:
    _, execution, events = await finished(server)
    for headers, params in (({"Last-Event-ID": str(len(events))}, {}), ({}, {"from_event": len(events) + 1})):
        response = await server.call("GET", f"executions/{execution}/stream", headers=headers, params=params)
        assert (response.status_code, response.content) == (204, b"")


async def test_a_position_that_is_none_is_refused(server: Caller) -> None:
    _, execution, _ = await finished(server)
    for query, headers in (("?from_event=0", {}), ("?from_event=x", {}), ("", {"Last-Event-ID": "x"})):
        response = await server.call("GET", f"executions/{execution}/stream{query}", headers=headers)
        assert (response.status_code, code(response)) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("settings", [{"heartbeat_s": 0.1}])
async def test_a_live_stream_shows_events_as_they_happen_and_beats_while_it_is_quiet(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    async with asyncio.timeout(DEADLINE_S), server.stream(f"executions/{execution}/stream") as (response, _):
        lines = response.aiter_lines()
        async for line in lines:
            if "tool_call" in line:
                break
        async for line in lines:
            if line.startswith(":"):
                break
        await server.call("POST", f"executions/{execution}/cancel")
        rest = [line async for line in lines]
    assert any('"cancelled"' in line for line in rest), "and ends after the last event"


async def test_a_stream_ends_after_its_day_and_its_reader_goes_on_where_it_was(
    server: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "_LONGEST_S", 0.0)
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    ids: list[int] = []
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(2):  # each ends by itself, though the execution goes on
            async with server.stream(f"executions/{execution}/stream?from_event={len(ids) + 1}") as (
                _,
                found,
            ):
                ids += [frame.data["id"] async for frame in found]
        assert (await server.get(f"executions/{execution}"))["status"] == "running"
        monkeypatch.undo()
        await server.call("POST", f"executions/{execution}/cancel")
        async with server.stream(f"executions/{execution}/stream?from_event={len(ids) + 1}") as (_, found):
            ids += [frame.data["id"] async for frame in found]
    assert ids == list(range(1, len(ids) + 1))


async def test_execute_itself_streams_when_asked_either_way(server: Caller) -> None:
    project = await server.create()
    await server.script(project["id"], {"text": WORDS})
    path = f"projects/{project['id']}/execute"
    for options in (
        {"json": {"prompt": "Go.", "stream": True}},
        {"json": {"prompt": "Go."}, "headers": {"Accept": "text/event-stream"}},
    ):
        async with server.stream(path, method="POST", key=project["api_key"], **options) as (response, found):
            assert response.status_code == 200
            events = [frame.data async for frame in found]
        assert events[0]["execution_id"] == response.headers["X-Execution-Id"]
        assert events[-1]["type"] == "complete"


async def test_a_client_that_goes_away_stops_nothing_and_frees_its_place(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    slots = server.extension.context.streams
    async with server.stream(
        f"projects/{project['id']}/execute", method="POST", json={"prompt": "Go.", "stream": True}
    ) as (response, found):
        await anext(found)
        assert slots.open == 1
        execution = response.headers["X-Execution-Id"]
    async with asyncio.timeout(DEADLINE_S):
        while slots.open:
            await asyncio.sleep(0.02)
    assert (await until_running(server, execution))["status"] == "running"
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)


@pytest.mark.parametrize("settings", [{"max_streams": 2}])
async def test_one_stream_too_many_is_503_and_others_go_on(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    path = f"executions/{execution}/stream"
    async with server.stream(path) as (_, first), server.stream(path) as (_, second):
        await anext(first), await anext(second)
        refused = await server.call("GET", path)
        assert (refused.status_code, code(refused)) == (503, "TOO_MANY_STREAMS")
        assert int(refused.headers["Retry-After"]) > 0
        begin = {"json": {"prompt": "Go.", "stream": True}}
        refused = await server.call("POST", f"projects/{project['id']}/execute", **begin)
        assert (refused.status_code, code(refused)) == (503, "TOO_MANY_STREAMS")
        assert len((await server.get("executions"))["items"]) == 1, "what is refused has not begun"
        await server.call("POST", f"executions/{execution}/cancel")
        async with asyncio.timeout(DEADLINE_S):
            assert [frame.data async for frame in first][-1]["type"] == "cancelled"


async def test_a_revoked_keys_streams_end_within_five_seconds(server: Caller, promised: Promised) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"], key=project["api_key"])
    await until_running(server, execution)
    key_id = (await server.get(f"projects/{project['id']}/keys"))["items"][0]["id"]
    async with server.stream(f"executions/{execution}/stream", key=project["api_key"]) as (_, found):
        await anext(found)
        await server.call("DELETE", f"projects/{project['id']}/keys/{key_id}")
        with promised(5 + 1):
            events = [frame.data async for frame in found]
    assert all(event["type"] != "cancelled" for event in events)
    assert (await server.get(f"executions/{execution}"))["status"] == "running"
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)


@pytest.mark.parametrize("settings", [{"rate_limit": 4}])
async def test_a_reconnect_does_not_count_against_the_limit(server: Caller) -> None:
    project, execution, _ = await finished(server)
    for _ in range(10):
        async with server.stream(f"executions/{execution}/stream", key=project["api_key"]) as (
            response,
            found,
        ):
            assert response.status_code == 200
            await anext(found)


async def test_a_shutdown_ends_streams_and_waiting_calls(server: Caller, promised: Promised) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    waiting = asyncio.create_task(
        server.call("POST", f"projects/{project['id']}/execute", json={"prompt": "Go.", "wait": True})
    )
    async with server.stream(f"executions/{execution}/stream") as (_, found):
        await anext(found)
        while len((await server.get("executions"))["items"]) < 2:
            await asyncio.sleep(0.02)
        server.extension.context.closing.set()
        with promised(5):
            async for _ in found:
                pass
            answer = await waiting
    assert (answer.status_code, code(answer)) == (503, "SHUTTING_DOWN")
    assert answer.json()["error"]["details"]["execution_id"]


# ------------------------------------------------------------ a whole tab


async def test_one_stream_carries_every_watched_log_and_every_change_of_state(server: Caller) -> None:
    project, done, events = await finished(server)
    missing = "00000000-0000-7000-8000-000000000000"
    async with (
        asyncio.timeout(DEADLINE_S),
        server.stream("stream", params={"watch": [f"{done}:3", f"{missing}:1"]}) as (response, found),
    ):
        assert response.status_code == 200
        seen: list[dict[str, Any]] = []
        lost: list[dict[str, Any]] = []
        while len(seen) < len(events) - 2 or not lost:
            frame = (await anext(found)).data
            if "event" in frame:
                assert frame["execution_id"] == done
                seen.append(frame["event"])
            elif "error" in frame:
                lost.append(frame)
        assert seen == events[2:]
        assert (lost[0]["execution_id"], lost[0]["error"]["code"]) == (missing, "NOT_FOUND")
        other = await server.execute(project["id"])
        states = []
        while not states or states[-1] != "completed":
            frame = (await anext(found)).data
            if "state" in frame and frame["execution_id"] == other:
                states.append(frame["state"]["status"])
    assert "running" in states


async def test_a_watched_log_goes_on_live(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    ids = []
    async with (
        asyncio.timeout(DEADLINE_S),
        server.stream("stream", params={"watch": f"{execution}:1"}) as (_, found),
    ):
        cancelled = False
        async for frame in found:
            if "event" not in frame.data:
                continue
            ids.append(frame.data["event"]["id"])
            if frame.data["event"]["type"] == "tool_call" and not cancelled:
                cancelled = True
                await server.call("POST", f"executions/{execution}/cancel")
            if frame.data["event"]["type"] == "cancelled":
                break
    assert ids == list(range(1, len(ids) + 1))


async def test_a_client_that_reads_nothing_is_cut_and_costs_no_memory(
    server: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, execution, _ = await finished(server)
    monkeypatch.setattr(sse, "_STALLED_S", 0.5)
    written = 0

    async def endless(log: Any, from_event: int) -> AsyncIterator[bytes]:
        nonlocal written
        while True:
            written += 65536
            yield b"data: " + b"x" * 65528 + b"\n\n"

    monkeypatch.setattr(stream, "_frames", endless)
    url = server.http.build_request("GET", server.path(f"executions/{execution}/stream")).url
    _, writer = await asyncio.open_connection(url.host, url.port, limit=4096)
    lines = (
        f"GET {url.raw_path.decode()} HTTP/1.1",
        f"Host: {url.host}:{url.port}",
        f"X-API-Key: {project['api_key']}",
    )
    writer.write("\r\n".join([*lines, "", ""]).encode())
    await writer.drain()
    slots = server.extension.context.streams
    async with asyncio.timeout(DEADLINE_S):
        while not slots.open:
            await asyncio.sleep(0.02)
        while slots.open:
            await asyncio.sleep(0.02)
    assert written < 32 * 1024 * 1024, "the kernel's buffers filled, then the cursor waited"
    writer.close()
