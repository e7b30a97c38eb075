"""Budgets are ceilings: nothing is sent that could cost more than what is left."""

from __future__ import annotations

import asyncio

import pytest

from cloutagent_ext.engine.budget import Budget, OwnLimit, context_tokens, usage_of
from cloutagent_ext.engine.models.catalogue import MODELS
from cloutagent_ext.engine.models.prices import ListPrices
from cloutagent_ext.engine.ports import EndExecution, Price
from cloutagent_ext.schema.execution import Usage
from tests.support.messages_api import Call, Calls, MessagesApi, Reply, Say

from .harness import MODEL, Echo, live, subagent

TEN = ListPrices({"ten": Price(input=10, output=10, cache_read=1, cache_write_5m=12.5)})


def budget(**limits) -> Budget:
    return Budget(TEN, **{"max_cost_usd": None, "max_tokens": None, **limits})


async def test_a_million_input_tokens_of_a_three_dollar_model_cost_three_dollars():
    prices = ListPrices()
    await prices.load()
    assert prices.cost("claude-sonnet-4-6", {"input_tokens": 1_000_000}) == 3.00


async def test_prices_are_the_services_for_cache_reads_writes_and_long_prompts():
    prices = ListPrices()
    await prices.load()
    usage = {
        "input_tokens": 1000,
        "cache_creation_input_tokens": 3000,
        "cache_creation": {"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 1000},
        "cache_read_input_tokens": 10_000,
        "output_tokens": 500,
    }
    dollars = (1000 * 4 + 2000 * 5 + 1000 * 8 + 10_000 * 0.2 + 500 * 20) / 1e6
    assert prices.cost("claude-opus-5-5", usage) == pytest.approx(dollars)
    assert prices.of("claude-haiku-5-5") == Price(
        input=0.5, output=2.5, cache_read=0.05, cache_write_5m=0.625
    )
    assert prices.cost("claude-haiku-5-5", {"input_tokens": 100_000}) == pytest.approx(0.01)
    assert prices.of("llama3") is None
    assert prices.cost("llama3", usage) is None
    assert prices.of("claude-mythos-5-1").input == 10


async def test_the_steps_of_one_reply_each_cost_what_their_own_model_costs():
    prices = ListPrices()
    await prices.load()
    usage = {
        "input_tokens": 1_000,
        "output_tokens": 100,
        "iterations": [
            {"type": "compaction", "input_tokens": 50_000, "output_tokens": 2_000},
            {
                "type": "advisor_message",
                "model": "claude-opus-5",
                "input_tokens": 3_000,
                "output_tokens": 400,
            },
            {"type": "message", "input_tokens": 1_000, "output_tokens": 100},
        ],
    }
    dollars = (51_000 * 2 + 2_100 * 10 + 3_000 * 5 + 400 * 25) / 1e6
    assert prices.cost("claude-sonnet-5-5", usage) == pytest.approx(dollars)
    assert usage_of(usage) == Usage(input_tokens=54_000, output_tokens=2_500)
    assert context_tokens(usage) == 1_100  # what was summarised on the way is no longer in the window
    unknown = {"iterations": [{"type": "message", "model": "nobody-1", "input_tokens": 1}]}
    assert prices.cost("claude-sonnet-5-5", unknown) is None


async def test_of_fifty_calls_at_once_as_many_are_sent_as_fit_and_no_instant_exceeds_the_limit():
    worst = (1_000 * 12.5 + 1_000 * 10) / 1e6
    shared = budget(max_cost_usd=10 * worst)
    barrier = asyncio.Barrier(50)
    sent = 0
    totals = []

    async def call() -> None:
        nonlocal sent
        await barrier.wait()
        held = await shared.reserve("ten", prompt_tokens=1_000, max_tokens=1_000)
        totals.append(shared.cost + shared.reserved_cost)
        sent += 1
        for _ in range(3):
            await asyncio.sleep(0)
            totals.append(shared.cost + shared.reserved_cost)
        shared.settle(held, {"cache_creation_input_tokens": 1_000, "output_tokens": held.max_tokens})
        totals.append(shared.cost + shared.reserved_cost)

    outcomes = await asyncio.gather(*(call() for _ in range(50)), return_exceptions=True)
    assert sent == 10
    assert max(totals) <= 10 * worst + 1e-9
    assert shared.cost == pytest.approx(10 * worst)
    assert shared.reserved_cost == pytest.approx(0)
    ended = [outcome for outcome in outcomes if outcome is not None]
    assert len(ended) == 40
    assert all(isinstance(o, EndExecution) and o.code == "COST_LIMIT_EXCEEDED" for o in ended)


async def test_calls_that_cost_less_than_they_hold_let_others_follow_within_the_limit():
    shared = budget(max_cost_usd=0.1)
    totals = []

    async def call() -> None:
        held = await shared.reserve("ten", prompt_tokens=1_000, max_tokens=1_000)
        totals.append(shared.cost + shared.reserved_cost)
        await asyncio.sleep(0)
        shared.settle(held, {"input_tokens": 1_000, "output_tokens": 10})
        totals.append(shared.cost + shared.reserved_cost)

    outcomes = await asyncio.gather(*(call() for _ in range(50)), return_exceptions=True)
    assert 4 < outcomes.count(None) < 10  # 0.0225 are held and 0.0101 spent for each
    assert max(totals) <= 0.1 + 1e-9


async def test_what_is_billed_beyond_the_reservation_is_the_whole_overshoot_and_is_said(tmp_path):
    calls = [("agent__helper", {"prompt": f"part {part}"}) for part in range(5)]
    dear = {"input_tokens": 500_000}  # two dollars for a prompt of a few hundred tokens

    def script(body, number):
        if number == 0:
            return Calls(calls)
        return Say("x", usage=dear, final_usage={"output_tokens": 1}) if number == 1 else Say("y")

    definition = {
        "agent": {"max_tokens": 1_000},
        "subagents": [subagent("helper", parallel=False)],
        "limits": {"max_cost_usd": 0.2},
    }
    api = MessagesApi(script)
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition)
    assert outcome.code == "COST_LIMIT_EXCEEDED"
    assert len(api.requests) == 2
    [warning] = bench.log.of("warning", code="COST_ABOVE_RESERVED")
    over = warning["details"]["over_usd"]
    [first, dearest] = [event["turn_cost_usd"] for event in bench.log.of("cost_update")]
    assert dearest == pytest.approx(2.00002)
    assert over == pytest.approx(dearest - warning["details"]["reserved_usd"])
    assert outcome.total_cost_usd == pytest.approx(first + dearest)
    assert outcome.total_cost_usd - over <= 0.2


