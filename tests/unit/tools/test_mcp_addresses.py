"""MCP servers at an address: headers, redirects, refusals, sizes, and servers that go away and come back."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import sys
from typing import Any

import pytest

from cloutagent_ext.engine.masking import Mask
from cloutagent_ext.engine.ports import ToolError
from tests.support.live_server import free_port
from tests.support.mcp_bench import McpBench
from tests.support.mcp_peers import SDK, sdk_server
from tests.support.patience import Promised
from tests.support.scripted_http import Answer, Request, scripted_http

KINDS = {"sse": "sse", "streamable-http": "http", "json": "http"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_gets_its_headers_and_a_large_answer_costs_only_its_call(tmp_path, kind, caplog):
    token = "a-token-1234567890"
    caplog.set_level(logging.DEBUG)
    mask = Mask([token])
    async with sdk_server(tmp_path / "peer", kind) as url, McpBench(tmp_path, mask=mask) as bench:
        headers = {"Authorization": f"Bearer {token}", "X-One": "1"}
        bench.add("peer", transport=KINDS[kind], url=url, headers=headers)
        tools = await bench.tools("peer")
        got = json.loads(await bench.text(tools["mcp__peer__headers"]))
        assert (got["authorization"], got["x-one"]) == ("Bearer [masked]", "1")
        (part,) = await bench.run(tools["mcp__peer__large"], megabytes=3)
        assert (bench.workspace / part.path).stat().st_size == 3_000_000
        assert await bench.error(tools["mcp__peer__large"], megabytes=17)
        # The next call is answered, over the same connection or a new one.
        assert await bench.text(tools["mcp__peer__slow"], seconds=0) == "done"
    assert not bench.warnings("MCP_FAILED")
    assert token not in caplog.text
    # What a server says, and is told, is nobody's business who reads the server's log.
    assert not [each for each in caplog.records if each.name == "client" or each.name.startswith("mcp")]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_slow_call_ends_at_its_timeout_and_others_go_on(tmp_path, kind, promised: Promised):
    async with sdk_server(tmp_path / "peer", kind) as url, McpBench(tmp_path) as bench:
        bench.add("peer", transport=KINDS[kind], url=url, timeout_s=3)
        slow = (await bench.tools("peer"))["mcp__peer__slow"]
        with promised(4):
            late = asyncio.create_task(bench.error(slow, seconds=30))
            assert await bench.text(slow, seconds=0) == "done"
            assert "within 3 s" in await late
        assert await bench.text(slow, seconds=0) == "done"
        with promised(4.5):
            await bench.servers.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_that_is_restarted_is_connected_again(tmp_path, kind):
    port = free_port()
    async with McpBench(tmp_path, backoff_s=2) as bench:
        async with sdk_server(tmp_path / "one", kind, port) as url:
            bench.add("peer", transport=KINDS[kind], url=url)
            slow = (await bench.tools("peer"))["mcp__peer__slow"]
            assert await bench.text(slow, seconds=0) == "done"
        # Fails, or waits for the new connection where the loss is noticed before it is sent.
        meanwhile = asyncio.create_task(bench.run(slow, seconds=0))
        async with sdk_server(tmp_path / "two", kind, port):
            with contextlib.suppress(ToolError):
                await meanwhile
            await bench.until(lambda: bool(bench.warnings("MCP_RECONNECTED")))
            assert await bench.text(slow, seconds=0) == "done"


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_at_an_address_is_told_in_words(tmp_path, kind):
    async with McpBench(tmp_path) as bench:
        bench.add("gone", transport=KINDS[kind], url=f"http://127.0.0.1:{free_port()}/mcp")
        assert await bench.tools("gone") == {}
        (warning,) = bench.warnings("MCP_FAILED")
        assert "connect" in warning["message"].lower()


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_redirect_to_another_origin_gets_no_header(tmp_path, transport):
    with scripted_http() as other, scripted_http() as peer:
        for method in ("GET", "POST"):
            peer.routes[f"{method} /mcp"] = Answer(307, headers={"Location": f"{other.url}/mcp"})
        async with McpBench(tmp_path) as bench:
            headers = {"Authorization": "Bearer a-token-1234567890"}
            bench.add("peer", transport=transport, url=f"{peer.url}/mcp", headers=headers)
            assert await bench.tools("peer") == {}
            (warning,) = bench.warnings("MCP_FAILED")
        assert "redirects to another address" in warning["message"]
        assert other.requests == []


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_refusal_is_told_by_its_status(tmp_path, transport):
    with scripted_http() as peer:
        for method in ("GET", "POST"):
            peer.routes[f"{method} /mcp"] = Answer(401, {"error": "who are you"})
        async with McpBench(tmp_path) as bench:
            bench.add("peer", transport=transport, url=f"{peer.url}/mcp")
            assert await bench.tools("peer") == {}
            (warning,) = bench.warnings("MCP_FAILED")
        assert "HTTP 401" in warning["message"]


async def test_few_bytes_cannot_become_very_many(tmp_path):
    packed = gzip.compress(b"0" * 100_000_000)

    def answer(request: Request) -> Answer:
        return Answer(200, packed, {"Content-Type": "application/json", "Content-Encoding": "gzip"})

    with scripted_http() as peer:
        peer.routes["POST /mcp"] = answer
        async with McpBench(tmp_path) as bench:
            bench.add("peer", transport="http", url=f"{peer.url}/mcp")
            assert await bench.tools("peer") == {}
            (warning,) = bench.warnings("MCP_FAILED")
        assert "compressed" in warning["message"]


@pytest.mark.parametrize("value", ["line\nbreak", "snow ☃"])
async def test_a_secret_that_no_header_can_carry_is_told_without_itself(tmp_path, value):
    async with McpBench(tmp_path) as bench:
        bench.add("peer", transport="http", url="http://127.0.0.1:9/mcp", headers={"Authorization": value})
        assert await bench.tools("peer") == {}
        (warning,) = bench.warnings("MCP_FAILED")
        assert "the header Authorization" in warning["message"]
        assert value not in warning["message"]


@pytest.mark.parametrize("kind", ["stdio", "streamable-http"])
async def test_a_server_of_the_newer_protocol_is_heard_when_its_tools_change(tmp_path, kind):
    async with McpBench(tmp_path) as bench:

        async def grown(**reached: Any) -> None:
            bench.add("peer", **reached)
            tools = await bench.tools("peer")
            assert await bench.text(tools["mcp__peer__grow"]) == "grown"
            await bench.until(lambda: bool(bench.warnings("MCP_TOOLS_CHANGED")))
            (warning,) = bench.warnings("MCP_TOOLS_CHANGED")
            assert warning["details"]["changes"] == ["added: mcp__peer__more"]
            assert "mcp__peer__more" in await bench.tools("peer")

        if kind == "stdio":
            await grown(command=sys.executable, args=[str(SDK), "stdio"])
        else:
            async with sdk_server(tmp_path / "peer", kind) as url:
                await grown(transport="http", url=url)
                await bench.servers.close()


@pytest.mark.parametrize("kind", ["stdio", *KINDS])
async def test_a_server_that_asks_a_person_gets_a_refusal_at_once(tmp_path, kind, promised: Promised):
    async with McpBench(tmp_path) as bench:

        async def asked(**reached: Any) -> None:
            bench.add("peer", **reached)
            tools = await bench.tools("peer")
            with promised(5):
                assert await bench.error(tools["mcp__peer__ask"])
            assert await bench.text(tools["mcp__peer__slow"], seconds=0) == "done"

        if kind == "stdio":
            await asked(command=sys.executable, args=[str(SDK), "stdio"])
        else:
            async with sdk_server(tmp_path / "peer", kind) as url:
                await asked(transport=KINDS[kind], url=url)
                await bench.servers.close()


async def test_a_call_that_an_address_refuses_is_told_by_its_status(tmp_path):
    def answer(request: Request) -> Answer:
        asked = request.json()
        results = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "x", "version": "1"}},
            "tools/list": {"tools": [{"name": "go", "inputSchema": {"type": "object"}}]},
        }  # fmt: skip
        if asked["method"] in results:
            result = {"jsonrpc": "2.0", "id": asked["id"], "result": results[asked["method"]]}
            return Answer(200, result, {"Content-Type": "application/json"})
        return Answer(202) if "id" not in asked else Answer(503, {"error": "later"})

    with scripted_http() as peer:
        peer.routes["POST /mcp"] = answer
        async with McpBench(tmp_path) as bench:
            bench.add("peer", transport="http", url=f"{peer.url}/mcp")
            go = (await bench.tools("peer"))["mcp__peer__go"]
            assert await bench.error(go) == "Peer refused the call: it answered HTTP 503 Service Unavailable."
