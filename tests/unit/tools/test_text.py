"""Text from programs, whatever it is, becomes text that every later step can take."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloutagent_ext.engine.tools.text import INLINE_BYTES, clean, head_and_tail
from tests.support.patience import Promised


@given(st.one_of(st.text(st.characters()), st.binary()))
def test_anything_becomes_plain_text(text: str | bytes) -> None:
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned  # no lone surrogate: the model's API would refuse it for ever
    assert not any(ord(c) < 32 and c not in "\n\t" for c in cleaned)
    assert clean(cleaned) == cleaned
    assert json.loads(json.dumps(cleaned)) == cleaned


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]52;c;aGFjaw==\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\x", "x"),
        ("\x1b_apc\x1b\\x", "x"),
        ("a\x1b(Bb\x1b=c", "abc"),
        ("\x9b31mx", "x"),
        ("10%\r50%\r100%\n", "100%\n"),
        ("line\r\nnext\r\n", "line\nnext\n"),
        ("abc\x08\x08x\x00\x07", "abcx"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("👩\u200d🔬 क्\u200dष", "👩\u200d🔬 क्\u200dष"),
        ("\ud83d", "\ufffd"),
    ],
)
def test_sequences_go_and_their_text_stays(raw: str, plain: str) -> None:
    assert clean(raw) == plain


def test_the_time_grows_no_faster_than_the_text(promised: Promised) -> None:
    with promised(10):
        for hostile in ("\x1b]" * 2, "\x1bP", "\x1b[", "\r", "\x1b[31mx\x1b[0m\r\n", "x" * 63 + "\r"):
            clean(hostile * (1024 * 1024 // len(hostile)))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(300, 600))
def test_a_short_text_is_never_cut(text: str, limit: int) -> None:
    if len(text.encode()) <= limit:
        assert head_and_tail(text, whole="x", limit=limit) == text


@pytest.mark.parametrize(
    "text", ["é" * 100_000, "line\n" * 50_000, "x" * 100_000, "a\n" + "b" * 99_999 + "\nc"]
)
def test_a_long_text_keeps_both_ends_within_the_limit(text: str) -> None:
    shown = head_and_tail(text, whole="whole output: file")
    assert len(shown.encode()) <= INLINE_BYTES
    assert shown[:1] == text[:1]
    assert shown[-1:] == text[-1:]
    assert "bytes left out here; whole output: file" in shown
