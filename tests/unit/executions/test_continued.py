"""Conversations that go on after their end, with the same prefix and workspace."""

from __future__ import annotations

import base64
import io

import pytest

from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.errors import Forbidden, InvalidRequest
from cloutagent_ext.schema.execution import ENDED
from tests.support.messages_api import Call, Say
from tests.unit.engine.test_attachments import png

from .branching import SYSTEM, World, change_prompt, last_text, same_prefix
from .conftest import agent


async def test_a_conversation_goes_on_with_the_same_prefix_and_workspace(world: World) -> None:
    project = await world.project()
    state = await world.office.run(project)
    next_ = await world.office.run(project, prompt="Also tell me more.", continue_from=state.execution_id)
    assert next_.status == "completed", next_.error
    assert next_.continued_from == state.execution_id
    assert next_.result is not None
    assert next_.result.text == "Also: Also tell me more."
    before, after = world.api.requests[2], world.api.requests[-1]
    same_prefix(before, after, len(before["messages"]))
    assert len(after["messages"]) == len(before["messages"]) + 2
    assert (await world.event(next_.execution_id, "start"))["continued_from"] == state.execution_id
    assert [row.path for row in await world.office.executions.results.files(next_.execution_id)] == ["file"]
    third = await world.office.run(project, prompt="Also more.", continue_from=next_.execution_id)
    assert len(world.api.requests[-1]["messages"]) == len(after["messages"]) + 2
    assert third.turns == 1


async def test_files_that_come_with_the_next_words_are_shown_beside_them(world: World) -> None:
    project = await world.project()
    state = await world.office.run(project)
    upload = (await world.office.executions.inputs.keep(project, io.BytesIO(png()), len(png()))).upload_id
    files = [{"path": "map.png", "upload_id": upload}]
    next_ = await world.office.run(
        project, prompt="Also this.", continue_from=state.execution_id, files=files
    )
    assert next_.status == "completed", next_.error
    before, after = world.api.requests[2], world.api.requests[-1]
    same_prefix(before, after, len(before["messages"]))
    words, image, named = after["messages"][-1]["content"]
    assert words["text"] == "Also this."
    assert base64.b64decode(image["source"]["data"]) == png()
    assert named["text"].endswith("- map.png (shown above)")
    third = await world.office.run(project, prompt="Also more.", continue_from=next_.execution_id)
    assert third.status == "completed", third.error
    assert [block["type"] for block in world.api.requests[-1]["messages"][-1]["content"]] == ["text"]


async def test_with_another_version_it_goes_on_without_the_thinking(world: World) -> None:
    project = await world.project()
    state = await world.office.run(project)
    world.api.rules.allow_new_segments = True
    await change_prompt(world, project)
    next_ = await world.office.run(project, prompt="Also?", continue_from=state.execution_id)
    assert next_.status == "completed", next_.error
    request = world.api.requests[-1]
    assert request["system"][0]["text"] == "You are somebody else."
    kinds = [block["type"] for message in request["messages"] for block in message["content"]]
    assert "thinking" not in kinds
    assert kinds.count("tool_use") == 2


async def test_after_a_cancel_open_calls_are_answered_before_the_next_words(world: World) -> None:
    project = await world.project(agent=agent(system_prompt=SYSTEM))
    world.script = lambda body, number: (  # type: ignore[method-assign]
        Say(f"Also: {last_text(body)}")
        if "Also" in last_text(body)
        else Call("bash", {"command": "sleep 60"}, id="slow")
    )
    accepted = await world.office.accept(project)
    await world.office.until(accepted.execution_id, "tool_call")
    await world.office.executions.cancel(accepted.execution_id, by="ada")
    assert (await world.end_of(accepted.execution_id)).status == "cancelled"
    next_ = await world.office.run(project, prompt="Also?", continue_from=accepted.execution_id)
    assert next_.status == "completed", next_.error
    answer, words = world.api.requests[-1]["messages"][-1]["content"]
    assert (answer["type"], answer["tool_use_id"], answer["is_error"]) == ("tool_result", "slow", True)
    assert words["text"] == "Also?"


async def test_only_finished_executions_of_the_same_project_are_continued(world: World) -> None:
    project, other = await world.project(), await world.project()
    state = await world.office.run(project)
    with pytest.raises(InvalidRequest):
        await world.office.accept(other, prompt="Also?", continue_from=state.execution_id)
    with pytest.raises(InvalidRequest, match="prompt"):
        await world.office.accept(project, continue_from=state.execution_id)
    key = Principal(kind="key", name="ci", project_id=other, scopes=frozenset({"execute"}))
    for foreign in (state.execution_id, "019ab000-0000-7000-8000-000000000001"):
        with pytest.raises(Forbidden):
            await world.office.accept(other, prompt="Also?", continue_from=foreign, principal=key)
    assert all(each.status in ENDED for each in (await world.office.executions.list()).items)
