"""A conversation that outgrows its window goes on from a summary, and loses nothing that is kept."""

from __future__ import annotations

import json

import pytest

from cloutagent_ext.engine.models import open_simulated
from tests.support.messages_api import Call, Calls, Failure, MessagesApi, Reply, Say

from .harness import Bench, Echo, live, subagent
from .test_resume import past_of

SMALL = {"tools": ["echo"], "compact_at_tokens": 10_000}
LONG = "word " * 5_000  # about 6,250 tokens as the scripted service counts
TOO_LONG = Failure(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")


def asks_for_summary(body) -> bool:
    last = body["messages"][-1]["content"]
    return "compaction" in body or any("Write that summary" in block.get("text", "") for block in last)


def script(*turns, summary="SUMMARY: two files seen"):
    """Plays `turns`; every request for a summary gets `summary`."""
    left = list(turns)

    def answer(body, number):
        if asks_for_summary(body):
            return summary(body, number) if callable(summary) else Say(summary)
        return left.pop(0)

    return answer


def long_tool():
    return Echo(action=lambda arguments, context: LONG)


async def test_a_long_conversation_goes_on_from_its_summary_task_and_last_results(tmp_path):
    turns = [Call("echo", {"text": "a"}), Call("echo", {"text": "b"}), Say("done")]
    async with MessagesApi(script(*turns)) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": SMALL}, tools=[long_tool()], prompt="Compare the files.")
    assert (outcome.status, outcome.result.text) == ("completed", "done"), api.refused
    summary_request, after = api.requests[2], api.requests[3]
    assert summary_request["messages"][:-1] == api.requests[1]["messages"] + [
        {"role": "assistant", "content": summary_request["messages"][-2]["content"]}
    ]
    assert summary_request["system"] == after["system"] == api.requests[0]["system"]
    assert summary_request["tools"] == after["tools"] == api.requests[0]["tools"]
    assert len(after["messages"]) == 1
    said = after["messages"][0]["content"][0]["text"]
    assert "Compare the files." in said
    assert "SUMMARY: two files seen" in said
    assert "[result of echo]" in said
    assert "word word" in said
    assert '"text": "b"' in said  # the last call
    assert '"text": "a"' not in said  # what the summary stands for


async def test_the_warning_says_what_was_replaced_and_what_it_saved(tmp_path):
    turns = [Call("echo", {}), Call("echo", {}), Say("done")]
    async with MessagesApi(script(*turns)) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": SMALL}, tools=[long_tool()])
    [warning] = bench.log.of("warning", code="COMPACTED")
    details = warning["details"]
    assert details["messages"] == 5
    assert details["tokens_before"] > 10_000 > details["tokens_after"] > 0
    assert details["tokens_saved"] == details["tokens_before"] - details["tokens_after"]
    assert details["summary"] == "SUMMARY: two files seen"
    assert (details["by"], details["why"]) == ("model", "size")
    assert bench.log.said() == "done"  # a summary is not what the agent says
    assert outcome.turns == 3
    costs = bench.log.of("cost_update")
    assert len(costs) == 4
    assert outcome.total_cost_usd == pytest.approx(sum(event["turn_cost_usd"] for event in costs))
    kinds = bench.journal.kinds()
    assert kinds.index("compaction_begin") < kinds.index("segment")
    [segment] = [record for record in bench.journal.records if record["kind"] == "segment"]
    assert segment["messages"] == api.requests[3]["messages"]
    assert segment["sync"]


async def test_a_second_compaction_waits_until_the_conversation_has_grown(tmp_path):
    turns = [Call("echo", {"text": str(number)}) for number in range(8)]
    async with MessagesApi(script(*turns, Say("done"))) as api, live(api.url, tmp_path) as bench:
        tool = Echo(action=lambda arguments, context: LONG[:12_000])
        outcome = await bench.run({"agent": SMALL}, tools=[tool], prompt="The task.")
    assert outcome.status == "completed", api.refused
    asked = [number for number, body in enumerate(api.requests) if asks_for_summary(body)]
    assert len(asked) == 2
    assert asked[1] - asked[0] > 3
    assert "The task." in api.requests[-1]["messages"][0]["content"][0]["text"]


async def test_where_the_service_can_it_summarises_and_its_block_goes_back_first_as_it_came(tmp_path):
    block = {"type": "compaction", "content": "theirs", "encrypted_content": "opaque==", "signature": "s1"}

    def summary(body, number):
        assert body["compaction"] == {"type": "summarize"}
        return Reply([block], stop_reason="compaction")

    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    turns = [Call("echo", {}), Call("echo", {}), Call("echo", {}), Say("{}")]
    async with (
        MessagesApi(script(*turns, summary=summary)) as api,
        live(api.url, tmp_path) as bench,
    ):
        answers = [LONG, LONG, "short"]
        tool = Echo(action=lambda arguments, context: answers.pop(0))
        outcome = await bench.run(
            {"agent": {**SMALL, "output_schema": schema}},
            tools=[tool],
            prompt="The task.",
            own_service=True,
        )
    assert outcome.status == "completed", api.refused
    first, second = api.requests[3]["messages"]
    assert first == {"role": "assistant", "content": [block]}
    assert "The task." in second["content"][0]["text"]
    assert api.requests[4]["messages"][0] == first  # and again with the next turn
    assert api.headers[3]["anthropic-beta"] == "compact-2026-09-04"
    assert "anthropic-beta" not in api.headers[1]
    assert bench.log.of("warning", code="COMPACTED")[0]["details"]["by"] == "service"


@pytest.mark.parametrize(
    "refusal",
    [
        Failure(400, "invalid_request_error", "compaction: extra inputs are not permitted"),
        Reply([{"type": "compaction", "content": None}], stop_reason="compaction"),
    ],
)
async def test_a_service_that_will_not_summarise_is_replaced_by_a_question_to_the_model(tmp_path, refusal):
    def summary(body, number):
        return refusal if "compaction" in body else Say("mine")

    turns = [Call("echo", {}), Call("echo", {}), Say("done")]
    async with (
        MessagesApi(script(*turns, summary=summary)) as api,
        live(api.url, tmp_path) as bench,
    ):
        outcome = await bench.run({"agent": SMALL}, tools=[long_tool()], own_service=True)
    assert outcome.status == "completed"
    assert sum("compaction" in body for body in api.requests) == 1
    assert bench.log.of("warning", code="COMPACTED")[0]["details"]["by"] == "model"


async def test_a_prompt_that_is_too_long_is_compacted_once_from_a_shortened_retelling(tmp_path):
    turns = [Call("echo", {"text": "a"}), TOO_LONG, Say("done")]
    async with MessagesApi(script(*turns)) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[long_tool()])
    assert (outcome.status, outcome.result.text) == ("completed", "done"), outcome
    retold = api.requests[2]
    assert "tools" not in retold
    assert len(retold["messages"]) == 1
    assert "[call of echo]" in retold["messages"][0]["content"][0]["text"]
    assert len(api.requests[3]["messages"]) == 1


