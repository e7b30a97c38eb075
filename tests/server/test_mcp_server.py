"""`jupyter cloutagent mcp`: projects as tools of MCP clients, by the SDK's client and by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
import psutil
import pytest
from mcp import Client, StdioServerParameters

from tests.support.live_server import LiveServer, bare_environment, live_server
from tests.support.mcp_peers import EVERYTHING

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("mcp"), "--CloutAgent.simulated_pace=0") as running:
        yield running


def make(server: LiveServer, name: str, *turns: dict[str, Any], **changes: Any) -> str:
    """A project whose agent plays `turns`; its id."""
    made = server.create_project(name, template=None)
    agent = {
        "task": "Do it.",
        "tools": ["bash"],
        "permissions": {"bash": "allow"},
        **changes.pop("agent", {}),
    }
    status, saved = server.request(
        "PUT", f"projects/{made['id']}", {**_plain(made), **changes, "agent": agent}
    )
    assert status == 200, saved
    if turns:
        scenario = {"schema_version": 1, "agents": {"main": [*turns]}}
        path = server.data_dir / "projects" / made["id"] / "files" / "scenario.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(scenario))
    return str(made["id"])


def _plain(made: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name not in ("api_key", "agent")}


def parameters(server: LiveServer, *options: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "cloutagent_ext", "mcp", *options],
        env={**server.env, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        cwd=server.folder,
    )


@asynccontextmanager
async def client(server: LiveServer, *options: str) -> AsyncIterator[Client]:
    async with Client(parameters(server, *options)) as connected:
        yield connected


def state(server: LiveServer, execution_id: str) -> dict[str, Any]:
    status, found = server.request("GET", f"executions/{execution_id}")
    assert status == 200
    return dict(found)


def sleepers(seconds: int) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", str(seconds)]]


async def test_each_trusted_project_is_a_tool_with_its_variables(server: LiveServer) -> None:
    variables = {"region": {"description": "Which one", "default": None, "required": True},
                 "year": {"description": "", "default": "2026", "required": True}}  # fmt: skip
    make(server, "Été: Sales!", description="Sums up sales.", variables=variables)
    make(server, "No task", agent={"task": ""})
    hook = {"id": "h", "name": "H", "event": "PreToolUse", "action": {"type": "command", "command": ["true"]}}
    untrusted = make(server, "Not trusted", hooks=[hook])
    file = server.data_dir / "projects" / untrusted / "hooks" / "h.json"
    file.write_text(file.read_text().replace('"true"', '"false"'))  # changed behind the server's back
    async with client(server) as connected:
        tools = {tool.name: tool for tool in (await connected.list_tools()).tools}
    assert "not_trusted" not in tools
    sales = tools["ete_sales"]
    assert sales.title == "Été: Sales!"
    assert sales.description is not None
    assert sales.description.startswith("Sums up sales.")
    assert "at most $1.00" in sales.description
    assert sales.input_schema["required"] == ["region"]
    assert sales.input_schema["properties"]["region"] == {"type": "string", "description": "Which one"}
    assert sales.input_schema["properties"]["year"]["default"] == "2026"
    assert "prompt" in sales.input_schema["properties"]
    assert tools["no_task"].input_schema["required"] == ["prompt"]
    async with client(server, "--project", "No task") as connected:
        assert [tool.name for tool in (await connected.list_tools()).tools] == ["no_task"]


async def test_a_call_runs_the_project_at_the_running_server_and_reports_progress(server: LiveServer) -> None:
    bash = {"name": "bash", "as": "done", "input": {"command": "echo $((6*7)) > out; cat out"}}
    turns = ({"text": "I run it.", "tools": [bash]}, {"text": "It is {{result.done}} in {{region}}."})
    make(server, "Answers", *turns, variables={"region": {"default": None}})
    told: list[tuple[float, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        told.append((done, message))

    async with client(server) as connected:
        schema = next(t for t in (await connected.list_tools()).tools if t.name == "answers").output_schema
        result = await connected.call_tool("answers", {"region": "north"}, progress_callback=progress)
    assert not result.is_error
    assert "It is 42" in result.content[0].text  # type: ignore[union-attr]
    assert "tokens" in result.content[1].text  # type: ignore[union-attr]
    structured = result.structured_content
    jsonschema.validate(structured, schema)
    assert (structured["status"], structured["files"], structured["simulated"]) == (
        "completed",
        ["out"],
        True,
    )
    assert structured["total_cost_usd"] >= 0
    found = state(server, structured["execution_id"])
    assert (found["origin"], found["status"]) == ("mcp", "completed")
    numbers = [done for done, _ in told]
    assert numbers == sorted(set(numbers))
    assert any("bash echo" in (message or "") for _, message in told)


async def test_a_client_that_shares_nothing_with_ours_finds_and_calls_a_project(server: LiveServer) -> None:
    """The TypeScript SDK's, which speaks the protocol of 2025 and checks results by their schemas."""
    bash = {"name": "bash", "as": "done", "input": {"command": "echo $((6*7)); sleep 0.5"}}
    make(server, "By another", {"text": "I run it.", "tools": [bash]}, {"text": "It is {{result.done}}."})
    ours = parameters(server)
    order = {"command": ours.command, "args": ours.args, "env": ours.env, "cwd": str(ours.cwd)}
    call = {"tool": "by_another", "arguments": {}}
    program = Path(__file__).parents[1] / "support" / "mcp_client.mjs"
    other = await asyncio.create_subprocess_exec(
        "node", program, EVERYTHING.parents[2] / "package.json", json.dumps(order | call),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await other.communicate()
    assert other.returncode == 0, err.decode()
    said = json.loads(out)
    assert said["server"]["name"] == "cloutagent"
    assert "by_another" in [tool["name"] for tool in said["tools"]]
    assert "It is 42" in said["result"]["content"][0]["text"]
    assert said["result"]["structuredContent"]["status"] == "completed"
    assert any("bash echo" in (message or "") for _, message in said["progress"])


async def test_what_goes_wrong_is_a_tool_error_with_its_code(server: LiveServer) -> None:
    make(server, "Needs region", {"text": "x"}, variables={"region": {"default": None}})
    make(server, "One turn", {"tools": [{"name": "bash", "input": {"command": "true"}}]}, {"text": "x"},
         limits={"max_cost_usd": None, "max_turns": 1})  # fmt: skip
    async with client(server) as connected:
        missing = await connected.call_tool("needs_region", {})
        unknown = await connected.call_tool("needs_region", {"region": "n", "colour": "red"})
        ended = await connected.call_tool("one_turn", {})
    assert (missing.is_error, unknown.is_error, ended.is_error) == (True, True, True)
    assert missing.content[0].text.startswith("MISSING_VARIABLE:")  # type: ignore[union-attr]
    assert unknown.content[0].text.startswith("UNKNOWN_VARIABLE:")  # type: ignore[union-attr]
    assert ended.content[0].text.startswith("TURN_LIMIT_EXCEEDED:")  # type: ignore[union-attr]
    assert ended.structured_content["error"]["code"] == "TURN_LIMIT_EXCEEDED"
    assert missing.structured_content["status"] == "refused"


async def test_a_call_that_is_taken_back_cancels_its_execution(server: LiveServer) -> None:
    project = make(server, "Sleeps", {"tools": [{"name": "bash", "input": {"command": "sleep 86431"}}]})
    async with client(server) as connected:
        call = asyncio.create_task(connected.call_tool("sleeps", {}))
        await _until(lambda: sleepers(86431))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await _until(lambda: not sleepers(86431))
        await _until(lambda: _latest(server, project)["status"] == "cancelled")
        assert len((await connected.list_tools()).tools)  # the session lives on


def _latest(server: LiveServer, project: str) -> dict[str, Any]:
    return dict(server.request("GET", f"executions?project={project}&limit=1")[1]["items"][0])


async def _until(condition: Any, within_s: float = 90) -> None:
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.05)


