"""The quote before a run: a range from what runs cost, or from sizes, and a cap that holds."""

from __future__ import annotations

import pytest

from cloutagent_ext.engine import plan
from cloutagent_ext.engine.models.prices import ListPrices
from cloutagent_ext.engine.quote import quoted
from cloutagent_ext.schema.project import Definition, Estimate
from tests.support.messages_api import Call, MessagesApi, Say

from .conftest import Office, Opens, agent


def quote(past=(), *, prices: ListPrices | None = None, **more) -> Estimate:
    definition = Definition(**{"name": "q", "agent": agent(tools=[]), **more.pop("definition", {})})
    prices = prices or ListPrices()
    first = plan.estimate(definition, definition.agent.task, {}, prices)
    return quoted(first, definition, prices, past=past, **more)


def test_earlier_runs_give_their_median_and_ninetieth_percentile_below_the_cap():
    found = quote([0.01 * number for number in range(1, 11)])
    assert (found.low_usd, found.high_usd) == (pytest.approx(0.055), pytest.approx(0.09))
    assert (found.basis, found.executions, found.cap_usd) == ("history", 10, 1.0)
    dear = quote([5.0, 5.0, 5.0])
    assert (dear.low_usd, dear.high_usd) == (1.0, 1.0)


def test_only_the_newest_twenty_count_and_too_few_say_nothing():
    assert quote([0.01] * 20 + [9.0] * 20).high_usd == 0.01
    assert quote([0.5, 0.5]).basis == "sizes"


def test_without_history_a_plain_answer_costs_one_call_and_tools_cost_turns():
    plain = quote()
    assert plain.low_usd == plain.cost_usd
    longest = (plain.input_tokens * 5 + 8192 * 20) / 1e6
    assert plain.high_usd == pytest.approx(longest)
    few = quote(definition={"agent": agent(tools=["bash"]), "limits": {"max_turns": 5}})
    many = quote(definition={"agent": agent(tools=["bash"]), "limits": {"max_turns": 50}})
    assert few.low_usd < few.high_usd < many.high_usd <= 1.0
    helped = quote(
        definition={
            "agent": agent(tools=["bash"]),
            "limits": {"max_turns": 5},
            "subagents": [{"id": "a", "name": "A", "prompt": "p", "tools": ["bash"]}],
        }
    )
    assert helped.high_usd > few.high_usd


def test_the_token_limit_ends_the_turns_that_are_counted():
    limits = {"max_turns": 1000, "max_cost_usd": None, "max_tokens": 20_000}
    found = quote(definition={"agent": agent(tools=["bash"]), "limits": limits})
    assert found.cap_usd is None
    assert found.high_usd < 0.5


def test_simulated_local_and_unknown_are_said_and_never_invented():
    assert quote(simulated=True).model_dump(include={"low_usd", "high_usd", "basis"}) == {
        "low_usd": 0.0,
        "high_usd": 0.0,
        "basis": "simulated",
    }
    nobody = {"agent": agent(tools=[], model="llama3")}
    local = quote(definition=nobody, local=True)
    assert (local.low_usd, local.high_usd, local.basis) == (0.0, 0.0, "local")
    unknown = quote(definition=nobody)
    assert (unknown.low_usd, unknown.high_usd) == (None, None)


# ---------------------------------------------------------------- from real executions


async def saved(office: Office, project: str) -> Definition:
    stored = (await office.services.store.read(project)).project
    return Definition(**{name: getattr(stored, name) for name in Definition.model_fields})


async def test_what_runs_of_the_project_cost_is_what_the_next_is_quoted_at(open_office: Opens):
    costs = iter([1_000, 2_000, 40_000])

    def script(body, number):
        return Say("ok", usage={"input_tokens": next(costs)}, final_usage={"output_tokens": 100})

    async with MessagesApi(script) as api:
        office = await open_office(api_key="test-key", base_url=api.url)
        project = await office.project(agent=agent(tools=[]))
        definition = await saved(office, project)
        before = (await office.executions.validate(definition, project)).estimate
        assert before.basis == "sizes"
        states = [await office.run(project) for _ in range(3)]
        after = (await office.executions.validate(definition, project)).estimate
        elsewhere = (await office.executions.validate(definition, None)).estimate
    spent = sorted(state.total_cost_usd for state in states)
    assert (after.basis, after.executions) == ("history", 3)
    assert (after.low_usd, after.high_usd) == (spent[1], spent[2])
    assert elsewhere.basis == "sizes"
    other = definition.model_copy(update={"agent": agent(tools=[], model="claude-haiku-5-5")})
    assert (await office.executions.validate(other, project)).estimate.basis == "sizes"


async def test_failed_and_simulated_runs_are_no_history(open_office: Opens):
    async with MessagesApi(lambda body, number: Call("nothing", {})) as api:
        office = await open_office(api_key="test-key", base_url=api.url)
        project = await office.project(agent=agent(tools=[]), limits={"max_turns": 1})
        for _ in range(3):
            assert (await office.run(project)).status == "failed"
        definition = await saved(office, project)
        assert (await office.executions.validate(definition, project)).estimate.basis == "sizes"
    simulated = await open_office()
    project = await simulated.project(agent=agent(tools=[]))
    for _ in range(3):
        await simulated.run(project)
    definition = await saved(simulated, project)
    found = (await simulated.executions.validate(definition, project)).estimate
    assert (found.basis, found.low_usd) == ("simulated", 0.0)
