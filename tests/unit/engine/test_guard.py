"""An agent that goes in circles, and an execution in which nothing happens, are noticed and named."""

from __future__ import annotations

import asyncio
import json

import pytest

from cloutagent_ext.engine.assembly import Reply as ModelReply
from cloutagent_ext.engine.guard import EMPTY_TURNS, SAME_REQUESTS, Circles
from cloutagent_ext.engine.past import Past
from cloutagent_ext.engine.ports import Decision, EndExecution
from tests.support.messages_api import Call, Calls, MessagesApi, Reply, Say

from .harness import Bench, Echo, live, subagent

ECHO = {"tools": ["echo"]}


# ---------------------------------------------------------------- in circles


async def test_the_same_call_a_fourth_time_in_a_row_ends_it_where_nobody_can_be_asked(tmp_path):
    tool = Echo()
    async with (
        MessagesApi(lambda body, number: Call("echo", {"text": "again"})) as api,
        live(api.url, tmp_path) as bench,
    ):
        outcome = await bench.run({"agent": ECHO}, tools=[tool])
    assert (outcome.code, outcome.details["kind"]) == ("STALLED", "circle")
    assert "the same call of echo 4 times in a row" in outcome.message
    assert (len(tool.calls), len(api.requests)) == (3, 4)
    assert bench.log.of("warning", code="STALLED")[0]["details"]["kind"] == "circle"


async def test_where_somebody_answers_it_asks_and_goes_on_and_asks_again_after_four_more(tmp_path):
    def script(body, number):
        return Call("echo", {"text": "again"}) if number < 8 else Say("done")

    tool = Echo()
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        bench.approvals.decision = Decision(allow=True, by="ada")
        outcome = await bench.run({"agent": ECHO}, tools=[tool])
    assert outcome.result.text == "done"
    assert len(tool.calls) == 8
    assert bench.approvals.asked == ["echo", "echo"]
    assert "4 times in a row" in bench.approvals.questions[0].reason


async def test_a_person_who_refuses_leaves_the_model_to_do_otherwise(tmp_path):
    def script(body, number):
        return Call("echo", {"text": "again"}) if number < 4 else Say("otherwise")

    tool = Echo()
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        bench.approvals.decision = Decision(allow=False, by="ada", message="Stop that.")
        outcome = await bench.run({"agent": ECHO}, tools=[tool])
    assert outcome.result.text == "otherwise"
    assert len(tool.calls) == 3
    assert "Stop that." in json.dumps(api.requests[-1]["messages"][-1])


@pytest.mark.parametrize(
    ("agent", "call", "ran"),
    [
        ({"tools": []}, Call("nobody", {"a": 1}), 0),
        (ECHO, Call("echo", {"wrong": 1}), 0),
        ({**ECHO, "permissions": {"echo": "deny"}}, Call("echo", {}), 0),
        ({**ECHO, "permissions": {"echo": "ask"}}, Call("echo", {}), 0),
    ],
)
async def test_a_call_that_is_refused_again_and_again_is_a_circle_too(tmp_path, agent, call, ran):
    tool = Echo()
    async with MessagesApi(lambda body, number: call) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": agent}, tools=[tool])
    assert outcome.code == "STALLED"
    assert (len(tool.calls), len(api.requests)) == (ran, 4)


async def test_two_subagents_called_in_turn_for_the_same_end_in_four_rounds(tmp_path):
    def script(body, number):
        if "You are" in json.dumps(body.get("system")):
            return Say("ask the other")
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        return Call(f"agent__{'ab'[turn % 2]}", {"prompt": "who knows?"})

    definition = {"subagents": [subagent("a"), subagent("b")]}
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition)
    assert outcome.code == "STALLED"
    assert "two calls in turn, 4 times" in outcome.message
    assert len(bench.log.of("agent_start")) == 1 + 7


