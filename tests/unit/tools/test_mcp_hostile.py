"""MCP servers that misbehave: the others and the run unaffected, bounded time and memory, nothing left."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from cloutagent_ext.engine.masking import NOTHING
from cloutagent_ext.engine.ports import EndExecution, ToolError
from cloutagent_ext.engine.tools import mcp_process
from tests.support.held_threads import HeldThreads
from tests.support.mcp_bench import HOSTILE, McpBench
from tests.support.patience import Promised

STOP_S = 4.5


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("silent-exit", "exit code 0"),
        ("crashes-always", "exit code 5"),
        ("closes-output", "output"),
        ("hangs-on-initialize", "not ready within 8 s"),
    ],
)
async def test_a_server_that_never_gets_ready_keeps_nobody(tmp_path, how, why, promised: Promised):
    start_s = 8 if how == "hangs-on-initialize" else 60  # the others end by themselves, however busy it is
    async with McpBench(tmp_path, start_s=start_s) as bench:
        bench.hostile(how)
        bench.hostile("well")
        with promised(8 + STOP_S + 1):
            tools = await bench.tools(how, "well")
        assert set(tools) == {"mcp__well__echo", "mcp__well__pid"}
        assert await bench.text(tools["mcp__well__echo"], text="fine") == "fine"
        (warning,) = bench.warnings("MCP_FAILED")
        assert why in warning["message"]
        await bench.tools(how, "well")
        assert len(bench.warnings("MCP_FAILED")) == 1


async def test_a_tool_that_the_protocol_forbids_costs_only_itself(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("no-protocol")
        tools = await bench.tools("no-protocol")
        assert set(tools) == {"mcp__no-protocol__echo", "mcp__no-protocol__pid"}
        assert await bench.text(tools["mcp__no-protocol__echo"], text="fine") == "fine"
        (warning,) = bench.warnings("MCP_TOOLS_LEFT_OUT")
        [string, nameless] = warning["details"]["left_out"]
        assert string.startswith("string: the protocol does not allow it (inputSchema.type: ")
        assert nameless.startswith("tool 4: the protocol does not allow it")
        assert bench.warnings("MCP_FAILED") == []


async def test_sounds_and_other_files_are_kept_and_links_are_named(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("files")
        text, sound, archive = await bench.run((await bench.tools("files"))["mcp__files__pid"])
        assert (sound.media_type, archive.media_type) == ("audio/x-wav", "application/zip")
        assert (bench.workspace / sound.path).read_bytes().startswith(b"RIFF")
        assert (bench.workspace / archive.path).read_bytes() == b"PK"
        assert "[a file (image/png) that cannot be read: it is not base64]" in text.text
        assert "[A link: demo://link, text/csv]" in text.text


async def test_progress_is_a_sign_of_life_and_a_flood_of_it_holds_up_nothing(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("reports-progress")
        echo = (await bench.tools("reports-progress"))["mcp__reports-progress__echo"]
        assert await bench.text(echo, text="done") == "done"
        # Of 2,000 reports in three seconds no more than it takes to know that it lives.
        assert 2 <= bench.signs_of_life <= 20


async def test_a_call_that_hangs_ends_at_its_timeout_and_the_server_goes_on(tmp_path, promised: Promised):
    async with McpBench(tmp_path) as bench:
        bench.hostile("hangs-on-call", timeout_s=3)
        echo = (await bench.tools("hangs-on-call"))["mcp__hangs-on-call__echo"]
        with promised(4):
            hung = asyncio.create_task(bench.error(echo, text="hang"))
            assert await bench.text(echo, text="beside it") == "beside it"
            assert "did not answer within 3 s" in await hung
        assert await bench.text(echo, text="after it") == "after it"
    assert bench.events == []


async def test_a_server_that_crashes_is_connected_again_three_times_and_then_lost(tmp_path):
    async with McpBench(tmp_path, backoff_s=0.05) as bench:
        bench.hostile("crashes-on-call")
        tools = await bench.tools("crashes-on-call")
        echo, pid = (tools[f"mcp__crashes-on-call__{name}"] for name in ("echo", "pid"))
        seen = {await bench.text(pid)}
        for attempt in range(1, 4):
            error = await bench.error(echo, text="crash")
            assert "exit code 7" in error
            assert "not known" in error
            # The next call waits for the new process, and is answered by it.
            seen.add(await bench.text(pid))
            assert len(seen) == attempt + 1
        assert [warning["details"]["attempt"] for warning in bench.warnings("MCP_RECONNECTED")] == [1, 2, 3]
        await bench.error(echo, text="crash")
        assert "out of reach" in await bench.error(pid)
        (warning,) = bench.warnings("MCP_FAILED")
        assert "I crash now" in warning["details"]["stderr"]


async def test_an_essential_server_that_is_lost_ends_the_execution_at_the_next_turn(tmp_path):
    async with McpBench(tmp_path, backoff_s=0.01) as bench:
        bench.hostile("dies-each-time", essential=True)
        bench.hostile("well")
        tools = await bench.tools("dies-each-time", "well")
        bench.servers.check()
        await bench.until(lambda: bool(bench.warnings("MCP_FAILED")))
        with pytest.raises(EndExecution) as caught:
            bench.servers.check()
        assert caught.value.code == "MCP_CONNECTION_FAILED"
        with pytest.raises(EndExecution):
            await bench.run(tools["mcp__dies-each-time__echo"], text="x")


@pytest.mark.parametrize("how", ["answers-twice", "wrong-ids", "garbage", "asks-back", "notifies"])
async def test_what_nobody_asked_for_is_passed_over(tmp_path, how):
    async with McpBench(tmp_path) as bench:
        bench.hostile(how)
        echo = (await bench.tools(how))[f"mcp__{how}__echo"]
        for number in range(3):
            assert await bench.text(echo, text=f"n{number}") == f"n{number}"


async def test_a_line_of_100_mb_costs_neither_memory_nor_the_other_calls(tmp_path, promised: Promised):
    async with McpBench(tmp_path) as bench:
        bench.hostile("long-line")
        bench.hostile("well")
        tools = await bench.tools("long-line", "well")
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with promised(30):
            hostile = asyncio.create_task(bench.error(tools["mcp__long-line__echo"], text="long"))
            assert await bench.text(tools["mcp__well__echo"], text="x") == "x"
            assert "longer than 16 MiB" in await hostile
            assert await bench.text(tools["mcp__long-line__echo"], text="after it") == "after it"
            assert "longer than 16 MiB" in await bench.error(
                tools["mcp__long-line__echo"], text="id last 999"
            )
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 100 * 1024  # KiB


async def test_an_answer_that_cannot_be_read_fails_its_call_at_once(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("unreadable")
        echo = (await bench.tools("unreadable"))["mcp__unreadable__echo"]
        assert "cannot be read" in await bench.error(echo, text="deep")
        assert await bench.text(echo, text="after it") == "after it"


@pytest.mark.parametrize("how", ["floods-stderr", "floods-stdout"])
async def test_a_flood_is_held_back_and_costs_neither_the_others_nor_the_disk(
    tmp_path, how, promised: Promised
):
    async with McpBench(tmp_path) as bench:
        bench.hostile(how)
        bench.hostile("well")
        tools = await bench.tools(how, "well")

        def written() -> int:
            return sum(process.io_counters().write_chars for process in bench.processes())

        while written() < 2 * 1024 * 1024:  # until it is a flood
            await asyncio.sleep(0.02)
        before, began = written(), time.monotonic()
        for number in range(5):
            assert await bench.text(tools["mcp__well__echo"], text=f"n{number}") == f"n{number}"
            await asyncio.sleep(0.2)
        assert (written() - before) / (time.monotonic() - began) < 8 * 1024 * 1024
        with promised(STOP_S + 0.5):
            await bench.servers.close()
    assert sum(path.stat().st_size for path in bench.logs.iterdir()) < 2.2 * 1024 * 1024


def named(path: Path) -> list[int]:
    """Living processes with `path` on their command line: also those that shed their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(path) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.parametrize("isolation", ["off", "auto"])
