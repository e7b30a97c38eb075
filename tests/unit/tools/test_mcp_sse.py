"""MCP servers over SSE that misbehave, and what such a connection keeps: as `test_mcp_hostile` for pipes."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise

import pytest

from tests.support.hostile_sse import NEVER_READY, hostile_sse
from tests.support.mcp_bench import McpBench
from tests.support.patience import Promised

from .test_web_waits import left_by_all, strangers

WAITS_S = 60


@pytest.mark.parametrize("how", NEVER_READY)
async def test_a_server_that_never_gets_ready_keeps_nobody(tmp_path, how):
    why = NEVER_READY[how]
    start_s = 2 if "within" in why else WAITS_S  # the others are found out, however busy it is
    async with hostile_sse(how) as peer, McpBench(tmp_path, start_s=start_s) as bench:
        bench.add("peer", transport="sse", url=peer.url)
        async with asyncio.timeout(WAITS_S):
            assert await bench.tools("peer") == {}
        [warning] = bench.warnings("MCP_FAILED")
        assert re.search(why, warning["message"]), warning["message"]
        await peer.left()
        assert peer.endless < 64 * 2**20
    assert peer.streams == 1


async def test_what_nobody_asked_for_is_passed_over(tmp_path):
    async with hostile_sse("garbage") as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="sse", url=peer.url)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        for number in range(3):
            assert await bench.text(echo, text=f"n{number}") == f"n{number}"
    assert bench.events == []


async def test_an_answer_without_an_end_costs_its_call_and_the_next_one_is_answered(tmp_path):
    async with hostile_sse() as peer, McpBench(tmp_path, backoff_s=0.01) as bench:
        bench.add("peer", transport="sse", url=peer.url)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        async with asyncio.timeout(WAITS_S):
            assert "exceeded the 16777216 byte limit" in await bench.error(echo, text="endless")
            assert await bench.text(echo, text="after it") == "after it"
        assert 16 * 2**20 < peer.endless < 64 * 2**20
        assert [warning["details"]["attempt"] for warning in bench.warnings("MCP_RECONNECTED")] == [1]


async def test_an_answer_that_cannot_be_read_fails_its_call_at_once(tmp_path):
    async with hostile_sse() as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="sse", url=peer.url)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        async with asyncio.timeout(50):  # the call itself may take 60 s
            assert "cannot be read" in await bench.error(echo, text="deep")
        assert await bench.text(echo, text="after it") == "after it"
        assert peer.streams == 1


@pytest.mark.parametrize("hangs", ["hang", "post hangs"])
async def test_a_call_that_is_cancelled_is_told_to_the_server_and_holds_up_no_other(tmp_path, hangs):
    async with hostile_sse() as peer, McpBench(tmp_path) as bench:
        await bench.cancels_one_of_two(peer, hangs=hangs, most=2)  # the stream, and one for posts
    assert (peer.streams, bench.events) == (1, [])


async def test_a_stream_that_breaks_is_opened_again_three_times_with_longer_and_longer_pauses(tmp_path):
    async with hostile_sse() as peer, McpBench(tmp_path, backoff_s=0.05) as bench:
        bench.add("peer", transport="sse", url=peer.url)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        async with asyncio.timeout(WAITS_S):
            for attempt in range(1, 4):
                error = await bench.error(echo, text="drop")
                assert "the stream of events ended" in error
                assert "not known" in error
                assert await bench.text(echo, text="after it") == "after it"
                told = [warning["details"]["attempt"] for warning in bench.warnings("MCP_RECONNECTED")]
                assert told == list(range(1, attempt + 1))
            await bench.error(echo, text="drop")
            assert "out of reach" in await bench.error(echo, text="never")
        [warning] = bench.warnings("MCP_FAILED")
        assert "lost for this execution" in warning["message"]
    assert peer.streams == 4
    pauses = [later - earlier for earlier, later in pairwise(peer.opened_at)]
    assert all(pause >= 0.05 * 3**n for n, pause in enumerate(pauses)), pauses


async def test_tools_that_change_are_told_and_frozen(tmp_path):
    async with hostile_sse("changes") as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="sse", url=peer.url)
        await bench.hears_of_changes("peer", gone="count")


async def test_the_credentials_go_with_the_stream_and_with_every_post(tmp_path):
    async with hostile_sse() as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="sse", url=peer.url, headers={"Authorization": "Bearer a-token"})
        await bench.text((await bench.tools("peer"))["mcp__peer__echo"], text="x")
    assert len(peer.headers) >= 5
    assert {each.get("authorization") for each in peer.headers} == {"Bearer a-token"}


@pytest.mark.parametrize("how", ["silent", "no-endpoint", "hangs-on-initialize", "drips", "well"])
async def test_stopping_leaves_no_connection_whatever_it_waits_for(tmp_path, how, promised: Promised):
    async with hostile_sse(how) as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="sse", url=peer.url)
        connecting = asyncio.create_task(bench.tools("peer"))
        async with asyncio.timeout(WAITS_S):
            if how == "well":
                hung = asyncio.create_task(bench.error((await connecting)["mcp__peer__echo"], text="hang"))
            while not (peer.sent if how in ("hangs-on-initialize", "well") else peer.streams):
                await asyncio.sleep(0.01)
            with promised(3):
                await bench.servers.close(hurried=True)
            if how == "well":
                assert "went away" in await hung
            else:
                assert await connecting == {}
            await peer.left()


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_handshake_that_is_cancelled_leaves_no_connection_open(tmp_path, transport):
    async with strangers("handshake") as found, McpBench(tmp_path) as bench, asyncio.timeout(WAITS_S):
        [(url, stranger)] = found.items()
        bench.add("peer", transport=transport, url=url)
        connecting = asyncio.create_task(bench.tools("peer"))
        while not stranger.here:
            await asyncio.sleep(0.01)
        await bench.servers.close(hurried=True)
        assert await connecting == {}
        await left_by_all(found)
