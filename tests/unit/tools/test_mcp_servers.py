"""MCP servers that behave: real ones over each transport, what a model gets of them and back."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys

import pytest

from cloutagent_ext.engine.masking import Mask
from cloutagent_ext.engine.ports import EndExecution
from cloutagent_ext.engine.tools.bubblewrap import problem
from tests.support.mcp_bench import McpBench
from tests.support.mcp_peers import EVERYTHING, everything_over_http
from tests.support.patience import Promised


async def test_the_time_server_says_the_time(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.add("time", command="mcp-server-time", args=["--local-timezone", "UTC"])
        tools = await bench.tools("time")
        now = tools["mcp__time__get_current_time"]
        assert (now.read_only, now.default_permission, now.source) == (True, "allow", "mcp:time")
        assert now.input_schema["required"] == ["timezone"]
        assert json.loads(await bench.text(now, timezone="Europe/Berlin"))["timezone"] == "Europe/Berlin"
        assert "timezone" in await bench.error(now, timezone="Nowhere/Land")
    assert bench.events == []


async def test_the_git_server_works_in_the_workspace_and_asks_before_it_writes(tmp_path):
    async with McpBench(tmp_path) as bench:
        for command in (["init", "-q"], ["config", "user.email", "a@b.c"], ["config", "user.name", "a"]):
            subprocess.run(["git", *command], cwd=bench.workspace, check=True)
        (bench.workspace / "note.txt").write_text("hello")
        bench.add("git", command="mcp-server-git", args=["--repository", "."])
        tools = await bench.tools("git")
        assert tools["mcp__git__git_status"].default_permission == "allow"
        assert tools["mcp__git__git_commit"].default_permission == "ask"
        assert "note.txt" in await bench.text(tools["mcp__git__git_status"], repo_path=".")
        await bench.run(tools["mcp__git__git_add"], repo_path=".", files=["note.txt"])
        await bench.run(tools["mcp__git__git_commit"], repo_path=".", message="One note")
        assert "One note" in await bench.text(tools["mcp__git__git_log"], repo_path=".")


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_everything_that_a_result_can_hold_arrives(tmp_path, transport):
    async with McpBench(tmp_path) as bench, everything_over_http(tmp_path, transport == "http") as url:
        reached = {"command": str(EVERYTHING)} if url is None else {"transport": "http", "url": url}
        bench.add("all", **reached)
        tools = await bench.tools("all")
        assert await bench.text(tools["mcp__all__echo"], message="hi") == "Echo: hi"
        said = await bench.run(tools["mcp__all__get-tiny-image"])
        picture = next(part for part in said if part.type == "image")
        assert picture.media_type == "image/png"
        assert (bench.workspace / picture.path).read_bytes().startswith(b"\x89PNG")
        weather = await bench.text(tools["mcp__all__get-structured-content"], location="Chicago")
        assert set(json.loads(weather)) == {"temperature", "conditions", "humidity"}
        links = await bench.text(tools["mcp__all__get-resource-links"], count=2)
        assert links.count("demo://resource/") == 2
        embedded = await bench.text(
            tools["mcp__all__get-resource-reference"], resourceType="Text", resourceId=1
        )
        assert "Resource 1" in embedded
        # It reports progress meanwhile, which nobody asked for.
        took = await bench.text(tools["mcp__all__trigger-long-running-operation"], duration=1, steps=5)
        assert "completed" in took
    assert bench.events == []


async def test_a_server_gets_no_capability_that_it_could_wait_for(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.add("all", command=str(EVERYTHING))
        offered = set(await bench.tools("all"))
        # server-everything offers these only to clients that declare sampling, elicitation or roots.
        assert not {
            name for name in offered if "sampling" in name or "elicitation" in name or "roots" in name
        }


async def test_servers_start_side_by_side(tmp_path):
    async with McpBench(tmp_path) as bench:
        for number in range(5):
            bench.hostile("in-company", str(tmp_path / "met"), id=f"s{number}")
        tools = await bench.tools(*(f"s{number}" for number in range(5)))
        assert len(tools) == 10


async def test_calls_of_one_server_run_side_by_side_and_find_their_answers(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("well")
        echo = (await bench.tools("well"))["mcp__well__echo"]
        said = await asyncio.gather(*(bench.text(echo, text=f"n{i}") for i in range(50)))
        assert said == [f"n{i}" for i in range(50)]


async def test_only_ticked_tools_are_offered_and_a_missing_one_is_told(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("well", enabled_tools=["echo", "gone"])
        assert list(await bench.tools("well")) == ["mcp__well__echo"]
        (warning,) = bench.warnings("MCP_TOOLS_LEFT_OUT")
        assert "no tool called gone" in warning["message"]


async def test_names_are_made_fit_for_a_model_and_stay_apart(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("names")
        tools = await bench.tools("names")
        assert len(tools) == 5
        assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", name) for name in tools)
        # Each still calls its own tool of the server.
        called = {await bench.text(tool): name for name, tool in tools.items()}
        assert set(called) == {"a b", "a_b", "x" * 100, "ünï", "a.b"}
        assert called["a_b"] == "mcp__names__a_b"
        assert called["ünï"] == "mcp__names___n_"
        assert called["a b"].startswith("mcp__names__a_b_")
    async with McpBench(tmp_path) as again:
        again.hostile("names")
        assert list(await again.tools("names")) == list(tools)


async def test_what_is_hidden_in_descriptions_does_not_reach_a_model(tmp_path):
    token = "secret-token-1234567890"
    async with McpBench(tmp_path, mask=Mask([token])) as bench:
        bench.hostile("poisoned", env={"TOKEN": token})
        tool = (await bench.tools("poisoned"))["mcp__poisoned__add"]
        assert tool.description.startswith("[masked]Add numbers.")
        assert len(tool.description) <= 4096
        assert tool.input_schema["properties"]["text"]["description"] == "a"
        assert token not in json.dumps([tool.description, tool.input_schema])


async def test_hostile_schemas_neither_hang_nor_fetch_nor_break_the_run(tmp_path, promised: Promised):
    from cloutagent_ext.engine.arguments import ArgumentChecks

    async with McpBench(tmp_path) as bench:
        bench.hostile("schemas")
        tools = await bench.tools("schemas")
        (warning,) = bench.warnings("MCP_TOOLS_LEFT_OUT")
        for name in ("deep", "long-argument"):
            assert f"{name}: " in warning["message"]
            assert f"mcp__schemas__{name}" not in tools
        checks = ArgumentChecks()
        await checks.load()
        with promised(2):
            assert checks.problem(tools["mcp__schemas__backtracks"], {"text": "a" * 60 + "!"}) is None
            assert checks.problem(tools["mcp__schemas__backtracks"], {}) is not None
            assert checks.problem(tools["mcp__schemas__backtracks"], {"text": 5}) is not None
            for name in ("fetches", "loops", "invalid"):
                assert checks.problem(tools[f"mcp__schemas__{name}"], {"text": "x"}) is None
            await bench.run(tools["mcp__schemas__evil-output"], text="x")
        assert "output schema" in await bench.error(tools["mcp__schemas__typed"], text="x")


async def test_a_long_result_is_kept_whole_in_the_workspace(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("big-results")
        (part,) = await bench.run((await bench.tools("big-results"))["mcp__big-results__echo"], text="x")
        assert len(part.text.encode()) <= 32 * 1024
        assert (bench.workspace / part.path).stat().st_size == len("line of text\n") * 400_000


async def test_errors_of_a_tool_are_results_that_a_model_reads(tmp_path):
    token = "secret-token-1234567890"
    async with McpBench(tmp_path, mask=Mask([token])) as bench:
        bench.hostile("fails")
        bench.hostile("refuses", env={"TOKEN": token})
        tools = await bench.tools("fails", "refuses")
        assert await bench.error(tools["mcp__fails__echo"], text="no disk") == "It went wrong: no disk"
        assert await bench.error(tools["mcp__refuses__echo"], text="x") == "I will not. [masked]"


async def test_a_server_sees_its_own_credentials_and_nothing_of_the_machine(tmp_path, canaries):
    token, other = "secret-token-1234567890", "other-token-1234567890"
    async with McpBench(tmp_path, mask=Mask([token, other])) as bench:
        bench.hostile("tells-secrets", id="a", env={"TOKEN": token})
        bench.hostile("tells-secrets", id="b", env={"OTHER": other})
        tools = await bench.tools("a", "b")
        a = json.loads(await bench.text(tools["mcp__a__echo"]))
        b = json.loads(await bench.text(tools["mcp__b__echo"]))
    assert a["TOKEN"] == "[masked]"
    assert "OTHER" not in a
    assert b["OTHER"] == "[masked]"
    assert "TOKEN" not in b
    assert not [value for value in canaries.values() if value in json.dumps([a, b])]


async def test_what_a_server_writes_to_its_errors_is_kept_masked(tmp_path):
    token = "secret-token-1234567890"
    async with McpBench(tmp_path, mask=Mask([token])) as bench:
        bench.hostile("says-why", env={"TOKEN": token})
        assert await bench.tools("says-why") == {}
        (warning,) = bench.warnings("MCP_FAILED")
        assert "exit code 3" in warning["message"]
        assert warning["details"]["stderr"] == ["no database at [masked]"]
    assert (bench.logs / "says-why.log").read_text() == "no database at [masked]\n"


async def test_an_essential_server_that_is_not_there_ends_the_execution(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.add("none", command="no-such-program-anywhere", essential=True)
        bench.hostile("well")
        with pytest.raises(EndExecution) as caught:
            await bench.tools("well", "none")
    assert caught.value.code == "MCP_CONNECTION_FAILED"
    assert "no program no-such-program-anywhere" in caught.value.message


@pytest.mark.parametrize("isolation", ["off", "auto"])
async def test_a_server_works_with_and_without_a_sandbox_and_the_lack_of_one_is_told(tmp_path, isolation):
    async with McpBench(tmp_path, isolation=isolation) as bench:
        bench.add("time", command="mcp-server-time", args=["--local-timezone", "UTC"])
        tools = await bench.tools("time")
        assert "UTC" in await bench.text(tools["mcp__time__get_current_time"], timezone="UTC")
    isolated = isolation == "auto" and problem() is None
    assert bench.told_bare == (0 if isolated else 1)


async def test_in_its_sandbox_a_server_sees_its_workspace_and_no_home(tmp_path):
    if (why := problem()) is not None:
        pytest.skip(f"no sandbox here: {why}")
    secret = tmp_path / "other" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text("not for servers")
    async with McpBench(tmp_path / "own", isolation="require") as bench:
        (bench.workspace / "mine.txt").write_text("for it")
        look = (
            "import json,os,sys\n"
            f"seen = [os.path.exists(p) for p in ('mine.txt', {str(secret)!r}, '/root/.bashrc')]\n"
            "print(json.dumps(seen), file=sys.stderr)\n"
        )
        bench.add("look", command=sys.executable, args=["-c", look])
        assert await bench.tools("look") == {}
        (warning,) = bench.warnings("MCP_FAILED")
        assert warning["details"]["stderr"] == ["[true, false, false]"]


async def test_without_the_sandbox_that_must_be_there_no_server_starts(tmp_path):
    async with McpBench(tmp_path, isolation="require", program="no-such-bubblewrap") as bench:
        bench.hostile("sentinel", str(bench.workspace / "sentinel"))
        assert await bench.tools("sentinel") == {}
        (warning,) = bench.warnings("MCP_FAILED")
        assert "cannot be isolated here" in warning["message"]
        assert not (bench.workspace / "sentinel").exists()