async def test_whatever_a_server_forks_ends_with_it(tmp_path, isolation, promised: Promised):
    async with McpBench(tmp_path, isolation=isolation) as bench:
        pids = bench.workspace / "pids"
        bench.hostile("forks", str(pids))
        await bench.tools("forks")
        while len(pids.read_text().split()) < 3:
            await asyncio.sleep(0.02)
        assert len(named(pids)) >= 4
        with promised(STOP_S + 0.5):
            await bench.servers.close()
        assert named(pids) == []


@pytest.mark.parametrize(
    ("how", "hurried", "seconds"),
    [
        ("well", False, 1.5),
        ("ignores-term", False, 1.5),
        ("dies-in-shutdown", False, 1.5),
        ("ignores-everything", False, STOP_S),
        ("ignores-everything", True, 2.5),
    ],
)
async def test_stopping_takes_no_longer_than_it_may(tmp_path, how, hurried, seconds, promised: Promised):
    async with McpBench(tmp_path) as bench:
        bench.hostile(how)
        tools = await bench.tools(how)
        pid = int(await bench.text(tools[f"mcp__{how}__pid"]))
        with promised(seconds + 0.5):
            await bench.servers.close(hurried=hurried)
        assert not alive(pid)
        with pytest.raises(ToolError, match="out of reach"):
            await bench.run(tools[f"mcp__{how}__echo"], text="x")
    assert bench.warnings("MCP_FAILED") == []


