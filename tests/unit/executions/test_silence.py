"""A command that gives no sign of life is put to a person; nobody's answer is needed once it speaks again."""

from __future__ import annotations

import asyncio

import pytest

from cloutagent_ext.engine.ports import Decision

from .conftest import Office, agent, bash

pytestmark = pytest.mark.nightly
"""Ten seconds are the shortest limit that a project may set, and real commands keep real time."""

QUIET = agent(stall_s=10, permissions={"bash": "allow"})


async def test_a_silent_command_is_asked_about_and_may_go_on(office: Office) -> None:
    project = await office.project(bash("sleep 14; echo awake"), agent=QUIET)
    accepted = await office.accept(project)
    asked = await office.until(accepted.execution_id, "approval_required")
    assert "no sign of life" in asked["reason"]
    await office.executions.decide(accepted.execution_id, asked["call_id"], Decision(True, "ada"))
    async with asyncio.timeout(60):
        state = await office.executions.wait(accepted.execution_id)
    assert (state.status, state.result and state.result.text) == ("completed", "Done: awake\n")


async def test_a_command_that_comes_to_its_end_withdraws_the_question(office: Office) -> None:
    project = await office.project(bash("sleep 13; echo awake"), agent=QUIET)
    accepted = await office.accept(project)
    await office.until(accepted.execution_id, "approval_required")
    async with asyncio.timeout(60):
        state = await office.executions.wait(accepted.execution_id)
    assert (state.status, state.approvals) == ("completed", [])


async def test_a_refusal_ends_it_by_name_and_its_processes_with_it(office: Office) -> None:
    project = await office.project(bash("sleep 600"), agent=QUIET)
    accepted = await office.accept(project)
    asked = await office.until(accepted.execution_id, "approval_required")
    await office.executions.decide(accepted.execution_id, asked["call_id"], Decision(False, "ada"))
    async with asyncio.timeout(30):
        state = await office.executions.wait(accepted.execution_id)
    assert state.error is not None
    assert (state.error.code, state.error.details["waited_for"]) == ("STALLED", "the tool bash")
