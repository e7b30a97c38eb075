"""What keeps a definition from running is found before it starts, with its place and its remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cloutagent_ext
from cloutagent_ext.engine import plan
from cloutagent_ext.engine.models.prices import ListPrices
from cloutagent_ext.engine.prompt import fill, secrets_in, variables_in
from cloutagent_ext.schema.project import Definition

from .harness import define, subagent

TOOLS = ("bash", "view")
HOOK = {"id": "h", "name": "Guard", "event": "PreToolUse", "action": {"type": "command", "command": ["x"]}}
TASK = {"task": "Do it."}


def find(definition: Definition, **more):
    return {
        (problem.severity, problem.code, problem.node, problem.path)
        for problem in plan.validate(definition, tools=TOOLS, **more)
    }


def chain(*ids: str):
    return [
        subagent(id, subagents=[below] if below else [])
        for id, below in zip(ids, [*ids[1:], None], strict=True)
    ]


def test_a_sound_definition_has_no_problems():
    definition = define(
        agent={
            **TASK,
            "system_prompt": "{{who}} {{timestamp}}",
            "tools": ["bash"],
            "permissions": {"bash(git *)": "allow"},
        },
        subagents=chain("a", "b", "c"),
        variables={"who": {}},
    )
    assert plan.validate(definition, tools=TOOLS, prices=ListPrices()) == []


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (
            define(agent={**TASK, "tools": ["bash", "nope"]}),
            ("error", "UNKNOWN_TOOL", "agent", "agent.tools.1"),
        ),
        (define(agent={"task": "{{who}}"}), ("error", "UNDECLARED_VARIABLE", "agent", "agent.task")),
        (
            define(agent=TASK, subagents=[subagent("a", prompt="{{who}}")]),
            ("error", "UNDECLARED_VARIABLE", "subagent:a", "subagents.0.prompt"),
        ),
        (
            define(agent={**TASK, "system_prompt": "{{secret:TOKEN}}"}),
            ("error", "SECRET_IN_PROMPT", "agent", "agent.system_prompt"),
        ),
        (define(agent={**TASK, "tools": ["memory"]}), ("error", "UNKNOWN_TOOL", "agent", "agent.tools.0")),
        (
            define(agent={**TASK, "subagents": ["ghost"]}),
            ("error", "UNKNOWN_SUBAGENT", "agent", "agent.subagents.0"),
        ),
        (
            define(
                agent=TASK, mcps=[{"id": "t", "name": "T", "command": "/usr/bin/npx", "args": ["-y", "x"]}]
            ),
            ("warning", "MCP_NEEDS_NETWORK", "mcp:t", "mcps.0.command"),
        ),
        (define(agent={**TASK, "mcps": ["ghost"]}), ("error", "UNKNOWN_MCP", "agent", "agent.mcps.0")),
        (
            define(agent=TASK, subagents=[subagent("a", subagents=["b"]), subagent("b", subagents=["a"])]),
            ("error", "SUBAGENT_CYCLE", "subagent:a", "subagents.0.subagents"),
        ),
        (
            define(agent=TASK, subagents=[subagent("a", subagents=["a"])]),
            ("error", "SUBAGENT_CYCLE", "subagent:a", "subagents.0.subagents"),
        ),
        (
            define(agent=TASK, subagents=chain("a", "b", "c", "d")),
            ("error", "SUBAGENTS_TOO_DEEP", "subagent:d", "subagents.2.subagents"),
        ),
        (
            define(agent={**TASK, "subagents": []}, subagents=[subagent("a")]),
            ("warning", "SUBAGENT_UNUSED", "subagent:a", "subagents.0"),
        ),
        (
            define(agent=TASK, subagents=[subagent("a" * 60)]),
            ("error", "ID_TOO_LONG", "subagent:" + "a" * 60, "subagents.0.id"),
        ),
        (
            define(agent=TASK, subagents=[subagent("a", description="")]),
            ("warning", "NO_DESCRIPTION", "subagent:a", "subagents.0.description"),
        ),
        (
            define(agent={**TASK, "permissions": {"bash(": "allow"}}),
            ("error", "BAD_PERMISSION", "agent", "agent.permissions.bash("),
        ),
        (
            define(agent={**TASK, "permissions": {"bsh": "allow"}}),
            ("warning", "UNKNOWN_PERMISSION", "agent", "agent.permissions.bsh"),
        ),
        (
            define(agent={**TASK, "permissions": {"bash": "deny", "bash(git *)": "allow"}}),
            ("warning", "PERMISSION_WITHOUT_EFFECT", "agent", "agent.permissions.bash(git *)"),
        ),
        (
            define(agent={**TASK, "model": "claude-haiku-4-5", "max_tokens": 100_000}),
            ("error", "MAX_TOKENS_TOO_HIGH", "agent", "agent.max_tokens"),
        ),
        (
            define(agent={**TASK, "model": "claude-haiku-4-5", "effort": "high"}),
            ("warning", "EFFORT_IGNORED", "agent", "agent.effort"),
        ),
        (
            define(agent={**TASK, "thinking": "off"}),
            ("warning", "THINKING_STAYS_ON", "agent", "agent.thinking"),
        ),
        (
            define(agent={**TASK, "model": "claude-opus-5", "thinking": "off", "effort": "max"}),
            ("error", "EFFORT_NEEDS_THINKING", "agent", "agent.effort"),
        ),
        (
            define(agent={"task": "x" * 4000}, limits={"max_tokens": 300}),
            ("warning", "LIMIT_TOO_SMALL", None, "limits.max_tokens"),
        ),
        (
            define(agent=TASK, limits={"max_cost_usd": 0.0001}),
            ("warning", "LIMIT_TOO_SMALL", None, "limits.max_cost_usd"),
        ),
        (define(agent={**TASK, "model": "llama3"}), ("error", "PRICE_UNKNOWN", "agent", "agent.model")),
        (
            define(agent={**TASK, "output_schema": {"type": "nonsense"}}),
            ("error", "BAD_OUTPUT_SCHEMA", "agent", "agent.output_schema.type"),
        ),
        (define(), ("info", "NO_TASK", "agent", "agent.task")),
    ],
)
def test_each_problem_is_found_at_its_place(definition, expected):
    assert find(definition, prices=ListPrices()) == {expected} | (
        {("error", "SUBAGENT_CYCLE", "subagent:b", "subagents.1.subagents")}
        if expected[1] == "SUBAGENT_CYCLE" and len(definition.subagents) == 2
        else set()
    )


def test_what_is_switched_off_is_no_problem():
    definition = define(
        agent=TASK,
        hooks=[{**HOOK, "enabled": False}],
        mcps=[{"id": "t", "name": "T", "command": "x", "enabled": False}],
        subagents=[subagent("a", prompt="{{who}}", tools=["nope"], enabled=False)],
    )
    assert plan.validate(definition, tools=TOOLS) == []


def test_an_unknown_price_matters_only_to_a_money_limit_that_must_be_kept():
    unlimited = define(agent={**TASK, "model": "llama3"}, limits={"max_cost_usd": None})
    assert find(unlimited, prices=ListPrices()) == {("warning", "UNKNOWN_MODEL", "agent", "agent.model")}
    assert find(define(agent={**TASK, "model": "llama3"}), prices=None) == set()


def test_every_problem_says_how_to_mend_it_and_errors_come_first():
    definition = define(agent={"tools": ["nope"], "thinking": "off"}, hooks=[HOOK])
    problems = plan.validate(definition, tools=TOOLS)
    assert [problem.severity for problem in problems] == ["error", "warning", "info"]
    assert all(len(problem.message.split()) > 4 and problem.message.endswith(".") for problem in problems)


def test_the_built_in_tools_are_known_by_themselves():
    assert plan.validate(define(agent={**TASK, "tools": ["bash"]})) == []


def test_the_estimate_grows_with_the_prompt_and_is_unknown_without_a_price():
    prices = ListPrices()
    short = plan.estimate(define(agent=TASK), "", {}, prices)
    long = plan.estimate(define(agent=TASK), "{{file}}", {"file": "x" * 40_000}, prices)
    assert 0 < short.input_tokens < 100
    assert long.input_tokens > 10_000
    assert long.cost_usd > short.cost_usd > 0
    assert plan.estimate(define(agent={**TASK, "model": "llama3"}), "x", {}, prices).cost_usd is None


def test_the_templates_run_as_they_are():
    folder = Path(cloutagent_ext.__file__).parent / "templates"
    for file in folder.glob("*/template.json"):
        definition = Definition.model_validate(
            {k: v for k, v in json.loads(file.read_text()).items() if k in Definition.model_fields}
        )
        errors = [p for p in plan.validate(definition, prices=ListPrices()) if p.severity == "error"]
        assert errors == [], file.parent.name


# ---------------------------------------------------------------- prompts


def test_a_value_is_text_and_is_not_looked_at_again():
    filled = fill("{{a}} {{ b }} {{unknown}}", {"a": "{{b}} {{timestamp}}", "b": "2"}, {"timestamp": "now"})
    assert filled == "{{b}} {{timestamp}} 2 {{unknown}}"


def test_no_variable_takes_the_place_of_a_built_in():
    assert fill("{{timestamp}}", {"timestamp": "mine"}, {"timestamp": "now"}) == "now"


def test_variables_and_secrets_of_a_text_are_found():
    text = "{{a}} {{ b }} {{timestamp}} {{secret:TOKEN}} {{ secret: X }} {not} {{9}}"
    assert variables_in(text) == {"a", "b"}
    assert secrets_in(text) == {"TOKEN", "X"}
