"""When two model requests are the same: their canonical form, its digest, and where two differ first.

What changes from run to run without meaning anything is taken out: where to cache, how much room
the budget left for the reply, and the run's own id, time and folders (`Places`), which stand as
marks in a recording and as today's values in a replay. Not here: recordings (`cassette`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..masking import NOTHING, Mask
from ..ports import Wire

LEFT_OUT = frozenset({"messages", "max_tokens", "stream", "metadata"})
"""Fields of a request that its frozen part is without."""
_FIRST = ("model", "system", "tools")
"""Fields that a difference is looked for in first."""
_SHOWN = 160
"""Characters of a differing text that are shown."""
_BEFORE = 40
"""Of these, how many stand before the difference."""


@dataclass(frozen=True)
class Places:
    """What is this run's own, and the marks that stand for it in a recording."""

    taken: tuple[tuple[str, str], ...] = ()
    """(mark, value) to take out, the longest values first."""
    today: tuple[tuple[str, str], ...] = ()
    """(mark, value) to put in."""

    @classmethod
    def of(cls, *, execution_id: str, created_at: str, folders: Sequence[str]) -> Places:
        """`folders`: where the execution works, in every spelling, the usual one first."""
        own = [("⟦execution⟧", execution_id), ("⟦time⟧", created_at)]
        taken = [*(("⟦run⟧", folder) for folder in folders), *own]
        today = [("⟦run⟧", folders[0])] if folders else []
        return cls(tuple(sorted(taken, key=lambda each: -len(each[1]))), (*today, *own))

    def take_out(self, text: str) -> str:
        for mark, value in self.taken:
            text = text.replace(value, mark)
        return text

    def put_in(self, value: Any) -> Any:
        """A JSON value with today's values in place of the marks."""
        if isinstance(value, str):
            if "⟦" in value:
                for mark, today in self.today:
                    value = value.replace(mark, today)
            return value
        if isinstance(value, dict):
            return {self.put_in(name): self.put_in(item) for name, item in value.items()}
        return [self.put_in(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Canon:
    """Makes values canonical: for one run, with one set of secrets."""

    places: Places = Places()
    mask: Mask = NOTHING

    def text(self, text: str) -> str:
        return self.mask(self.places.take_out(text))

    def value(self, value: Any) -> Any:
        """`value` in canonical form."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            if value.get("type") == "file" and "file_id" in value:  # each upload gets another one
                return {"type": "file", "file_id": _FILE}
            return {
                self.text(name): self.value(item) for name, item in value.items() if name != "cache_control"
            }
        return [self.value(item) for item in value] if isinstance(value, list | tuple) else value

    def frozen(self, request: Mapping[str, Any]) -> Wire:
        """A request without its messages and what the budget decides."""
        return {name: self.value(part) for name, part in request.items() if name not in LEFT_OUT | _CACHE}

    def messages(self, request: Mapping[str, Any]) -> list[Any]:
        return [self.value(message) for message in request.get("messages") or []]


_CACHE = frozenset({"cache_control"})
_FILE = "⟦file⟧"


def names_a_file(message: Any) -> bool:
    """Whether a canonical message shows a file that the service keeps."""
    content = message.get("content")
    blocks = content if isinstance(content, list) else ()
    return any((block.get("source") or {}).get("file_id") == _FILE for block in blocks)


def digest_of(frozen: Wire, messages: Iterable[Any]) -> bytes:
    """Digest of a canonical request; `extended` goes on with it."""
    digest = hashlib.sha256(_bytes(frozen)).digest()
    for message in messages:
        digest = extended(digest, message)
    return digest


def extended(digest: bytes, message: Any) -> bytes:
    """Digest after one more canonical message."""
    return hashlib.sha256(digest + _bytes(message)).digest()


def _bytes(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Difference:
    """Where two requests differ first. Values are shortened texts, or JSON."""

    path: str
    expected: Any
    got: Any


_NOTHING = "(nothing)"


def difference(expected: Any, got: Any, path: str = "") -> Difference | None:
    """The first place where two JSON values differ, depth first; None where they do not."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in _in_order(expected, got):
            inner = f"{path}.{name}" if path else name
            if name not in expected:
                return Difference(inner, _NOTHING, shown(got[name]))
            if name not in got:
                return Difference(inner, shown(expected[name]), _NOTHING)
            if (found := difference(expected[name], got[name], inner)) is not None:
                return found
        return None
    if isinstance(expected, list) and isinstance(got, list):
        for index in range(max(len(expected), len(got))):
            inner = f"{path}[{index}]"
            if index >= len(expected):
                return Difference(inner, _NOTHING, shown(got[index]))
            if index >= len(got):
                return Difference(inner, shown(expected[index]), _NOTHING)
            if (found := difference(expected[index], got[index], inner)) is not None:
                return found
        return None
    if type(expected) is type(got) and expected == got:
        return None
    if isinstance(expected, str) and isinstance(got, str):
        at = next(
            (i for i, (one, other) in enumerate(zip(expected, got, strict=False)) if one != other),
            min(len(expected), len(got)),
        )
        return Difference(path, _around(expected, at), _around(got, at))
    return Difference(path, shown(expected), shown(got))


def _in_order(expected: Wire, got: Wire) -> Iterator[str]:
    names = {*expected, *got}
    yield from (name for name in _FIRST if name in names)
    yield from sorted(names.difference(_FIRST, ("messages",)))
    if "messages" in names:
        yield "messages"


def _around(text: str, at: int) -> str:
    first = max(0, at - _BEFORE)
    piece = text[first : first + _SHOWN]
    return f"{'…' if first else ''}{piece}{'…' if first + _SHOWN < len(text) else ''}"


def shown(value: Any) -> Any:
    """`value` as a message may show it: a short text, or its JSON cut."""
    if isinstance(value, bool | int | float) or value is None:
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
