"""An agent's conversation on the wire: what is sent, what comes back, how it ends."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.messages_api import Call, Calls, MessagesApi, Reply, Say
from tests.support.patience import Promised

from .harness import Echo, live, subagent


async def test_an_answer_ends_the_run_with_its_text_usage_and_price(tmp_path):
    usage = {"input_tokens": 1_000, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    async with (
        MessagesApi([Say("Hello there", usage=usage, final_usage={"output_tokens": 100})]) as api,
        live(api.url, tmp_path) as bench,
    ):
        outcome = await bench.run(prompt="Hi {{name}} of {{project_name}}", variables={"name": "Ada"})
    assert (outcome.status, outcome.result.text, outcome.turns) == ("completed", "Hello there", 1)
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (1_000, 100)
    assert outcome.total_cost_usd == pytest.approx((1_000 * 4 + 100 * 20) / 1e6)
    assert api.requests[0]["messages"][0]["content"][0]["text"] == "Hi Ada of Test"
    assert [event["type"] for event in bench.log.events if event["type"] != "text"] == [
        "agent_start", "cost_update", "agent_complete",
    ]  # fmt: skip
    assert bench.log.said() == "Hello there"
    assert bench.log.of("text")[-1]["final"]


async def test_what_is_sent_asks_for_caching_and_shows_thinking(tmp_path):
    tools = [Echo("zeta"), Echo("alpha")]
    async with MessagesApi([Say("ok")]) as api, live(api.url, tmp_path) as bench:
        await bench.run({"agent": {"tools": ["zeta", "alpha"], "effort": "low"}}, tools=tools)
    request = api.requests[0]
    assert request["cache_control"] == {"type": "ephemeral"}
    assert request["system"] == [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    ]
    assert [tool["name"] for tool in request["tools"]] == ["alpha", "zeta"]
    assert request["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert request["output_config"] == {"effort": "low"}
    assert request["stream"] is True
    assert request["max_tokens"] == 8192
    assert api.headers[0]["authorization"] == "Bearer test-key"
    assert "x-api-key" not in api.headers[0]


async def test_tool_results_go_back_in_one_message_in_the_order_of_the_calls(tmp_path):
    first_may_end = asyncio.Event()

    async def slow(arguments, context):
        await first_may_end.wait()
        return "slow"

    def quick(arguments, context):
        first_may_end.set()
        return "quick"

    script = [Calls([("slow", {}), ("quick", {})], ids=["a", "b"], text="Both."), Say("done")]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(
            {"agent": {"tools": ["slow", "quick"]}}, tools=[Echo("slow", slow), Echo("quick", quick)]
        )
    assert outcome.status == "completed"
    results = api.requests[1]["messages"][-1]["content"]
    assert [(block["tool_use_id"], block["content"][0]["text"]) for block in results] == [
        ("a", "slow"),
        ("b", "quick"),
    ]
    assert [event["call_id"] for event in bench.log.of("tool_result")] == ["b", "a"]
    assert [event["span"] for event in bench.log.of("tool_call")] == ["main/1/a", "main/1/b"]


async def test_calls_that_share_a_lock_run_one_after_the_other(tmp_path):
    running = most = 0

    async def busy(arguments, context):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return arguments["text"]

    tool = Echo("kernel", busy, lock="kernel")
    calls = [("kernel", {"text": str(number)}) for number in range(5)]
    async with MessagesApi([Calls(calls), Say("done")]) as api, live(api.url, tmp_path) as bench:
        await bench.run({"agent": {"tools": ["kernel"]}}, tools=[tool])
    assert most == 1
    assert [call["text"] for call in tool.calls] == list("01234")


async def test_an_assistant_message_goes_back_as_it_came_unknown_fields_and_blocks_included(tmp_path):
    blocks = [
        {"type": "thinking", "thinking": "Für 🦊 — \u2028 hm", "signature": "sig=="},
        {"type": "redacted_thinking", "data": "abc"},
        {"type": "text", "text": "naïve ✓", "citations": None, "new_field": {"a": None, "b": [1.0, 2]}},
        {"type": "hologram", "payload": {"x": [1, {"y": None}]}},
        {
            "type": "tool_use",
            "id": "t1",
            "name": "echo",
            "input": {"text": "ü"},
            "caller": {"type": "direct"},
        },
    ]
    script = [Reply(blocks, stop_reason="tool_use", pieces=1), Say("done")]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[Echo()])
    assert outcome.status == "completed", api.refused
    assert api.requests[1]["messages"][1] == {"role": "assistant", "content": blocks}
    assert bench.log.said("thinking") == "Für 🦊 — \u2028 hm"
    assistant = [record for record in bench.journal.records if record["kind"] == "assistant"]
    assert assistant[0]["content"] == blocks


async def test_half_a_surrogate_pair_in_a_reply_goes_back_and_does_not_break_the_log(tmp_path):
    blocks = [
        {"type": "text", "text": "broken \ud83d end"},
        {"type": "tool_use", "id": "t1", "name": "echo", "input": {"text": "\udc00"}},
    ]
    async with (
        MessagesApi([Reply(blocks, stop_reason="tool_use"), Say("done")]) as api,
        live(api.url, tmp_path) as bench,
    ):
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[Echo()])
    assert outcome.status == "completed", (outcome.message, api.refused)
    assert api.requests[1]["messages"][1]["content"] == blocks
    assert "\ufffd" in bench.log.said()


async def test_no_tool_runs_from_a_reply_that_did_not_stop_for_tools(tmp_path):
    tool = Echo()
    reply = Call("echo", {"text": "no"}, stop_reason="end_turn", text="I will not")
    async with MessagesApi([reply]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert outcome.result.text == "I will not"
    assert tool.calls == []


async def test_a_paused_reply_is_continued_without_a_word_of_ours(tmp_path):
    pause = Reply([{"type": "text", "text": "half"}], stop_reason="pause_turn")

    def script(body, number):
        return pause if number == 0 else Say("whole")

    api = MessagesApi(script)
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert outcome.result.text == "whole"
    assert [message["role"] for message in api.requests[1]["messages"]] == ["user", "assistant"]


async def test_a_reply_that_pauses_for_ever_ends_the_run(tmp_path):
    api = MessagesApi(lambda body, number: Reply([{"type": "text", "text": "…"}], stop_reason="pause_turn"))
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.code, outcome.details["kind"]) == ("MODEL_ERROR", "pause_turn")
    assert len(api.requests) == 6


@pytest.mark.parametrize(
    ("reply", "code", "kind"),
    [
        (
            Reply(
                [], stop_reason="refusal", stop_details={"category": "cyber", "explanation": "no exploits"}
            ),
            "MODEL_REFUSED",
            "refusal",
        ),
        (
            Say("part", stop_reason="model_context_window_exceeded"),
            "MODEL_ERROR",
            "model_context_window_exceeded",
        ),
        (Say("part", stop_reason="brand_new"), "MODEL_ERROR", "brand_new"),
        (Say("part", stop_reason=None), "MODEL_ERROR", "no_stop_reason"),
        (Say("part", stop_reason="max_tokens"), "MODEL_ERROR", "max_tokens"),
        (Reply([{"type": "text", "text": "part"}], stop_reason="tool_use"), "MODEL_ERROR", "tool_use"),
    ],
)
async def test_every_other_stop_reason_ends_the_run_under_its_name(tmp_path, reply, code, kind):
    async with MessagesApi([reply]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.status, outcome.code, outcome.details["kind"]) == ("failed", code, kind)
    if reply.blocks:
        assert outcome.result.text == "part"
    assert len(bench.log.of("agent_complete")) == 1


async def test_a_refusal_names_its_reason_and_runs_none_of_its_tools(tmp_path):
    tool = Echo()
    reply = Call(
        "echo", {}, stop_reason="refusal", stop_details={"category": "cyber", "explanation": "no exploits"}
    )
    async with MessagesApi([reply]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert "no exploits" in outcome.message
    assert outcome.details["stop_details"]["category"] == "cyber"
    assert tool.calls == []


async def test_a_reply_cut_inside_a_tool_call_is_asked_for_again_with_more_room(tmp_path):
    tool = Echo()
    cut = Call("echo", {"text": "x" * 50}, stop_reason="max_tokens", raw_inputs={0: '{"text": "xxx'})
    async with (
        MessagesApi([cut, Call("echo", {"text": "all"}), Say("done")]) as api,
        live(api.url, tmp_path) as bench,
    ):
        outcome = await bench.run({"agent": {"tools": ["echo"], "max_tokens": 1000}}, tools=[tool])
    assert outcome.status == "completed"
    assert [request["max_tokens"] for request in api.requests] == [1000, 2000, 2000]
    assert len(api.requests[1]["messages"]) == 1
    assert tool.calls == [{"text": "all"}]


async def test_a_reply_cut_inside_a_tool_call_twice_fails(tmp_path):
    cut = [Call("echo", {}, stop_reason="max_tokens", raw_inputs={0: "{"}) for _ in range(2)]
    async with MessagesApi(cut) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"], "max_tokens": 1000}}, tools=[Echo()])
    assert (outcome.code, outcome.details["max_tokens"]) == ("MODEL_ERROR", 2000)


async def test_the_turn_limit_warns_once_ends_the_run_and_keeps_what_was_said(tmp_path):
    api = MessagesApi(lambda body, number: Call("echo", {"text": str(number)}, text=f"turn {number}"))
    definition = {"agent": {"tools": ["echo"]}, "limits": {"max_turns": 6}}
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run(definition, tools=[Echo()])
    assert (outcome.code, outcome.turns) == ("TURN_LIMIT_EXCEEDED", 6)
    assert outcome.result.text == "turn 5"
    assert len(api.requests) == 6
    [warning] = bench.log.of("warning")
    assert (warning["code"], warning["message"]) == ("TURNS_80", "5 of the limit of 6 turns are used.")
    results = [event["id"] for event in bench.log.of("tool_result")]
    assert results[4] < warning["id"] < results[5], "before the turn that may be the last"
    api = MessagesApi(lambda body, number: Call("echo", {"text": str(number)}) if number < 4 else Say("Done"))
    async with api, live(api.url, tmp_path) as bench:
        assert (await bench.run(definition, tools=[Echo()])).status == "completed"
    assert bench.log.warnings() == [], "five turns of six were enough"


async def test_the_time_limit_ends_the_run_and_closes_the_connection(tmp_path, promised: Promised):
    never = asyncio.Event()
    async with MessagesApi([Say("late", hold_after_start=never)]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"limits": {"timeout_s": 1}})
        assert outcome.code == "TIMEOUT"
        assert outcome.usage.input_tokens > 0
        assert bench.log.warnings() == ["TIME_80", "USAGE_LOWER_BOUND"]
        with promised(5):
            await api.disconnected.wait()


async def test_cancelling_closes_the_connection_and_books_what_was_begun(tmp_path, promised: Promised):
    never = asyncio.Event()
    async with MessagesApi([Say("late", hold_after_start=never)]) as api, live(api.url, tmp_path) as bench:
        task = asyncio.create_task(bench.run())
        async with asyncio.timeout(60):
            while not api.usages:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with promised(5):
            await api.disconnected.wait()
    assert len(bench.log.of("cost_update")) == 1


async def test_an_answer_with_a_schema_is_parsed_and_a_wrong_one_sent_back(tmp_path):
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    async with MessagesApi([Say('{"n": "three"}'), Say('{"n": 3}')]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"output_schema": schema}})
    assert outcome.result.data == {"n": 3}
    assert api.requests[0]["output_config"]["format"] == {"type": "json_schema", "schema": schema}
    assert "n: 'three' is not of type 'integer'" in json.dumps(api.requests[1]["messages"][-1])


async def test_an_answer_that_never_fits_its_schema_fails(tmp_path):
    api = MessagesApi(lambda body, number: Say("no json"))
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"output_schema": {"type": "object"}}})
    assert (outcome.code, len(api.requests)) == ("MODEL_ERROR", 3)


async def test_the_journal_can_rebuild_every_request_exactly(tmp_path):
    script = [
        Calls([("echo", {"text": "1"}), ("echo", {"text": "2"})], text="a"),
        Call("echo", {}),
        Say("end"),
    ]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        await bench.run({"agent": {"tools": ["echo"]}}, tools=[Echo(read_only=False)])
    start = bench.journal.records[0]
    messages = [start["message"]]
    for record in bench.journal.records:
        if record["kind"] == "assistant":
            messages.append({"role": "assistant", "content": record["content"]})
        elif record["kind"] == "user":
            messages.append(record["message"])
    last = api.requests[-1]
    assert messages[:-1] == last["messages"]
    assert start["request"] == {
        k: v for k, v in last.items() if k not in ("messages", "max_tokens", "stream")
    }
    kinds = bench.journal.kinds()
    assert kinds[:5] == ["conversation", "model_call", "settled", "assistant", "tool_started"]
    assert sorted(kinds[4:8]) == ["tool_done", "tool_done", "tool_started", "tool_started"]
    assert all(record["sync"] for record in bench.journal.records if record["kind"] == "tool_started")


async def test_twenty_turns_read_nearly_all_their_input_from_the_cache(tmp_path):
    def script(body, number):
        return (
            Call("echo", {"text": f"step {number} " * 10}, text=f"step {number}")
            if number < 20
            else Say("end")
        )

    api = MessagesApi(script)
    system = "A long and careful description of the work. " * 200
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"], "system_prompt": system}}, tools=[Echo()])
    assert outcome.status == "completed"
    usage = outcome.usage
    total = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    assert usage.cache_read_input_tokens / total >= 0.9


async def test_parallel_instances_let_the_first_one_warm_their_common_prefix(tmp_path):
    first_streams = asyncio.Event()
    waiting = []

    def script(body, number):
        if "You are helper" not in json.dumps(body.get("system")):
            return (
                Calls([("agent__helper", {"prompt": f"part {part}"}) for part in range(3)])
                if number == 0
                else Say("all done")
            )
        waiting.append(body)
        return Say("part done", hold=first_streams if len(waiting) == 1 else None)

    prompt = "You are helper. " + "Know this. " * 800
    definition = {"subagents": [subagent("helper", prompt=prompt, max_parallel_instances=3)]}
    api = MessagesApi(script)
    async with api, live(api.url, tmp_path) as bench:
        task = asyncio.create_task(bench.run(definition))
        async with asyncio.timeout(60):
            while not waiting:
                await asyncio.sleep(0.01)
            await bench.log.until(lambda: len(bench.log.of("agent_start")) == 4)
            assert len(waiting) == 1
            first_streams.set()
            outcome = await task
    assert outcome.status == "completed"
    helpers = [usage for usage in api.usages if usage.get("cache_read_input_tokens", 0) > 1000]
    assert len(helpers) >= 2
