"""Executions that begin from others: what is shared is shared to the byte, and nothing is done twice."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.errors import Conflict, Forbidden, InvalidRequest
from cloutagent_ext.schema.execution import ENDED, ChangedResult, ExecutionState, ForkRequest, ResumeRequest
from cloutagent_ext.schema.project import Limits, PartialLimits, ProjectUpdate, Queue, Variable
from tests.support.messages_api import Call, Failure, MessagesApi, Reply, Say
from tests.unit.engine.test_attachments import png

from .conftest import USER, Office, Opens, agent

SYSTEM = "You look after {{thing}}, since {{timestamp}}."


def last_text(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    block = next(each for each in reversed(content) if not each.get("text", "").startswith("Files that came"))
    block = content[0] if block["type"] == "image" else block
    return block["text"] if block["type"] == "text" else block["content"][0]["text"]


class World:
    """One service against one scripted model: two commands, then an answer from the second one."""

    def __init__(self, office: Office, api: MessagesApi, marks: Path) -> None:
        self.office = office
        self.api = api
        self.marks = marks
        self.broken = False

    def script(self, body: dict[str, Any], number: int) -> Reply | Failure:
        if self.broken:
            return Failure(401, "authentication_error", "no such key")
        said = last_text(body)
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        if "Also" in said:
            return thought(Say(f"Also: {said}"), number)
        if turn == 0:
            return thought(
                Call("bash", {"command": f"echo x >> {self.marks}; echo a > file"}, id="t0"), number
            )
        if turn == 1:
            return thought(Call("bash", {"command": "cat file"}, id="t1"), number)
        return thought(Say(f"It says {said.strip()}."), number)

    async def project(self, **definition: Any) -> str:
        return await self.office.project(
            **{
                "agent": agent(system_prompt=SYSTEM),
                "variables": {"thing": Variable(default="files")},
                "limits": Limits(max_cost_usd=5.0),
                **definition,
            }
        )

    async def end_of(self, execution_id: str) -> ExecutionState:
        async with asyncio.timeout(30):
            return await self.office.executions.wait(execution_id)

    async def fork(self, execution_id: str, **request: Any) -> ExecutionState:
        begun = await self.office.executions.fork(execution_id, ForkRequest(**request), principal=USER)
        return await self.end_of(begun.execution_id)

    async def event(self, execution_id: str, type: str, number: int = 0) -> dict[str, Any]:
        events = await self.office.events(execution_id)
        return [event for event in events if event["type"] == type][number]

    async def started(self) -> int:
        """How often the command with an effect ran."""
        return len((await asyncio.to_thread(self.marks.read_text)).split())


def thought(reply: Reply, number: int) -> Reply:
    block = {"type": "thinking", "thinking": f"Thought {number}.", "signature": f"sig-{number}"}
    return Reply([block, *reply.blocks], stop_reason=reply.stop_reason)


@pytest.fixture
async def world(open_office: Opens, tmp_path: Path) -> AsyncIterator[World]:
    api = MessagesApi(lambda body, number: made.script(body, number))
    async with api:
        office = await open_office(base_url=api.url, api_key="test-key")
        made = World(office, api, tmp_path / "marks")
        yield made


def same_prefix(earlier: dict[str, Any], later: dict[str, Any], messages: int) -> None:
    for name in ("system", "tools", "model", "thinking"):
        assert json.dumps(earlier.get(name)) == json.dumps(later.get(name)), name
    assert json.dumps(earlier["messages"][:messages]) == json.dumps(later["messages"][:messages])


# ---------------------------------------------------------------- resume


async def test_a_failed_execution_is_resumed_as_a_new_one_that_repeats_nothing(world: World) -> None:
    project = await world.project()
    accepted = await world.office.accept(project)
    await world.office.until(accepted.execution_id, "tool_result")
    world.broken = True
    failed = await world.end_of(accepted.execution_id)
    assert failed.status == "failed"
    before = await world.office.events(failed.execution_id)
    world.broken = False
    begun = await world.office.executions.resume(failed.execution_id, ResumeRequest(), principal=USER)
    state = await world.end_of(begun.execution_id)
    assert state.status == "completed", state.error
    assert state.execution_id != failed.execution_id
    assert state.resumed_from == failed.execution_id
    assert state.result is not None
    assert state.result.text == "It says a."
    assert await world.started() == 1
    assert await world.office.events(failed.execution_id) == before, "what has ended is never touched again"
    assert (await world.event(state.execution_id, "start"))["resumed_from"] == failed.execution_id
    assert state.total_cost_usd is not None
    first, last = world.api.requests[0], world.api.requests[-1]
    same_prefix(first, last, len(first["messages"]))


async def test_a_limit_that_ended_it_must_be_raised_and_counts_what_was_spent(world: World) -> None:
    project = await world.project(limits=Limits(max_turns=2, max_cost_usd=5.0))
    ended = await world.office.run(project, limits={"max_turns": 1})
    assert ended.error is not None
    assert ended.error.code == "TURN_LIMIT_EXCEEDED"
    resume = world.office.executions.resume
    for limits in (None, PartialLimits(max_turns=1), PartialLimits(max_cost_usd=4.0)):
        with pytest.raises(InvalidRequest, match="max_turns"):
            await resume(ended.execution_id, ResumeRequest(limits=limits), principal=USER)
    higher = ResumeRequest(limits=PartialLimits(max_turns=1000))
    begun = await resume(ended.execution_id, higher, principal=USER)
    again = await world.end_of(begun.execution_id)
    assert again.limits.max_turns == 2, "never more than the project allows"
    assert again.error is not None
    assert again.error.code == "TURN_LIMIT_EXCEEDED", "the turns of before count"
    assert await world.started() == 1
    stored = await world.office.services.store.read(project)
    body = {**stored.project.model_dump(), "limits": {**stored.project.limits.model_dump(), "max_turns": 9}}
    kept = {name: body[name] for name in ProjectUpdate.model_fields if name in body}
    await world.office.services.store.save(project, ProjectUpdate.model_validate(kept))
    begun = await resume(again.execution_id, higher, principal=USER)
    assert (await world.end_of(begun.execution_id)).status == "completed"
    assert await world.started() == 1


async def test_completed_and_running_ones_are_not_resumed(world: World, tmp_path: Path) -> None:
    project = await world.project()
    state = await world.office.run(project)
    with pytest.raises(Conflict, match="answer"):
        await world.office.executions.resume(state.execution_id, ResumeRequest(), principal=USER)
    accepted = await world.office.accept(project)
    with pytest.raises(Conflict, match="goes on already"):
        await world.office.executions.resume(accepted.execution_id, ResumeRequest(), principal=USER)
    await world.end_of(accepted.execution_id)


async def test_an_interrupted_one_goes_on_in_its_own_log_when_asked(
    open_office: Opens, world: World, tmp_path: Path
) -> None:
    project = await world.project(on_restart="interrupt")
    accepted = await world.office.accept(project)
    await world.office.until(accepted.execution_id, "tool_result")
    await world.office.services.stop(0)
    second = await open_office(base_url=world.api.url, api_key="test-key")
    world.office = second
    assert (await world.end_of(accepted.execution_id)).status == "interrupted"
    wished = ResumeRequest(limits=PartialLimits(max_turns=7))
    begun = await second.executions.resume(accepted.execution_id, wished, principal=USER)
    assert begun.execution_id == accepted.execution_id
    state = await world.end_of(accepted.execution_id)
    assert state.status == "completed"
    assert state.limits.max_turns == 7
    assert await world.started() == 1
    resumed = await world.event(accepted.execution_id, "resumed")
    assert (resumed["by"], resumed["attempt"]) == ("ada", 2)


# ---------------------------------------------------------------- fork


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


# ---------------------------------------------------------------- continue


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


async def change_prompt(world: World, project: str) -> None:
    store = world.office.services.store
    body = (await store.read(project)).project.model_dump()
    body["agent"]["system_prompt"] = "You are somebody else."
    kept = {name: body[name] for name in ProjectUpdate.model_fields if name in body}
    await store.save(project, ProjectUpdate.model_validate(kept))


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
