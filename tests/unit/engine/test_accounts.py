"""The money shown is the money that the service has counted, whatever became of the call.

Not here: what each of these endings is called (`test_failures`, `test_turns`, `test_broken_streams`), replies
cut at any byte (`test_every_byte`), and ceilings (`test_budget`).
"""

from __future__ import annotations

import json

import pytest

from cloutagent_ext.engine.models.prices import ListPrices
from tests.support.messages_api import Call, Failure, MessagesApi, Raw, Reply, Say, Scripted

from .harness import MODEL, Echo, live

THINKS = Reply(
    [
        {"type": "thinking", "thinking": "Hm, hm.", "signature": "c2lnbmVk"},
        {"type": "tool_use", "id": "", "name": "echo", "input": {"text": "hé"}},
    ],
    stop_reason="tool_use",
)
CUT = Call("echo", {"text": "x" * 50}, stop_reason="max_tokens", raw_inputs={0: '{"text": "xxx'})
WAYS: dict[str, tuple[Scripted, ...]] = {
    "said": (),
    "429 and its Retry-After": (Failure(429, "rate_limit_error", headers={"retry-after": "2"}),),
    "429": (Failure(429, "rate_limit_error"),) * 2,
    "529": (Failure(529, "overloaded_error"),),
    "500": (Failure(500),),
    "413": (Failure(413, "request_too_large"),),
    "error behind 200": (Say("partial", error_after=(4, "overloaded_error")),),
    "cut": (Say("partial", cut_after=4),),
    "cut behind the end": (Call("echo", {"text": "a"}, cut_after=7),),
    "end without a stop": (Say("partial", end_after=4),),
    "malformed": (Say("partial", garbage_after=4),),
    "nothing": (Raw(b""), Raw(b"", close=True)),
    "drip": (Say("drop by drop " * 9, chunk_size=1),),
    "unknown events and blocks": (
        Reply(
            [{"type": "hologram", "shape": [1, 2]}, {"type": "text", "text": "so"}],
            extra_events=[{"type": "weather", "sun": True}],
            stop_reason="pause_turn",
        ),
    ),
    "signed thinking": (THINKS,),
    "pause": (Reply([{"type": "text", "text": "half"}], stop_reason="pause_turn"),),
    "refusal": (Reply([], stop_reason="refusal", stop_details={"category": "cyber", "explanation": "no"}),),
    "max_tokens inside a call": (CUT,),
    "max_tokens inside a call, again": (CUT, CUT),
    "no room in the window": (Say("part", stop_reason="model_context_window_exceeded"),),
    "a later usage replaces the first": (
        Call("echo", {}, usage={"input_tokens": 700}, final_usage={"input_tokens": 900, "output_tokens": 31}),
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_money_shown_is_the_money_the_service_has_counted(tmp_path, way):
    prices = ListPrices()
    await prices.load()
    script = [Call("echo", {"text": "first"}), *WAYS[way], Say("fine")]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"], "max_tokens": 1000}}, tools=[Echo()])
    counted = [prices.cost(MODEL, usage) for usage in api.told]
    assert len(counted) >= 1
    assert all(counted), json.dumps(api.told)
    assert outcome.total_cost_usd == pytest.approx(sum(counted), abs=1e-12)
    usage = outcome.usage.model_dump()
    for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
        assert usage[name] == sum(each.get(name, 0) for each in api.told), name
    last = bench.log.of("cost_update")[-1]
    assert (last["total_cost_usd"], last["usage"]["output_tokens"]) == (
        outcome.total_cost_usd,
        usage["output_tokens"],
    )
