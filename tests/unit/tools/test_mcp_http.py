"""MCP servers over streamable HTTP that misbehave, and what such a connection keeps: as `test_mcp_sse`."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from tests.support.hostile_http import NEVER_READY, hostile_http
from tests.support.mcp_bench import McpBench
from tests.support.patience import Promised

WAITS_S = 60


@pytest.mark.parametrize("how", NEVER_READY)
async def test_a_server_that_never_gets_ready_keeps_nobody(tmp_path, how):
    why = NEVER_READY[how]
    start_s = 2 if "within" in why else WAITS_S  # the others are found out, however busy it is
    async with hostile_http(how) as peer, McpBench(tmp_path, start_s=start_s) as bench:
        bench.add("peer", transport="http", url=peer.url)
        async with asyncio.timeout(WAITS_S):
            tools = await bench.tools("peer")
        if how == "pages-without-end":
            assert len(tools) == 500
            assert "more than fit" in bench.warnings("MCP_TOOLS_LEFT_OUT")[0]["message"]
            await bench.servers.close()
        else:
            assert tools == {}
            [warning] = bench.warnings("MCP_FAILED")
            assert re.search(why, warning["message"]), warning["message"]
        await peer.left()
        assert peer.endless < 64 * 2**20
        assert peer.methods().count("initialize") < 30


async def test_what_nobody_asked_for_is_passed_over(tmp_path):
    async with hostile_http() as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url=peer.url)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        for number in range(3):
            assert await bench.text(echo, text="garbage") == "garbage"
            assert await bench.text(echo, text=f"n{number}") == f"n{number}"
    assert bench.events == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("endless json", "longer than 16 MiB"),
        ("endless events", "exceeded the 16777216 byte limit"),
        ("deep json", "parse"),
        ("deep events", "parse"),
        ("nothing", "parse"),
    ],
)
async def test_an_answer_that_cannot_be_read_costs_its_call_alone_and_at_once(tmp_path, text, why):
    async with hostile_http() as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url=peer.url)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        beside = asyncio.create_task(bench.error(echo, text="hang"))
        async with asyncio.timeout(50):  # the call itself may take 60 s
            error = await bench.error(echo, text=text)
            assert why in error
            assert len(error) < 3000
        assert await bench.text(echo, text="after it") == "after it"
        assert peer.endless < 64 * 2**20
        assert not beside.done()
        assert bench.events == []
        await bench.servers.close(hurried=True)
        await beside


async def test_an_answer_to_another_call_is_no_answer_and_the_call_ends_in_time(tmp_path, promised: Promised):
    async with hostile_http() as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url=peer.url, timeout_s=2)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        with promised(3):
            assert "did not answer within 2 s" in await bench.error(echo, text="another's")
        assert await bench.text(echo, text="after it") == "after it"
    assert bench.events == []


@pytest.mark.parametrize("notices", ["well", "hangs-on-notices", "drops-notices"])
@pytest.mark.parametrize("hangs", ["hang", "stream hangs"])
async def test_a_call_that_is_cancelled_is_told_to_the_server_and_holds_up_no_other(tmp_path, hangs, notices):
    # The stream for what nobody asked, and one connection for posts: that of the call is given back.
    most = 2 if notices == "well" else None
    async with hostile_http(notices) as peer, McpBench(tmp_path) as bench:
        await bench.cancels_one_of_two(peer, hangs=hangs, most=most)
    assert bench.events == []
    await peer.left()


async def test_a_hundred_calls_that_hang_do_not_use_up_the_connections(tmp_path):
    async with hostile_http() as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url=peer.url, timeout_s=1)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        for _ in range(3):
            said = await asyncio.gather(*(bench.error(echo, text="hang") for _ in range(40)))
            assert all("within 1 s" in each for each in said)
        await peer.left(most=30)  # some are kept for the next calls
        assert await bench.text(echo, text="after them") == "after them"
    assert bench.events == []


async def test_a_connection_that_breaks_is_made_again_three_times_and_then_lost(tmp_path):
    async with hostile_http() as peer, McpBench(tmp_path, backoff_s=0.05) as bench:
        bench.add("peer", transport="http", url=peer.url)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        async with asyncio.timeout(WAITS_S):
            for attempt, text in enumerate(["drop", "forget", "ends without an answer"], 1):
                error = await bench.error(echo, text=text)
                assert "went away before it answered" in error
                assert "not known" in error
                assert await bench.text(echo, text="after it") == "after it"
                told = [warning["details"]["attempt"] for warning in bench.warnings("MCP_RECONNECTED")]
                assert told == list(range(1, attempt + 1))
            await bench.error(echo, text="drop")
            assert "out of reach" in await bench.error(echo, text="never")
        [warning] = bench.warnings("MCP_FAILED")
        assert "lost for this execution" in warning["message"]
    assert peer.session == 4


@pytest.mark.parametrize("how", ["ends-streams", "well"])
async def test_a_stream_that_ends_at_once_is_not_opened_without_end(tmp_path, how):
    """The server's own word is that it be opened again after 0 ms: its stream, or that of an answer."""
    async with hostile_http(how) as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url=peer.url, timeout_s=2)
        echo = (await bench.tools("peer"))["mcp__peer__echo"]
        began = time.monotonic()
        if how == "well":
            peer.how = "ends-streams"
            assert "within 2 s" in await bench.error(echo, text="ends again and again")
        else:
            async with asyncio.timeout(WAITS_S):
                while peer.verbs.count("GET") < 8:
                    await asyncio.sleep(0.01)
            for number in range(20):
                assert await bench.text(echo, text=f"n{number}") == f"n{number}"
        assert await bench.text(echo, text="after it") == "after it"
        assert peer.verbs.count("GET") <= 11 + (time.monotonic() - began) * 1.1
    assert bench.events == []


