"""A command that gives no sign of life is put to a person; nobody's answer is needed once it speaks again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloutagent_ext.engine.ports import Decision

from .conftest import Office, Opens, agent, bash
from .test_approvals import Stepping

nightly = pytest.mark.nightly
"""Ten seconds are the shortest limit that a project may set, and real commands keep real time."""

QUIET = agent(stall_s=10, permissions={"bash": "allow"})


async def test_who_waits_for_an_execution_hears_that_a_person_has_to_decide_about_a_silent_call(
    open_office: Opens, tmp_path: Path
) -> None:
    """It runs on, so it keeps its slot and its status; only nobody would ever come to answer."""
    clock = Stepping()
    office = await open_office(clock=clock)
    project = await office.project(
        bash("touch begun; while [ ! -e gate ]; do sleep 0.05; done; echo awake"), agent=QUIET
    )
    accepted = await office.accept(project)
    workspace = tmp_path / "data" / "temp" / accepted.execution_id / "workspace"
    async with asyncio.timeout(60):
        waits = asyncio.create_task(office.executions.wait(accepted.execution_id, for_people=False))
        while not (workspace / "begun").exists():
            await asyncio.sleep(0.02)
        assert not waits.done()
        clock.move(11)
        state = await waits
        assert (state.status, [each.running for each in state.approvals]) == ("running", [True])
        assert office.executions.running == 1
        (workspace / "gate").touch()
        state = await office.executions.wait(accepted.execution_id)
    assert (state.status, state.approvals) == ("completed", [])
    told = await office.until(accepted.execution_id, "approval")
    assert (told["decision"], told["by"]) == ("deny", "policy")
    assert told["message"] == "Withdrawn: the call has ended or speaks again."


@nightly
async def test_a_silent_command_is_asked_about_and_may_go_on(office: Office) -> None:
    project = await office.project(bash("sleep 14; echo awake"), agent=QUIET)
    accepted = await office.accept(project)
    asked = await office.until(accepted.execution_id, "approval_required")
    assert "no sign of life" in asked["reason"]
    await office.executions.decide(accepted.execution_id, asked["call_id"], Decision(True, "ada"))
    async with asyncio.timeout(60):
        state = await office.executions.wait(accepted.execution_id)
    assert (state.status, state.result and state.result.text) == ("completed", "Done: awake\n")


@nightly
async def test_a_command_that_comes_to_its_end_withdraws_the_question(office: Office) -> None:
    project = await office.project(bash("sleep 13; echo awake"), agent=QUIET)
    accepted = await office.accept(project)
    await office.until(accepted.execution_id, "approval_required")
    async with asyncio.timeout(60):
        state = await office.executions.wait(accepted.execution_id)
    assert (state.status, state.approvals) == ("completed", [])


@nightly
async def test_a_refusal_ends_it_by_name_and_its_processes_with_it(office: Office) -> None:
    project = await office.project(bash("sleep 600"), agent=QUIET)
    accepted = await office.accept(project)
    asked = await office.until(accepted.execution_id, "approval_required")
    await office.executions.decide(accepted.execution_id, asked["call_id"], Decision(False, "ada"))
    async with asyncio.timeout(90):
        state = await office.executions.wait(accepted.execution_id)
    assert state.error is not None
    assert (state.error.code, state.error.details["waited_for"]) == ("STALLED", "the tool bash")
