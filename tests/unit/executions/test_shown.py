"""What a person was shown is what then runs: a state that changed meanwhile is not acted upon."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cloutagent_ext.schema.execution import ExecutionState

from .conftest import Office, Opens, Turn, agent, bash
from .test_approvals import ALLOW, asking, decided, waiting
from .test_approvals_restart import of_type

CREATE: Turn = {
    "text": "I write it.",
    "tools": [{"name": "file_create", "as": "done", "input": {"path": "a.md", "content": "the agent's\n"}}],
}
TWO: Turn = {
    "text": "Two.",
    "tools": [
        {"name": "bash", "as": "a", "input": {"command": "mkdir sub; cd sub; pwd"}},
        {"name": "bash", "as": "done", "input": {"command": "pwd"}},
    ],
}


def workspace(tmp_path: Path, state: ExecutionState) -> Path:
    [found] = (tmp_path / "data").rglob(f"{state.execution_id}/workspace")
    return found


async def results(office: Office, state: ExecutionState, tool: str) -> list[tuple[bool, str]]:
    events = of_type(await office.events(state.execution_id), "tool_result")
    return [(each["is_error"], each["output"][0]["text"]) for each in events if each["tool"] == tool]


@pytest.mark.parametrize("restarted", [False, True], ids=["", "over a restart"])
@pytest.mark.parametrize("changed", [True, False], ids=["changed", "as it was"])
async def test_a_file_that_changed_since_it_was_shown_is_not_replaced(
    open_office: Opens, tmp_path: Path, restarted: bool, changed: bool
) -> None:
    office = await open_office()
    project = await office.project(
        bash("echo one > a.md", "first"), CREATE, agent=agent(tools=["bash", "file_create"], permissions={
            "bash": "allow", "file_create": "ask"})
    )  # fmt: skip
    state = await waiting(office, project)
    file = workspace(tmp_path, state) / "a.md"
    assert state.approvals[0].preview is not None
    assert "-one\n+the agent's\n" in state.approvals[0].preview.content
    if restarted:
        await office.services.stop()
    if changed:
        file.write_text("a person's\n")
    if restarted:
        office = await open_office()
    ended = await decided(office, state, ALLOW)
    assert ended.status == "completed", ended.error
    [(failed, said)] = await results(office, state, "file_create")
    assert failed == changed
    assert ("has changed since a person was shown it" in said) == changed
    assert file.read_text() == ("a person's\n" if changed else "the agent's\n")


async def test_a_command_runs_where_it_was_shown_to_run_though_another_went_elsewhere_meanwhile(
    office: Office, tmp_path: Path
) -> None:
    state = await waiting(office, await office.project(TWO, agent=asking()))
    assert [each.preview and each.preview.where for each in state.approvals] == ["workspace", "workspace"]
    first, second = state.approvals
    await office.executions.decide(state.execution_id, first.call_id, ALLOW)
    await office.until(state.execution_id, "tool_result", call_id=first.call_id)
    await office.executions.decide(state.execution_id, second.call_id, ALLOW)
    async with asyncio.timeout(90):
        ended = await office.executions.wait(state.execution_id)
    assert ended.status == "completed", ended.error
    here = str(workspace(tmp_path, state))
    assert [text.strip() for _, text in await results(office, state, "bash")] == [f"{here}/sub", here]


async def test_over_a_restart_a_command_does_not_run_elsewhere_than_it_was_shown_to(
    open_office: Opens,
) -> None:
    office = await open_office()
    state = await waiting(office, await office.project(TWO, agent=asking()))
    first, second = state.approvals
    await office.executions.decide(state.execution_id, first.call_id, ALLOW)
    await office.until(state.execution_id, "tool_result", call_id=first.call_id)
    await office.services.stop()
    office = await open_office()
    await office.executions.decide(state.execution_id, second.call_id, ALLOW)
    async with asyncio.timeout(90):
        ended = await office.executions.wait(state.execution_id)
    assert ended.status == "completed", ended.error
    [_, (failed, said)] = await results(office, state, "bash")
    assert failed
    assert "has changed since a person was shown it" in said
