"""Agents that use MCP servers: who gets which tools, when servers start, what their loss means."""

from __future__ import annotations

from typing import Any

import pytest

from cloutagent_ext.engine.past import Past, PastConversation
from tests.support.mcp_bench import McpBench
from tests.support.mcp_peers import MemoryLink
from tests.support.messages_api import Call, Calls, MessagesApi, Say

from .harness import live, subagent


def named(request: dict[str, Any]) -> set[str]:
    return {tool["name"] for tool in request.get("tools", [])}


def server(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "name": id.title(), "command": "x", **more}


def in_memory() -> Any:
    from mcp.server.mcpserver import MCPServer

    peer = MCPServer("memory")

    @peer.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    return peer


async def test_an_agent_calls_a_tool_of_its_server(tmp_path):
    script = [Call("mcp__sums__add", {"a": 2, "b": 3}, id="sum"), Say("5")]
    async with McpBench(tmp_path, links=lambda reach: MemoryLink(in_memory())) as mcp:
        mcp.add("sums", command="x")
        async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            agent = {"permissions": {"mcp__sums__*": "allow"}}
            outcome = await bench.run({"agent": agent, "mcps": [server("sums")]})
    assert outcome.result.text == "5"
    (call,) = bench.log.of("tool_call")
    assert (call["tool"], call["source"], call["input"]) == ("mcp__sums__add", "mcp:sums", {"a": 2, "b": 3})
    (result,) = bench.log.of("tool_result")
    assert result["output"] == [{"type": "text", "text": "5", "path": None}]
    (told,) = (tool for tool in api.requests[0]["tools"] if tool["name"] == "mcp__sums__add")
    assert told["description"] == "Adds two numbers."
    assert set(told["input_schema"]["properties"]) == {"a", "b"}


async def test_arguments_that_do_not_fit_never_reach_the_server(tmp_path):
    script = [Call("mcp__well__echo", {"text": 5}, id="bad"), Say("sorry")]
    async with McpBench(tmp_path) as mcp:
        mcp.hostile("well")
        async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            await bench.run({"mcps": [server("well")]})
    (result,) = bench.log.of("tool_result")
    assert "do not fit the schema" in result["output"][0]["text"]


async def test_every_agent_gets_the_servers_it_lists_and_the_main_one_all_that_are_on(tmp_path):
    def script(body, number):
        if "You are helper" in str(body.get("system")):
            return Say("helped")
        return Call("agent__helper", {"prompt": "go"}, id="ask") if number == 0 else Say("done")

    async with McpBench(tmp_path) as mcp:
        for each in ("a", "b", "off"):
            mcp.hostile("well", id=each)
        async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            mcps = [server("a"), server("b"), server("off", enabled=False)]
            await bench.run({"subagents": [subagent("helper", mcps=["b", "off", "ghost"])], "mcps": mcps})
    main, helper = api.requests[0], api.requests[1]
    assert named(main) == {"mcp__a__echo", "mcp__a__pid", "mcp__b__echo", "mcp__b__pid", "agent__helper"}
    assert named(helper) == {"mcp__b__echo", "mcp__b__pid"}


async def test_a_server_that_no_running_agent_uses_is_not_started(tmp_path):
    sentinel = tmp_path / "sentinel"
    async with McpBench(tmp_path) as mcp:
        mcp.hostile("sentinel", str(sentinel), id="s")
        async with MessagesApi([Say("done")]) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            helper = subagent("helper", mcps=["s"])
            await bench.run({"agent": {"mcps": []}, "subagents": [helper], "mcps": [server("s")]})
    assert not sentinel.exists()


async def test_only_tools_that_change_nothing_run_without_being_allowed(tmp_path):
    calls = [("mcp__well__echo", {"text": "x"}), ("mcp__well__pid", {})]
    async with McpBench(tmp_path) as mcp:
        mcp.hostile("well")
        async with MessagesApi([Calls(calls), Say("done")]) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            await bench.run({"mcps": [server("well")]})
    assert bench.approvals.asked == ["mcp__well__pid"]
    started = {record["tool"]: record for record in bench.journal.records if record["kind"] == "tool_started"}
    assert started["mcp__well__echo"]["read_only"] is True
    assert "mcp__well__pid" not in started


