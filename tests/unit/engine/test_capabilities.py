"""Effort, thinking and the form of the answer: whatever is chosen, the request is one the model takes."""

from __future__ import annotations

import itertools

import jsonschema
import pytest

from cloutagent_ext.engine import plan
from cloutagent_ext.engine.models.catalogue import MODELS
from cloutagent_ext.engine.output_schema import adapted
from cloutagent_ext.engine.transcript import settings_for
from tests.support.messages_api import MessagesApi, Say

from .harness import define, live, subagent

EFFORTS = (None, "low", "medium", "high", "xhigh", "max")
ALWAYS = {
    "claude-opus-5-5", "claude-fable-5-2", "claude-mythos-5-2", "claude-fable-5-1", "claude-mythos-5-1",
    "claude-fable-5", "claude-mythos-5",
}  # fmt: skip
"""Models that think whatever they are told."""


def refusal(model: str, settings: dict) -> str | None:
    """Why the service would answer 400, by its own table of models; None where it would not."""
    kind = (settings.get("thinking") or {}).get("type")
    effort = (settings.get("output_config") or {}).get("effort")
    if model == "claude-haiku-4-5":
        if kind not in (None, "enabled", "disabled") or effort is not None:
            return f"{kind}, {effort}"
        return None
    if model in ALWAYS and kind not in (None, "adaptive"):
        return f"thinking is {kind}"
    if model == "claude-sonnet-5-5" and kind == "disabled":
        return "disabled"
    if model != "claude-sonnet-5-5" and kind == "between_tools":
        return "between_tools"
    if kind == "enabled":
        return "budget_tokens"
    off = kind in ("disabled", "between_tools")
    if off and model in ("claude-sonnet-5-5", "claude-opus-5") and effort in ("xhigh", "max"):
        return f"{kind} at {effort}"
    if effort == "xhigh" and model in ("claude-opus-4-6", "claude-sonnet-4-6"):
        return "xhigh"
    return None


@pytest.mark.parametrize("facts", MODELS, ids=lambda facts: facts.id)
def test_every_combination_is_a_legal_request_and_what_is_not_done_is_said(facts):
    for thinking, effort in itertools.product(("auto", "off"), EFFORTS):
        settings = settings_for(facts, thinking=thinking, effort=effort, output_schema=None)
        assert refusal(facts.id, settings) is None, (thinking, effort, settings)
        agent = {"task": "go", "model": facts.id, "thinking": thinking, "effort": effort}
        found = [
            problem
            for problem in plan.validate(define(agent={**agent, "max_tokens": 1000}))
            if problem.path in ("agent.effort", "agent.thinking")
        ]
        asked_off = thinking == "off" and (settings.get("thinking") or {}).get("type") == "adaptive"
        dropped = effort is not None and "effort" not in (settings.get("output_config") or {})
        assert bool(found) == (asked_off or dropped), (thinking, effort, found)
        # Each names a way out.
        ways = ("choose", "leave it empty", "set thinking to auto", "lower it")
        assert all(any(way in problem.message for way in ways) for problem in found)


def test_a_subagents_own_model_is_held_to_the_agents_choices():
    definition = define(
        agent={"task": "go", "thinking": "auto", "effort": "max"},
        subagents=[subagent("small", model="claude-haiku-4-5")],
    )
    assert ("EFFORT_IGNORED", "subagent:small", "subagents.0.model") in [
        (problem.code, problem.node, problem.path) for problem in plan.validate(definition)
    ]
    definition = define(
        agent={"task": "go", "model": "claude-haiku-5-5", "thinking": "off", "effort": "max"},
        subagents=[subagent("other", model="claude-opus-5")],
    )
    assert ("error", "EFFORT_NEEDS_THINKING", "subagents.0.model") in [
        (problem.severity, problem.code, problem.path) for problem in plan.validate(definition)
    ]


# ---------------------------------------------------------------- the form of the answer

RICH = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Report",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "description": "Who"},
        "when": {"type": "string", "format": "date"},
        "phone": {"type": "string", "format": "phone"},
        "share": {"type": "number", "minimum": 0, "maximum": 1},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "note": {"type": ["string", "null"]},
        "rows": {"type": "array", "items": {"$ref": "#/definitions/row"}, "minItems": 2},
        "either": {"oneOf": [{"type": "integer"}, {"type": "boolean"}]},
        "same": {"allOf": [{"$ref": "#/definitions/row"}], "description": "again"},
        "copy": {"$ref": "#/properties/when"},
    },
    "required": ["name", "rows"],
    "definitions": {"row": {"properties": {"n": {"type": "integer"}}, "additionalProperties": False}},
}
ALLOWED = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$defs",
    "$ref", "format", "minItems", "title", "description",
}  # fmt: skip


