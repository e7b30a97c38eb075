"""MCP servers through the routes: Test, `connect=true`, runs, and what nobody has agreed to."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from cloutagent_ext.client import aconnect
from cloutagent_ext.errors import BadGateway
from tests.support.mcp_bench import HOSTILE
from tests.support.patience import Promised

from .caller import Caller, code

TIME = {"id": "time", "name": "Time", "command": "mcp-server-time"}


def hostile(how: str, argument: str = "", **more: Any) -> dict[str, Any]:
    fields = {
        "id": how,
        "name": how.title(),
        "command": sys.executable,
        "args": [str(HOSTILE), how, argument],
    }
    return {**fields, **more}


def running() -> list[str]:
    """Command lines of living servers of ours and their supervisors.

    Of this run of tests alone: another worker's servers, beside it, have a home below another folder.
    """
    ours = f"popen-{os.environ['PYTEST_XDIST_WORKER']}" if "PYTEST_XDIST_WORKER" in os.environ else ""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            home = process.environ().get("HOME", "")
            if process.status() == psutil.STATUS_ZOMBIE or ours not in f"{home} {line}":
                continue
            if "hostile_mcp" in line or "mcp-server-" in line:
                found.append(line)
        except (psutil.Error, OSError):
            continue
    return found


async def test_the_test_lists_what_a_server_offers_and_leaves_no_process(server: Caller) -> None:
    project = await server.create(mcps=[{**TIME, "enabled_tools": ["convert_time"]}])
    answer = await server.call("POST", f"projects/{project['id']}/mcps/time/test")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["server"], found["name"], found["left_out"]) == ("time", "mcp-time", [])
    assert found["duration_ms"] > 0
    # All its tools, also those that are not ticked: that is what the list is for.
    tools = {tool["name"]: tool for tool in found["tools"]}
    assert set(tools) == {"get_current_time", "convert_time"}
    assert tools["get_current_time"]["called"] == "mcp__time__get_current_time"
    assert tools["get_current_time"]["read_only"] is True
    assert tools["get_current_time"]["input_schema"]["required"] == ["timezone"]
    assert running() == []
    temp = Path(server.extension.services.settings.data_dir, "temp")
    assert not [path for path in temp.iterdir() if path.name.startswith("test-")]


async def test_a_server_that_fails_its_test_is_quoted_without_its_secrets(server: Caller) -> None:
    secret = "a-secret-1234567890"
    project = await server.create()
    made = await server.call(
        "POST", f"projects/{project['id']}/secrets", json={"name": "KEY", "value": secret}
    )
    assert made.status_code == 201
    changed = {**project, "mcps": [hostile("says-why", credentials={"TOKEN": "KEY"})]}
    del changed["api_key"]
    assert (await server.call("PUT", f"projects/{project['id']}", json=changed)).status_code == 200
    answer = await server.call("POST", f"projects/{project['id']}/mcps/says-why/test")
    assert (answer.status_code, code(answer)) == (502, "MCP_CONNECTION_FAILED")
    error = answer.json()["error"]
    assert "exit code 3" in error["message"]
    assert error["details"]["stderr"] == ["no database at [masked]"]
    assert secret not in answer.text


async def test_only_jupyter_users_test_and_only_what_there_is(server: Caller) -> None:
    project = await server.create(
        mcps=[TIME, {**TIME, "id": "off", "enabled": False}, hostile("x", command="")]
    )
    path = f"projects/{project['id']}/mcps"
    assert (await server.call("POST", f"{path}/time/test", key=project["api_key"])).status_code == 403
    assert (await server.call("POST", f"{path}/time/test", nobody=True)).status_code == 401
    assert (await server.call("POST", f"{path}/ghost/test")).status_code == 404
    assert (await server.call("POST", f"{path}/off/test")).status_code == 409
    broken = await server.call("POST", f"{path}/x/test")
    assert (broken.status_code, code(broken)) == (400, "INVALID_PROJECT")
    assert "command" in broken.json()["error"]["message"]


async def test_connecting_says_which_servers_are_there(server: Caller) -> None:
    mcps = [
        {**TIME, "enabled_tools": ["convert_time", "gone"]},
        hostile("silent-exit"),
        hostile("crashes-always", essential=True),
        hostile("well", enabled=False),
    ]
    project = await server.create(mcps=mcps, agent={"task": "Go."})
    path = f"projects/{project['id']}/validate"
    dry = (await server.call("POST", path)).json()
    assert dry["ok"] is True
    answer = await server.call("POST", f"{path}?connect=true")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["ok"] is False
    told = {(p["severity"], p["code"], p["node"], p["path"]) for p in found["problems"]}
    assert told - {(p["severity"], p["code"], p["node"], p["path"]) for p in dry["problems"]} == {
        ("warning", "UNKNOWN_MCP_TOOL", "mcp:time", "mcps.0.enabled_tools.1"),
        ("warning", "MCP_CONNECTION_FAILED", "mcp:silent-exit", "mcps.1"),
        ("error", "MCP_CONNECTION_FAILED", "mcp:crashes-always", "mcps.2"),
    }
    assert running() == []
    refused = await server.call("POST", f"{path}?connect=true", key=project["api_key"])
    assert (refused.status_code, code(refused)) == (403, "FORBIDDEN")
    assert (await server.call("POST", path, key=project["api_key"])).status_code == 200


async def test_a_run_uses_a_server_and_answers_with_what_it_said(server: Caller) -> None:
    project = await server.create(mcps=[TIME], agent={"task": "What time is it?"})
    call = {"name": "mcp__time__get_current_time", "as": "now", "input": {"timezone": "Asia/Tokyo"}}
    await server.script(project["id"], {"tools": [call]}, {"text": "It is {{result.now}}"})
    state = await server.ended(await server.execute(project["id"]))
    assert state["status"] == "completed", state
    assert "Asia/Tokyo" in state["result"]["text"]
    events = await server.events(state["execution_id"])
    (told,) = [event for event in events if event["type"] == "tool_call"]
    assert told["source"] == "mcp:time"
    assert running() == []


async def test_an_essential_server_that_is_missing_fails_a_waiting_call_with_502(server: Caller) -> None:
    project = await server.create(mcps=[hostile("silent-exit", essential=True)], agent={"task": "Go."})
    answer = await server.call("POST", f"projects/{project['id']}/execute", json={"wait": True})
    assert (answer.status_code, code(answer)) == (502, "MCP_CONNECTION_FAILED")
    state = answer.json()["error"]["details"]["state"]
    assert state["error"]["code"] == "MCP_CONNECTION_FAILED"
    assert state["error"]["details"]["server"] == "silent-exit"


async def test_credentials_reach_one_child_and_come_back_masked(server: Caller) -> None:
    secret, filled = "a-credential-1234567890", "a-filled-in-0987654321"
    project = await server.create()
    for name, value in {"ONE": secret, "TWO": filled}.items():
        body = {"name": name, "value": value}
        assert (await server.call("POST", f"projects/{project['id']}/secrets", json=body)).status_code == 201
    first = hostile("tells-secrets", id="a", credentials={"TOKEN": "ONE"}, env={"TWICE": "<{{secret:TWO}}>"})
    agent = {"task": "Go.", "tools": ["bash"], "permissions": {"bash": "allow"}}
    changed = {**project, "mcps": [first, hostile("tells-secrets", id="b")]}
    changed["agent"] = {**project["agent"], **agent}
    del changed["api_key"]
    assert (await server.call("PUT", f"projects/{project['id']}", json=changed)).status_code == 200
    tools = [
        {"name": "mcp__a__echo", "as": "a", "input": {}},
        {"name": "mcp__b__echo", "as": "b", "input": {}},
        {"name": "bash", "as": "c", "input": {"command": "env"}},
    ]
    await server.script(project["id"], {"tools": tools}, {"text": "Done."})
    state = await server.ended(await server.execute(project["id"]))
    assert state["status"] == "completed", state
    events = await server.events(state["execution_id"])
    said = {e["tool"]: e["output"][0]["text"] for e in events if e["type"] == "tool_result"}
    assert json.loads(said["mcp__a__echo"])["TOKEN"] == "[masked]"
    assert json.loads(said["mcp__a__echo"])["TWICE"] == "<[masked]>"
    assert "TOKEN" not in said["mcp__b__echo"]
    assert "TOKEN" not in said["bash"]
    everything = b"".join(
        path.read_bytes()
        for path in Path(server.extension.services.settings.data_dir).rglob("*")
        if path.is_file()
    )
    assert secret.encode() not in everything
    assert filled.encode() not in everything


async def test_cancelling_ends_servers_that_do_not_want_to_end(server: Caller, promised: Promised) -> None:
    project = await server.create(
        mcps=[hostile("ignores-everything"), hostile("hangs-on-call")], agent={"task": "Go."}
    )
    call = {"name": "mcp__hangs-on-call__echo", "as": "x", "input": {"text": "hang"}}
    await server.script(project["id"], {"tools": [call]}, {"text": "Done."})
    execution = await server.execute(project["id"])
    async with asyncio.timeout(60):
        async with server.stream(f"executions/{execution}/stream") as (_, frames):
            async for frame in frames:
                if frame.data["type"] == "tool_call":
                    break
    with promised(5):
        await server.call("POST", f"executions/{execution}/cancel", json={})
        state = await server.ended(execution)
    assert state["status"] == "cancelled"
    assert running() == []


@pytest.fixture
async def imported(server: Caller, tmp_path: Path) -> tuple[str, Path]:
    """A project that came as an archive, whose server would leave a sentinel; and that sentinel."""
    sentinel = tmp_path / "sentinel"
    agent = {"task": "Go."}
    project = await server.create(mcps=[hostile("sentinel", str(sentinel))], agent=agent)
    archive = await server.call("GET", f"projects/{project['id']}/export")
    headers = {"Content-Type": "application/zip"}
    made = await server.call("POST", "projects/import", content=archive.content, headers=headers)
    assert made.status_code == 201, made.text
    return made.json()["id"], sentinel


@pytest.mark.parametrize("settings", [{"isolation": "off"}])  # a sandbox would keep it from its sentinel
async def test_nothing_starts_a_server_that_nobody_here_has_agreed_to(
    server: Caller, imported: tuple[str, Path]
) -> None:
    project, sentinel = imported
    await server.get("projects")
    definition = await server.get(f"projects/{project}")
    assert definition["trusted"] is False
    await server.call("GET", f"projects/{project}/export")
    await server.call("POST", f"projects/{project}/validate")
    for path, body in {
        f"projects/{project}/mcps/sentinel/test": None,
        f"projects/{project}/validate?connect=true": None,
        f"projects/{project}/execute": {"prompt": "Go."},
    }.items():
        refused = await server.call("POST", path, json=body)
        assert (refused.status_code, code(refused)) == (409, "NOT_TRUSTED"), path
        (row,) = refused.json()["error"]["details"]["would_run"]["mcps"]
        assert row["args"][-1] == str(sentinel)
    assert not sentinel.exists()
    # It is the agreement that was missing, and nothing else.
    agreed = {"hash": refused.json()["error"]["details"]["hash"]}
    assert (await server.call("POST", f"projects/{project}/trust", json=agreed)).status_code == 200
    assert (await server.call("POST", f"projects/{project}/mcps/sentinel/test")).status_code == 200
    assert sentinel.read_text() == "started\n"


async def test_the_end_of_the_server_ends_a_test_in_the_middle(server: Caller) -> None:
    project = await server.create(mcps=[hostile("hangs-on-initialize")])
    testing = asyncio.create_task(
        server.call("POST", f"projects/{project['id']}/mcps/hangs-on-initialize/test")
    )
    async with asyncio.timeout(60):
        while not running():
            await asyncio.sleep(0.05)
    await server.extension.services.trials.made.close()
    answer = await testing
    assert (answer.status_code, code(answer)) == (503, "SHUTTING_DOWN")
    assert running() == []


async def test_the_python_client_reaches_both(server: Caller) -> None:
    project = await server.create(mcps=[TIME, hostile("silent-exit")])
    address = str(server.http.base_url)
    async with await aconnect(address, token=server.app.identity_provider.token) as client:
        found = await client.project(project["id"])
        assert {tool.name for tool in (await found.test_mcp("time")).tools} == {
            "get_current_time",
            "convert_time",
        }
        with pytest.raises(BadGateway) as caught:
            await found.test_mcp("silent-exit")
        assert caught.value.error_code == "MCP_CONNECTION_FAILED"
        assert "MCP_CONNECTION_FAILED" not in {each.code for each in (await found.validate()).problems}
        tried = await found.validate(connect=True)
        assert [p.node for p in tried.problems if p.code == "MCP_CONNECTION_FAILED"] == ["mcp:silent-exit"]
