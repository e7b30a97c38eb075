"""A call that asks: who waits for whom, what that costs, and that it is decided exactly once."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.engine.ports import Decision
from cloutagent_ext.errors import Conflict, Forbidden, InvalidRequest, NotFound
from cloutagent_ext.executions.questions import PATIENCE_S
from cloutagent_ext.schema.execution import ExecutionState
from cloutagent_ext.schema.project import Agent, CommandAction, Hook, Limits, Queue, Subagent
from tests.support.live_server import until
from tests.support.patience import Promised

from .conftest import Office, Opens, Turn, agent, bash
from .test_queue import gated, open_, program

ALLOW = Decision(allow=True, by="ada")
DENY = Decision(allow=False, by="ada", message="Not today.")


def asking(**fields: Any) -> Agent:
    """An agent whose commands ask."""
    return agent(**{"permissions": {}, **fields})


class Stepping:
    """A clock whose long sleeps end when the test says so; short ones are real."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.sleepers = asyncio.Event()
        self._moved = asyncio.Event()

    def monotonic(self) -> float:
        return time.monotonic() + self.passed

    def time(self) -> float:
        return time.time() + self.passed

    async def sleep(self, seconds: float) -> None:
        until = self.time() + seconds
        self.sleepers.set()
        while self.time() < until:
            self._moved.clear()
            await self._moved.wait()

    def move(self, seconds: float) -> None:
        self.passed += seconds
        self._moved.set()


async def waiting(office: Office, project: str, **request: Any) -> ExecutionState:
    """An execution that was started and waits for a person."""
    accepted = await office.accept(project, **request)
    async with asyncio.timeout(90):
        state = await office.executions.wait(accepted.execution_id, for_people=False)
    assert state.status == "waiting", state
    return state


async def decided(office: Office, state: ExecutionState, *decisions: Decision) -> ExecutionState:
    """How it ended after its calls were decided upon, in their order."""
    for approval, decision in zip(state.approvals, decisions, strict=True):
        await office.executions.decide(state.execution_id, approval.call_id, decision)
    async with asyncio.timeout(90):
        return await office.executions.wait(state.execution_id)


async def test_a_call_that_asks_waits_is_shown_and_goes_on_when_allowed(office: Office) -> None:
    project = await office.project(bash("echo hello"), agent=asking())
    state = await waiting(office, project)
    assert office.executions.running == 0
    assert not office.executions.active  # a server may shut down: it waits on the disk
    (approval,) = state.approvals
    assert (approval.tool, approval.agent, approval.input) == ("bash", "main", {"command": "echo hello"})
    assert approval.preview is not None
    assert (approval.preview.kind, approval.preview.content) == ("command", "echo hello")
    assert approval.preview.where == "workspace"
    assert state.current_step == "waiting for approval of bash"
    ended = await decided(office, state, ALLOW)
    assert (ended.status, ended.approvals) == ("completed", [])
    events = await office.events(state.execution_id)
    types = [event["type"] for event in events]
    asked = types.index("tool_call")
    assert types[asked : asked + 4] == ["tool_call", "approval_required", "waiting", "approval"]
    told = events[asked + 3]
    assert (told["decision"], told["by"], told["input"]) == ("allow", "ada", None)


async def test_a_refusal_is_a_result_and_changed_arguments_are_what_runs(office: Office) -> None:
    project = await office.project(bash("echo one"), bash("echo two", name="second"), agent=asking())
    state = await waiting(office, project)
    await office.executions.decide(state.execution_id, state.approvals[0].call_id, DENY)
    await office.until(state.execution_id, "approval_required", input={"command": "echo two"})
    state = await office.executions.state(state.execution_id)
    edited = Decision(allow=True, by="ada", arguments={"command": "echo three"})
    ended = await decided(office, state, edited)
    assert ended.status == "completed"
    events = await office.events(state.execution_id)
    results = [event for event in events if event["type"] == "tool_result"]
    assert (results[0]["is_error"], results[0]["output"][0]["text"]) == (True, "Not today.")
    assert results[1]["output"][0]["text"].strip() == "three"
    told = [event for event in events if event["type"] == "approval"]
    assert (told[0]["decision"], told[0]["message"]) == ("deny", "Not today.")
    assert told[1]["input"] == {"command": "echo three"}


