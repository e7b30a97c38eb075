"""Going on after a death: at whatever record it came, nothing done is done again and nothing said is lost.

A whole run is recorded once; then every prefix of what it wrote is taken for the moment
of death, and the rest is played from there.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from cloutagent_ext.engine.past import Past
from cloutagent_ext.schema.events import TextPart
from tests.support.messages_api import Call, Calls, MessagesApi, Reply, Say

from .harness import Bench, Echo, define, live, subagent

THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": "sig-1"}


def script(body: dict[str, Any], _: int) -> Reply:
    """Tools, two subagents at once, a tool, an answer; always the same for the same body."""
    asked = body["messages"][0]["content"][0]["text"]
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    if asked.startswith("sub"):
        turns = [
            Call("write", {"text": f"{asked} wrote"}, id=f"{asked}-write"),
            Say(f"{asked} is done"),
        ]
        return turns[turn]
    turns = [
        Calls(
            [("write", {"text": "one"}), ("read", {"text": "two"}), ("write", {"text": "three"})],
            ids=["w1", "r2", "w3"],
        ),
        Calls(
            [("agent__helper", {"prompt": "sub-a"}), ("agent__helper", {"prompt": "sub-b"})], ids=["a", "b"]
        ),
        Call("write", {"text": "four"}, id="w4"),
        Say("All is done."),
    ]
    reply = turns[turn]
    return Reply([dict(THOUGHT, signature=f"sig-{turn}"), *reply.blocks], stop_reason=reply.stop_reason)


DEFINITION = define(
    agent={"tools": ["write", "read"]},
    subagents=[subagent("helper", tools=["write"], parallel=True, max_parallel_instances=2)],
)


class Tools:
    """Counts what each call did, over all lives."""

    def __init__(self) -> None:
        self.ran: Counter[str] = Counter()
        self.write = Echo("write", self._do, read_only=False)
        self.read = Echo("read", self._do, read_only=True)

    def _do(self, arguments: Any, context: Any) -> Any:
        self.ran[context.call_id] += 1
        return [TextPart(text=f"did {arguments['text']}")]

    @property
    def all(self) -> list[Echo]:
        return [self.write, self.read]


def went_on(before: list[tuple[str, dict[str, Any]]], after: Bench) -> list[dict[str, Any]]:
    """The one log of both lives."""
    return [entry for kind, entry in before if kind == "event"] + after.log.events


def past_of(prefix: list[tuple[str, dict[str, Any]]]) -> Past:
    """As it comes back from the disk."""
    parts = {"journal": [], "event": []}  # type: ignore[var-annotated]
    for kind, entry in prefix:
        parts[kind].append(json.loads(json.dumps(entry)))
    return Past.of(parts["journal"], parts["event"])


async def test_after_a_death_at_any_record_it_comes_to_the_same_end_and_repeats_nothing(tmp_path):
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        first = Tools()
        outcome = await bench.run(DEFINITION, tools=first.all)
        assert outcome.result.text == "All is done."
        assert set(first.ran) == {"w1", "r2", "w3", "w4", "sub-a-write", "sub-b-write"}
        whole, cost = bench.order, bench.order[-1][1]["total_cost_usd"]
        final = api.requests[-1]["messages"]
        for cut in range(1, len(whole)):
            before, last = whole[:cut], whole[cut - 1][1]
            label = f"after record {cut}: {last.get('kind') or last['type']} of {last['span']}"
            again, tools = Bench(bench.models, tmp_path), Tools()
            outcome = await again.run(DEFINITION, tools=tools.all, past=past_of(before))
            assert outcome.status == "completed", (label, outcome)
            assert outcome.result.text == "All is done.", label
            assert api.refused == [], label
            check_effects(before, tools, api.requests[-1]["messages"], label)
            check_log(went_on(before, again), label)
            if not unknown(api.requests[-1]["messages"]):
                assert api.requests[-1]["messages"] == final, label
            open_calls = sum(each.cost for each in past_of(before).held())
            assert outcome.total_cost_usd + open_calls >= cost - 1e-9, label


def unknown(messages: list[dict[str, Any]]) -> list[str]:
    """Ids of the calls that were answered so."""
    return [
        block["tool_use_id"]
        for message in messages
        for block in message["content"]
        if block["type"] == "tool_result" and "outcome unknown" in json.dumps(block["content"])
    ]


def check_effects(before: Any, tools: Tools, messages: Any, label: str) -> None:
    """No call with an effect is started twice; one that may have been is said to be unknown."""
    journal = [entry for kind, entry in before if kind == "journal"]
    started = {entry["call_id"]: entry for entry in journal if entry["kind"] == "tool_started"}
    done = {entry["call_id"] for entry in journal if entry["kind"] == "tool_done"}
    for call_id, entry in started.items():
        if entry["tool"].startswith("agent__"):
            continue
        may_repeat = entry["read_only"] and call_id not in done
        assert tools.ran[call_id] <= may_repeat, (label, call_id)
        if call_id in ("w1", "w3", "w4"):
            assert (call_id in unknown(messages)) == (call_id not in done), (label, call_id)
    for call_id in {"w1", "r2", "w3", "w4", "sub-a-write", "sub-b-write"} - set(started):
        assert tools.ran[call_id] == 1, (label, call_id)


def check_log(events: list[dict[str, Any]], label: str) -> None:
    """Each call and each agent is told of once, and every payment."""
    for kind in ("tool_call", "tool_result", "agent_start", "agent_complete"):
        spans = Counter(event["span"] for event in events if event["type"] == kind)
        assert max(spans.values()) == 1, (label, kind, spans)
    assert {event["agent"] for event in events} == {"main", "helper#1", "helper#2"}, label
    said = ""
    for event in events:
        if event["span"] != "main/4":
            continue
        said = "" if event["type"] == "warning" and event["code"] == "RETRYING" else said
        said += event["content"] if event["type"] == "text" else ""
    assert said == "All is done.", label


async def test_two_deaths_in_a_row_are_as_one(tmp_path):
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        await bench.run(DEFINITION, tools=Tools().all)
        for cut in range(3, len(bench.order), 7):
            middle = Bench(bench.models, tmp_path)
            await middle.run(DEFINITION, tools=Tools().all, past=past_of(bench.order[:cut]))
            for second in range(1, len(middle.order), 5):
                both = bench.order[:cut] + middle.order[:second]
                last = Bench(bench.models, tmp_path)
                outcome = await last.run(DEFINITION, tools=Tools().all, past=past_of(both))
                assert outcome.status == "completed", (cut, second, outcome)
                check_log(went_on(both, last), f"{cut}, {second}")
        assert api.refused == []


async def test_what_a_lost_call_may_have_cost_stays_taken_from_the_limit(tmp_path):
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        await bench.run(DEFINITION, tools=Tools().all)
        sent = next(n for n, (_, entry) in enumerate(bench.order) if entry.get("kind") == "model_call")
        held = bench.order[sent][1]["held_usd"]
        assert held > 0.1
        again = Bench(bench.models, tmp_path)
        tight = define(
            agent={"tools": ["write", "read"]}, subagents=DEFINITION.model_dump()["subagents"],
            limits={"max_cost_usd": held * 1.01},
        )  # fmt: skip
        outcome = await again.run(tight, tools=Tools().all, past=past_of(bench.order[: sent + 1]))
        assert outcome.code == "COST_LIMIT_EXCEEDED"
        assert "USAGE_LOWER_BOUND" in again.log.warnings()


@pytest.mark.parametrize("ran_s", [59, 61])
async def test_time_turns_and_warnings_of_earlier_sittings_count(tmp_path, ran_s):
    definition = define(
        agent={"tools": ["write", "read"]},
        subagents=DEFINITION.model_dump()["subagents"],
        limits={"timeout_s": 60, "max_turns": 3},
    )
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        await bench.run(DEFINITION, tools=Tools().all)
        third = next(n for n, (_, entry) in enumerate(bench.order) if entry["span"] == "main/3")
        past = past_of(bench.order[:third])
        past.ran_s = ran_s
        past.told.warned.add("TIME_80")
        again = Bench(bench.models, tmp_path)
        outcome = await again.run(definition, tools=Tools().all, past=past)
    assert outcome.code == ("TURN_LIMIT_EXCEEDED" if ran_s == 59 else "TIMEOUT")
    assert "TIME_80" not in again.log.warnings()
