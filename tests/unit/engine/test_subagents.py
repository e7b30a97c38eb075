"""Delegation: own conversation, own limits, names, order, and what a failure means."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.messages_api import Call, Calls, Failure, MessagesApi, Reply, Say
from tests.support.patience import Promised

from .harness import Echo, live, subagent


def who(body) -> str:
    """Whose conversation a request belongs to."""
    system = json.dumps(body.get("system", ""))
    return next((name for name in ("helper", "deep", "other") if f"You are {name}" in system), "main")


async def test_a_subagent_has_its_own_conversation_and_its_answer_is_the_result(tmp_path):
    def script(body, number):
        if who(body) == "helper":
            return Say("forty-two") if len(body["messages"]) > 1 else Call("echo", {"text": "x"}, id="inner")
        return Call("agent__helper", {"prompt": "What is it?"}, id="ask") if number == 0 else Say("It is 42")

    tool = Echo()
    definition = {
        "agent": {"system_prompt": "Ask."},
        "subagents": [subagent("helper", tools=["echo"], model="claude-haiku-5-5")],
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[tool])
    assert outcome.result.text == "It is 42"
    inner = api.requests[1]
    assert inner["model"] == "claude-haiku-5-5"
    own = [event["turn_cost_usd"] for event in bench.log.of("cost_update", agent="helper#1")]
    assert own == [bench.prices.cost("claude-haiku-5-5", usage) for usage in api.told[1:3]], "at its price"
    assert inner["messages"] == [{"role": "user", "content": [{"type": "text", "text": "What is it?"}]}]
    assert [tool["name"] for tool in inner["tools"]] == ["echo"]
    assert api.requests[-1]["messages"][-1]["content"][0]["content"] == [
        {"type": "text", "text": "forty-two"}
    ]
    start = bench.log.of("agent_start", agent="helper#1")[0]
    assert (start["span"], start["call_id"], start["subagent"]) == ("main/1/ask/helper#1", "ask", "helper")
    assert bench.log.of("tool_call", agent="helper#1")[0]["span"] == "main/1/ask/helper#1/1/inner"
    assert tool.contexts[0].agent == "helper#1"
    assert outcome.total_cost_usd == pytest.approx(
        sum(event["total_cost_usd"] for event in bench.log.of("agent_complete"))
    )
    main = bench.log.of("agent_complete", agent="main")[0]
    assert (main["turns"], main["result"]) == (2, "It is 42")
    assert bench.log.of("tool_call", tool="agent__helper")[0]["source"] == "subagent"


@pytest.mark.parametrize(("parallel", "places", "most"), [(True, 2, 2), (False, 5, 1)])
async def test_no_more_instances_run_at_once_than_allowed(tmp_path, parallel, places, most):
    running = highest = 0

    async def work(arguments, context):
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        await asyncio.sleep(0.02)
        running -= 1
        return "ok"

    def script(body, number):
        if who(body) == "helper":
            return Say("done") if len(body["messages"]) > 1 else Call("echo", {})
        return Calls([("agent__helper", {"prompt": str(n)}) for n in range(4)]) if number == 0 else Say("end")

    definition = {
        "subagents": [subagent("helper", tools=["echo"], parallel=parallel, max_parallel_instances=places)]
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        await bench.run(definition, tools=[Echo(action=work)])
    assert highest == most
    names = [event["agent"] for event in bench.log.of("agent_start")]
    assert names == ["main", "helper#1", "helper#2", "helper#3", "helper#4"]


async def test_a_failing_subagent_is_an_error_result(tmp_path):
    def script(body, number):
        if who(body) == "helper":
            return Failure(400, "invalid_request_error", "no such thing")
        return Call("agent__helper", {"prompt": "go"}) if number == 0 else Say("without it then")

    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"subagents": [subagent("helper")]})
    assert outcome.result.text == "without it then"
    result = bench.log.of("tool_result")[0]
    assert result["is_error"]
    assert "no such thing" in result["output"][0]["text"]
    assert len(bench.log.of("agent_complete", agent="helper#1")) == 1


async def test_a_failing_essential_subagent_ends_the_execution_and_its_neighbours(tmp_path):
    neighbour_ended = asyncio.Event()

    async def forever(arguments, context):
        try:
            await asyncio.Event().wait()
        finally:
            neighbour_ended.set()

    def script(body, number):
        if who(body) == "helper":
            return Reply([], stop_reason="refusal")
        return Calls([("echo", {}), ("agent__helper", {"prompt": "go"})])

    definition = {"agent": {"tools": ["echo"]}, "subagents": [subagent("helper", essential=True)]}
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[Echo(action=forever)])
    assert outcome.code == "SUBAGENT_FAILED"
    assert outcome.details["cause"]["code"] == "MODEL_REFUSED"
    assert neighbour_ended.is_set()


async def test_a_subagents_own_turn_and_time_limits_are_results(tmp_path):
    def script(body, number):
        match who(body):
            case "helper":
                return Call("echo", {}, text="still at it")
            case "other":
                return Say("late", hold_after_start=asyncio.Event())
        if number == 0:
            return Calls([("agent__helper", {"prompt": "go"}), ("agent__other", {"prompt": "go"})])
        return Say("end")

    definition = {
        "subagents": [
            subagent("helper", tools=["echo"], limits={"max_turns": 2}),
            subagent("other", limits={"timeout_s": 1}),
        ]
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[Echo()])
    assert outcome.result.text == "end"
    by_turns, by_time = (
        result["content"][0]["text"] for result in api.requests[-1]["messages"][-1]["content"]
    )
    assert "TURN_LIMIT_EXCEEDED" in by_turns
    assert "still at it" in by_turns
    assert "TIMEOUT" in by_time


async def test_limits_of_a_middle_subagent_hold_for_those_below_it(tmp_path):
    def script(body, number):
        match who(body):
            case "helper":
                return Call("agent__deep", {"prompt": "deeper"})
            case "deep":
                return Call("echo", {"text": str(number)}, usage={"input_tokens": 3000})
        return Call("agent__helper", {"prompt": "go"}) if number == 0 else Say("end")

    definition = {
        "subagents": [
            subagent("helper", subagents=["deep"], limits={"max_tokens": 20_000}),
            subagent("deep", tools=["echo"]),
        ]
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[Echo()])
    assert outcome.result.text == "end"
    ended = [event["span"] for event in bench.log.of("tool_result") if event["is_error"]]
    outer, inner = (event["span"] for event in bench.log.of("tool_call")[:2])
    assert ended == [inner, outer], "the delegation below it was broken off with it"
    depths = {event["agent"]: event["span"].count("#") for event in bench.log.of("agent_start")}
    assert depths == {"main": 0, "helper#1": 1, "deep#1": 2}


async def test_the_executions_limit_ends_it_from_inside_a_subagent(tmp_path):
    def script(body, number):
        if who(body) == "helper":
            return Call("echo", {"text": str(number)}, usage={"input_tokens": 5000})
        return Call("agent__helper", {"prompt": "go"})

    definition = {"subagents": [subagent("helper", tools=["echo"])], "limits": {"max_tokens": 20_000}}
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[Echo()])
    assert outcome.code == "TOKEN_LIMIT_EXCEEDED"
    assert outcome.usage.counted <= 20_000


async def test_a_subagent_that_is_off_or_not_listed_cannot_be_called(tmp_path):
    definition = {
        "agent": {"subagents": ["off"]},
        "subagents": [subagent("off", enabled=False), subagent("other")],
    }
    async with (
        MessagesApi([Call("agent__other", {"prompt": "x"}), Say("end")]) as api,
        live(api.url, tmp_path) as bench,
    ):
        await bench.run(definition)
    assert "tools" not in api.requests[0]
    assert bench.log.of("tool_result")[0]["is_error"]


async def test_cancel_reaches_a_tool_three_levels_down_and_each_event_bears_its_agents_name(
    tmp_path, promised: Promised
):
    below = {"main": "helper", "helper": "deep", "deep": "other"}
    at_work, ended = asyncio.Event(), asyncio.Event()

    async def forever(arguments, context):
        at_work.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def script(body, number):
        name = who(body)
        if name == "other":
            return Call("echo", {}, id="lowest", text="other speaks")
        return Call(f"agent__{below[name]}", {"prompt": "go"}, id=f"by_{name}", text=f"{name} speaks")

    definition = {
        "subagents": [
            subagent("helper", subagents=["deep"]),
            subagent("deep", subagents=["other"]),
            subagent("other", tools=["echo"]),
        ]
    }
    tool = Echo(action=forever)
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        running = asyncio.create_task(bench.run(definition, tools=[tool]))
        async with asyncio.timeout(60):
            await at_work.wait()
        before = len(api.requests)
        running.cancel()
        with promised(5):
            done, _ = await asyncio.wait({running})
        assert done, "it goes on 5 s after it was cancelled"
        assert running.cancelled()
        assert ended.is_set(), "the tool at the lowest level goes on"
        left = [task for task in asyncio.all_tasks() if "cloutagent_ext" in repr(task.get_coro())]
        assert left == []
        assert (len(api.requests), api.open) == (before, 0), "nobody asks a model any more"
    assert tool.contexts[0].agent == "other#1"
    spans = {event["agent"]: event["span"] for event in bench.log.of("agent_start")}
    assert spans == {
        "main": "main",
        "helper#1": "main/1/by_main/helper#1",
        "deep#1": "main/1/by_main/helper#1/1/by_helper/deep#1",
        "other#1": "main/1/by_main/helper#1/1/by_helper/deep#1/1/by_deep/other#1",
    }
    for agent, span in spans.items():
        assert bench.log.said(agent=agent) == f"{agent.partition('#')[0]} speaks"
        (call,) = bench.log.of("tool_call", agent=agent)
        assert call["span"].rpartition("/")[0] == f"{span}/1"
    for event in bench.log.events:
        owner = max((span for span in spans.values() if f"{event['span']}/".startswith(f"{span}/")), key=len)
        assert event["agent"] == next(agent for agent, span in spans.items() if span == owner), event


async def test_two_subagents_side_by_side_queue_in_order_each_for_its_own_places(tmp_path):
    running = {"helper": 0, "other": 0}
    highest = dict(running)
    order, full, release = [], asyncio.Event(), asyncio.Event()
    both = 0

    async def work(arguments, context):
        nonlocal both
        name = context.agent.partition("#")[0]
        order.append(context.agent)
        running[name] += 1
        highest[name] = max(highest[name], running[name])
        both = max(both, sum(running.values()))
        if sum(running.values()) == 3:
            full.set()
        await release.wait()
        running[name] -= 1
        return "ok"

    def script(body, number):
        name = who(body)
        if name != "main":
            return Say("done") if len(body["messages"]) > 1 else Call("echo", {})
        if number:
            return Say("end")
        calls = [
            (f"agent__{name}", {"prompt": f"{name} {n}"}) for n in range(4) for name in ("helper", "other")
        ]
        return Calls(calls)

    definition = {
        "subagents": [
            subagent("helper", tools=["echo"], parallel=True, max_parallel_instances=2),
            subagent("other", tools=["echo"], parallel=False),
        ]
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        task = asyncio.create_task(bench.run(definition, tools=[Echo(action=work)]))
        async with asyncio.timeout(60):
            await full.wait()
        begun = {event["agent"] for event in bench.log.of("agent_start")}
        assert begun == {"main", "helper#1", "helper#2", "other#1"}, "the others wait for their places"
        release.set()
        outcome = await task
    assert outcome.result.text == "end"
    assert highest == {"helper": 2, "other": 1}
    assert both == 3, "a full subagent keeps no other from running"
    for name in ("helper", "other"):
        mine = [event for event in bench.log.of("agent_start") if event["agent"].startswith(name)]
        assert [event["agent"] for event in mine] == [f"{name}#{n}" for n in range(1, 5)]
        assert [event["prompt"] for event in mine] == [f"{name} {n}" for n in range(4)]
    assert [agent for agent in order if agent.startswith("other")] == [f"other#{n}" for n in range(1, 5)]


async def test_what_a_subagent_had_begun_when_its_time_was_over_is_said_to_be_unknown(tmp_path):
    """Its caller goes on: in the log no call of it and no agent stays open."""

    async def forever(arguments, context):
        await asyncio.Event().wait()

    def script(body, number):
        match who(body):
            case "helper":
                return Calls([("echo", {}), ("agent__deep", {"prompt": "deeper"})], ids=["e", "d"])
            case "deep":
                return Call("echo", {}, id="e")
        return Call("agent__helper", {"prompt": "go"}, id="h") if number == 0 else Say("end")

    definition = {
        "subagents": [
            subagent("helper", tools=["echo"], subagents=["deep"], limits={"timeout_s": 1}),
            subagent("deep", tools=["echo"]),
        ]
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[Echo(action=forever)])
    assert outcome.result.text == "end"
    calls, results = (
        [event["span"] for event in bench.log.of(kind)] for kind in ("tool_call", "tool_result")
    )
    assert results == calls[::-1], "each once, those of the inner agents first"
    said = [event["output"][0]["text"] for event in bench.log.of("tool_result")]
    assert all(text.startswith("interrupted; outcome unknown. Its agent was broken off") for text in said[:3])
    assert "TIMEOUT" in said[3]
    done = {
        f"{each['span']}/{each['call_id']}" for each in bench.journal.records if each["kind"] == "tool_done"
    }
    assert done == set(calls), "a resume knows it, too"
    assert [event["agent"] for event in bench.log.of("agent_complete")] == ["helper#1", "main"]
