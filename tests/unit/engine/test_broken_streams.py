"""Replies that contradict themselves, and floods: asked for again as a whole, nothing of them kept or run."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import Any

import pytest

from cloutagent_ext.engine.models import sse
from tests.support.messages_api import Call, MessagesApi, Raw, Say

from .harness import MODEL, Echo, live

START = {
    "type": "message_start",
    "message": {
        "id": "m", "type": "message", "role": "assistant", "model": MODEL, "content": [],
        "usage": {"input_tokens": 5, "output_tokens": 1},
    },
}  # fmt: skip
END = [
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]


def begin(index: int, **block: Any) -> dict[str, Any]:
    block = block or {"type": "text", "text": ""}
    return {"type": "content_block_start", "index": index, "content_block": block}


def text(index: int, piece: Any = "half") -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}


def json_of(index: int, piece: str) -> dict[str, Any]:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": "input_json_delta", "partial_json": piece},
    }


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def wire(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events)


TOOL = {"type": "tool_use", "id": "t", "name": "echo", "input": {}}
CONTRADICTIONS = {
    "the same block twice": [START, begin(0), text(0), stop(0), begin(0), text(0), stop(0), *END],
    "the same block twice at once": [START, begin(0), text(0), begin(0), text(0), stop(0), *END],
    "a block before the message": [begin(0), START, text(0), stop(0), *END],
    "a piece before its block": [START, text(0), begin(0), stop(0), *END],
    "a piece after its block": [START, begin(0), text(0), stop(0), text(0, "more"), *END],
    "an end before its block": [START, stop(0), begin(0), text(0), *END],
    "two ends": [START, begin(0), text(0), stop(0), stop(0), *END],
    "a piece of no block": [START, begin(0), text(7), stop(0), *END],
    "arguments for a text": [START, begin(0), json_of(0, "{}"), stop(0), *END],
    "a text that is a number": [START, begin(0), text(0, 5), stop(0), *END],
    "a block whose text is a list": [START, begin(0, type="text", text=[1]), stop(0), *END],
    "a second message": [START, begin(0), text(0), stop(0), START, *END],
    "an index that is a list": [START, {**begin(0), "index": [1]}, *END],
    "an end without a beginning": END,
    "a call whose end comes first": [
        START, *END[:1], begin(0, **TOOL), stop(0), json_of(0, '{"text": "x"}'), END[1],
    ],
}  # fmt: skip


@pytest.mark.parametrize("events", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
async def test_a_reply_that_contradicts_itself_is_asked_for_again_and_nothing_of_it_is_kept(tmp_path, events):
    tool = Echo()
    script = [Raw(wire(*events)), Say("fine")]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert (outcome.status, outcome.result and outcome.result.text) == ("completed", "fine"), outcome
    assert api.requests[0]["messages"] == api.requests[1]["messages"]
    assert bench.log.warnings().count("RETRYING") == 1
    assert tool.calls == []


@pytest.mark.parametrize("size", range(1, 8))
async def test_invalid_utf8_is_found_wherever_the_pieces_are_cut(tmp_path, size):
    """An overlong sequence, half a character and a lone continuation, each in a text of its own."""
    for bad in (b"\xc0\xaf", b"\xf0\x9f\xa6", b"\xa9"):
        good = wire(START, begin(0), text(0, "MARK"), stop(0), *END)
        decoder = sse.EventDecoder()
        data = good.replace(b"MARK", b"caf\xc3\xa9 " + bad)
        events: list[dict[str, Any]] = []

        def feed(decoder=decoder, data=data, events=events) -> None:
            for at in range(0, len(data), size):
                events += decoder.feed(data[at : at + size])

        with pytest.raises(sse.BadStream):
            feed()
        assert [event["type"] for event in events] == ["message_start", "content_block_start"]


async def test_a_reply_with_invalid_utf8_is_asked_for_again(tmp_path):
    bad = wire(START, begin(0), text(0, "MARK"), stop(0), *END).replace(b"MARK", b"\xf0\x9f\xa6")
    async with MessagesApi([Raw(bad), Say("fine")]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run()
    assert (outcome.result and outcome.result.text) == "fine"
    [retry] = bench.log.of("warning", code="RETRYING")
    assert retry["details"]["kind"] == "malformed"


async def test_kinds_of_blocks_and_events_that_nobody_knows_are_kept_and_passed_over(tmp_path):
    """What is new in the service tomorrow neither fails a run nor is lost on the way back."""
    new = {"type": "hologram", "data": {"x": [1, None]}}
    events = [
        START,
        {"type": "weather", "index": 0, "sun": True},
        begin(0, **new),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "light_delta", "light": 3}},
        stop(0),
        begin(1, **TOOL),
        json_of(1, '{"text": "x"}'),
        stop(1),
        {**END[0], "delta": {"stop_reason": "tool_use"}},
        {"type": "content_block_gamma", "index": 9},
        END[1],
    ]
    tool = Echo()
    api = MessagesApi([Raw(wire(*events)), Say("fine")], expects_refusals=True)
    async with api, live(api.url, tmp_path) as bench:
        await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert tool.calls == [{"text": "x"}]
    assert api.requests[1]["messages"][1]["content"][0] == new


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: list[int]) -> None:
    """A gigabyte of honest events, as fast as they are taken."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    writer.write(wire(START, begin(0)))
    piece = wire({"type": "ping", "x": "y" * 1_000_000})
    try:
        while sent[-1] < 1_000_000_000:
            writer.write(piece)
            sent[-1] += len(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_a_gigabyte_of_reply_is_cut_off_at_its_cap(tmp_path, monkeypatch):
    monkeypatch.setattr(sse, "MAX_STREAM_BYTES", 16_000_000)  # 256 MB otherwise
    sent: list[int] = []

    async def serve(reader, writer):
        sent.append(0)
        await flood(reader, writer, sent)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, live(f"http://127.0.0.1:{port}", tmp_path) as bench:
        tracemalloc.start()
        try:
            outcome = await bench.run()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (outcome.code, outcome.details["kind"]) == ("MODEL_ERROR", "malformed")
    assert "longer than 16000000 bytes" in outcome.message
    assert len(sent) == outcome.details["tries"] == 8
    assert max(sent) < 40_000_000
    assert most < 60_000_000


async def test_no_call_runs_from_a_reply_whose_call_is_cut_by_a_contradiction(tmp_path):
    """The first call is whole and closed; it may not run, for the turn is asked for again."""
    events = [START, begin(0, **TOOL), json_of(0, '{"text": "x"}'), stop(0), begin(0, **TOOL), *END]
    tool = Echo()
    script = [Raw(wire(*events)), Call("echo", {"text": "once"}), Say("fine")]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert outcome.status == "completed"
    assert tool.calls == [{"text": "once"}]
