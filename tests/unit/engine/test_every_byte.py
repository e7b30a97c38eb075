"""A reply that breaks off at any byte: sent again as a whole, paid for to the token, no tool from half of it.

What else a hostile or broken service can send is here too, where it is about bytes: floods and bombs.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from dataclasses import replace

import pytest

from cloutagent_ext.engine import turn
from cloutagent_ext.engine.models import ClientModels
from cloutagent_ext.engine.models.anthropic import connect
from tests.support.messages_api import Call, MessagesApi, Raw, Say
from tests.support.messages_events import stream_of

from .harness import MODEL, Bench, Echo, live

USAGE = {"input_tokens": 1000, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 7}
REPLY = Call("echo", {"text": "hé"}, id="c", text="so", usage=USAGE, final_usage={"output_tokens": 90})
AGAIN = replace(REPLY, usage={"input_tokens": 1047})
END = Say("done", usage={"input_tokens": 1100}, final_usage={"output_tokens": 3})

EVENTS = stream_of({"model": MODEL}, REPLY, USAGE)
STARTED = len(EVENTS[0])
"""Bytes after which the service has said what the prompt costs."""
COUNTED = sum(map(len, EVENTS[:-1]))
"""Bytes after which it has said what the whole reply costs."""
COMPLETE = COUNTED + len(EVENTS[-1])


def billed(cut: int) -> tuple[int, int, int]:
    """Uncached input, output and cached input that the service has told of, in all three requests."""
    if cut == COMPLETE:  # the third request never comes
        return 1000 + 1100, 90 + 3, 7
    told = cut >= STARTED
    output = 90 if cut >= COUNTED else 1 if told else 0
    return 1000 * told + 1047 + 1100, output + 90 + 3, 7 * told


async def test_a_reply_that_breaks_off_at_any_byte_is_sent_again_and_paid_for_exactly(tmp_path):
    assert COMPLETE > 1000, "too short to prove much"
    async with MessagesApi([]) as api:
        client = await connect("test-key", api.url)
        for cut in range(COMPLETE + 1):
            api.play([replace(REPLY, end_at_byte=cut), *([AGAIN] if cut < COMPLETE else []), END])
            tool, bench = Echo(), Bench(ClientModels(client), tmp_path)
            outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
            said = outcome.result and outcome.result.text
            assert (outcome.status, said, api.refused) == ("completed", "done", []), (cut, outcome)
            assert (outcome.turns, tool.calls) == (2, [{"text": "hé"}]), cut
            assert len(bench.log.of("warning", code="RETRYING")) == (cut < COMPLETE), cut
            assert ("USAGE_LOWER_BOUND" in bench.log.warnings()) == (STARTED <= cut < COMPLETE), cut
            usage = outcome.usage
            assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == billed(cut), (
                cut
            )
            costs = [event["turn_cost_usd"] for event in bench.log.of("cost_update")]
            assert outcome.total_cost_usd == pytest.approx(sum(costs)), cut
        await client.close()


@pytest.mark.parametrize("at_once", [True, False], ids=["one line", "many events"])
async def test_a_bomb_that_says_it_is_gzip_does_not_fill_the_memory(tmp_path, at_once):
    """Nobody asked for compression; 300 MB come in 300 KB."""
    event = b'data: {"type": "ping", "x": "' + b"0" * 1_000_000 + (b"" if at_once else b'"}\n\n')
    bomb = Raw(gzip.compress(event * 300, 9), headers={"content-encoding": "gzip"})
    async with MessagesApi(lambda body, number: bomb) as api, live(api.url, tmp_path) as bench:
        tracemalloc.start()
        try:
            outcome = await bench.run()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (outcome.status, outcome.code) == ("failed", "MODEL_ERROR"), outcome
    assert most < 160_000_000
    assert json.dumps(outcome.details)


async def test_a_reply_that_drips_for_ever_is_given_up_and_asked_for_again(tmp_path, monkeypatch):
    """Every byte resets the silence that is allowed, so only a cap on the whole reply ends it."""
    monkeypatch.setattr(turn, "MAX_ATTEMPT_S", 3.0)  # half an hour otherwise
    drip = Say("x" * 100_000, pieces=1, delay_s=0.01)
    async with MessagesApi([drip, Say("fine")]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
        async with asyncio.timeout(60):
            await api.disconnected.wait()
    assert (outcome.status, outcome.result and outcome.result.text) == ("completed", "fine"), outcome
    assert [event["details"]["kind"] for event in bench.log.of("warning", code="RETRYING")] == ["too_slow"]
    assert "USAGE_LOWER_BOUND" in bench.log.warnings()
