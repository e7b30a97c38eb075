"""A question outlives its server: stopped, killed, killed again; its answer takes effect exactly once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.ports import Decision, Question
from cloutagent_ext.errors import Conflict, NotFound
from cloutagent_ext.executions.questions import PATIENCE_S
from cloutagent_ext.schema.project import Queue, Subagent
from tests.support.children import with_tree

from .conftest import Opens, Turn, agent, bash
from .test_approvals import ALLOW, DENY, SCENARIO, Stepping, asking, decided, waiting
from .test_queue import gated, open_

ROOT = Path(__file__).parents[3]

VICTIM = """
import asyncio, json, sys
from pathlib import Path
from tests.unit.executions.conftest import Office, bash
from tests.unit.executions.test_approvals import asking, waiting

async def main():
    office = Office(Path(sys.argv[1]))
    await office.services.start()
    turn = {"text": "Two.", "tools": [
        {"name": "bash", "as": "done", "input": {"command": "echo one >> ran; cat ran"}},
        {"name": "bash", "as": "b", "input": {"command": "echo two >> ran"}}]}
    project = await office.project(bash("mkdir once"), turn, agent=asking(permissions={
        "bash(mkdir *)": "allow"}))
    state = await waiting(office, project)
    print(state.execution_id, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def killed_while_waiting(data: Path) -> str:
    """Id of an execution whose process was killed while it waited for two answers."""
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", VICTIM, str(data), stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        env=with_tree(os.environ),
    )  # fmt: skip
    assert victim.stdout is not None
    async with asyncio.timeout(60):
        execution_id = (await victim.stdout.readline()).decode().strip()
    assert execution_id, "the process to be killed ended by itself"
    victim.send_signal(signal.SIGKILL)
    await victim.wait()
    return execution_id


def of_type(events: list[dict[str, Any]], type: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == type]


async def test_after_a_kill_it_waits_as_before_takes_answers_and_does_each_thing_once(
    open_office: Opens, tmp_path: Path
) -> None:
    execution_id = await killed_while_waiting(tmp_path / "data")
    office = await open_office()
    state = await office.executions.state(execution_id)
    assert state.status == "waiting"
    commands = [each.input["command"] for each in state.approvals]
    assert commands == ["echo one >> ran; cat ran", "echo two >> ran"]
    assert all(each.preview for each in state.approvals)
    assert (office.executions.running, office.executions.active) == (0, False)
    with pytest.raises(NotFound):
        await office.executions.decide(execution_id, "nobody", ALLOW)
    ended = await decided(office, state, ALLOW, DENY)
    assert ended.status == "completed", ended.error
    assert ended.result is not None
    assert ended.result.text.split() == ["Done:", "one"]
    events = await office.events(execution_id)
    assert not of_type(events, "interrupted")
    assert len(of_type(events, "approval_required")) == len(of_type(events, "approval")) == 2
    assert [event["by"] for event in of_type(events, "resumed")] == ["ada"]
    assert not of_type(events, "tool_result")[0]["is_error"]
    calls = [event["call_id"] for event in of_type(events, "tool_call")]
    assert len(calls) == len(set(calls)) == 3
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))


async def test_a_server_may_stop_ten_times_while_it_waits(open_office: Opens) -> None:
    first = await open_office()
    state = await waiting(first, await first.project(bash("echo hello"), agent=asking()))
    await first.services.stop()
    for _ in range(10):
        office = await open_office()
        assert (await office.executions.state(state.execution_id)).status == "waiting"
        await office.services.stop()
    office = await open_office()
    edited = Decision(allow=True, by="ada", arguments={"command": "echo changed"})
    ended = await decided(office, state, edited)
    assert ended.status == "completed", ended.error
    assert ended.result is not None
    assert ended.result.text.strip() == "Done: changed"
    types = [event["type"] for event in await office.events(state.execution_id)]
    assert "interrupted" not in types
    assert types.count("waiting") == 1


async def test_an_answer_that_was_kept_and_never_told_takes_effect_at_the_next_start(
    open_office: Opens,
) -> None:
    first = await open_office()
    state = await waiting(first, await first.project(bash("echo hello"), agent=asking()))
    live = first.executions._scheduler.live[state.execution_id]
    (asked,) = live.questions._asked.values()
    # What is on the disk when the server dies between keeping an answer and telling of it.
    await (await live.journal()).record(
        "approval", sync=True, call_span=asked.question.span, call_id=asked.question.call_id, allow=True,
        by="ada", message="", arguments={"command": "echo kept"},
    )  # fmt: skip
    await first.services.stop()
    second = await open_office()
    ended = await second.executions.wait(state.execution_id)
    assert ended.status == "completed", ended.error
    assert ended.result is not None
    assert ended.result.text.strip() == "Done: kept"
    told = of_type(await second.events(state.execution_id), "approval")
    assert [(event["decision"], event["by"]) for event in told] == [("allow", "ada")]


