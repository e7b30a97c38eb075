"""Parts of the server that have a rule of their own, without a server around them."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloutagent_ext.errors import InvalidRequest, RateLimited
from cloutagent_ext.server import body
from cloutagent_ext.server.rate_limits import RateLimits, Window, client


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_takes_its_number_in_any_minute_and_says_when_there_is_room() -> None:
    clock = Clock()
    window = Window(3, clock)
    for second in (0, 10, 20):
        clock.now = 1000 + second
        assert window.hit("a")
    clock.now = 1030
    assert not window.hit("a")
    assert window.retry_after_s("a") == 30
    assert window.hit("b"), "another address has its own"
    clock.now = 1060.5
    assert window.hit("a")
    assert not window.hit("a")


def test_addresses_are_not_remembered_without_end() -> None:
    window = Window(1)
    for number in range(10_050):
        window.hit(str(number))
    assert len(window._buckets) <= 10_000


def test_guesses_that_are_still_being_judged_count_as_failures() -> None:
    limits = RateLimits(100, 3, Clock())
    limits.check_failures("a", pending=2)
    with pytest.raises(RateLimited):
        limits.check_failures("a", pending=3)


def test_a_network_of_version_6_counts_as_one_client() -> None:
    assert client("2001:db8:1:2::1") == client("2001:db8:1:2:ffff::9")
    assert client("2001:db8:1:2::1") != client("2001:db8:1:3::1")
    assert client("::ffff:192.0.2.7") == client("192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize(
    "hostile",
    [b"[" * 5_000_000, b'{"a":' * 1_000_000, b"9" * 9_000_000, b'"' + b"\\" * 8_000_000, b"\xff" * 9_000_000,
     b"[" + b"[]," * 2_000_000 + b"[]]", b"[" * 300_000 + b'"' + b'\\"' * 4_000_000],
    ids=["arrays", "objects", "digits", "escapes", "bytes", "wide", "unclosed"],
)  # fmt: skip
def test_hostile_bodies_are_judged_quickly(hostile: bytes) -> None:
    began = time.thread_time()  # what others do meanwhile is none of its time
    with pytest.raises(InvalidRequest) as refusal:
        body.parse(hostile)
    assert time.thread_time() - began < 2
    assert len(refusal.value.message) < 300


@given(st.binary(max_size=200))
def test_any_bytes_are_understood_or_refused(data: bytes) -> None:
    with suppress(InvalidRequest):
        body.parse(data)


def test_brackets_inside_text_are_no_lists() -> None:
    """A value may be a long JSON document itself."""
    text = "[{" * 500_000 + '\\"['
    assert body.parse(json.dumps({"text": text}).encode()) == {"text": text}


@pytest.mark.parametrize(("levels", "good"), [(64, True), (65, False)])
def test_nesting_ends_at_64_levels(levels: int, good: bool) -> None:
    text = b"[" * levels + b"]" * levels
    if good:
        body.parse(text)
    else:
        with pytest.raises(InvalidRequest, match="64"):
            body.parse(text)
