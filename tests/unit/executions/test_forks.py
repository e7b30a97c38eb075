"""Forks: what they share is shared to the byte, and what is changed stands for what was."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from cloutagent_ext.errors import InvalidRequest
from cloutagent_ext.schema.execution import ChangedResult, ResumeRequest
from cloutagent_ext.schema.project import Queue
from tests.unit.engine.test_attachments import png

from .branching import World, same_prefix
from .conftest import USER


async def test_a_fork_shares_the_history_to_the_byte_and_does_not_repeat_it(world: World) -> None:
    project = await world.project()
    state = await world.office.run(project)
    turn = await world.event(state.execution_id, "tool_call", 1)
    fork = await world.fork(state.execution_id, from_event=turn["id"], prompt="Also {{thing}}, please.")
    assert fork.status == "completed"
    assert fork.result is not None
    assert fork.result.text == "Also: Also files, please."
    assert (fork.forked_from, fork.resumed_from) == (state.execution_id, None)
    assert await world.started() == 1
    original, forked = world.api.requests[1], world.api.requests[-1]
    same_prefix(original, forked, len(original["messages"]) - 1)
    assert forked["messages"][-1]["content"][:-1] == original["messages"][-1]["content"]
    assert forked["messages"][1]["content"][0]["type"] == "thinking"
    assert world.api.usages[-1].get("cache_read_input_tokens", 0) >= 0
    start = await world.event(fork.execution_id, "start")
    assert (start["forked_from"], start["forked_at"]) == (state.execution_id, turn["id"])
    events = await world.office.events(fork.execution_id)
    assert "WORKSPACE_AS_NOW" in [event.get("code") for event in events]
    assert fork.turns == 1, "what the other one has spent is its own"


async def test_a_changed_result_stands_for_the_old_one_and_what_followed_is_dropped(world: World) -> None:
    project = await world.project()
    state = await world.office.run(project)
    result = await world.event(state.execution_id, "tool_result", 1)
    changed = ChangedResult(call_id="t1", text="something else")
    fork = await world.fork(state.execution_id, from_event=result["id"], tool_result=changed)
    assert fork.result is not None
    assert fork.result.text == "It says something else."
    forked = world.api.requests[-1]
    same_prefix(world.api.requests[2], forked, 4)
    assert len(forked["messages"]) == 5
    assert await world.started() == 1
    for wrong in (
        {"from_event": result["id"], "tool_result": ChangedResult(call_id="nobody", text="x")},
        {"from_event": result["id"], "tool_result": ChangedResult(call_id="t0", text="x")},
        {"from_event": 10_000},
        {"from_event": state.last_event_id},
    ):
        with pytest.raises(InvalidRequest):
            await world.fork(state.execution_id, **wrong)


async def test_another_system_prompt_leaves_thinking_out_and_another_model_keeps_it(world: World) -> None:
    project = await world.project()
    state = await world.office.run(project)
    turn = await world.event(state.execution_id, "tool_call", 1)
    await world.fork(state.execution_id, from_event=turn["id"], model="claude-sonnet-5-5")
    other = world.api.requests[-1]
    assert other["model"] == "claude-sonnet-5-5"
    assert other["messages"][1]["content"][0]["type"] == "thinking"
    assert json.dumps(other["system"]) == json.dumps(world.api.requests[0]["system"])
    world.api.rules.allow_new_segments = True
    fork = await world.fork(state.execution_id, from_event=turn["id"], variables={"thing": "folders"})
    assert fork.status == "completed", fork.error
    other = world.api.requests[-1]
    assert "folders" in other["system"][0]["text"]
    assert [block["type"] for block in other["messages"][1]["content"]] == ["tool_use"]
    assert await world.started() == 1


async def test_a_fork_from_the_beginning_asks_something_else(world: World) -> None:
    project = await world.project()
    state = await world.office.run(project)
    fork = await world.fork(state.execution_id, from_event=1, prompt="Also this.")
    assert fork.result is not None
    assert fork.result.text == "Also: Also this."
    assert world.api.requests[-1]["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Also this."}]}
    ]
    assert (await world.event(fork.execution_id, "agent_start"))["prompt"] == "Also this."
    assert json.dumps(world.api.requests[-1]["system"]) == json.dumps(world.api.requests[0]["system"])


@pytest.mark.parametrize("change", [{"variables": {"thing": "folders"}}, {"prompt": "Also look."}])
async def test_a_fork_that_begins_anew_shows_the_files_again_and_so_does_its_own_fork(
    world: World, change: dict[str, Any]
) -> None:
    def shown(request: int) -> list[Any]:
        [message] = world.api.requests[request]["messages"]
        return sorted(block["type"] for block in message["content"] if "this task" not in str(block)[:200])

    project = await world.project()
    upload = (await world.office.executions.inputs.keep(project, io.BytesIO(png()), len(png()))).upload_id
    state = await world.office.run(project, files=[{"path": "map.png", "upload_id": upload}])
    assert shown(0) == ["image", "text"]
    for _ in range(2):
        before = len(world.api.requests)
        state = await world.fork(state.execution_id, from_event=1, **change)
        assert state.status == "completed", state.error
        assert shown(before) == ["image", "text"]
        change = {"prompt": "Also look again."}


async def test_one_that_ended_before_it_began_brings_its_files_along(world: World) -> None:
    """Cancelled while it waited for its turn; resumed or forked, the model sees its files."""
    project = await world.project(queue=Queue(max_concurrent=1))
    upload = (await world.office.executions.inputs.keep(project, io.BytesIO(png()), len(png()))).upload_id
    before = await world.office.accept(project)
    waits = await world.office.accept(project, files=[{"path": "map.png", "upload_id": upload}])
    state = await world.office.executions.cancel(waits.execution_id, "ada")
    assert (state.status, state.started_at) == ("cancelled", None)
    await world.end_of(before.execution_id)
    for go_on in ("resume", "fork"):
        first = len(world.api.requests)
        if go_on == "fork":
            ended = await world.fork(waits.execution_id, from_event=1)
        else:
            begun = await world.office.executions.resume(waits.execution_id, ResumeRequest(), principal=USER)
            ended = await world.end_of(begun.execution_id)
        assert ended.status == "completed", ended.error
        [message] = world.api.requests[first]["messages"]
        assert [each["type"] for each in message["content"]].count("image") == 1, go_on
        path = await world.office.executions.results.file(ended.execution_id, "map.png")
        assert await asyncio.to_thread(path.read_bytes) == png()


async def test_a_fork_works_in_a_copy_of_the_workspace(world: World) -> None:
    project = await world.project()
    state = await world.office.run(project)
    turn = await world.event(state.execution_id, "tool_call", 1)
    workspace = await world.office.executions.results.file(state.execution_id, "file")
    await asyncio.to_thread(workspace.write_text, "b")
    fork = await world.fork(state.execution_id, from_event=turn["id"])
    assert fork.result is not None
    assert fork.result.text == "It says b.", "the workspace as it is now"
    copy = await world.office.executions.results.file(fork.execution_id, "file")
    await asyncio.to_thread(copy.write_text, "c")
    assert await asyncio.to_thread(workspace.read_text) == "b"
    assert [row.path for row in await world.office.executions.results.files(fork.execution_id)] == ["file"]
