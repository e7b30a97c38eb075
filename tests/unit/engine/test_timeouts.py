"""A model service that takes a call and then says nothing more: given up in time, asked again, paid for.

Not here: one that drips for ever (`test_every_byte`), and the guard's own limit on silence (`test_guard`).
"""

from __future__ import annotations

import asyncio
import socket

import pytest

from cloutagent_ext.engine.models import anthropic
from cloutagent_ext.engine.models.prices import ListPrices
from tests.support.messages_api import MessagesApi, Say

from .harness import MODEL, live


@pytest.mark.parametrize("begun", [False, True], ids=["before a word", "in the middle"])
async def test_a_reply_that_falls_silent_is_given_up_and_asked_for_again(tmp_path, monkeypatch, begun):
    monkeypatch.setattr(anthropic, "READ_TIMEOUT_S", 2.0)  # ten minutes otherwise
    prices = ListPrices()
    await prices.load()
    never = asyncio.Event()
    silent = Say("late", hold_after_start=never) if begun else Say("late", hold=never)
    async with MessagesApi([silent, Say("fine")]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
        if begun:  # before that, it would notice with its first word only
            async with asyncio.timeout(60):
                await api.disconnected.wait()
        never.set()
    assert (outcome.status, outcome.result and outcome.result.text) == ("completed", "fine"), outcome
    [warning] = bench.log.of("warning", code="RETRYING")
    assert warning["details"]["kind"] == "timeout"
    assert "did not answer in time" in warning["message"]
    counted = [prices.cost(MODEL, usage) for usage in api.told]
    assert sum(bool(each) for each in counted) == 1 + begun, "what had begun is charged for"
    assert outcome.total_cost_usd == pytest.approx(sum(each or 0 for each in counted), abs=1e-12)
    assert ("USAGE_LOWER_BOUND" in bench.log.warnings()) == begun


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_service_that_answers_neither_call_nor_handshake_is_given_up_by_name(
    tmp_path, monkeypatch, scheme
):
    monkeypatch.setattr(anthropic, "READ_TIMEOUT_S", 0.3)
    monkeypatch.setattr(anthropic, "CONNECT_TIMEOUT_S", 0.3)  # ten seconds otherwise
    with socket.create_server(("127.0.0.1", 0), backlog=50) as deaf:
        async with live(f"{scheme}://127.0.0.1:{deaf.getsockname()[1]}", tmp_path) as bench:
            async with asyncio.timeout(60):
                outcome = await bench.run()
    assert (outcome.code, outcome.details["kind"], outcome.details["tries"]) == ("MODEL_ERROR", "timeout", 8)
    assert len(bench.clock.slept) == 7
    assert outcome.total_cost_usd == 0