async def test_a_prompt_that_is_still_too_long_after_compaction_fails_with_a_name(tmp_path):
    turns = [Call("echo", {}), TOO_LONG, TOO_LONG]
    async with MessagesApi(script(*turns)) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[Echo()])
    assert (outcome.code, outcome.details["kind"]) == ("MODEL_ERROR", "prompt_too_long")
    assert len(api.requests) == 4
    assert bench.log.warnings().count("COMPACTED") == 1


async def test_a_first_prompt_that_is_too_long_has_nothing_to_leave_out(tmp_path):
    async with MessagesApi([TOO_LONG]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.code, outcome.details["kind"]) == ("MODEL_ERROR", "prompt_too_long")
    assert len(api.requests) == 1


async def test_a_reply_cut_by_the_window_goes_on_with_what_it_had_said(tmp_path):
    cut = Say("Half of the ans", stop_reason="model_context_window_exceeded")
    turns = [Call("echo", {}), cut, Say("The whole answer")]
    async with MessagesApi(script(*turns)) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[Echo()])
    assert outcome.result.text == "The whole answer", outcome
    assert "Half of the ans" in api.requests[3]["messages"][0]["content"][0]["text"]
    turns = [Call("echo", {}), cut, cut]
    async with MessagesApi(script(*turns)) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[Echo()])
    assert (outcome.code, outcome.details["kind"]) == ("MODEL_ERROR", "model_context_window_exceeded")


async def test_a_summary_that_cannot_be_had_is_said_and_not_asked_for_again_at_once(tmp_path):
    turns = [Call("echo", {}) for _ in range(3)]
    refused = Failure(400, "invalid_request_error", "no")
    answers = [LONG, LONG, "short"]
    async with (
        MessagesApi(script(*turns, Say("done"), summary=lambda *_: refused)) as api,
        live(api.url, tmp_path) as bench,
    ):
        tool = Echo(action=lambda arguments, context: answers.pop(0))
        outcome = await bench.run({"agent": SMALL}, tools=[tool])
    assert outcome.result.text == "done"
    assert bench.log.warnings().count("COMPACTION_FAILED") == 1
    assert sum(map(asks_for_summary, api.requests)) == 1
    assert "segment" not in bench.journal.kinds()


async def test_a_summary_that_cannot_be_paid_ends_the_run_by_the_money_limit(tmp_path):
    definition = {"agent": {**SMALL, "max_tokens": 256}, "limits": {"max_cost_usd": 0.08}}
    turns = [Call("echo", {}), Call("echo", {})]
    async with MessagesApi(script(*turns)) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[long_tool()])
    assert outcome.code == "COST_LIMIT_EXCEEDED", outcome
    assert 0.02 < outcome.total_cost_usd <= 0.08
    assert len(api.requests) == 2