async def test_an_answer_that_waited_for_a_slot_is_not_asked_for_again(
    open_office: Opens, tmp_path: Path
) -> None:
    first, gate = await open_office(), tmp_path / "gate"
    project = await first.project(bash(gated(gate)), agent=asking(), queue=Queue(max_concurrent=1))
    busy, waits = await waiting(first, project), await waiting(first, project)
    for each in (busy, waits):
        await first.executions.decide(each.execution_id, each.approvals[0].call_id, ALLOW)
    await first.until(waits.execution_id, "queued", position=1)
    await first.services.stop(0)
    await open_(gate)
    second = await open_office()
    ended = await second.executions.wait(waits.execution_id)
    assert ended.status == "completed", ended.error
    assert len(of_type(await second.events(waits.execution_id), "approval_required")) == 1


async def test_parallel_subagents_go_on_each_from_its_own_question(open_office: Opens) -> None:
    helper = Subagent(
        id="helper", name="Helper", description="helps", prompt="Help.", tools=["bash"], parallel=True,
        max_parallel_instances=2,
    )  # fmt: skip
    first = await open_office()
    project = await first.project(agent=agent(tools=[], simulate=True), subagents=[helper], files=SCENARIO)
    state = await waiting(first, project)
    await first.executions.decide(state.execution_id, state.approvals[0].call_id, ALLOW)
    state = await first.executions.wait(state.execution_id, for_people=False)
    assert (state.status, len(state.approvals)) == ("waiting", 1)
    await first.services.stop()
    second = await open_office()
    ended = await decided(second, state, DENY)
    assert ended.status == "completed", ended.error
    events = await second.events(state.execution_id)
    results = [event["is_error"] for event in of_type(events, "tool_result") if event["tool"] == "bash"]
    assert sorted(results) == [False, True]
    assert len(of_type(events, "agent_start")) == 3


async def test_stop_and_the_seven_days_hold_after_a_restart_too(open_office: Opens) -> None:
    first = await open_office()
    project = await first.project(bash("echo hello"), agent=asking())
    stopped, forgotten = await waiting(first, project), await waiting(first, project)
    await first.services.stop()
    clock = Stepping()
    office = await open_office(clock=clock)
    await office.executions.cancel(stopped.execution_id, by="ada")
    assert (await office.executions.state(stopped.execution_id)).status == "cancelled"
    with pytest.raises(Conflict):
        await office.executions.decide(stopped.execution_id, stopped.approvals[0].call_id, ALLOW)
    await clock.sleepers.wait()
    clock.move(PATIENCE_S + 1)
    ended = await office.executions.wait(forgotten.execution_id)
    assert ended.status == "completed", ended.error
    told = of_type(await office.events(forgotten.execution_id), "approval")
    assert (told[0]["decision"], told[0]["by"]) == ("deny", "policy")


async def test_what_another_server_holds_is_answered_there(open_office: Opens, tmp_path: Path) -> None:
    first = await open_office()
    state = await waiting(first, await first.project(bash("echo hello"), agent=asking()))
    other = await open_office()
    assert (await other.executions.state(state.execution_id)).status == "waiting"
    with pytest.raises(Conflict, match="Another process"):
        await other.executions.decide(state.execution_id, state.approvals[0].call_id, ALLOW)
    assert (await decided(first, state, ALLOW)).status == "completed"


async def test_an_interrupted_one_keeps_an_answer_for_when_it_is_resumed(
    open_office: Opens, tmp_path: Path
) -> None:
    turn: Turn = {
        "text": "Two.",
        "tools": [
            {"name": "bash", "as": "done", "input": {"command": "echo asked"}},
            {"name": "bash", "as": "b", "input": {"command": "sleep 600"}},
        ],
    }
    permissions = {"bash(sleep *)": "allow"}
    first = await open_office()
    project = await first.project(turn, agent=asking(permissions=permissions), on_restart="interrupt")
    accepted = await first.accept(project)
    await first.until(accepted.execution_id, "approval_required")
    await first.services.stop(0)
    second = await open_office()
    state = await second.executions.state(accepted.execution_id)
    assert (state.status, len(state.approvals)) == ("interrupted", 1)
    after = await second.executions.decide(state.execution_id, state.approvals[0].call_id, DENY)
    assert (after.status, after.approvals) == ("interrupted", [])
    assert not second.executions.active
    journal = second.executions._records.folder(state.project_id, state.execution_id) / "journal"
    assert json.loads(journal.read_text().splitlines()[-1])["kind"] == "approval"


async def test_a_question_about_a_silent_call_goes_with_the_call(open_office: Opens) -> None:
    """It has been asked in the log; after a restart there is no call any more that could go on."""
    first = await open_office()
    project = await first.project(bash("touch begun; sleep 600"), agent=agent())
    accepted = await first.accept(project)
    call = await first.until(accepted.execution_id, "tool_call")
    live = first.executions._scheduler.live[accepted.execution_id]
    question = Question(
        call_id=call["call_id"], tool="bash", arguments={"waited_s": 11, "waited_for": "the tool bash"},
        agent="main", agent_id="main", span=call["span"], schema={"type": "object"},
        reason="no sign of life for 11 s", again=1,
    )  # fmt: skip
    await live.questions.ask(question)
    await first.services.stop(0)
    second = await open_office()
    async with asyncio.timeout(90):
        ended = await second.executions.wait(accepted.execution_id)
    assert (ended.status, ended.approvals) == ("completed", []), ended.error
    [told] = of_type(await second.events(accepted.execution_id), "approval")
    assert (told["decision"], told["by"]) == ("deny", "policy")
    assert told["message"] == "Withdrawn: the server stopped, and the call with it."
