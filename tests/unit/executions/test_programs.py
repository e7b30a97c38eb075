"""A project as a program: it runs alone, in a process of its own, and asks a model what the product asks."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.executions import programs
from cloutagent_ext.schema.project import (
    CommandAction,
    Definition,
    Hook,
    Limits,
    McpServer,
    Subagent,
    Variable,
)
from tests.support.live_server import bare_environment
from tests.support.messages_api import Call, Calls, Json, MessagesApi, Say, Scripted
from tests.support.messages_thread import messages_api

from .conftest import Office, Opens, agent

KEY = "test-key"
TOOLS = ["bash", "view", "file_create", "str_replace", "glob", "grep", "python"]


async def source_of(office: Office, definition: Definition) -> tuple[str, str]:
    """Id of the stored project, and the program."""
    project = str((await office.services.store.create(definition)).project.id)
    _, source = await programs.of(office.services.store, office.services.models, project)
    return project, source.decode()


def run(folder: Path, source: str, url: str, *options: str, stdin: str | None = None) -> Any:
    """The program as its own process, with nothing of the product on its path."""
    (folder / "work").mkdir(exist_ok=True)
    (folder / "program.py").write_text(source)
    env = bare_environment(folder) | {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": KEY,
        "TOKEN_HERE": "t-1",
    }
    env.pop("PYTHONPATH", None)
    return subprocess.run(
        [sys.executable, str(folder / "program.py"), "--workspace", str(folder / "work"), *options],
        env=env, cwd=folder, capture_output=True, text=True, timeout=110, input=stdin,
    )  # fmt: skip


WHOLE = Definition(
    name='A "quoted" project \\ with """ marks',
    description="Does 100 % of it.",
    agent=agent(
        system_prompt="You work on {{topic}}.\nCarefully: \"\"\" and \\n.",
        task="Do {{topic}}.",
        tools=TOOLS,
        permissions={"*": "allow"},
    ),
    subagents=[
        Subagent(id="helper", name="Helper", description="Helps.", prompt="You help.", tools=["bash"],
                 permissions={"bash": "allow"}, parallel=True, max_parallel_instances=2),
    ],
    variables={"topic": Variable(default="the work")},
)  # fmt: skip


def script(body: Json, number: int) -> Scripted:
    """Two helpers at once, then every tool once, then an answer from a tool's result."""
    messages = body["messages"]
    first = messages[0]["content"][0]["text"]
    if first in ("one", "two"):
        return Call("bash", {"command": f"echo {first}"}) if len(messages) == 1 else Say(f"helped {first}")
    turns: list[Scripted] = [
        Calls([("agent__helper", {"prompt": "one"}), ("agent__helper", {"prompt": "two"})], text="Both."),
        Calls([("file_create", {"path": "a/b.txt", "content": "one\ntwo\n"})]),
        Calls([
            ("view", {"path": "a/b.txt", "view_range": [2, 2]}), ("glob", {"pattern": "**/*.txt"}),
            ("grep", {"pattern": "t.o", "path": "."}), ("view", {"path": "../../program.py"}),
            ("nobody", {}),
        ]),
        Calls([("str_replace", {"path": "a/b.txt", "old_str": "two", "new_str": "three"})]),
        Calls([("bash", {"command": "cd a; cat b.txt"})]),
        Calls([("bash", {"command": "basename $PWD; exit 3"})]),
        Calls([("python", {"code": "x = 20\nprint('hi')"})]),
        Calls([("python", {"code": "import os; os.system('echo not an answer')\nx + 22"})]),
    ]  # fmt: skip
    turn = sum(message["role"] == "assistant" for message in messages)
    if turn < len(turns):
        return turns[turn]
    result = messages[-1]["content"][0]["content"][0]["text"].strip().splitlines()[-1]
    return Say(f"The answer is {result}.")


def main_requests(api: MessagesApi) -> list[Json]:
    return [body for body in api.requests if "helper" not in json.dumps(body["messages"][0]) and
            body["messages"][0]["content"][0]["text"] not in ("one", "two")]  # fmt: skip


