"""The simulated model: the same wire, a scenario's steps, real results, and never an invented figure."""

from __future__ import annotations

import asyncio

import pytest

from cloutagent_ext.engine.models import ModelProvider, ModelSettings, open_simulated

from .harness import Bench, Echo, define, subagent

FIGURES = 'note\n{"sum": 12.5, "by": {"north": [1, 2]}}\n'
QUESTION = "Is {{result.totals.sum}} much?"
SCENARIO = {
    "schema_version": 1,
    "agents": {
        "main": [
            {
                "thinking": "First {{file}}.",
                "text": "I look at {{file}} because: {{prompt}}",
                "tools": [
                    {"name": "echo", "as": "totals", "input": {"text": FIGURES}},
                    {"name": "echo", "as": "plain", "input": {"text": "just {{file}}"}},
                ],
            },
            {"tools": [{"name": "agent__helper", "as": "advice", "input": {"prompt": QUESTION}}]},
            {
                "text": "Sum {{result.totals.sum}}, second {{result.totals.by.north.1}}, {{result.plain}}, "
                "{{result.totals.x}}, {{nothing}}, {{result.advice}}"
            },
        ],
        "helper": [{"text": "{{prompt}} Yes."}],
    },
}  # fmt: skip


async def play(tmp_path, scenario, definition=None, *, tools=(), variables=None, pace=0.0, **run):
    variables = variables or {}
    async with open_simulated(scenario=scenario, variables=variables, pace=pace) as models:
        bench = Bench(models, tmp_path)
        outcome = await bench.run(definition, tools=list(tools), variables=variables, simulated=True, **run)
    return outcome, bench


async def test_one_script_serves_many_instances_by_a_value_in_their_prompts(tmp_path):
    asked = [
        {"name": "agent__helper", "as": name, "input": {"prompt": f'Look.\n{{"theme": "{name}"}}'}}
        for name in ("tides", "winds")
    ]
    in_lines = '{\n "of": "{{prompt.theme}}"\n}'
    scenario = {
        "schema_version": 1,
        "agents": {
            "main": [{"tools": asked}, {"text": "{{result.tides}} {{result.winds}}"}],
            "helper": [
                {"tools": [{"name": "echo", "as": "said", "input": {"text": in_lines}}]},
                {"text": "{{result.said.of}}, {{prompt.other}}."},
            ],
        },
    }
    definition = {"subagents": [subagent("helper", tools=["echo"])]}
    outcome, _ = await play(tmp_path, scenario, definition, tools=[Echo()])
    assert outcome.result.text == "tides, [no value: prompt.other]. winds, [no value: prompt.other]."


async def test_a_scenario_is_played_with_values_of_real_results(tmp_path):
    definition = {"agent": {"tools": ["echo"]}, "subagents": [subagent("helper")]}
    outcome, bench = await play(
        tmp_path,
        SCENARIO,
        definition,
        tools=[Echo()],
        variables={"file": "sales.csv"},
        prompt="Look at {{file}}",
    )
    assert outcome.status == "completed", outcome
    assert outcome.result.text == (
        "Sum 12.5, second 2, just sales.csv, [no value: result.totals.x], [no value: nothing], "
        "Is 12.5 much? Yes."
    )
    assert bench.log.said("thinking") == "First sales.csv."
    assert bench.log.said(span="main/1") == "I look at sales.csv because: Look at sales.csv"
    assert bench.log.warnings() == ["SIMULATED"]
    assert outcome.total_cost_usd > 0


async def test_without_a_scenario_it_walks_the_wiring_and_says_what_it_is(tmp_path):
    definition = {"agent": {"tools": ["echo"]}, "subagents": [subagent("one"), subagent("two")]}
    outcome, bench = await play(tmp_path, None, definition, tools=[Echo()])
    assert outcome.status == "completed"
    assert "simulation" in outcome.result.text
    assert "Tools it could call: echo" in outcome.result.text
    assert [event["tool"] for event in bench.log.of("tool_call")] == ["agent__one", "agent__two"]
    assert "simulation" in bench.log.of("tool_result")[0]["output"][0]["text"]


async def test_without_a_scenario_an_answer_fits_its_schema(tmp_path):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "kind": {"enum": ["a", "b"]}, "rows": {"type": "array"}},
        "required": ["n", "kind", "rows"],
    }
    outcome, _ = await play(tmp_path, None, {"agent": {"output_schema": schema}})
    assert outcome.result.data == {"n": 0, "kind": "a", "rows": []}


