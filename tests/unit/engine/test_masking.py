"""What a child was given does not come back: not as it is, and not as programs commonly write it."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloutagent_ext.engine.masking import MASKED, NOTHING, Mask
from cloutagent_ext.engine.results import masked
from cloutagent_ext.schema.events import DisplayPart, FilePart, OutputPart, TextPart

SECRET = 'pa"ss wörd/+\nline two of it'
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=40)


@given(secret=SECRETS, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_no_usual_spelling_gets_through(secret: str, before: bytes, after: bytes) -> None:
    mask = Mask([secret])
    raw = secret.encode()
    assert mask(secret) == MASKED
    for spelling in (raw.hex(), raw.hex().upper(), quote(secret, safe=""), json.dumps(secret)[1:-1]):
        assert spelling not in mask(f"<{spelling}>")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(before + raw + after).decode()
        start = -(-len(before) * 8 // 6) + 1
        kept = text[start : (len(before) + len(raw)) * 8 // 6 - 1]
        assert MASKED in mask(text)
        assert kept not in mask(text)


def test_each_line_of_a_long_key_is_masked_alone() -> None:
    key = "-----BEGIN KEY-----\nAAAABBBBCCCCDDDDEEEEFFFF\nshort\n-----END KEY-----"
    assert Mask([key])("has AAAABBBBCCCCDDDDEEEEFFFF in it") == f"has {MASKED} in it"
    assert Mask([key])("a short word") == "a short word"


def test_the_longer_of_two_secrets_goes_whole() -> None:
    assert Mask(["secret", "secret-and-more"])("secret-and-more, secret") == f"{MASKED}, {MASKED}"


@pytest.mark.parametrize("secrets", [[], [""]])
def test_nothing_to_hide_leaves_every_text(secrets: list[str]) -> None:
    mask = Mask(secrets)
    assert not mask
    assert mask("a short text") == "a short text"
    assert not NOTHING


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("the pin is 4711", f"the pin is {MASKED}"),
        ("PIN=4711;", f"PIN={MASKED};"),
        ("pin_4711_x", f"pin_{MASKED}_x"),
        ("order 47110 and a4711", "order 47110 and a4711"),
        ("longer-secret-4711", MASKED),
    ],
)
def test_a_short_value_is_masked_where_it_stands_alone(text: str, seen: str) -> None:
    """The store takes none as short; one that came from elsewhere does not hide half of every number."""
    assert Mask(["4711", "longer-secret-4711"])(text) == seen


def test_every_part_of_a_result_is_masked() -> None:
    parts: list[OutputPart] = [
        TextPart(text=f"it is {SECRET}"),
        DisplayPart(data={"text/html": f"<b>{SECRET}</b>", "application/json": {SECRET: [SECRET, 1, None]}}),
        FilePart(path="a.txt", media_type="text/plain", size=1),
    ]
    told = json.dumps([part.model_dump() for part in masked(parts, Mask([SECRET]))], ensure_ascii=False)
    assert json.dumps(SECRET, ensure_ascii=False)[1:-1] not in told
    assert told.count(MASKED) == 4
    assert masked(parts, NOTHING) is parts