# ---------------------------------------------------------------- by hand, without a server


class ByHand:
    """A client of nobody's: JSON lines on pipes, every line of standard output looked at."""

    def __init__(self, folder: Path, *options: str) -> None:
        env = bare_environment(folder)
        env["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
        self.errors = (folder / "stderr").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cloutagent_ext", "mcp", "--data-dir", str(folder / "data"), *options],
            env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors,
        )  # fmt: skip
        self.seen: list[dict[str, Any]] = []
        self.request(1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                       "clientInfo": {"name": "hand", "version": "1"}})  # fmt: skip
        self.server = self.answer(1)["result"]
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def request(self, number: int, method: str, params: dict[str, Any]) -> None:
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})

    def answer(self, number: int) -> dict[str, Any]:
        """The answer to this request; whatever else comes is kept, and must be protocol."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            self.seen.append(message)
            if message.get("id") == number:
                return dict(message)
        raise AssertionError("standard output ended")

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(30)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()


def shell(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cloutagent_ext", *arguments, "--data-dir", str(folder / "data")],
        env={**bare_environment(folder), "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
        capture_output=True, text=True, timeout=110, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_without_a_server_it_works_in_process_and_standard_output_is_protocol_only(tmp_path: Path) -> None:
    shell(tmp_path, "projects", "create", "Sales analyst", "--template", "sales-analyst")
    hand = ByHand(tmp_path)
    try:
        assert hand.server["serverInfo"]["name"] == "cloutagent"
        hand.request(2, "tools/list", {})
        tools = hand.answer(2)["result"]["tools"]
        assert [tool["name"] for tool in tools] == ["sales_analyst"]
        call = {"name": "sales_analyst", "arguments": {}, "_meta": {"progressToken": "p"}}
        hand.request(3, "tools/call", call)
        result = hand.answer(3)["result"]
        assert not result.get("isError"), result
        assert result["structuredContent"]["status"] == "completed"
        assert result["structuredContent"]["files"]
        progress = [m["params"] for m in hand.seen if m.get("method") == "notifications/progress"]
        assert progress
        assert all(each["progressToken"] == "p" for each in progress)
        hand.request(4, "tools/call", {"name": "nobody", "arguments": {}})
        assert hand.answer(4)["error"]["code"] == -32602
        assert hand.end() == 0
    finally:
        hand.close()


@pytest.mark.parametrize("how", ["standard input closed", "terminated"])
def test_a_client_that_goes_away_leaves_nothing_running(tmp_path: Path, how: str) -> None:
    shell(tmp_path, "projects", "create", "Sleeps")
    [project] = [p for p in (tmp_path / "data" / "projects").iterdir() if (p / "metadata.json").exists()]
    agent = json.loads((project / "agent.config.json").read_text())
    agent |= {"task": "Sleep.", "tools": ["bash"], "permissions": {"bash": "allow"}}
    (project / "agent.config.json").write_text(json.dumps(agent))
    seconds = 86432 if how == "terminated" else 86433
    turn = {"tools": [{"name": "bash", "input": {"command": f"sleep {seconds}"}}]}
    (project / "files").mkdir(exist_ok=True)
    (project / "files" / "scenario.json").write_text(
        json.dumps({"schema_version": 1, "agents": {"main": [turn]}})
    )
    hand = ByHand(tmp_path)
    try:
        hand.request(2, "tools/call", {"name": "sleeps", "arguments": {}})
        deadline = time.monotonic() + 60
        while not sleepers(seconds):
            assert time.monotonic() < deadline, (tmp_path / "stderr").read_text()
            time.sleep(0.05)
        if how == "terminated":
            hand.process.terminate()
            assert hand.process.wait(30) == 143
        else:
            assert hand.end() == 0
        assert sleepers(seconds) == []
    finally:
        hand.close()
        for sleeper in sleepers(seconds):
            sleeper.kill()
