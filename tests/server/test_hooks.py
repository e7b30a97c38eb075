"""Hooks at a real server: what runs them and what does not, their secrets, and what they would have done."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cloutagent_ext.client import aconnect
from cloutagent_ext.errors import NotFound
from tests.support.patience import Promised
from tests.support.survivors import survivors

from .caller import Caller

GUARD = """\
import json, sys
told = json.load(sys.stdin)
command = told["tool_input"].get("command", "")
if "rm " in command:
    print("deleting is not for agents", file=sys.stderr)
    sys.exit(2)
if "mv " in command:
    print(json.dumps({"hookSpecificOutput": {"permissionDecision": "ask"}}))
elif "ls" in command:
    print(json.dumps({"hookSpecificOutput": {"updatedInput": {"command": "ls -a"}}}))
elif "odd" in command:
    print("{odd")
"""


def hook(**changes: Any) -> dict[str, Any]:
    return {
        "id": "guard",
        "name": "No deletes",
        "event": "PreToolUse",
        "matcher": "Bash",
        "action": {"type": "command", "command": ["python", "guard.py"]},
        **changes,
    }


def bash(command: str, name: str) -> dict[str, Any]:
    return {"text": "Now.", "tools": [{"name": "bash", "as": name, "input": {"command": command}}]}


OPEN = pytest.mark.parametrize("settings", [{"isolation": "off"}])
"""Without a sandbox: the hook of the test leaves a trace outside of its folder."""
AGENT = {"tools": ["bash"], "permissions": {"bash": "allow"}}


async def guarded(server: Caller, *turns: dict[str, Any], script: str = GUARD, **changes: Any) -> str:
    """A project with `guard.py` whose agent plays `turns`."""
    project = await server.create("Guarded", agent=AGENT)
    pid = str(project["id"])
    await put(server, pid, "guard.py", script)
    await server.script(pid, *turns, {"text": "Done."})
    await save(server, pid, **{"hooks": [hook()], **changes})
    return pid


async def put(server: Caller, pid: str, path: str, text: str) -> None:
    response = await server.call("PUT", f"projects/{pid}/files/{path}", content=text.encode())
    assert response.status_code == 200, response.text


async def save(server: Caller, pid: str, **changes: Any) -> None:
    definition = await server.get(f"projects/{pid}")
    response = await server.call("PUT", f"projects/{pid}", json=definition | changes)
    assert response.status_code == 200, response.text


async def run(server: Caller, pid: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    execution = await server.execute(pid)
    state = await server.ended(execution)
    page = await server.get(f"executions/{execution}/events")
    return state, page["items"]


async def backtest(server: Caller, pid: str, id: str = "guard", **body: Any) -> httpx2.Response:
    return await server.call("POST", f"projects/{pid}/hooks/{id}/backtest", json=body, timeout=60)


def of(events: list[dict[str, Any]], type: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == type]


async def test_a_guard_of_the_project_stops_the_call_and_the_log_names_it(server: Caller) -> None:
    pid = await guarded(server, bash("echo fine", "a"), bash("rm -rf data", "b"))
    state, events = await run(server, pid)
    assert state["status"] == "completed"
    assert [(e["hook"], e["outcome"]) for e in of(events, "hook")] == [("guard", "allow"), ("guard", "deny")]
    assert of(events, "hook")[1]["message"] == "No deletes blocks: deleting is not for agents"
    fine, denied = of(events, "tool_result")
    assert not fine["is_error"]
    assert "The hook No deletes blocked this call: deleting is not for agents" in denied["output"][0]["text"]


async def test_an_agent_cannot_rewrite_its_guard(server: Caller) -> None:
    pid = await guarded(server, bash("echo 'pass' > guard.py", "a"), bash("rm -rf data", "b"))
    _, events = await run(server, pid)
    assert [event["outcome"] for event in of(events, "hook")] == ["allow", "deny"]


async def test_a_hooks_secret_reaches_it_and_nothing_else(server: Caller) -> None:
    script = (
        "import os, sys\n"
        "print('token', os.environ['TOKEN'], 'agent', os.environ.get('MINE'), file=sys.stderr)\n"
        "sys.exit(2)\n"
    )
    pid = await guarded(server, bash("env", "a"), script=script)
    for name in ("HOOK_TOKEN", "AGENT_TOKEN"):
        response = await server.call(
            "POST", f"projects/{pid}/secrets", json={"name": name, "value": f"the-{name}-value"}
        )
        assert response.status_code == 201
    await save(
        server,
        pid,
        hooks=[hook(env={"TOKEN": "{{secret:HOOK_TOKEN}}"})],
        agent={**(await server.get(f"projects/{pid}"))["agent"], "env": {"MINE": "{{secret:AGENT_TOKEN}}"}},
    )
    state, events = await run(server, pid)
    assert of(events, "hook")[0]["message"] == "No deletes blocks: token [masked] agent None"
    folder = Path(server.extension.services.settings.data_dir) / "projects" / pid / "executions"
    for path in folder.rglob("*"):
        if path.is_file():
            assert b"-value" not in path.read_bytes(), path
    assert "the-HOOK_TOKEN-value" not in json.dumps([state, events])


async def test_a_missing_secret_of_a_hook_keeps_the_project_from_running(server: Caller) -> None:
    pid = await guarded(server, hooks=[hook(env={"TOKEN": "{{secret:GONE}}"})])
    response = await server.call("POST", f"projects/{pid}/execute", json={"prompt": "Go."})
    assert response.status_code == 400
    assert "SECRET_MISSING" in response.text


async def test_a_cancel_while_a_hook_runs_leaves_no_process(server: Caller, promised: Promised) -> None:
    pid = await guarded(
        server,
        bash("true", "a"),
        script="import time; open('up', 'w'); time.sleep(600)",
        hooks=[hook(timeout_s=600)],
    )
    execution = await server.execute(pid)
    up = Path(server.extension.services.settings.data_dir) / "temp" / execution / "workspace/up"
    async with asyncio.timeout(90):
        while not up.exists():
            await asyncio.sleep(0.02)
    response = await server.call("POST", f"executions/{execution}/cancel", json={})
    assert response.status_code == 200
    with promised(5):
        await server.extension.services.executions.wait(execution)
    assert (await server.get(f"executions/{execution}"))["status"] == "cancelled"
    assert survivors(execution) == []


async def test_a_hooks_sandbox_is_its_own(server: Caller) -> None:
    """Where this machine has one; the agent's commands cannot see a hook that runs, nor its environment."""
    script = "import os; print(len([p for p in os.listdir('/proc') if p.isdigit()]), file=open('seen', 'w'))"
    pid = await guarded(server, bash("sleep 0.2 & ls", "a"), script=script)
    state, events = await run(server, pid)
    assert state["status"] == "completed"
    warned = {event["code"] for event in of(events, "warning")}
    seen = (
        Path(server.extension.services.settings.data_dir) / "temp" / state["execution_id"] / "workspace/seen"
    )
    assert ("NOT_ISOLATED" in warned) == (int(seen.read_text()) > 3)