async def test_a_subagent_compacts_its_own_conversation_and_its_caller_keeps_its_own(tmp_path):
    def answer(body, number):
        if asks_for_summary(body):
            return Say("SUMMARY")
        if "You are helper" not in json.dumps(body.get("system")):
            return Call("agent__helper", {"prompt": "Read."}) if len(body["messages"]) == 1 else Say("done")
        calls = sum(message["role"] == "assistant" for message in body["messages"])
        started_over = "<summary>" in json.dumps(body["messages"][0])
        return Say("read") if started_over else Calls([("echo", {"text": str(calls)})])

    definition = {
        "agent": {"compact_at_tokens": 10_000},
        "subagents": [subagent("helper", tools=["echo"])],
    }
    async with MessagesApi(answer) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[long_tool()])
    assert outcome.result.text == "done", api.refused
    [warning] = bench.log.of("warning", code="COMPACTED")
    assert warning["agent"] == "helper#1"


async def test_a_window_smaller_than_the_limit_is_the_limit(tmp_path):
    usage = {"input_tokens": 195_000}
    turns = [Call("echo", {}, usage=usage), Say("done")]
    definition = {
        "agent": {"tools": ["echo"], "model": "claude-haiku-4-5", "compact_at_tokens": 1_000_000},
    }
    async with MessagesApi(script(*turns)) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[Echo()])
    assert outcome.status == "completed"
    assert len(api.counted) == 1  # more than the window has left for a reply: the service was asked


async def test_the_simulated_model_goes_on_with_its_scenario_after_a_compaction(tmp_path):
    scenario = {
        "version": 1,
        "agents": {
            "main": [
                {"tools": [{"name": "echo", "as": "first", "input": {"text": "one"}}]},
                {"tools": [{"name": "echo", "as": "second", "input": {"text": "two"}}]},
                {"tools": [{"name": "echo", "as": "third", "input": {"text": "three"}}]},
                {"text": "First was {{result.first}}, third {{result.third}}."},
            ]
        },
    }
    answers = ["kept" + " word" * 6_000, LONG, "last"]
    async with open_simulated(scenario=scenario, variables={}) as models:
        bench = Bench(models, tmp_path)
        tool = Echo(action=lambda arguments, context: answers.pop(0))
        outcome = await bench.run({"agent": SMALL}, tools=[tool], simulated=True, own_service=True)
    assert outcome.status == "completed", outcome
    assert outcome.result.text.startswith("First was kept word")
    assert outcome.result.text.endswith("third last.")
    assert bench.log.of("warning", code="COMPACTED")[0]["details"]["by"] == "service"


async def test_the_gauge_says_how_full_each_agents_window_is(tmp_path):
    usage = {"input_tokens": 700, "cache_read_input_tokens": 300}
    async with (
        MessagesApi([Say("ok", usage=usage, final_usage={"output_tokens": 20})]) as api,
        live(api.url, tmp_path) as bench,
    ):
        await bench.run()
    [cost] = bench.log.of("cost_update")
    assert cost["context"] == {"tokens": 1_020, "window": 1_000_000}
    async with MessagesApi([Say("ok", usage=usage)]) as api, live(api.url, tmp_path) as bench:
        await bench.run({"agent": {"model": "llama3"}}, local_prices=True)
    assert bench.log.of("cost_update")[0]["context"]["window"] is None


async def test_after_a_death_at_any_record_a_compacted_conversation_comes_to_the_same_end(tmp_path):
    """The summary that was written holds; one that was only begun is made again."""

    def answer(body, number):
        if asks_for_summary(body):
            return Say("SUMMARY")
        said = json.dumps(body["messages"])
        if "<summary>" in said:
            return Say("done")
        return Call("echo", {"text": str(said.count("tool_use"))}, id=f"c{said.count('tool_use')}")

    async with MessagesApi(answer) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": SMALL}, tools=[long_tool()])
        assert outcome.result.text == "done"
        whole = list(bench.order)
        begun = [at for at, (_, entry) in enumerate(whole) if entry.get("kind") == "compaction_begin"]
        ended = [at for at, (_, entry) in enumerate(whole) if entry.get("kind") == "segment"]
        assert len(begun) == len(ended) == 1
        for cut in range(begun[0], len(whole)):
            asked = len(api.requests)
            again = Bench(bench.models, tmp_path)
            outcome = await again.run({"agent": SMALL}, tools=[long_tool()], past=past_of(whole[:cut]))
            assert (outcome.status, outcome.result.text) == ("completed", "done"), (cut, outcome)
            assert api.refused == []
            summaries = sum(map(asks_for_summary, api.requests[asked:]))
            assert summaries == (0 if cut > ended[0] else 1), cut