async def test_it_asks_what_the_product_asks_and_comes_to_the_same(
    open_office: Opens, tmp_path: Path
) -> None:
    async with MessagesApi(script, api_key=KEY) as api:
        office = await open_office(api_key=KEY, base_url=api.url)
        project, source = await source_of(office, WHOLE)
        state = await office.run(project)
        assert state.status == "completed"
        product = main_requests(api)
        helpers = [body for body in api.requests if body["messages"][0]["content"][0]["text"] == "one"]
        await office.services.stop(0)
    with messages_api(script, api_key=KEY) as alone:
        done = await asyncio.to_thread(run, tmp_path, source, alone.url, "--topic", "the work")
        assert done.returncode == 0, done.stderr
        assert alone.refused == []
        program = main_requests(alone)
        own_helpers = [b for b in alone.requests if b["messages"][0]["content"][0]["text"] == "one"]
    assert done.stdout.strip() == "The answer is 42."
    assert len(program) == len(product)
    for field in ("model", "system", "tools", "max_tokens", "thinking", "cache_control"):
        assert program[0].get(field) == product[0].get(field), field
        assert own_helpers[0].get(field) == helpers[0].get(field), field
    assert program[0]["messages"] == product[0]["messages"]
    assert "{{topic}}" not in json.dumps(program[0])

    def results(requests: list[Json]) -> list[tuple[str, bool]]:
        return [
            (_said(block), bool(block.get("is_error")))
            for message in requests[-1]["messages"] for block in message["content"]
            if message["role"] == "user" and block["type"] == "tool_result"
        ]  # fmt: skip

    ours, theirs = results(product), results(program)
    # Helpers, files and searches answer in the same words; where they may not go, both say no.
    assert [theirs[i] for i in (0, 1, 2, 3, 4, 5, 8, 9)] == [ours[i] for i in (0, 1, 2, 3, 4, 5, 8, 9)]
    assert (theirs[6][1], theirs[7][1], theirs[10][1]) == (True, True, True)
    assert theirs[10][0].startswith("a\n"), "the folder that a command ended in is the next one's"
    assert (tmp_path / "work" / "a" / "b.txt").read_text() == "one\nthree\n"


async def test_it_stops_when_a_limit_is_reached_and_says_which(open_office: Opens, tmp_path: Path) -> None:
    endless = agent(task="Go on.", tools=["bash"], permissions={"bash": "allow"})
    usage = {"input_tokens": 100_000, "output_tokens": 1}
    with messages_api(
        lambda body, number: Call("bash", {"command": "true"}, usage=usage), api_key=KEY
    ) as api:
        office = await open_office()
        for limits, code in (
            (Limits(max_cost_usd=0.5, max_tokens=10**9), "COST_LIMIT_EXCEEDED"),
            (Limits(max_cost_usd=None, max_tokens=150_000), "TOKEN_LIMIT_EXCEEDED"),
            (Limits(max_cost_usd=None, max_tokens=10**9, max_turns=3), "TURN_LIMIT_EXCEEDED"),
        ):
            before = len(api.requests)
            _, source = await source_of(office, Definition(name=code, agent=endless, limits=limits))
            done = await asyncio.to_thread(run, tmp_path, source, api.url)
            assert done.returncode == 1
            assert code in done.stderr
            assert done.stdout == ""
            assert len(api.requests) - before == (2 if code != "TURN_LIMIT_EXCEEDED" else 3)


async def test_what_would_ask_is_not_run_where_nobody_answers(open_office: Opens, tmp_path: Path) -> None:
    asking = agent(task="Go.", tools=["bash"], permissions={"bash(echo *)": "allow", "bash(rm *)": "deny"})
    office = await open_office()
    _, source = await source_of(office, Definition(name="Asks", agent=asking))
    calls = [("bash", {"command": c}) for c in ("echo yes", "touch made", "rm -rf x")]
    with messages_api([Calls(calls), Say("Done.")], api_key=KEY) as api:
        done = await asyncio.to_thread(run, tmp_path, source, api.url, stdin="")
        assert done.returncode == 0, done.stderr
        results = api.requests[1]["messages"][-1]["content"]
    assert [bool(each.get("is_error")) for each in results] == [False, True, True]
    assert not (tmp_path / "work" / "made").exists()
    with messages_api([Calls(calls), Say("Done.")], api_key=KEY) as api:
        await asyncio.to_thread(run, tmp_path, source, api.url, "--yes", stdin="")
        results = api.requests[1]["messages"][-1]["content"]
    assert [bool(each.get("is_error")) for each in results] == [False, False, True]


