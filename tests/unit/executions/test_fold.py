"""The fold: the state that both the server and the panel make of the same events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.executions import fold
from cloutagent_ext.schema.events import EVENT
from cloutagent_ext.schema.execution import ExecutionState, Spec

FIXTURES = Path(__file__).parents[2] / "support" / "fixtures"
NAMES = sorted(path.name.removesuffix(".jsonl") for path in FIXTURES.glob("*.jsonl"))


def spec(name: str) -> Spec:
    return Spec.model_validate_json((FIXTURES / f"{name}.spec.json").read_bytes())


def events(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_a_log_adds_up_to_its_state(name: str) -> None:
    state = fold.initial(spec(name))
    for event in events(name):
        EVENT.validate_python(event)  # the fixture speaks the contract
        fold.apply(state, event)
    expected = json.loads((FIXTURES / f"{name}.state.json").read_text())
    assert state.model_dump(mode="json") == expected
    assert ExecutionState.model_validate(expected)


def test_the_step_says_what_runs_now_subagents_by_their_name() -> None:
    state = fold.initial(spec("tools-and-subagent"))
    steps = [fold.apply(state, event).current_step for event in events("tools-and-subagent")]
    assert steps == [
        None, "starting", "waiting for the model", "writing", "writing", "python", "agent__statistician",
        "statistician#1: waiting for the model", "agent__statistician", "statistician#1: writing",
        "statistician#1: writing", "statistician#1: bash", "agent__statistician", "statistician#1: writing",
        "statistician#1: writing", "statistician#1: writing", "waiting for the model", "writing", "writing",
        "finishing", None,
    ]  # fmt: skip


def test_time_in_the_queue_dead_or_waiting_for_a_person_is_no_running_time() -> None:
    interrupted = fold.initial(spec("interrupted"))
    for event in events("interrupted"):
        fold.apply(interrupted, event)
    assert interrupted.duration_ms == 311
    approved = fold.initial(spec("approved"))
    for event in events("approved"):
        fold.apply(approved, event)
    assert approved.duration_ms == 312


def test_an_event_of_a_later_version_does_not_break_the_state() -> None:
    state = fold.initial(spec("simple"))
    for event in events("simple")[:3]:
        fold.apply(state, event)
    before = state.model_dump(exclude={"last_event_id", "duration_ms"})
    later = {"id": 4, "type": "telepathy", "ts": "2026-11-22T08:00:01.000Z", "thought": "?"}
    fold.apply(state, later)
    assert state.last_event_id == 4
    assert state.model_dump(exclude={"last_event_id", "duration_ms"}) == before