async def test_a_broken_server_is_told_and_the_run_goes_on_without_it(tmp_path):
    async with McpBench(tmp_path) as mcp:
        mcp.hostile("silent-exit")
        mcp.hostile("well")
        async with MessagesApi([Say("done")]) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            mcps = [server("silent-exit"), server("well")]
            outcome = await bench.run({"mcps": mcps})
    assert outcome.status == "completed"
    assert named(api.requests[0]) == {"mcp__well__echo", "mcp__well__pid"}
    assert len(mcp.warnings("MCP_FAILED")) == 1


async def test_an_essential_server_that_is_not_there_ends_the_run_before_a_model_is_asked(tmp_path):
    async with McpBench(tmp_path) as mcp:
        mcp.hostile("silent-exit", essential=True)
        async with MessagesApi([Say("done")]) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            outcome = await bench.run({"mcps": [server("silent-exit", essential=True)]})
    assert (outcome.status, outcome.code) == ("failed", "MCP_CONNECTION_FAILED")
    assert "exit code 0" in outcome.message
    assert api.requests == []


async def test_an_essential_server_that_is_lost_on_the_way_ends_the_run(tmp_path):
    def crash(body, number):
        text = "crash" if number % 2 == 0 else f"fine {number}"  # the same call again and again is a circle
        return Call("mcp__crashes-on-call__echo", {"text": text})

    async with McpBench(tmp_path, backoff_s=0.01) as mcp:
        mcp.hostile("crashes-on-call", essential=True)
        async with MessagesApi(crash) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            outcome = await bench.run({"mcps": [server("crashes-on-call", essential=True)]})
    assert (outcome.status, outcome.code) == ("failed", "MCP_CONNECTION_FAILED")
    assert len(mcp.warnings("MCP_RECONNECTED")) == 3


async def test_an_essential_server_that_nobody_calls_ends_the_run_when_it_is_lost(tmp_path):
    def script(body, number):
        return Call("mcp__well__echo", {"text": f"n{number}"})

    async with McpBench(tmp_path, backoff_s=0.01) as mcp:
        mcp.hostile("dies-each-time", essential=True)
        mcp.hostile("well")
        async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            mcps = [server("dies-each-time", essential=True), server("well")]
            outcome = await bench.run({"mcps": mcps, "limits": {"max_turns": 1000}})
    assert (outcome.status, outcome.code) == ("failed", "MCP_CONNECTION_FAILED")


@pytest.mark.parametrize("changed", [False, True])
async def test_tools_that_differ_after_a_resume_are_told(tmp_path, changed):
    async def first() -> dict[str, Any]:
        async with McpBench(tmp_path / "first") as mcp:
            mcp.hostile("well", id="s")
            async with MessagesApi([Say("done")]) as api, live(api.url, tmp_path) as bench:
                bench.servers = mcp.servers
                await bench.run({"mcps": [server("s")]})
            return next(record for record in bench.journal.records if record["kind"] == "conversation")

    record = await first()
    past = Past()
    past.conversations["main"] = PastConversation("main", "main", record["request"], [record["message"]])
    async with McpBench(tmp_path / "second") as mcp:
        mcp.hostile("poisoned" if changed else "well", id="s")
        async with MessagesApi([Say("done")]) as api, live(api.url, tmp_path) as bench:
            bench.servers = mcp.servers
            await bench.run({"mcps": [server("s")]}, past=past)
    # The model is told what it was told before, byte for byte.
    assert api.requests[0]["tools"] == record["request"]["tools"]
    warnings = bench.log.of("warning", code="MCP_TOOLS_CHANGED")
    if not changed:
        assert warnings == []
        return
    (warning,) = warnings
    changes = ["added: mcp__s__add", "removed: mcp__s__echo, mcp__s__pid"]
    assert warning["details"]["changes"] == changes
