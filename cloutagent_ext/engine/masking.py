"""Secrets taken out of text: as they are, and as programs commonly write them.

What a child process was given can come back in what it prints. It is masked before anybody sees it:
model, log, files, people. The limit: a program that means to hide a secret from this (reversed,
encrypted, cut in two) can; whoever may run commands with a secret can use it. Not here: whose secrets.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASKED = "[masked]"
_SHORTEST = 6
"""Shorter values are masked where they stand alone: elsewhere they would hide parts of ordinary words."""


class Mask:
    """`mask(text)`: `text` without the `secrets` in any of their usual spellings."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = list(filter(None, secrets))
        spellings = {form for each in known if len(each) >= _SHORTEST for form in _spellings(each)}
        short = {each for each in known if len(each) < _SHORTEST}
        parts = [re.escape(form) for form in sorted(spellings, key=len, reverse=True)]
        parts += [rf"(?<![^\W_]){re.escape(each)}(?![^\W_])" for each in sorted(short, key=len, reverse=True)]
        self._found = re.compile("|".join(parts)) if parts else None

    def __bool__(self) -> bool:
        return self._found is not None

    def __call__(self, text: str) -> str:
        return text if self._found is None else self._found.sub(MASKED, text)

    def deep(self, value: Any) -> Any:
        """The same JSON value with every text in it masked, names included."""
        if self._found is None:
            return value
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {self.deep(name): self.deep(item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.deep(item) for item in value]
        return value


NOTHING = Mask(())
"""Leaves everything as it is."""


def _spellings(secret: str) -> Iterable[str]:
    raw = secret.encode()
    yield secret
    yield raw.hex()
    yield raw.hex().upper()
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    for quoted in (json.dumps(secret), json.dumps(secret, ensure_ascii=False), repr(secret)):
        yield quoted[1:-1]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            # In the middle of something longer the letters depend on what stands before: three ways.
            text = encode(b"\0" * before + raw).decode()
            first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            yield text[first:last]
    lines = secret.splitlines()
    if len(lines) > 1:  # of a key in many lines, each line alone tells much
        yield from (line for line in lines if len(line) >= _SHORTEST * 3)