async def test_its_usage_is_always_the_same_and_reads_what_did_not_change_from_the_cache(tmp_path):
    turns = [
        {"text": f"step {n}", "tools": [{"name": "echo", "input": {"text": f"x{n}"}}]} for n in range(10)
    ]
    scenario = {"agents": {"main": [*turns, {"text": "end"}]}}
    definition = {"agent": {"tools": ["echo"], "system_prompt": "Know this. " * 400}}
    first, _ = await play(tmp_path, scenario, definition, tools=[Echo()])
    second, _ = await play(tmp_path, scenario, definition, tools=[Echo()])
    assert first.usage == second.usage
    usage = first.usage
    total = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    assert usage.cache_read_input_tokens / total > 0.8


async def test_a_scenario_that_is_too_short_says_so(tmp_path):
    scenario = {"agents": {"main": [{"tools": [{"name": "echo", "input": {}}]}]}}
    outcome, _ = await play(tmp_path, scenario, {"agent": {"tools": ["echo"]}}, tools=[Echo()])
    assert outcome.result.text == "[The scenario of `main` has no turn 2.]"


async def test_limits_hold_for_it_too(tmp_path):
    turns = [
        {"text": "word " * 2000, "tools": [{"name": "echo", "input": {"text": str(n)}}]} for n in range(50)
    ]
    definition = {"agent": {"tools": ["echo"]}, "limits": {"max_tokens": 20_000}}
    outcome, _ = await play(tmp_path, {"agents": {"main": turns}}, definition, tools=[Echo()])
    assert outcome.code == "TOKEN_LIMIT_EXCEEDED"
    assert outcome.usage.counted <= 20_000


async def test_a_model_without_a_price_can_be_simulated_under_a_money_limit(tmp_path):
    outcome, _ = await play(tmp_path, None, {"agent": {"model": "llama3"}})
    assert (outcome.status, outcome.total_cost_usd) == ("completed", 0.0)


async def test_paced_text_comes_in_pieces_and_can_be_cancelled(tmp_path):
    scenario = {"agents": {"main": [{"text": "word " * 1000}]}}
    async with open_simulated(scenario=scenario, variables={}, pace=40) as models:
        bench = Bench(models, tmp_path)
        task = asyncio.create_task(bench.run(simulated=True))
        await bench.log.until(lambda: len(bench.log.of("text")) >= 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(bench.log.said()) < 1000


async def test_the_provider_simulates_only_where_no_model_can_be_called():
    settings = ModelSettings()
    provider = ModelProvider(lambda: settings)
    plain, simulated = define(), define(agent={"simulate": True})
    assert not provider.usable()
    assert provider.simulated(plain)
    settings = ModelSettings(api_key="k")
    assert provider.usable()
    assert not provider.simulated(plain)
    assert provider.simulated(simulated)
    assert not provider.local()
    settings = ModelSettings(base_url="http://127.0.0.1:11434")
    assert provider.usable()
    assert provider.local()
    settings = ModelSettings(base_url="https://api.anthropic.com")
    assert not provider.local()
    await provider.prices.load()
    rows = provider.models()
    assert rows[0].id == "claude-opus-5-5"
    assert all(row.price is None or row.price.input > 0 for row in rows)


async def test_the_provider_shares_one_connection_pool_and_closes_it(tmp_path):
    from tests.support.messages_api import MessagesApi, Say

    async with MessagesApi(lambda body, number: Say("ok"), api_key="k") as api:
        provider = ModelProvider(lambda: ModelSettings(api_key="k", base_url=api.url))
        for _ in range(2):
            async with provider.open(
                definition=define(), scenario=None, simulated=False, variables={}
            ) as models:
                assert (await Bench(models, tmp_path).run()).status == "completed"
        await provider.close()
    assert len(api.requests) == 2


@pytest.mark.parametrize("step", [{"tools": [{"input": {}}]}, {"tools": 3}, "text", {"text": 5}])
async def test_a_turn_that_cannot_be_read_is_named_and_not_tried_again(tmp_path, step):
    outcome, bench = await play(tmp_path, {"agents": {"main": [step]}})
    assert outcome.code == "MODEL_ERROR"
    assert "`main`, turn 1" in outcome.message
    assert bench.clock.slept == []