def _said(result: Json) -> str:
    """Without the product's word about where the whole of a long text is."""
    return str(result["content"][0]["text"]).partition("\n[all of it")[0].strip()


HOOK = Hook(
    id="h", name="No deletes", event="PreToolUse", action=CommandAction(type="command", command=["true"])
)


async def test_it_says_what_it_does_not_do(open_office: Opens, tmp_path: Path) -> None:
    office = await open_office()
    guarded = Definition(name="Guarded", agent=agent(tools=["bash", "web_fetch"]), hooks=[HOOK])
    _, source = await source_of(office, guarded)
    head = ast.get_docstring(ast.parse(source)) or ""
    assert "What it does not do:" in head
    assert "hooks are NOT run (No deletes)" in head
    assert "web_fetch" in head
    with messages_api([Say("Ran.")], api_key=KEY) as api:
        refused = await asyncio.to_thread(run, tmp_path, source, api.url)
        assert (refused.returncode, len(api.requests)) == (2, 0)
        assert "No deletes" in refused.stderr
        done = await asyncio.to_thread(run, tmp_path, source, api.url, "--without-hooks")
        assert (done.returncode, done.stdout.strip()) == (0, "Ran.")


async def test_mcp_servers_are_tools_of_the_program_too(open_office: Opens, tmp_path: Path) -> None:
    server = McpServer(id="time", name="Time", command=sys.executable, args=["-m", "mcp_server_time"],
                       credentials={"TOKEN": "TOKEN_HERE"}, enabled_tools=["convert_time"])  # fmt: skip
    asking = agent(task="When?", tools=[], permissions={"mcp__time__*": "allow"})
    office = await open_office()
    _, source = await source_of(office, Definition(name="Timely", agent=asking, mcps=[server]))
    call = Call(
        "mcp__time__convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "UTC"}
    )
    with messages_api([call, Say("Noon.")], api_key=KEY) as api:
        done = await asyncio.to_thread(run, tmp_path, source, api.url)
        assert (done.returncode, done.stdout.strip()) == (0, "Noon."), done.stderr
        assert [tool["name"] for tool in api.requests[0]["tools"]] == ["mcp__time__convert_time"]
        result = api.requests[1]["messages"][-1]["content"][0]
    assert not result.get("is_error"), result
    assert "12:00" in result["content"][0]["text"]


async def test_a_program_without_servers_has_nothing_of_mcp_in_it(open_office: Opens) -> None:
    office = await open_office()
    _, source = await source_of(office, Definition(name="Plain", agent=agent(tools=["view"])))
    compile(source, "program.py", "exec")
    for absent in ("asyncio", "Servers", ">>>", "<<<", "cloutagent_ext", "file_tools import"):
        assert absent not in source, absent


@pytest.mark.parametrize("options", [["--help"], ["--topic"], []])
async def test_variables_are_options(open_office: Opens, tmp_path: Path, options: list[str]) -> None:
    office = await open_office()
    own = {name: Variable(required=False) for name in ("prompt", "workspace", "yes", "help", "max_cost")}
    variables = {"topic": Variable(description="50 % of it"), **own}
    needed = Definition(name="Needs", agent=agent(), variables=variables)
    _, source = await source_of(office, needed)
    done = await asyncio.to_thread(run, tmp_path, source, "http://127.0.0.1:1", *options)
    assert done.returncode == (0 if options == ["--help"] else 2)
    assert "--topic" in done.stdout + done.stderr
    assert "--var-prompt" in done.stdout + done.stderr
    assert os.environ.get("ANTHROPIC_API_KEY") is None