async def test_a_decision_is_made_once(office: Office, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    project = await office.project(bash(gated(gate)), agent=asking(permissions={"bash(rm *)": "deny"}))
    state = await waiting(office, project)
    call_id = state.approvals[0].call_id
    decide = office.executions.decide
    with pytest.raises(NotFound):
        await decide(state.execution_id, "nobody", ALLOW)
    for wrong in ({"nope": 1}, {"command": "rm x"}):
        with pytest.raises(InvalidRequest):
            await decide(state.execution_id, call_id, Decision(True, "ada", arguments=wrong))
    both = await asyncio.gather(
        decide(state.execution_id, call_id, ALLOW),
        decide(state.execution_id, call_id, DENY),
        return_exceptions=True,
    )
    assert isinstance(both[0], ExecutionState)
    assert isinstance(both[1], Conflict)
    await decide(state.execution_id, call_id, Decision(allow=True, by="bob"))  # the same again is no conflict
    with pytest.raises(Conflict):
        await decide(state.execution_id, call_id, DENY)
    await open_(gate)
    ended = await office.executions.wait(state.execution_id)
    assert ended.status == "completed"
    with pytest.raises(Conflict, match="has ended"):
        await decide(state.execution_id, call_id, ALLOW)
    events = await office.events(state.execution_id)
    assert [event["type"] for event in events].count("approval") == 1


async def test_others_run_meanwhile_and_it_comes_back_before_those_that_are_new(
    office: Office, tmp_path: Path
) -> None:
    gate, queue = tmp_path / "gate", Queue(max_concurrent=1)
    project = await office.project(bash(gated(gate)), agent=asking(), queue=queue)
    waits = await waiting(office, project)
    busy = await waiting(office, project)
    assert office.executions.running == 0
    await decided_only(office, busy)  # it has the one slot now, until the gate opens
    new = await office.accept(project)
    assert (new.status, new.position) == ("queued", 1)
    await decided_only(office, waits)
    again = await office.until(waits.execution_id, "queued", position=1)
    assert again["id"] > 1
    state = await office.executions.state(waits.execution_id)
    assert (state.status, state.position, state.approvals) == ("queued", 1, [])
    assert (await office.executions.state(new.execution_id)).position == 2
    await open_(gate)
    for each in (busy, waits):
        assert (await office.executions.wait(each.execution_id)).status == "completed"
    last = await office.executions.wait(new.execution_id, for_people=False)
    assert last.status == "waiting"
    ran = await office.until(waits.execution_id, "running")
    assert ran["ts"] <= (last.started_at or "")
    assert office.executions.running == 0


async def decided_only(office: Office, state: ExecutionState) -> None:
    await office.executions.decide(state.execution_id, state.approvals[0].call_id, ALLOW)


async def test_several_calls_wait_at_once_and_none_waits_for_another(office: Office, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    turn: Turn = {
        "text": "Three.",
        "tools": [
            {"name": "bash", "as": name, "input": {"command": command}}
            for name, command in (("done", "echo a"), ("b", gated(gate)), ("c", "echo c"))
        ],
    }
    project = await office.project(turn, agent=asking())
    state = await waiting(office, project)
    assert [approval.input["command"] for approval in state.approvals] == ["echo a", gated(gate), "echo c"]
    first, slow, last = state.approvals
    await office.executions.decide(state.execution_id, slow.call_id, ALLOW)
    state = await office.executions.decide(state.execution_id, first.call_id, ALLOW)
    await office.until(state.execution_id, "tool_result", call_id=first.call_id)
    state = await office.executions.state(state.execution_id)
    assert (state.status, [each.call_id for each in state.approvals]) == ("running", [last.call_id])
    await open_(gate)
    state = await office.executions.wait(state.execution_id, for_people=False)
    assert state.status == "waiting"
    assert office.executions.running == 0
    assert (await decided(office, state, DENY)).status == "completed"


async def test_parallel_subagents_wait_each_with_its_own_question(office: Office) -> None:
    helper = Subagent(
        id="helper", name="Helper", description="helps", prompt="Help.", tools=["bash"], parallel=True,
        max_parallel_instances=2,
    )  # fmt: skip
    project = await office.project(agent=agent(tools=[], simulate=True), subagents=[helper], files=SCENARIO)
    state = await waiting(office, project)
    assert {each.agent for each in state.approvals} == {"helper#1", "helper#2"}
    assert (await decided(office, state, ALLOW, DENY)).status == "completed"


SCENARIO = {
    "scenario.json": b"""{"schema_version": 1, "agents": {
        "main": [{"tools": [{"name": "agent__helper", "input": {"prompt": "1"}},
                            {"name": "agent__helper", "input": {"prompt": "2"}}]}, {"text": "Both."}],
        "helper": [{"tools": [{"name": "bash", "input": {"command": "echo x"}}]}, {"text": "Done."}]}}"""
}


async def test_stop_works_at_once_while_it_waits(office: Office, promised: Promised) -> None:
    project = await office.project(bash("echo hello"), agent=asking())
    state = await waiting(office, project)
    with promised(2):
        await office.executions.cancel(state.execution_id, by="ada")
        ended = await office.executions.wait(state.execution_id)
    assert (ended.status, ended.approvals, office.executions.running) == ("cancelled", [], 0)
    types = [event["type"] for event in await office.events(state.execution_id)]
    assert types[-3:] == ["waiting", "tool_result", "cancelled"]
    with pytest.raises(Conflict):
        await office.executions.decide(state.execution_id, state.approvals[0].call_id, ALLOW)


async def test_stop_works_while_it_waits_for_its_slot_again(office: Office, tmp_path: Path) -> None:
    project = await office.project(
        bash(gated(tmp_path / "never")), agent=asking(), queue=Queue(max_concurrent=1)
    )
    waits, busy = await waiting(office, project), await waiting(office, project)
    await decided_only(office, busy)
    await decided_only(office, waits)
    await office.until(waits.execution_id, "queued", position=1)
    for each in (waits, busy):
        await office.executions.cancel(each.execution_id, by="ada")
        assert (await office.executions.wait(each.execution_id)).status == "cancelled"
    assert (office.executions.running, office.executions.active) == (0, False)
    free = await waiting(office, project)  # no slot was lost
    await office.executions.cancel(free.execution_id, by="ada")


async def test_waiting_is_no_running_time(open_office: Opens) -> None:
    clock = Stepping()
    office = await open_office(clock=clock)
    limits = Limits(max_cost_usd=1, max_tokens=100_000, timeout_s=600)
    state = await waiting(office, await office.project(bash("true"), agent=asking(), limits=limits))
    clock.move(3_000)  # longer than it may run
    ended = await decided(office, state, ALLOW)
    assert ended.status == "completed", ended.error
    assert ended.duration_ms is not None
    assert ended.duration_ms < 600_000


async def test_nobody_s_answer_is_a_no_after_seven_days(open_office: Opens) -> None:
    clock = Stepping()
    office = await open_office(clock=clock)
    state = await waiting(office, await office.project(bash("echo hello"), agent=asking()))
    await clock.sleepers.wait()
    clock.move(PATIENCE_S - 60)
    await asyncio.sleep(0.05)
    assert (await office.executions.state(state.execution_id)).status == "waiting"
    clock.move(61)
    ended = await office.executions.wait(state.execution_id)
    assert ended.status == "completed"
    told = await office.until(state.execution_id, "approval")
    assert (told["decision"], told["by"]) == ("deny", "policy")
    assert "7 days" in told["message"]


@pytest.mark.parametrize(
    ("origin", "request_fields", "asks"),
    [
        ("panel", {}, True),
        ("notebook", {}, True),
        ("cli", {}, True),
        ("cli", {"attended": False}, False),
        ("api", {}, False),
        ("api", {"attended": True}, True),
        ("mcp", {}, False),
    ],
)
async def test_only_where_a_face_can_answer_a_call_waits(
    office: Office, origin: Any, request_fields: dict[str, Any], asks: bool
) -> None:
    project = await office.project(bash("echo hello"), agent=asking())
    accepted = await office.accept(project, origin=origin, **request_fields)
    state = await office.executions.wait(accepted.execution_id, for_people=False)
    assert state.status == ("waiting" if asks else "completed")
    events = await office.events(accepted.execution_id)
    said = [event["output"][0]["text"] for event in events if event["type"] == "tool_result"]
    assert asks or "needs a person's approval" in said[0]


async def test_a_project_may_let_calls_wait_where_nobody_looks(open_office: Opens) -> None:
    office = await open_office(allow_simulated_api=True)
    project = await office.project(bash("echo hello"), agent=asking(on_ask_unattended="wait"))
    state = await waiting(office, project, principal=program(project))
    assert (await decided(office, state, ALLOW)).status == "completed"


async def test_a_key_cannot_order_questions_that_it_may_not_answer(open_office: Opens) -> None:
    office = await open_office(allow_simulated_api=True)
    project = await office.project(bash("echo hello"), agent=asking())
    for request in ({"step": True}, {"attended": True}):
        with pytest.raises(Forbidden):
            await office.accept(project, principal=program(project), **request)
    scopes = frozenset({"execute", "approve"})
    approver = Principal(kind="key", name="ci", project_id=project, scopes=scopes)
    await waiting(office, project, principal=approver, attended=True)


async def test_step_by_step_every_call_asks(office: Office) -> None:
    project = await office.project(bash("echo hello"), agent=agent())
    state = await waiting(office, project, step=True)
    assert state.approvals[0].reason == "step by step: every call asks"
    assert (await decided(office, state, ALLOW)).status == "completed"


async def test_the_notification_hook_hears_that_somebody_is_waited_for(
    office: Office, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    command = ["bash", "-c", f"cat > '{told}.part'; mv '{told}.part' '{told}'"]
    bell = Hook(
        id="bell", name="Bell", event="Notification", action=CommandAction(type="command", command=command)
    )  # fmt: skip
    project = await office.project(bash("echo hello"), agent=asking(), hooks=[bell])
    state = await waiting(office, project)
    await until(told.exists)
    heard = json.loads(told.read_text())
    assert (heard["hook_event_name"], heard["notification_type"]) == ("Notification", "permission_prompt")
    assert "bash" in heard["message"]
    assert (await office.executions.state(state.execution_id)).status == "waiting"
    assert (await decided(office, state, ALLOW)).status == "completed"


async def test_the_notification_hook_hears_nothing_where_nobody_is_asked(
    office: Office, tmp_path: Path
) -> None:
    command = ["bash", "-c", f"touch '{tmp_path / 'told'}'"]
    bell = Hook(
        id="bell", name="Bell", event="Notification", action=CommandAction(type="command", command=command)
    )  # fmt: skip
    project = await office.project(bash("echo hello"), agent=asking(), hooks=[bell])
    await office.run(project, origin="api")
    assert not (tmp_path / "told").exists()


async def test_changed_arguments_of_a_subagents_call_are_held_to_its_own_rules(office: Office) -> None:
    """The main agent's rules say nothing of them."""
    helper = Subagent(
        id="helper", name="Helper", description="helps", prompt="Help.", tools=["bash"],
        permissions={"bash(rm *)": "deny"},
    )  # fmt: skip
    call = {"name": "agent__helper", "as": "done", "input": {"prompt": "x"}}
    scenario = {
        "schema_version": 1,
        "agents": {
            "main": [{"text": "Go.", "tools": [call]}, {"text": "Done."}],
            "helper": [bash("echo hello"), {"text": "Helped."}],
        },
    }  # fmt: skip
    project = await office.project(
        agent=agent(permissions={"bash(echo *)": "deny"}), subagents=[helper],
        files={"scenario.json": json.dumps(scenario).encode()},
    )  # fmt: skip
    state = await waiting(office, project)
    [asked] = state.approvals
    changed = Decision(allow=True, by="ada", arguments={"command": "rm -rf /"})
    with pytest.raises(InvalidRequest, match="denies them"):
        await office.executions.decide(state.execution_id, asked.call_id, changed)
    other = Decision(allow=True, by="ada", arguments={"command": "echo other"})
    assert (await decided(office, state, other)).status == "completed"
    [event] = [
        each for each in await office.events(state.execution_id)
        if each["type"] == "tool_result" and each["tool"] == "bash"
    ]  # fmt: skip
    assert event["output"][0]["text"].strip() == "other"