# ---------------------------------------------------------------- trust


@pytest.fixture
async def imported(server: Caller, tmp_path: Path) -> tuple[str, Path]:
    """A project from elsewhere whose hook leaves a trace when it runs."""
    trace = tmp_path / "trace"
    pid = await guarded(server, bash("true", "a"), script=f"open({str(trace)!r}, 'w')")
    archive = (await server.call("GET", f"projects/{pid}/export")).content
    response = await server.call(
        "POST", "projects/import", content=archive, headers={"Content-Type": "application/zip"}
    )
    assert response.status_code == 201, response.text
    return str(response.json()["id"]), trace


@OPEN
async def test_no_hook_of_an_untrusted_project_starts(server: Caller, imported: tuple[str, Path]) -> None:
    pid, trace = imported
    for method, path, body in (
        ("POST", f"projects/{pid}/execute", {"prompt": "Go."}),
        ("POST", f"projects/{pid}/hooks/guard/backtest", {}),
    ):
        response = await server.call(method, path, json=body)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "NOT_TRUSTED"), path
        shown = response.json()["error"]["details"]["would_run"]["hooks"][0]
        assert shown["command"] == ["python", "guard.py"]
    await server.call("POST", f"projects/{pid}/validate", json={})
    assert not trace.exists()
    hash = response.json()["error"]["details"]["hash"]
    assert (await server.call("POST", f"projects/{pid}/trust", json={"hash": hash})).status_code == 200
    assert (await run(server, pid))[0]["status"] == "completed"
    assert trace.exists()


