"""Bytes to events, and events to a log that is not flooded."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloutagent_ext.engine.coalesce import INTERVAL_S, Coalescer
from cloutagent_ext.engine.models.sse import MAX_EVENT_BYTES, BadStream, EventDecoder
from cloutagent_ext.engine.text import INLINE_BYTES, clean, clean_json, clip

from .harness import Log

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=3), max_size=4),
    st.booleans(),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_any_chunking_gives_the_same_events(bodies, crlf, sizes):
    events = [{**body, "type": "x"} for body in bodies]
    end = "\r\n" if crlf else "\n"
    wire = "".join(
        f": comment{end}event: x{end}data: {json.dumps(event, ensure_ascii=crlf)}{end}{end}"
        for event in events
    ).encode()
    decoder, found, at = EventDecoder(), [], 0
    for size in itertools.cycle(sizes):
        if at >= len(wire):
            break
        found += decoder.feed(wire[at : at + size])
        at += size
    assert found == events


@given(st.binary())
def test_no_bytes_break_the_decoder(data):
    decoder = EventDecoder()
    try:
        events = list(decoder.feed(data + b"\n\n"))
    except BadStream:
        return
    assert all(isinstance(event, dict) and isinstance(event["type"], str) for event in events)


NUMBERS = [
    "-0",
    "-0.0",
    "1E+400",
    "1e-400",
    "0.1",
    "123456789012345678901234567890",
    "01",
    "1.",
    "NaN",
    "-Infinity",
]
LETTERS = ["\\ud83d", "\\uD83D\\uDE00", "\\u0000", "\u2028", "é", "\\x", "\t", "\x7f", '\\"']


@given(st.lists(st.sampled_from(NUMBERS)), st.lists(st.sampled_from(LETTERS)), st.integers(0, 300))
def test_what_is_sent_is_read_as_python_reads_json(numbers, letters, depth):
    sent = f'{{"type":"x","n":[{",".join(numbers)}],"t":"{"".join(letters)}","d":{"[" * depth}{"]" * depth}}}'
    try:
        expected = json.loads(sent, parse_constant=_refuse)
    except ValueError:
        with pytest.raises(BadStream):
            list(EventDecoder().feed(f"data: {sent}\n\n".encode()))
        return
    (event,) = EventDecoder().feed(f"data: {sent}\n\n".encode())
    assert repr(event) == repr(expected)


def _refuse(constant):
    raise ValueError(constant)


def test_what_gateways_do_is_understood():
    decoder = EventDecoder()
    wire = b'\xef\xbb\xbfevent: named\ndata:{"a":\ndata: 1}\n\nid: 7\nretry: 3\ndata: [DONE]\n\n'
    assert list(decoder.feed(wire)) == [{"a": 1, "type": "named"}]


@pytest.mark.parametrize(
    "data", [b"data: nope\n\n", b"data: 3\n\n", b'data: {"x": NaN}\n\n', b'data: "\xff"\n\n']
)
def test_what_is_no_event_is_said(data):
    with pytest.raises(BadStream):
        list(EventDecoder().feed(data))


def test_an_event_without_an_end_does_not_fill_the_memory():
    decoder = EventDecoder()
    megabyte = b"x" * 2**20
    for _ in range(MAX_EVENT_BYTES // len(megabyte)):
        list(decoder.feed(megabyte))
    with pytest.raises(BadStream):
        list(decoder.feed(megabyte))


async def test_two_thousand_pieces_become_few_events_and_none_is_lost():
    log = Log()
    stream = Coalescer(log, "main")
    pieces = [f"{number} " for number in range(2000)]
    began = asyncio.get_running_loop().time()
    for number, piece in enumerate(pieces):
        stream.add("text", piece)
        if number % 100 == 0:
            await asyncio.sleep(0.005)
    await stream.finish("text")
    took = asyncio.get_running_loop().time() - began
    assert log.said() == "".join(pieces)
    assert len(log.events) <= took / INTERVAL_S + 3
    assert [event["final"] for event in log.events] == [False] * (len(log.events) - 1) + [True]


async def test_the_first_piece_is_shown_at_once_and_the_next_without_another_word():
    log = Log()
    stream = Coalescer(log, "main")
    stream.add("thinking", "a")
    await asyncio.wait_for(log.until(lambda: len(log.events) == 1), INTERVAL_S)
    stream.add("thinking", "b")
    await log.until(lambda: log.said("thinking") == "ab")
    await stream.discard()


async def test_a_log_that_fails_is_not_swallowed():
    class Full:
        async def emit(self, *_, **__):
            raise OSError("disk full")

    stream = Coalescer(Full(), "main")
    stream.add("text", "a")
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="disk full"):
        await stream.finish("text")


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_clean_text_can_be_encoded_and_good_text_stays(text):
    cleaned = clean(text)
    cleaned.encode()
    if text.isascii():
        assert cleaned == text


@given(st.text(max_size=200).map(lambda text: text * 2000))
def test_clipped_text_fits_and_keeps_both_ends(text):
    text = clean(text)
    clipped = clip(text)
    assert len(clipped.encode()) <= INLINE_BYTES
    if len(text.encode()) <= INLINE_BYTES:
        assert clipped == text
    else:
        assert clipped[:100] == text[:100]
        assert clipped[-100:] == text[-100:]


def test_what_json_cannot_say_is_spelled_out():
    assert clean_json({"a": [float("nan"), float("-inf"), 1.5], "\ud800": "x"}) == {
        "a": ["nan", "-inf", 1.5],
        "\ufffd": "x",
    }