async def test_fifty_subagents_at_once_send_only_the_calls_that_fit(tmp_path):
    def script(body, number):
        if number == 0:
            return Calls([(f"agent__h{part % 5}", {"prompt": f"part {part}"}) for part in range(50)])
        bill = {"input_tokens": 0, "cache_creation_input_tokens": 20}
        return Say("x", usage=bill, final_usage={"output_tokens": body["max_tokens"]})

    definition = {
        "agent": {"max_tokens": 4_000},
        "subagents": [subagent(f"h{number}", max_parallel_instances=10) for number in range(5)],
        "limits": {"max_cost_usd": 1.0},
    }
    api = MessagesApi(script)
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition)
    assert outcome.code == "COST_LIMIT_EXCEEDED", outcome
    costs = [event["total_cost_usd"] for event in bench.log.of("cost_update")]
    assert max(costs) <= 1.0
    assert "COST_ABOVE_RESERVED" not in bench.log.warnings()
    asked = sum(body["max_tokens"] for body in api.requests[1:])
    assert 10 <= len(api.requests) - 1 <= 13  # 8 cents each, and what is left for a shorter one
    assert asked * 20 / 1e6 <= 1.0
    assert any(body["max_tokens"] < 4_000 for body in api.requests[1:])
    assert bench.log.warnings().count("COST_80") == 1