@OPEN
async def test_a_hook_that_is_off_is_tried_only_where_that_was_agreed_to(
    server: Caller, imported: tuple[str, Path]
) -> None:
    pid, trace = imported
    definition = await server.get(f"projects/{pid}")
    folder = Path(server.extension.services.settings.data_dir) / "projects" / pid
    kept = json.loads((folder / "hooks/guard.json").read_text())
    (folder / "hooks/guard.json").write_text(json.dumps(kept | {"enabled": False}))
    execution = await server.execute(pid)  # nothing would start, so nothing has to be agreed to
    await server.ended(execution)
    refused = await backtest(server, pid)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "NOT_TRUSTED")
    await save(server, pid, description=definition["description"] + "!")
    assert (await backtest(server, pid)).status_code == 409, "saving something else agrees to nothing"
    assert not trace.exists()
    hash = refused.json()["error"]["details"]["hash"]
    assert (await server.call("POST", f"projects/{pid}/trust", json={"hash": hash})).status_code == 200
    assert (await backtest(server, pid)).status_code == 200
    assert trace.exists()
    trace.unlink()
    (folder / "hooks/guard.json").write_text(json.dumps(kept))
    response = await server.call("POST", f"projects/{pid}/execute", json={"prompt": "Go."})
    assert response.status_code == 409, "to agree to a trial is not to agree that it runs"
    assert not trace.exists()


# ---------------------------------------------------------------- backtests


async def test_a_backtest_tells_what_a_hook_would_have_done_before_it_is_switched_on(server: Caller) -> None:
    turns = [bash(each, f"r{i}") for i, each in enumerate(["rm x", "mv x y", "ls", "echo odd", "echo fine"])]
    pid = await guarded(server, *turns, hooks=[])
    executions = [await server.execute(pid) for _ in range(2)]
    for execution in executions:
        await server.ended(execution)
    await save(server, pid, hooks=[hook(enabled=False)])
    found = (await backtest(server, pid)).json()
    assert {name: found[name] for name in ("hook", "on", "executions", "seen", "complete")} == {
        "hook": "guard",
        "on": "PreToolUse",
        "executions": 2,
        "seen": 10,
        "complete": True,
    }
    assert [found[name] for name in ("denied", "asked", "changed", "failed", "allowed")] == [2] * 5
    rows = found["rows"][:5]
    assert [row["outcome"] for row in rows] == ["deny", "ask", "changed", "failed", "allow"]
    assert rows[0]["message"] == "No deletes blocks: deleting is not for agents"
    assert {row["execution_id"] for row in rows} == {executions[1]}, "the newest first"
    assert all(row["tool"] == "bash" and row["call_id"] for row in rows)
    some = (await backtest(server, pid, execution_ids=[executions[0]])).json()
    assert (some["executions"], some["seen"]) == (1, 5)
    assert (await backtest(server, pid, last=1)).json()["seen"] == 5


