"""Executions that are taken up again: nothing is done twice, and limits count what was spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloutagent_ext.errors import Conflict, InvalidRequest
from cloutagent_ext.schema.execution import ResumeRequest
from cloutagent_ext.schema.project import Limits, PartialLimits, ProjectUpdate

from .branching import World, same_prefix
from .conftest import USER, Opens


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
