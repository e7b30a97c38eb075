"""A real server that is told to end while it works, in every way an operator, a terminal or a hub does it.

Three executions run: a command that ignores SIGTERM, an MCP server that does, and a kernel
in a loop. After each way nothing of them lives, and the next server sees each to its one end.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from cloutagent_ext.engine.tools.environment import MARKER
from tests.support.live_server import LiveServer, live_server
from tests.support.mcp_bench import HOSTILE
from tests.support.patience import Promised

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "command": ("bash", {"command": f'touch begun; exec {sys.executable} -c "{STUBBORN}"'}),
    "kernel": ("python", {"code": "open('begun', 'w')\nwhile True: pass"}),
    "server": ("mcp__stubborn__pid", {"text": "hang"}),
}


def project(server: LiveServer, what: str) -> str:
    tool, arguments = TOOLS[what]
    body: dict[str, Any] = {
        "name": what,
        "agent": {
            "task": "Work.",
            "tools": ["bash", "python"],
            "permissions": {"bash": "allow", "python": "allow", "mcp__stubborn__*": "allow"},
        },
    }
    if what == "server":
        body["agent"]["mcps"] = ["stubborn"]
        body["mcps"] = [
            {
                "id": "stubborn",
                "name": "Stubborn",
                "command": sys.executable,
                "args": [str(HOSTILE), "ignores-everything"],
            }
        ]
    turns = [{"text": "I work.", "tools": [{"name": tool, "input": arguments}]}, {"text": "Done."}]
    return made(server, body, turns)


def made(server: LiveServer, body: dict[str, Any], turns: list[dict[str, Any]]) -> str:
    """The id of a project whose agent plays `turns`."""
    fresh = server.create_project(body["name"], "empty")
    whole = {**fresh, **body, "agent": {**fresh["agent"], **body["agent"]}}
    del whole["api_key"]
    status, answer = server.request("PUT", f"projects/{fresh['id']}", whole)
    assert status == 200, answer
    server.put_file(fresh["id"], "scenario.json", {"schema_version": 1, "agents": {"main": turns}})
    return str(fresh["id"])


def processes(executions: list[str]) -> dict[str, list[int]]:
    """Living processes of each execution."""
    found: dict[str, list[int]] = {each: [] for each in executions}
    for process in psutil.process_iter():
        try:
            marker = process.environ().get(MARKER, "")
            if marker in found and process.status() != psutil.STATUS_ZOMBIE:
                found[marker].append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def wait(condition: Any, within_s: float = 120) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)
    return found


def events(server: LiveServer, execution: str) -> list[dict[str, Any]]:
    [log] = server.data_dir.glob(f"projects/*/executions/{execution}/events.jsonl")
    return [json.loads(line) for line in log.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def at_work(server: LiveServer) -> list[str]:
    """The three executions, each in the middle of its tool."""
    executions = []
    for what in TOOLS:
        status, accepted = server.request("POST", f"projects/{project(server, what)}/execute", {})
        assert status == 202, accepted
        executions.append(str(accepted["execution_id"]))
    for execution in executions:
        wait(lambda each=execution: any(event["type"] == "tool_call" for event in events(server, each)))
    wait(lambda: all(processes(executions).values()))
    wait(lambda: len(list(server.data_dir.rglob("begun"))) == 2)
    return executions


def told(process: Any, *signals: int, pause_s: float = 0.3) -> None:
    for number, each in enumerate(signals):
        if number:
            time.sleep(pause_s)
        if process.poll() is None:
            process.send_signal(each)


WAYS = {
    "SIGTERM": (signal.SIGTERM,),
    "SIGHUP": (signal.SIGHUP,),
    "SIGTERM twice": (signal.SIGTERM, signal.SIGTERM),
    "SIGINT twice": (signal.SIGINT, signal.SIGINT),
    "SIGHUP behind SIGTERM": (signal.SIGTERM, signal.SIGHUP),
    "SIGKILL in the grace": (signal.SIGTERM, signal.SIGKILL),
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "way", [way if way == "SIGHUP" else pytest.param(way, marks=pytest.mark.nightly) for way in WAYS]
)
def test_a_server_that_is_told_to_end_leaves_no_process_and_each_execution_one_fate(
    tmp_path: Path, way: str, promised: Promised
) -> None:
    data, signals = tmp_path / "data", WAYS[way]
    options = ("--CloutAgent.simulated_pace=0", "--CloutAgent.stop_grace_s=2")
    with live_server(tmp_path / "first", *options, data_dir=data) as server:
        executions = at_work(server)
        with promised(10):
            told(server.process, *signals)
            code = server.process.wait(100)
        if signals[-1] == signal.SIGKILL:
            assert code == -signal.SIGKILL
        else:
            assert code == 0, server.log()[-2000:]
            for each in executions:
                kinds = [event["type"] for event in events(server, each)]
                assert kinds.count("interrupted") == 1, kinds
        # A killed server's supervisors notice by themselves; else all is gone before it ends.
        with promised(5 if signals[-1] == signal.SIGKILL else 1):
            wait(lambda: not any(processes(executions).values()) or None)
    with live_server(tmp_path / "second", *options, data_dir=data) as server:

        def ended() -> bool:
            _, page = server.request("GET", "executions")
            states = {row["execution_id"]: row["status"] for row in page["items"]}
            return all(states[each] in ("completed", "failed") for each in executions)

        wait(ended, within_s=60)
        for each in executions:
            told_of = Counter(event["type"] for event in events(server, each))
            assert told_of["complete"] + told_of["error"] + told_of["cancelled"] == 1, told_of
            assert told_of["start"] == told_of["interrupted"] == told_of["resumed"] == 1, told_of
            assert told_of["tool_call"] == told_of["tool_result"] == 1, (
                "a call that had begun is not repeated, and its end is told",
                events(server, each)[-4:],
            )
            assert told_of["complete"] == 1, ("nothing keeps it from going on", events(server, each)[-4:])
            ids = [event["id"] for event in events(server, each)]
            assert ids == list(range(1, len(ids) + 1))
        assert not any(processes(executions).values())


@pytest.mark.timeout(120)
def test_a_server_that_was_stopped_for_a_while_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """SIGSTOP and SIGCONT, as a suspended machine: no stall, no loss of kernel, command or MCP server."""
    with live_server(tmp_path, "--CloutAgent.simulated_pace=0") as server:
        commands = [
            ("python", {"code": "x = 41"}),
            (
                "bash",
                {"command": "touch begun; while [ ! -e gate ]; do echo .; sleep 0.1; done; echo over"},
            ),
            ("python", {"code": "print('kept', x + 1)"}),
            ("mcp__well__echo", {"text": "still here"}),
        ]
        body = {
            "name": "Long",
            "agent": {
                "task": "Work.",
                "tools": ["bash", "python"],
                "mcps": ["well"],
                "stall_s": 10,
                "permissions": {"bash": "allow", "python": "allow", "mcp__well__*": "allow"},
            },
            "limits": {"timeout_s": 60},
            "mcps": [{"id": "well", "name": "W", "command": sys.executable, "args": [str(HOSTILE), "well"]}],
        }
        turns = [{"text": "On.", "tools": [{"name": name, "input": given}]} for name, given in commands]
        where = made(server, body, [*turns, {"text": "Done."}])
        _, accepted = server.request("POST", f"projects/{where}/execute", {})
        execution = accepted["execution_id"]
        [begun] = wait(lambda: list(server.data_dir.rglob("begun")))
        os.kill(server.process.pid, signal.SIGSTOP)
        time.sleep(12)  # longer than the silence that is allowed
        os.kill(server.process.pid, signal.SIGCONT)
        time.sleep(1.5)
        begun.with_name("gate").touch()
        wait(lambda: server.request("GET", f"executions/{execution}")[1]["status"] in ("completed", "failed"))
        log = events(server, execution)
        assert log[-1]["type"] == "complete", log[-3:]
        codes = {event["code"] for event in log if event["type"] == "warning"}
        assert not codes & {"STALLED", "KERNEL_LOST", "MCP_LOST", "MCP_RECONNECTED"}, codes
        results = json.dumps([event for event in log if event["type"] == "tool_result"])
        assert "kept 42" in results
        assert "still here" in results
        assert all(event.get("duration_ms", 0) >= 0 for event in log)
