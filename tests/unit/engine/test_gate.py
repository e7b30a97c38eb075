"""Whether a call runs: the order of rules and mode, the question to a person, and what stands meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from cloutagent_ext.engine.gate import judge
from cloutagent_ext.engine.permissions import Rules
from cloutagent_ext.engine.ports import Decision
from tests.support.messages_api import Call, Calls, MessagesApi, Say
from tests.support.patience import Promised

from .harness import Approvals, Echo, live, subagent
from .test_subagents import who

ALLOW = Decision(allow=True, by="ada")


class Desk(Approvals):
    """Answers when the test says so."""

    def __init__(self):
        super().__init__()
        self.answers: dict[str, asyncio.Future[Decision]] = {}
        self.changed = asyncio.Event()

    async def decide(self, question):
        self.questions.append(question)
        self.answers[question.call_id] = asyncio.get_running_loop().create_future()
        self.changed.set()
        return await self.answers[question.call_id]

    def rest(self):
        super().rest()
        self.changed.set()

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest.mark.parametrize(
    ("rules", "default", "step", "said", "verdict"),
    [
        # deny rules hold against everything
        ({"bash(rm *)": "deny", "bash": "allow"}, "allow", False, "allow", "deny"),
        ({"bash": "deny", "bash(rm *)": "allow"}, "allow", False, None, "deny"),
        ({"bash": "deny"}, "allow", True, None, "deny"),
        # a hook's deny holds against all but that
        ({"bash": "allow"}, "allow", False, "deny", "deny"),
        ({"bash": "ask"}, "ask", False, "deny", "deny"),
        # ask rules before the mode and before allow rules of the same level, and against a hook's allow
        ({"bash": "ask"}, "allow", False, None, "ask"),
        ({"bash": "ask"}, "allow", False, "allow", "ask"),
        ({"bash(rm *)": "ask", "bash": "allow"}, "allow", False, None, "ask"),
        # the more specific level decides
        ({"bash(rm *)": "allow", "bash": "ask"}, "allow", False, None, "allow"),
        # the mode before allow rules, a hook's allow and the default
        ({"bash": "allow"}, "allow", True, None, "ask"),
        ({"bash": "allow"}, "allow", True, "allow", "ask"),
        ({}, "allow", True, None, "ask"),
        # a hook's ask before allow rules
        ({"bash": "allow"}, "allow", False, "ask", "ask"),
        # allow rules before the default
        ({"bash": "allow"}, "ask", False, None, "allow"),
        # a hook's allow before the default
        ({}, "ask", False, "allow", "allow"),
        # the tool's own default, when nobody has said anything
        ({}, "ask", False, None, "ask"),
        ({}, "allow", False, None, "allow"),
    ],
)
def test_hooks_deny_ask_mode_allow_default_in_this_order(rules, default, step, said, verdict):
    found = judge(Rules(rules), "bash", {"command": "rm x"}, default, step=step, said=said)
    assert found.permission == verdict


async def test_step_mode_asks_about_a_call_that_a_rule_allows(tmp_path):
    tool = Echo()
    async with (
        MessagesApi([Call("echo", {"text": "a"}), Say("end")]) as api,
        live(api.url, tmp_path) as bench,
    ):
        bench.approvals = Approvals(ALLOW)
        await bench.run(
            {"agent": {"tools": ["echo"], "permissions": {"echo": "allow"}}}, tools=[tool], step=True
        )
    assert [question.tool for question in bench.approvals.questions] == ["echo"]
    assert bench.approvals.questions[0].reason == "step by step: every call asks"
    assert tool.calls == [{"text": "a"}]


async def test_a_question_says_who_asks_why_and_what_arguments_have_to_fit(tmp_path):
    tool = Echo(default="ask")
    async with MessagesApi([Call("echo", {}, id="c"), Say("end")]) as api, live(api.url, tmp_path) as bench:
        await bench.run({"agent": {"tools": ["echo"], "permissions": {"ech*": "ask"}}}, tools=[tool])
    (question,) = bench.approvals.questions
    assert (question.agent, question.agent_id, question.span) == ("main", "main", "main/1/c")
    assert question.reason == "rule ech*: ask"
    assert question.schema == tool.input_schema


@pytest.mark.parametrize(
    ("edited", "said"),
    [({"command": "rm y"}, "the rule 'echo(rm *)' denies them"), ({"nope": 1}, "'nope' was unexpected")],
)
async def test_changed_arguments_pass_the_schema_and_the_deny_rules_again(tmp_path, edited, said):
    tool = Echo(default="ask")
    async with (
        MessagesApi([Call("echo", {"command": "ls"}), Say("end")]) as api,
        live(api.url, tmp_path) as bench,
    ):
        bench.approvals = Approvals(Decision(allow=True, by="ada", arguments=edited))
        await bench.run({"agent": {"tools": ["echo"], "permissions": {"echo(rm *)": "deny"}}}, tools=[tool])
    assert tool.calls == []
    assert said in bench.log.of("tool_result")[0]["output"][0]["text"]


async def test_the_refusal_reaches_the_model_in_the_person_s_words(tmp_path):
    tool = Echo(default="ask")
    async with MessagesApi([Call("echo", {}), Say("end")]) as api, live(api.url, tmp_path) as bench:
        bench.approvals = Approvals(Decision(allow=False, by="ada", message="Use the other file."))
        await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert api.requests[1]["messages"][-1]["content"][0]["content"][0]["text"] == "Use the other file."
    assert tool.calls == []


async def test_nothing_rests_while_another_call_of_the_turn_runs(tmp_path):
    running = asyncio.Event()

    async def work(arguments, context):
        await running.wait()
        return "done"

    free, asks = Echo("free", action=work), Echo("asks", default="ask")
    script = [Calls([("asks", {}), ("free", {})]), Say("end")]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        bench.approvals = desk = Desk()
        run = asyncio.create_task(bench.run({"agent": {"tools": ["asks", "free"]}}, tools=[free, asks]))
        await desk.until(lambda: desk.questions)
        await bench.log.until(lambda: "tool_started" in bench.journal.kinds())
        assert desk.rests == 0
        running.set()
        await desk.until(lambda: desk.rests == 1)
        desk.answers[desk.questions[0].call_id].set_result(ALLOW)
        assert (await run).status == "completed"
        assert desk.rests == 1


async def test_an_execution_rests_when_all_its_parallel_subagents_wait(tmp_path):
    def script(body, number):
        if who(body) == "helper":
            return Say("done") if len(body["messages"]) > 1 else Call("echo", {})
        return Calls([("agent__helper", {"prompt": str(n)}) for n in range(3)]) if number == 0 else Say("end")

    definition = {
        # Two places: the third instance waits for one of them, which is no work either.
        "subagents": [subagent("helper", tools=["echo"], parallel=True, max_parallel_instances=2)]
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        bench.approvals = desk = Desk()
        run = asyncio.create_task(bench.run(definition, tools=[Echo(default="ask")]))
        await desk.until(lambda: desk.rests == 1)
        assert len(desk.questions) == 2
        desk.answers[desk.questions[0].call_id].set_result(ALLOW)
        await desk.until(lambda: desk.rests == 2)  # the third has its place, and asks in its turn
        assert len(desk.questions) == 3
        for question in desk.questions[1:]:
            desk.answers[question.call_id].set_result(Decision(allow=False, by="ada"))
        assert (await run).status == "completed"
    assert [each["is_error"] for each in bench.log.of("tool_result", tool="echo")] == [False, True, True]


async def test_a_subagent_s_own_time_stands_while_its_call_waits(tmp_path):
    def script(body, number):
        if who(body) == "helper":
            return Say("done") if len(body["messages"]) > 1 else Call("echo", {}, id="c")
        return Call("agent__helper", {"prompt": "Go."}) if number == 0 else Say("end")

    definition = {"subagents": [subagent("helper", tools=["echo"], limits={"timeout_s": 600})]}
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        bench.approvals = desk = Desk()
        run = asyncio.create_task(bench.run(definition, tools=[Echo(default="ask")]))
        await desk.until(lambda: desk.questions)
        await bench.clock.sleep(3_000)  # longer than the subagent has
        desk.answers["c"].set_result(ALLOW)
        assert (await run).status == "completed"
    assert not bench.log.of("tool_result", tool="agent__helper")[0]["is_error"]


async def test_a_cancelled_execution_leaves_its_question_at_once(tmp_path, promised: Promised):
    async with MessagesApi([Call("echo", {})]) as api, live(api.url, tmp_path) as bench:
        bench.approvals = desk = Desk()
        run = asyncio.create_task(bench.run({"agent": {"tools": ["echo"]}}, tools=[Echo(default="ask")]))
        await desk.until(lambda: desk.questions)
        run.cancel()
        with pytest.raises(asyncio.CancelledError), promised(1):
            await run


@pytest.mark.parametrize("whose", ["main", "helper"])
async def test_a_subagents_calls_are_judged_by_its_own_rules_and_nobody_elses(tmp_path, whose):
    def script(body, number):
        if len(body["messages"]) > 1:
            return Say("done")
        calls = [("echo", {"command": "rm x"}), ("echo", {"command": "ls"})]
        return Calls(calls if who(body) == "helper" else [*calls, ("agent__helper", {"prompt": "Go."})])

    rules = {"main": {}, "helper": {}}
    rules[whose] = {"echo(rm *)": "deny"}
    tool = Echo()
    definition = {
        "agent": {"tools": ["echo"], "permissions": rules["main"]},
        "subagents": [subagent("helper", tools=["echo"], permissions=rules["helper"])],
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        assert (await bench.run(definition, tools=[tool])).status == "completed"
    refused = {
        each["agent"].partition("#")[0] for each in bench.log.of("tool_result", tool="echo", is_error=True)
    }
    assert refused == {whose}
    assert [call["command"] for call in tool.calls].count("rm x") == 1
    assert [call["command"] for call in tool.calls].count("ls") == 2


async def test_a_delegation_is_a_call_that_rules_speak_of_by_its_prompt(tmp_path):
    def script(body, number):
        if who(body) == "helper" or len(body["messages"]) > 1:
            return Say("done")
        return Calls([("agent__helper", {"prompt": "delete it"}), ("agent__helper", {"prompt": "read it"})])

    definition = {
        "agent": {"permissions": {"agent__helper(delete *)": "deny"}},
        "subagents": [subagent("helper", parallel=True)],
    }
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        await bench.run(definition)
    told = [each["is_error"] for each in bench.log.of("tool_result", tool="agent__helper")]
    assert sorted(told) == [False, True]
    assert len(bench.log.of("agent_start")) == 2, "the main agent, and one helper"