async def test_tools_that_change_are_told_and_frozen(tmp_path):
    async with hostile_http("changes") as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url=peer.url)
        await bench.hears_of_changes("peer", gone="count")


async def test_the_credentials_and_the_session_go_with_every_message(tmp_path):
    async with hostile_http() as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url=peer.url, headers={"Authorization": "Bearer a-token"})
        await bench.text((await bench.tools("peer"))["mcp__peer__echo"], text="x")
        async with asyncio.timeout(WAITS_S):
            while "GET" not in peer.verbs:
                await asyncio.sleep(0.01)
    assert len(peer.headers) >= 6
    assert {each.get("authorization") for each in peer.headers} == {"Bearer a-token"}
    at = peer.methods().index("initialize") + 1
    assert {each.get("mcp-session-id") for each in peer.headers[at:]} == {"s1"}
    assert peer.verbs[-1] == "DELETE", "and it takes its leave"


@pytest.mark.parametrize(
    "how",
    ["hangs-on-initialize", "drips-head", "stream-without-answer", "hangs-on-notices", "hangs-on-delete",
     "no-session", "refuses-streams", "well"],
)  # fmt: skip
async def test_stopping_leaves_no_connection_whatever_it_waits_for(tmp_path, how, promised: Promised):
    gets_ready = how not in NEVER_READY
    async with hostile_http(how) as peer, McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url=peer.url)
        connecting = asyncio.create_task(bench.tools("peer"))
        async with asyncio.timeout(WAITS_S):
            if gets_ready:
                hung = asyncio.create_task(bench.error((await connecting)["mcp__peer__echo"], text="hang"))
            while (("tools/call") if gets_ready else "initialize") not in peer.methods():
                await asyncio.sleep(0.01)
            with promised(3):
                await bench.servers.close(hurried=True)
            if gets_ready:
                assert "went away" in await hung
            else:
                assert await connecting == {}
            await peer.left()