def schemas(part):
    yield part
    for name in ("properties", "$defs"):
        for inner in part.get(name, {}).values():
            yield from schemas(inner)
    for inner in [*part.get("anyOf", []), *([part["items"]] if "items" in part else [])]:
        yield from schemas(inner)


def test_a_schema_goes_out_in_the_part_of_json_schema_that_the_service_takes():
    sent = adapted(RICH)
    jsonschema.Draft202012Validator.check_schema(sent)
    for part in schemas(sent):
        assert set(part) <= ALLOWED, part
        assert isinstance(part.get("type", ""), str)
        if part.get("type") == "object":
            assert part["additionalProperties"] is False
    properties = sent["properties"]
    assert properties["name"]["description"] == "Who\n\n{minLength: 1}"
    assert properties["when"]["format"] == "date"
    assert "phone" in properties["phone"]["description"]
    assert properties["kind"] == {"enum": ["a", "b"]}
    assert properties["note"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert properties["rows"]["items"] == {"$ref": "#/$defs/row"}
    assert "minItems" in properties["rows"]["description"]
    assert properties["copy"] == properties["when"]
    assert sent["required"] == ["name", "rows"]
    fits = {"name": "x", "rows": [{"n": 1}, {"n": 2}], "either": True, "note": None}
    jsonschema.validate(fits, sent)
    jsonschema.validate(fits, RICH)


def test_a_schema_that_needs_no_change_goes_out_as_it_is():
    plain = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "of": {"type": "array", "items": {"type": "string"}}},
        "required": ["n"],
        "additionalProperties": False,
    }
    assert adapted(plain) == plain


def found(schema) -> list[tuple[str, str, str | None]]:
    definition = define(agent={"task": "go", "output_schema": schema})
    place = "agent.output_schema"
    return [
        (problem.severity, problem.code, problem.path.removeprefix(place))
        for problem in plan.validate(definition)
        if problem.path and problem.path.startswith(place)
    ]


def of(**properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (RICH, []),
        ({"type": "object", "properties": {"n": {"type": "integer"}}}, []),
        (of(next={"$ref": "#"}), [("error", "OUTPUT_SCHEMA_RECURSIVE", "")]),
        (
            {
                **of(a={"$ref": "#/$defs/a"}),
                "$defs": {"a": of(b={"$ref": "#/$defs/b"}), "b": of(a={"$ref": "#/$defs/a"})},
            },
            [("error", "OUTPUT_SCHEMA_RECURSIVE", "")],
        ),
        (
            {**of(a={"$ref": "#/$defs/a"}, b={"$ref": "#/$defs/a"}), "$defs": {"a": {"type": "string"}}},
            [],
        ),
        (of(x={}), [("error", "OUTPUT_SCHEMA_UNTYPED", ".properties.x")]),
        (of(x=True), [("error", "OUTPUT_SCHEMA_UNTYPED", ".properties.x")]),
        (
            of(x={"allOf": [of(a={"type": "string"}), of(b={"type": "string"})]}),
            [("error", "OUTPUT_SCHEMA_UNSUPPORTED", ".properties.x.allOf")],
        ),
        (
            of(x={"type": "object", "additionalProperties": {"type": "number"}}),
            [("warning", "OUTPUT_SCHEMA_OPEN", ".properties.x")],
        ),
        (of(x={"$ref": "#/$defs/gone"}), [("error", "BAD_OUTPUT_SCHEMA", ".properties.x.$ref")]),
    ],
)  # fmt: skip
def test_what_no_adapting_can_mend_is_a_problem_at_its_place(schema, expected):
    assert found(schema) == expected


async def test_the_answer_is_held_to_the_whole_schema_not_only_to_what_was_sent(tmp_path):
    schema = of(share={"type": "number", "maximum": 1})
    script = [Say('{"share": 7}'), Say('{"share": 0.7}')]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"output_schema": schema}})
    assert outcome.result.data == {"share": 0.7}
    sent = api.requests[0]["output_config"]["format"]["schema"]
    assert "maximum" not in sent["properties"]["share"]
    assert "maximum: 1" in sent["properties"]["share"]["description"]
    assert "greater than the maximum" in api.requests[1]["messages"][-1]["content"][0]["text"]
