"""A tool call that is open when its execution ends: the log says what is known of it, whatever the end."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.unfinished import OUTCOME_UNKNOWN
from cloutagent_ext.executions.unanswered import CUT_OFF, ONLY_READS, UNHEARD
from cloutagent_ext.schema.execution import ExecutionState, ResumeRequest
from cloutagent_ext.schema.project import CommandAction, Definition, Hook, McpServer, PartialLimits, Subagent
from tests.support.answered import unanswered
from tests.support.mcp_bench import HOSTILE
from tests.support.messages_api import Call, MessagesApi, Say

from .conftest import USER, Office, Opens, agent, bash
from .test_queue import gated

NOT_RUN = "not run: the execution ended before this call."
WITHIN_S = 90


def cut(gate: Path, name: str = "done") -> dict[str, Any]:
    """A command that says that it has begun, and does not end."""
    return bash(f"touch {gate}.begun; {gated(gate)}", name)


async def begun(gate: Path) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not await asyncio.to_thread(gate.with_name(f"{gate.name}.begun").exists):
            await asyncio.sleep(0.02)


async def end_of(office: Office, execution_id: str) -> ExecutionState:
    async with asyncio.timeout(WITHIN_S):
        return await office.executions.wait(execution_id)


async def said(office: Office, execution_id: str) -> dict[str, str]:
    """Tool → what its result says, of those that say something is wrong; each comes before the end."""
    events = await office.events(execution_id)
    results = [event for event in events if event["type"] == "tool_result"]
    assert all(event["duration_ms"] >= 0 for event in results)
    return {event["tool"]: event["output"][0]["text"] for event in results if event["is_error"]}


# ---------------------------------------------------------------- in one sitting


async def test_a_cancel(office: Office, tmp_path: Path) -> None:
    """Of a command, and of a call beside it that only reads."""
    gate, reads = tmp_path / "gate", "mcp__slow__echo"
    server = McpServer(id="slow", name="Slow", command=sys.executable, args=[str(HOSTILE), "hangs-on-call"])
    turn = cut(gate)
    turn["tools"].append({"name": reads, "input": {"text": "hang"}})
    project = await office.project(turn, mcps=[server], agent=agent(mcps=["slow"]))
    accepted = await office.accept(project)
    await begun(gate)
    journal = tmp_path / "data" / "projects" / project / "executions" / accepted.execution_id / "journal"
    async with asyncio.timeout(WITHIN_S):
        while (await asyncio.to_thread(journal.read_bytes)).count(b'"kind":"tool_started"') < 2:
            await asyncio.sleep(0.02)
    await office.executions.cancel(accepted.execution_id, by="ada")
    assert (await end_of(office, accepted.execution_id)).status == "cancelled"
    assert await said(office, accepted.execution_id) == {"bash": CUT_OFF, reads: ONLY_READS}
    took = [
        e["duration_ms"] for e in await office.events(accepted.execution_id) if e["type"] == "tool_result"
    ]
    assert all(ms > 0 for ms in took)
    spans = (await office.executions.results.trace(accepted.execution_id)).items
    assert {each.status for each in spans if each.kind in ("tool", "mcp")} == {"cancelled"}
    assert [each.status for each in spans if each.kind == "model"] == ["ok"], "no model was asked behind them"


async def test_a_cancel_before_a_person_has_decided(office: Office) -> None:
    accepted = await office.accept(await office.project(bash("true"), agent=agent(permissions={})))
    await office.until(accepted.execution_id, "approval_required")
    await office.executions.cancel(accepted.execution_id, by="ada")
    assert (await end_of(office, accepted.execution_id)).status == "cancelled"
    assert await said(office, accepted.execution_id) == {"bash": NOT_RUN}


async def test_the_time_limit(office: Office, tmp_path: Path) -> None:
    project = await office.project(cut(tmp_path / "gate"), limits={"timeout_s": 1})
    state = await office.run(project)
    assert state.error is not None
    assert state.error.code == "TIMEOUT"
    assert await said(office, state.execution_id) == {"bash": CUT_OFF}


async def test_the_failure_of_another_call_beside_it(office: Office, tmp_path: Path) -> None:
    """An essential subagent has no more turns while a command and its own runs."""
    gate = tmp_path / "gate"
    helper = Subagent(
        id="helper", name="Helper", prompt="Help.", tools=["bash"], essential=True,
        permissions={"bash": "allow"}, limits=PartialLimits(max_turns=1),
    )  # fmt: skip
    definition = Definition(name="Beside", agent=agent(subagents=["helper"]), subagents=[helper])
    stored = await office.services.store.create(definition, files={})
    calls = [*cut(gate)["tools"], {"name": "agent__helper", "input": {"prompt": "Go."}}]
    scenario = {
        "schema_version": 1,
        "agents": {
            "main": [{"text": "Both.", "tools": calls}, {"text": "Done."}],
            "helper": [bash(f"while [ ! -e {gate}.begun ]; do sleep 0.02; done"), {"text": "Over."}],
        },
    }
    project = str(stored.project.id)
    await office.services.store.write_file(project, "scenario.json", json.dumps(scenario).encode())
    state = await office.run(project)
    assert state.error is not None
    assert state.error.code == "SUBAGENT_FAILED"
    assert await said(office, state.execution_id) == {"bash": CUT_OFF, "agent__helper": CUT_OFF}


# ---------------------------------------------------------------- when it goes on, or does not


async def left_open(open_office: Opens, gate: Path, **definition: Any) -> tuple[str, str]:
    """Project and id of one that a server stopped in the middle of a call; it does not go on by itself."""
    office = await open_office()
    project = await office.project(cut(gate), **{"on_restart": "interrupt", **definition})
    accepted = await office.accept(project)
    await begun(gate)
    await office.services.stop(0)
    return project, accepted.execution_id


async def resumed(office: Office, execution_id: str, **limits: Any) -> ExecutionState:
    order = ResumeRequest(limits=PartialLimits(**limits) if limits else None)
    await office.executions.resume(execution_id, order, principal=USER)
    return await end_of(office, execution_id)


async def test_a_cancel_while_nobody_goes_on_with_it(open_office: Opens, tmp_path: Path) -> None:
    _, execution_id = await left_open(open_office, tmp_path / "gate")
    office = await open_office()
    assert unanswered(tmp_path / "data") == [], "it may go on yet"
    await office.executions.cancel(execution_id, by="ada")
    assert (await end_of(office, execution_id)).status == "cancelled"
    assert await said(office, execution_id) == {"bash": CUT_OFF}


async def test_a_secret_that_is_gone(open_office: Opens, tmp_path: Path) -> None:
    office = await open_office()
    gate = tmp_path / "gate"
    project = await office.project(
        cut(gate), on_restart="interrupt", agent=agent(env={"TOKEN": "{{secret:TOKEN}}"})
    )
    await office.services.secrets.set(project, "TOKEN", "t" * 20)
    accepted = await office.accept(project)
    await begun(gate)
    await office.services.stop(0)
    office = await open_office()
    await office.services.secrets.delete(project, "TOKEN")
    state = await resumed(office, accepted.execution_id)
    assert state.error is not None
    assert (state.error.code, state.error.details["secret"]) == ("TOOL_ERROR", "TOKEN")
    assert await said(office, accepted.execution_id) == {"bash": CUT_OFF}


@pytest.mark.parametrize("how", ["fails", "cancelled"])
async def test_a_server_of_the_project_that_does_not_start_again(
    open_office: Opens, tmp_path: Path, how: str
) -> None:
    program, gone = tmp_path / "server", tmp_path / "gone"
    hangs = "sleep 600" if how == "cancelled" else "exit 3"
    program.write_text(
        f"#!/bin/sh\nif [ -e {gone} ]; then touch {gone}.again; {hangs}; fi\n"
        f"exec {sys.executable} {HOSTILE} well\n"
    )
    program.chmod(0o755)
    server = McpServer(id="must", name="Must", command=str(program), essential=True)
    _, execution_id = await left_open(
        open_office, tmp_path / "gate", mcps=[server], agent=agent(mcps=["must"])
    )
    gone.touch()
    office = await open_office()
    if how == "fails":
        state = await resumed(office, execution_id)
        assert state.error is not None
        assert state.error.code == "MCP_CONNECTION_FAILED"
    else:
        await office.executions.resume(execution_id, ResumeRequest(), principal=USER)
        async with asyncio.timeout(WITHIN_S):
            while not gone.with_name("gone.again").exists():
                await asyncio.sleep(0.02)
        await office.executions.cancel(execution_id, by="ada")
        assert (await end_of(office, execution_id)).status == "cancelled"
    assert await said(office, execution_id) == {"bash": CUT_OFF}


async def test_a_limit_that_is_reached_already(open_office: Opens, tmp_path: Path) -> None:
    office = await open_office()
    gate = tmp_path / "gate"
    project = await office.project(bash("sleep 1.2"), cut(gate), on_restart="interrupt")
    accepted = await office.accept(project)
    await begun(gate)
    await office.services.stop(0)
    office = await open_office()
    stored = await office.services.store.read(project)
    assert stored.project.limits.timeout_s > 1
    state = await resumed(office, accepted.execution_id, timeout_s=1)
    assert state.error is not None
    assert state.error.code == "TIMEOUT"
    [text] = (await said(office, accepted.execution_id)).values()
    assert text.startswith(OUTCOME_UNKNOWN), "said by whoever goes on, or at the end"


async def test_a_fault_of_ours_before_it_goes_on(open_office: Opens, tmp_path: Path) -> None:
    _, execution_id = await left_open(open_office, tmp_path / "gate")
    for scenario in (tmp_path / "data").rglob("scenario.json"):
        await asyncio.to_thread(scenario.write_bytes, b"{")
    office = await open_office()
    state = await resumed(office, execution_id)
    assert state.status == "failed"
    assert state.error is not None
    assert state.error.details["request_id"], "nobody foresaw it"
    assert await said(office, execution_id) == {"bash": CUT_OFF}


async def test_a_model_whose_key_is_gone(open_office: Opens, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with MessagesApi(
        [Call("bash", {"command": f"touch {gate}.begun; {gated(gate)}"}), Say("x")]
    ) as api:
        office = await open_office(base_url=api.url, api_key="test-key")
        project = await office.project(on_restart="interrupt")
        accepted = await office.accept(project)
        await begun(gate)
        await office.services.stop(0)
        office = await open_office()
        state = await resumed(office, accepted.execution_id)
    assert state.error is not None
    assert state.error.code == "MODEL_ERROR"
    assert await said(office, accepted.execution_id) == {"bash": CUT_OFF}


async def test_what_is_done_and_was_not_told_is_told(open_office: Opens, tmp_path: Path) -> None:
    """Two of one turn: one is over in the journal alone, the other waits for what a hook says of it."""
    gate = tmp_path / "gate"
    office = await open_office()
    hook = Hook(
        id="slow", name="Slow", event="PostToolUse", matcher="view",
        action=CommandAction(type="command", command=["sh", "-c", f"touch {gate}.begun; {gated(gate)}"]),
    )  # fmt: skip
    turn = {
        "text": "All.",
        "tools": [
            {"name": "bash", "input": {"command": "echo over"}},
            {"name": "view", "input": {"path": "data.csv"}},
        ],
    }
    project = await office.project(
        turn,
        files={"data.csv": b"a,b"},
        on_restart="interrupt",
        agent=agent(tools=["bash", "view"]),
        hooks=[hook],
    )
    accepted = await office.accept(project)
    await begun(gate)
    await office.until(accepted.execution_id, "tool_result", tool="bash")
    await office.services.stop(0)
    log = tmp_path / "data" / "projects" / project / "executions" / accepted.execution_id / "events.jsonl"

    def forget_the_result() -> None:
        """As if the server had died between the journal and the log."""
        lines = log.read_bytes().splitlines(keepends=True)
        at = next(n for n, line in enumerate(lines) if b'"tool_result"' in line)
        log.write_bytes(b"".join(lines[:at]))

    await asyncio.to_thread(forget_the_result)
    office = await open_office()
    await office.executions.cancel(accepted.execution_id, by="ada")
    assert (await end_of(office, accepted.execution_id)).status == "cancelled"
    assert await said(office, accepted.execution_id) == {"view": UNHEARD}
    [over] = [
        event
        for event in await office.events(accepted.execution_id)
        if event["type"] == "tool_result" and not event["is_error"]
    ]
    assert (over["tool"], over["output"][0]["text"].strip()) == ("bash", "over")
