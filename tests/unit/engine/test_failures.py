"""Every way a model call can fail: sent again as a whole, or ended at once, and never silently."""

from __future__ import annotations

import asyncio
import errno
import json
import resource
import socket

import pytest

from tests.support.messages_api import Call, Failure, MessagesApi, Raw, Reply, Say
from tests.support.patience import Promised

from .harness import Echo, live


@pytest.mark.parametrize(
    "broken",
    [
        Failure(429, "rate_limit_error"),
        Failure(529, "overloaded_error"),
        Failure(500),
        Failure(502),
        Failure(503),
        Failure(408, "timeout_error"),
        Failure(409, "conflict_error"),
        Say("partial", error_after=(4, "overloaded_error")),
        Say("partial", error_after=(4, "api_error")),
        Say("partial", cut_after=4),
        Say("partial", end_after=4),
        Say("partial", end_after=1),
        Say("partial", garbage_after=4),
        Raw(b"", close=True),
        Raw(b""),
        Raw(b'event: message_start\ndata: {"type": "message_start"}\n\n'),
        Raw(b'data: {"type": "content_block_stop", "index": 0}\n\n'),
        Raw(b"data: [1, 2]\n\n"),
        Raw(b'data: {"type": "ping", "x": "\xff\xfe"}\n\n'),
        Call("echo", {}, raw_inputs={0: '{"text": '}),
    ],
)  # fmt: skip
async def test_what_may_pass_is_tried_again_as_a_whole_and_said(tmp_path, broken):
    tool = Echo()
    async with MessagesApi([broken, Say("fine")]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert (outcome.status, outcome.result and outcome.result.text) == ("completed", "fine"), outcome
    assert api.requests[0]["messages"] == api.requests[1]["messages"]
    assert len(bench.clock.slept) == 1
    warnings = bench.log.of("warning", code="RETRYING")
    assert len(warnings) == 1
    assert warnings[0]["span"] == "main/1"
    assert outcome.turns == 1
    assert tool.calls == []


@pytest.mark.parametrize(
    ("failure", "word"),
    [
        (Failure(400, "invalid_request_error", "bad thing"), "bad thing"),
        (Failure(401, "authentication_error"), "key"),
        (Failure(402, "billing_error"), "credit"),
        (Failure(403, "permission_error"), "may not"),
        (Failure(404, "not_found_error", "model: nope"), "nope"),
        (Failure(413, "request_too_large"), "too large"),
        (
            Failure(429, "rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
            "spend limit",
        ),
        (Failure(429, "rate_limit_error", headers={"retry-after": "3600"}), "busy"),
        (Failure(500, headers={"x-should-retry": "false"}), "500"),
        (Say("partial", error_after=(4, "invalid_request_error")), "broke off"),
        (Raw(b"<html>welcome</html>", content_type="text/html"), "base URL"),
        (Raw(b'{"type": "message"}', content_type="application/json"), "base URL"),
    ],
)
async def test_what_cannot_pass_ends_the_run_at_once(tmp_path, failure, word):
    async with MessagesApi([failure]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.status, outcome.code) == ("failed", "MODEL_ERROR")
    assert word in outcome.message
    assert bench.clock.slept == []
    assert len(api.requests) == 1
    assert "test-key" not in json.dumps(outcome.details) + outcome.message


async def test_of_all_refusals_only_408_409_and_429_may_pass(tmp_path):
    async with MessagesApi([]) as api, live(api.url, tmp_path) as bench:
        for status in sorted({*range(400, 452), 499} - {408, 409, 429}):
            api.play([Failure(status, "invalid_request_error")])
            outcome = await bench.run()
            assert (outcome.code, len(api.requests)) == ("MODEL_ERROR", 1), status
        assert bench.clock.slept == []


async def test_it_gives_up_after_eight_tries(tmp_path):
    api = MessagesApi(lambda body, number: Failure(529, "overloaded_error"))
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.code, outcome.details["tries"]) == ("MODEL_ERROR", 8)
    assert outcome.details["request_id"] == "req_7"
    assert len(api.requests) == 8
    assert len(bench.clock.slept) == 7
    assert all(slept <= 2**number for number, slept in enumerate(bench.clock.slept))
    assert outcome.usage.input_tokens == 0


async def test_a_sane_retry_after_is_honoured(tmp_path):
    busy = Failure(429, "rate_limit_error", headers={"retry-after": "20"})
    async with MessagesApi([busy, Say("ok")]) as api, live(api.url, tmp_path) as bench:
        assert (await bench.run()).status == "completed"
    assert 20 <= bench.clock.slept[0] <= 25


async def test_tries_end_when_ten_minutes_would_pass(tmp_path):
    api = MessagesApi(lambda body, number: Failure(429, "rate_limit_error", headers={"retry-after": "250"}))
    async with api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert len(api.requests) == 3
    assert sum(bench.clock.slept) <= 600
    assert outcome.details["retry_after_s"] == 250


async def test_cancel_works_while_it_waits_to_try_again(tmp_path, promised: Promised):
    class Patient:
        def monotonic(self):
            return asyncio.get_running_loop().time()

        async def sleep(self, seconds):
            await asyncio.Event().wait()

    async with MessagesApi([Failure(529)]) as api, live(api.url, tmp_path) as bench:
        bench.clock = Patient()
        task = asyncio.create_task(bench.run())
        await bench.log.until(lambda: "RETRYING" in bench.log.warnings())
        task.cancel()
        with promised(5), pytest.raises(asyncio.CancelledError):
            await task


async def test_nothing_listens_at_the_address(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with live(f"http://127.0.0.1:{port}", tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.code, outcome.details["kind"], outcome.details["tries"]) == (
        "MODEL_ERROR",
        "connection",
        8,
    )


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/", "localhost:80"])
async def test_an_address_that_is_none_is_said_at_once(tmp_path, address):
    async with live(address, tmp_path) as bench:
        outcome = await bench.run()
    assert outcome.details["kind"] == "bad_address"
    assert "base_url" in outcome.message


async def test_a_key_that_no_header_can_carry_is_not_shown(tmp_path):
    async with MessagesApi([]) as api, live(api.url, tmp_path, api_key="sk-schlüssel\n") as bench:
        outcome = await bench.run()
    assert outcome.code == "MODEL_ERROR"
    assert "schl" not in outcome.message + json.dumps(outcome.details)
    assert bench.clock.slept == []


async def test_a_broken_off_reply_is_paid_for_and_the_total_called_a_lower_bound(tmp_path):
    usage = {"input_tokens": 1000}
    script = [
        Say("partial", cut_after=4, usage=usage),
        Say(
            "partial", error_after=(4, "overloaded_error"), usage=usage
        ),  # the service does not charge for these
        Say("fine", usage=usage, final_usage={"output_tokens": 10}),
    ]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert outcome.usage.input_tokens == 2000
    assert bench.log.warnings().count("USAGE_LOWER_BOUND") == 1


@pytest.mark.parametrize(
    "how", [{"chunk_size": 1}, {"crlf": True}, {"crlf": True, "chunk_size": 1}, {"chunk_size": 3}]
)
async def test_the_bytes_may_come_in_any_pieces(tmp_path, how):
    blocks = [
        {"type": "text", "text": "Grüße 🦊 — ok"},
        {"type": "tool_use", "id": "t", "name": "echo", "input": {"text": "日本語"}},
    ]
    tool = Echo()
    async with (
        MessagesApi([Reply(blocks, stop_reason="tool_use", **how), Say("end", **how)]) as api,
        live(api.url, tmp_path) as bench,
    ):
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert outcome.status == "completed"
    assert tool.calls == [{"text": "日本語"}]
    assert bench.log.said(span="main/1") == "Grüße 🦊 — ok"


async def test_events_that_nobody_knows_are_passed_over(tmp_path):
    strange = [{"type": "weather", "index": 0}, {"type": "content_block_gamma", "index": 7}, {"type": "ping"}]
    async with MessagesApi([Say("ok", extra_events=strange)]) as api, live(api.url, tmp_path) as bench:
        assert (await bench.run()).result.text == "ok"


async def test_usage_of_the_end_replaces_that_of_the_beginning(tmp_path):
    start = {"input_tokens": 10, "cache_read_input_tokens": 500}
    final = {"input_tokens": 12, "output_tokens": 7, "cache_creation_input_tokens": None}
    async with (
        MessagesApi([Say("ok", usage=start, final_usage=final)]) as api,
        live(api.url, tmp_path) as bench,
    ):
        usage = (await bench.run()).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (12, 7, 500)


async def test_a_proxy_of_the_machine_does_not_get_calls_to_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Ambient: secret")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "ambient")
    async with MessagesApi([Say("ok")]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert outcome.status == "completed", outcome
    assert "x-ambient" not in api.headers[0]
    assert api.headers[0]["authorization"] == "Bearer test-key"


class Starved:
    """The `Events` port of a process that has nothing left at the `number`th word."""

    def __init__(self, log, number, error):
        self._log, self._left, self._error = log, number, error
        self.events, self.order = log.events, log.order

    async def emit(self, type, **fields):
        self._left -= 1
        if self._left < 0:
            raise self._error
        return await self._log.emit(type, **fields)


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory"), ExceptionGroup("of a group", [
        RuntimeError("can't start new thread")])], ids=["memory", "kernel", "threads in a group"],
)  # fmt: skip
async def test_a_run_that_finds_nothing_left_wherever_it_is_ends_as_overloaded(tmp_path, error, number):
    def act(arguments, context):
        raise error

    async with (
        MessagesApi([Call("echo", {"text": "x"}), Say("fine")]) as api,
        live(api.url, tmp_path) as bench,
    ):
        bench.log = Starved(bench.log, number, error)
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[Echo(action=act)])
    if number < 4:  # what a tool itself finds is its result
        assert (outcome.status, outcome.code) == ("failed", "OVERLOADED"), outcome
    else:
        assert (outcome.status, outcome.code) in (("failed", "OVERLOADED"), ("completed", None)), outcome


async def test_a_model_that_cannot_be_reached_for_want_of_descriptors_is_not_blamed(tmp_path):
    async with MessagesApi([Failure(529), Say("fine")]) as api, live(api.url, tmp_path) as first:
        assert (await first.run()).status == "completed"  # what sending again needs is loaded
        async with live(api.url, tmp_path) as bench:
            most = resource.getrlimit(resource.RLIMIT_NOFILE)
            await bench.prices.load()
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, most[1]))
            try:
                outcome = await bench.run()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert (outcome.status, outcome.code) == ("failed", "OVERLOADED"), outcome
    assert outcome.details["instead_of"] == "MODEL_ERROR"