async def test_a_call_waits_for_money_that_others_hold_and_may_not_need():
    shared = budget(max_cost_usd=0.1)
    first = await shared.reserve("ten", prompt_tokens=0, max_tokens=9_000)
    second = asyncio.create_task(shared.reserve("ten", prompt_tokens=0, max_tokens=9_000))
    await asyncio.sleep(0)
    assert not second.done()
    shared.settle(first, {"output_tokens": 100})
    assert (await second).max_tokens == 9_000


async def test_output_is_lowered_to_what_fits_and_less_than_256_ends_it():
    shared = budget(max_cost_usd=0.01)
    held = await shared.reserve("ten", prompt_tokens=400, max_tokens=8192)
    assert held.max_tokens == 500
    shared.settle(held, {"input_tokens": 400, "output_tokens": 500})
    with pytest.raises(EndExecution) as end:
        await shared.reserve("ten", prompt_tokens=10, max_tokens=8192)
    assert end.value.code == "COST_LIMIT_EXCEEDED"
    assert "max_cost_usd" in end.value.message


async def test_tokens_count_without_cache_reads():
    shared = budget(max_tokens=2_000)
    held = await shared.reserve("ten", prompt_tokens=50_000, cached_tokens=49_500, max_tokens=1000)
    assert held.max_tokens == 1000
    settled = shared.settle(
        held,
        {
            "input_tokens": 100,
            "cache_creation_input_tokens": 400,
            "cache_read_input_tokens": 49_500,
            "output_tokens": 1100,
        },
    )
    assert shared.usage.counted == 1600
    assert [code for code, _ in settled.warnings] == ["TOKENS_80"]
    with pytest.raises(EndExecution) as end:
        await shared.reserve("ten", prompt_tokens=200, max_tokens=1000)
    assert end.value.code == "TOKEN_LIMIT_EXCEEDED"


async def test_a_budget_inside_another_ends_by_its_own_limit_or_by_the_outer_one():
    outer = budget(max_cost_usd=1)
    inner = outer.within(max_cost_usd=0.01, max_tokens=None, owner="the subagent")
    with pytest.raises(OwnLimit) as own:
        await inner.reserve("ten", prompt_tokens=10_000, max_tokens=1000)
    assert own.value.owner is inner
    held = await inner.reserve("ten", prompt_tokens=0, max_tokens=500)
    inner.settle(held, {"output_tokens": 500})
    assert outer.cost == inner.cost == pytest.approx(0.005)
    narrow = budget(max_cost_usd=0.001).within(max_cost_usd=1, max_tokens=None, owner="the subagent")
    with pytest.raises(EndExecution) as end:
        await narrow.reserve("ten", prompt_tokens=0, max_tokens=1000)
    assert not isinstance(end.value, OwnLimit)


async def test_an_unknown_price_is_not_zero_unless_the_address_is_local():
    with pytest.raises(EndExecution):
        await budget(max_cost_usd=1).reserve("llama3", prompt_tokens=1, max_tokens=300)
    unlimited = budget()
    held = await unlimited.reserve("llama3", prompt_tokens=1, max_tokens=300)
    assert unlimited.settle(held, {"output_tokens": 5}).cost is None
    assert unlimited.cost is None
    local = budget(max_cost_usd=1, local_prices=True)
    held = await local.reserve("llama3", prompt_tokens=1, max_tokens=300)
    assert local.settle(held, {"output_tokens": 5}).cost == 0.0


# ---------------------------------------------------------------- in a run


async def test_a_run_ends_before_the_call_it_cannot_pay_for_and_keeps_what_it_has(tmp_path):
    usage = {"input_tokens": 100_000}
    api = MessagesApi(lambda body, number: Call("echo", {}, text=f"turn {number}", usage=usage))
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(
            {"agent": {"tools": ["echo"]}, "limits": {"max_cost_usd": 1.3}}, tools=[Echo()]
        )
    assert outcome.code == "COST_LIMIT_EXCEEDED"
    assert outcome.total_cost_usd <= 1.3
    assert outcome.result.text == f"turn {len(api.requests) - 1}"
    assert bench.log.warnings().count("COST_80") <= 1