async def test_calls_that_differ_may_be_as_many_as_they_like(tmp_path):
    def script(body, number):
        return Call("echo", {"text": str(number // 3)}) if number < 12 else Say("done")

    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": ECHO}, tools=[Echo()])
    assert outcome.result.text == "done"
    assert "STALLED" not in bench.log.warnings()


async def test_a_subagent_in_circles_is_a_failed_result_of_its_caller(tmp_path):
    def script(body, number):
        if "You are helper" in json.dumps(body.get("system")):
            return Call("echo", {})
        return Call("agent__helper", {"prompt": "go"}) if len(body["messages"]) == 1 else Say("without it")

    definition = {"subagents": [subagent("helper", tools=["echo"])]}
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[Echo()])
    assert outcome.result.text == "without it"
    [result] = bench.log.of("tool_result", tool="agent__helper")
    assert "STALLED" in result["output"][0]["text"]


def test_turns_without_a_word_and_equal_requests_are_bounded():
    circles = Circles()
    empty = ModelReply([], "pause_turn", None, {})
    for _ in range(EMPTY_TURNS):
        circles.turn(empty)
    circles.turn(ModelReply([{"type": "text", "text": "a word"}], "end_turn", None, {}))
    for _ in range(EMPTY_TURNS):
        circles.turn(empty)
    with pytest.raises(EndExecution, match="without a word or a call") as end:
        circles.turn(empty)
    assert end.value.code == "STALLED"
    for _ in range(SAME_REQUESTS):
        circles.request(5, 0, 8192)
    circles.request(6, 0, 8192)
    for _ in range(SAME_REQUESTS):
        circles.request(7, 0, 8192)
    with pytest.raises(EndExecution, match="same request"):
        circles.request(7, 0, 8192)


async def test_replies_that_pause_with_nothing_end_by_name(tmp_path):
    api = MessagesApi(lambda body, number: Reply([], stop_reason="pause_turn"))
    api._objection = lambda body: None  # type: ignore[method-assign] # an assistant message may come last here
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.code, outcome.details["kind"]) == ("STALLED", "empty_turns")
    assert len(api.requests) == EMPTY_TURNS + 1


# ---------------------------------------------------------------- silence

QUIET = {"tools": ["echo"], "stall_s": 10}


async def test_a_silent_tool_is_named_in_a_warning_and_then_in_the_end(tmp_path):
    never = asyncio.Event()

    async def hang(arguments, context):
        await never.wait()

    async with MessagesApi([Call("echo", {}, id="c1")]) as api, live(api.url, tmp_path) as bench:
        run = asyncio.create_task(bench.run({"agent": QUIET}, tools=[Echo(action=hang)]))
        await bench.log.until(lambda: bench.journal.kinds()[-1:] == ["tool_started"] or bench.log.of("x"))
        bench.clock.slept.append(6)
        await bench.log.until(lambda: "STALLED" in bench.log.warnings())
        [warning] = bench.log.of("warning", code="STALLED")
        assert warning["message"].startswith("waiting ")
        assert warning["message"].endswith(" s for the tool echo")
        assert warning["details"]["call_id"] == "c1"
        bench.clock.slept.append(6)
        async with asyncio.timeout(60):
            outcome = await run
    assert (outcome.code, outcome.details["waited_for"]) == ("STALLED", "the tool echo")
    assert "stall_s" in outcome.message
    assert bench.approvals.questions[0].again == 1


async def test_a_silent_model_is_given_up_by_name(tmp_path):
    hold = asyncio.Event()
    async with MessagesApi([Say("late", hold_after_start=hold)]) as api, live(api.url, tmp_path) as bench:
        run = asyncio.create_task(bench.run({"agent": {"stall_s": 10}}))
        async with asyncio.timeout(60):
            while not api.requests:
                await asyncio.sleep(0.01)
        bench.clock.slept.append(11)
        async with asyncio.timeout(60):
            outcome = await run
        hold.set()
    assert (outcome.code, outcome.details["waited_for"]) == ("STALLED", "the model claude-opus-5-5")
    assert bench.approvals.asked == []


async def test_a_sign_of_life_begins_the_silence_anew(tmp_path):
    go_on = asyncio.Event()
    contexts = []

    async def work(arguments, context):
        contexts.append(context)
        await go_on.wait()
        return "done after all"

    async with MessagesApi([Call("echo", {}), Say("ok")]) as api, live(api.url, tmp_path) as bench:
        run = asyncio.create_task(bench.run({"agent": QUIET}, tools=[Echo(action=work)]))
        async with asyncio.timeout(60):
            while not contexts:
                await asyncio.sleep(0.01)
        for _ in range(3):
            bench.clock.slept.append(8)
            await bench.log.until(lambda: "STALLED" in bench.log.warnings())
            contexts[0].alive()
        go_on.set()
        async with asyncio.timeout(60):
            outcome = await run
    assert outcome.result.text == "ok"


async def test_a_person_who_lets_it_go_on_gives_it_the_time_again(tmp_path):
    go_on, asked = asyncio.Event(), asyncio.Event()

    async def work(arguments, context):
        await go_on.wait()
        return "done after all"

    async with MessagesApi([Call("echo", {}, id="c1"), Say("ok")]) as api, live(api.url, tmp_path) as bench:
        bench.approvals.decision = Decision(allow=True, by="ada")
        inner = bench.approvals.decide

        async def decide(question):
            asked.set()
            return await inner(question)

        bench.approvals.decide = decide
        run = asyncio.create_task(bench.run({"agent": QUIET}, tools=[Echo(action=work)]))
        await bench.log.until(lambda: bool(bench.log.of("tool_call")))
        await asyncio.sleep(0.05)
        bench.clock.slept.append(11)
        async with asyncio.timeout(60):
            await asked.wait()
        go_on.set()
        async with asyncio.timeout(60):
            outcome = await run
    assert outcome.result.text == "ok"
    assert "no sign of life" in bench.approvals.questions[0].reason


async def test_time_in_which_a_person_is_awaited_is_no_silence(tmp_path):
    answer, asked = asyncio.Event(), asyncio.Event()
    async with MessagesApi([Call("echo", {}), Say("ok")]) as api, live(api.url, tmp_path) as bench:

        async def decide(question):
            asked.set()
            await answer.wait()
            return Decision(allow=True, by="ada")

        bench.approvals.decide = decide
        run = asyncio.create_task(bench.run({"agent": QUIET}, tools=[Echo(default="ask")]))
        async with asyncio.timeout(60):
            await asked.wait()
        bench.clock.slept.append(1_000)
        await asyncio.sleep(1.5)  # the guard has looked
        answer.set()
        async with asyncio.timeout(60):
            outcome = await run
    assert outcome.result.text == "ok"
    assert "STALLED" not in bench.log.warnings()


async def test_calls_side_by_side_are_watched_each_by_itself(tmp_path):
    never = asyncio.Event()
    alive = []

    async def hang(arguments, context):
        await never.wait()

    async def busy(arguments, context):
        alive.append(context.alive)
        await never.wait()

    calls = Calls([("hang", {}), ("busy", {})])
    async with MessagesApi([calls]) as api, live(api.url, tmp_path) as bench:
        agent = {"tools": ["hang", "busy"], "stall_s": 10}
        tools = [Echo("hang", hang), Echo("busy", busy)]
        run = asyncio.create_task(bench.run({"agent": agent}, tools=tools))
        async with asyncio.timeout(60):
            while not alive:
                await asyncio.sleep(0.01)
            bench.clock.slept.append(9)
            alive[0]()
            bench.clock.slept.append(2)
            outcome = await run
    assert outcome.details["waited_for"] == "the tool hang"


async def test_a_person_who_gave_up_a_silent_call_is_heard_also_where_the_server_died_on_it(tmp_path):
    """The answer stands in the journal, the end does not: it comes now, and no model is asked again."""
    never = asyncio.Event()

    async def hang(arguments, context):
        await never.wait()

    def script(body, number):
        return Say("Over.") if number else Call("echo", {}, id="c1")

    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        run = asyncio.create_task(bench.run({"agent": QUIET}, tools=[Echo(action=hang)]))
        await bench.log.until(lambda: bool(bench.log.of("tool_call")))
        while bench.journal.kinds()[-1] != "tool_started":
            await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        asked = {
            "kind": "approval_asked", "call_span": "main/1/c1?1", "of": "main/1/c1", "again": 1,
            "call_id": "c1", "tool": "echo", "agent": "main",
            "arguments": {"waited_s": 11, "waited_for": "the tool echo"}, "agent_id": "main",
            "schema": {"type": "object"}, "reason": "no sign of life",
        }  # fmt: skip
        answer = {
            "kind": "approval", "call_span": "main/1/c1?1", "call_id": "c1", "allow": False, "by": "ada",
            "message": "", "arguments": None,
        }  # fmt: skip
        echo = Echo()
        ended = await again(bench, tmp_path, [*bench.journal.records, asked, answer], echo)
        assert (ended.code, ended.details["waited_for"]) == ("STALLED", "the tool echo")
        assert "ada did not want it to go on" in ended.message
        assert (len(api.requests), echo.calls) == (1, [])

        allowed = {**answer, "allow": True}
        went_on = await again(bench, tmp_path, [*bench.journal.records, asked, allowed], echo)
        assert went_on.status == "completed", went_on


async def again(bench, workspace, records, tool):
    """The same execution after a death that left `records`."""
    return await Bench(bench.models, workspace).run({"agent": QUIET}, tools=[tool], past=Past.of(records))