async def test_stopping_in_the_middle_of_a_start_or_a_call_leaves_nothing(tmp_path, promised: Promised):
    async with McpBench(tmp_path) as bench:
        bench.hostile("hangs-on-initialize")
        bench.hostile("hangs-on-call")
        tools = await bench.tools("hangs-on-call")
        starting = asyncio.create_task(bench.tools("hangs-on-initialize"))
        calling = asyncio.create_task(bench.error(tools["mcp__hangs-on-call__echo"], text="hang"))
        while len(bench.processes()) < 4:  # each below its own supervisor
            await asyncio.sleep(0.02)
        with promised(3):
            await bench.servers.close(hurried=True)
        assert await starting == {}
        assert "went away" in await calling


async def test_last_words_that_come_at_the_very_end_leave_no_file_open(tmp_path):
    errors = mcp_process.Errors(tmp_path / "log", NOTHING)
    stderr = asyncio.StreamReader()
    stderr.feed_data(b"bye\n")
    write = HeldThreads().before("_write")
    following = asyncio.create_task(errors.follow(stderr))
    await write.reached()
    following.cancel()
    await asyncio.wait({following})
    await errors.close()
    write.go()
    for _ in range(50):
        await asyncio.to_thread(int)
    assert not (tmp_path / "log").exists()
    assert errors.last_lines == ["bye"]


async def test_a_start_that_is_cancelled_at_any_await_leaves_no_supervisor(tmp_path):
    request = {
        "argv": ["sleep", "600"], "cwd": "/", "fallback": "/", "timeout_s": 900, "max_output": 9,
        "max_processes": 9, "max_memory": 10**10, "disk": "", "max_disk": 9, "limits": {}, "report_fd": 0,
        "stdin": "", "kept": 0, "apart": False, "may_go_on": False, "grace_s": 0.1,
    }  # fmt: skip
    what = mcp_process.Launch(request["argv"], tmp_path, {}, tmp_path / "log")
    cut_short = 0
    for awaits in range(1, 12):
        started = await asyncio.to_thread(mcp_process._spawn, request, {})
        connecting = asyncio.create_task(mcp_process._connected(started, what))
        for _ in range(awaits):
            await asyncio.sleep(0)
        if connecting.cancel():
            await asyncio.wait({connecting})
        if connecting.cancelled():
            cut_short += 1
        else:
            await (await connecting).stop(hurried=True)
        await asyncio.to_thread(started.process.wait, 10)
    assert cut_short > 3


async def test_ten_thousand_tools_are_cut_to_what_a_model_can_be_told(tmp_path, promised: Promised):
    async with McpBench(tmp_path) as bench:
        bench.hostile("many-tools")
        with promised(10):
            tools = await bench.tools("many-tools")
        assert len(tools) == 500
        (warning,) = bench.warnings("MCP_TOOLS_LEFT_OUT")
        assert "9500 more than fit" in warning["message"]
    async with McpBench(tmp_path / "chosen") as bench:
        bench.hostile("many-tools", enabled_tools=["tool-9999", "tool-5"])
        assert set(await bench.tools("many-tools")) == {
            "mcp__many-tools__tool-9999",
            "mcp__many-tools__tool-5",
        }


async def test_tools_that_change_are_told_and_frozen(tmp_path):
    async with McpBench(tmp_path) as bench:
        bench.hostile("changes")
        await bench.hears_of_changes("changes", gone="pid")
        # A conversation that begins now gets what there is now.
        assert set(await bench.tools("changes")) == {"mcp__changes__echo", "mcp__changes__new"}


async def test_a_supervisor_that_is_killed_takes_its_server_along_and_is_replaced(tmp_path):
    async with McpBench(tmp_path, backoff_s=0.05) as bench:
        bench.hostile("well")
        tools = await bench.tools("well")
        pid = int(await bench.text(tools["mcp__well__pid"]))
        os.kill(psutil.Process(pid).ppid(), signal.SIGKILL)
        await bench.until(lambda: bool(bench.warnings("MCP_RECONNECTED")))
        assert await bench.text(tools["mcp__well__pid"]) != str(pid)
        assert not alive(pid)


async def test_a_server_outlives_no_server_process_that_is_killed(tmp_path):
    """The process that runs executions dies by SIGKILL: its supervisors end everything."""
    script = f"""
import asyncio, sys
sys.path.insert(0, {str(HOSTILE.parents[2])!r})
from pathlib import Path
from tests.support.mcp_bench import McpBench
async def main():
    bench = McpBench(Path({str(tmp_path)!r}))
    bench.hostile("forks", {str(tmp_path / "pids")!r})
    tools = await bench.tools("forks")
    print(await bench.text(tools["mcp__forks__pid"]), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    server = int(await process.stdout.readline())
    while len(forked := (tmp_path / "pids").read_text().split()) < 3:
        await asyncio.sleep(0.02)
    process.kill()
    await process.wait()
    async with asyncio.timeout(60):
        while any(alive(int(pid)) for pid in [server, *forked]):
            await asyncio.sleep(0.05)