async def test_a_backtest_starts_nothing_but_that_hook_and_leaves_nothing(server: Caller) -> None:
    pid = await guarded(server, bash("touch ran", "a"))
    _, before = await run(server, pid)
    other = hook(id="other", name="Other", action={"type": "command", "command": ["touch", "other"]})
    await save(server, pid, hooks=[hook(), other])
    listed = [row["execution_id"] for row in (await server.get("executions"))["items"]]
    assert (await backtest(server, pid)).json()["seen"] == 1
    assert [row["execution_id"] for row in (await server.get("executions"))["items"]] == listed
    temp = Path(server.extension.services.settings.data_dir) / "temp"
    assert sorted(path.name for path in temp.iterdir()) == sorted(listed)
    assert survivors("backtest-", prefix=True) == []
    assert len(before) == len((await server.get(f"executions/{listed[0]}/events"))["items"])


@pytest.mark.parametrize(
    ("event", "seen", "field", "value"),
    [
        ("PostToolUse", 1, "tool_response", [{"type": "text", "text": "one\n", "path": None}]),
        ("PostToolUseFailure", 1, "error", "[exit code 3]"),
        ("UserPromptSubmit", 1, "prompt", "Go."),
        ("SessionStart", 1, "source", "startup"),
        ("Stop", 1, "last_assistant_message", "Done."),
        ("SessionEnd", 1, "reason", "completed"),
        ("Error", 0, None, None),
        ("PreCompact", 0, None, None),
        ("SubagentStart", 0, None, None),
        ("SubagentStop", 0, None, None),
        ("Notification", 0, None, None),
    ],
)
async def test_each_event_is_tried_on_its_own_recorded_moments(
    server: Caller, event: str, seen: int, field: str | None, value: Any
) -> None:
    tell = (
        f"import json, sys; told = json.load(sys.stdin); print(json.dumps(told[{field!r}]), file=sys.stderr)"
    )
    pid = await guarded(
        server,
        bash("echo one", "a"),
        bash("exit 3", "b"),
        script=f"{tell}; sys.exit(1)",
        hooks=[hook(event=event, matcher="", enabled=False)],
    )
    await run(server, pid)
    found = (await backtest(server, pid)).json()
    assert found["seen"] == seen
    for row in found["rows"]:
        assert json.loads(row["message"].partition("exit code 1: ")[2].partition("\n")[0]) == value


async def test_a_backtest_of_what_is_not_there_says_so(server: Caller) -> None:
    pid = await guarded(server)
    other = await server.create("Other")
    foreign = await server.execute(other["id"])
    await server.ended(foreign)
    assert (await backtest(server, pid, "nobody")).status_code == 404
    assert (await backtest(server, pid, execution_ids=[foreign])).status_code == 404
    assert (await backtest(server, pid, last=501)).status_code == 400
    assert (await backtest(server, pid)).json()["rows"] == []


async def test_the_python_client_tries_hooks_too(server: Caller) -> None:
    pid = await guarded(server, bash("rm x", "a"))
    await run(server, pid)
    token = server.app.identity_provider.token
    async with await aconnect(str(server.http.base_url), token=token) as client:
        found = await (await client.project(pid)).backtest("guard", last=1)
        assert (found.seen, found.denied, found.rows[0].outcome) == (1, 1, "deny")
        with pytest.raises(NotFound):
            await (await client.project(pid)).backtest("nobody")


async def test_a_caller_who_goes_away_ends_the_backtest(server: Caller, promised: Promised) -> None:
    slow = "import time; time.sleep(600)"
    pid = await guarded(server, bash("true", "a"), script=slow, hooks=[hook(enabled=False, timeout_s=600)])
    await run(server, pid)
    task = asyncio.create_task(backtest(server, pid))
    async with asyncio.timeout(90):
        while not survivors("backtest-", prefix=True):
            await asyncio.sleep(0.05)
    task.cancel()
    with promised(10):
        while survivors("backtest-", prefix=True):
            await asyncio.sleep(0.05)
    await asyncio.gather(task, return_exceptions=True)