async def test_what_is_left_lowers_max_tokens_on_the_wire(tmp_path):
    async with MessagesApi([Say("ok")]) as api, live(api.url, tmp_path) as bench:
        await bench.run({"limits": {"max_tokens": 1000}})
    assert 256 <= api.requests[0]["max_tokens"] < 1000
    assert "OUTPUT_LOWERED" in bench.log.warnings()
    assert len(api.counted) == 1  # the generous estimate did not fit, so the service was asked


async def test_many_subagents_at_once_stay_within_the_money(tmp_path):
    def script(body, number):
        if number == 0:
            return Calls([("agent__helper", {"prompt": f"part {part}"}) for part in range(12)])
        if any("helper" in str(block) for block in body.get("system", [])):
            return Reply(
                [{"type": "text", "text": "x" * 400}],
                final_usage={"output_tokens": body["max_tokens"]},
            )
        return Say("done")

    definition = {
        "agent": {"max_tokens": 4000},
        "subagents": [subagent("helper", max_parallel_instances=12)],
        "limits": {"max_cost_usd": 0.5},
    }
    api = MessagesApi(script)
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition)
    assert outcome.code == "COST_LIMIT_EXCEEDED"
    assert outcome.total_cost_usd <= 0.5
    assert outcome.total_cost_usd == pytest.approx(
        sum(event["turn_cost_usd"] for event in bench.log.of("cost_update"))
    )


async def test_a_subagents_own_limit_is_a_result_for_its_caller(tmp_path):
    def script(body, number):
        if number == 0:
            return Call("agent__helper", {"prompt": "go"})
        return Say("I go on without it")

    definition = {"subagents": [subagent("helper", limits={"max_tokens": 256})]}
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition)
    assert outcome.result.text == "I go on without it"
    result = bench.log.of("tool_result")[0]
    assert result["is_error"]
    assert "TOKEN_LIMIT_EXCEEDED" in result["output"][0]["text"]


async def test_a_local_model_without_a_price_runs_and_says_that_it_counts_as_free(tmp_path):
    async with MessagesApi([Say("ok")]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"model": "llama3"}}, local_prices=True)
    assert (outcome.status, outcome.total_cost_usd) == ("completed", 0.0)
    assert "PRICE_LOCAL" in bench.log.warnings()
    assert "thinking" not in api.requests[0]


async def test_one_warning_at_eighty_percent_of_each_limit(tmp_path):
    usage = {"input_tokens": 4500}
    script = [
        Call("echo", {}, usage=usage),
        Call("echo", {}, usage=usage),
        Say("end", usage={"input_tokens": 1}),
    ]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        await bench.run({"agent": {"tools": ["echo"]}, "limits": {"max_tokens": 11_000}}, tools=[Echo()])
    assert bench.log.warnings().count("TOKENS_80") == 1
    percent = [event["percent_of_limit"]["tokens"] for event in bench.log.of("cost_update")]
    assert percent == sorted(percent)
    assert bench.log.events[0]["model"] == MODEL


async def test_the_short_way_to_a_price_and_the_tables_agree():
    prices = ListPrices()
    await prices.load()
    usage = {
        "input_tokens": 1234,
        "cache_creation_input_tokens": 777,
        "cache_creation": {"ephemeral_5m_input_tokens": 700, "ephemeral_1h_input_tokens": 77},
        "cache_read_input_tokens": 54_321,
        "output_tokens": 999,
    }
    for facts in MODELS:
        short = prices.cost(facts.id, usage)
        whole = prices.cost(facts.id, {**usage, "server_tool_use": {"web_search_requests": 0}})
        assert short is None or whole is None or short == pytest.approx(whole, abs=1e-12), facts.id


def test_no_number_of_a_service_is_beyond_what_can_be_priced() -> None:
    usage = usage_of({"input_tokens": 10**400, "output_tokens": -(10**400), "cache_read_input_tokens": "7"})
    assert usage == Usage(input_tokens=2**53)
