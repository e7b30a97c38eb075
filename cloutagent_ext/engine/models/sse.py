"""Server-sent events, from bytes to the JSON objects they carry.

Takes what real gateways send: any chunking (UTF-8 split anywhere), CRLF, comments,
several data lines, a byte-order mark, `[DONE]`. Judges nothing about the events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

MAX_EVENT_BYTES = 32 * 1024 * 1024
"""Longest single event: twice the largest tool input a model can write."""
MAX_STREAM_BYTES = 256 * 1024 * 1024
"""Longest reply; the longest honest one (128,000 tokens in one-token events) is a tenth of it."""

_BOM = b"\xef\xbb\xbf"


class BadStream(ValueError):
    """The bytes are no event stream of JSON objects, or too many."""


class EventDecoder:
    """Feed it bytes as they come; it gives the JSON of each event that is complete."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._total = 0
        self._data: list[bytes] = []
        self._name = b""

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Events that `chunk` completes, and `BadStream` where it breaks: what came before it has come."""
        if self._total == 0:
            chunk = chunk.removeprefix(_BOM)
        self._total += len(chunk)
        if self._total > MAX_STREAM_BYTES:
            raise BadStream(f"the reply is longer than {MAX_STREAM_BYTES} bytes")
        # A chunk without a line end only grows the pending line: joined once, so no copy per byte.
        if b"\n" not in chunk:
            self._pending.append(chunk)
            self._pending_size += len(chunk)
            if self._pending_size > MAX_EVENT_BYTES:
                raise BadStream(f"one event is longer than {MAX_EVENT_BYTES} bytes")
            return
        self._pending.append(chunk)
        lines = b"".join(self._pending).split(b"\n")
        rest = lines.pop()
        self._pending = [rest] if rest else []
        self._pending_size = len(rest)
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if not line:
                if self._data and (event := self._finish()) is not None:
                    yield event
                self._name = b""
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()

    def _finish(self) -> dict[str, Any] | None:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data = []
        if data == b"[DONE]":
            return None
        try:
            event = _parsed(data)
        except (ValueError, RecursionError) as error:
            raise BadStream(f"an event is not JSON: {error}") from error
        if not isinstance(event, dict):
            raise BadStream("an event is not a JSON object")
        if not isinstance(event.get("type"), str):
            event["type"] = self._name.decode("utf-8", "replace")
        return event


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_strict = json.JSONDecoder(parse_constant=_refuse)


def _parsed(data: bytes) -> Any:
    """The JSON of `data`. Raises ValueError, RecursionError."""
    try:
        return from_json(data, allow_inf_nan=False)  # four times as fast, once for every piece of a reply
    except ValueError:  # what it refuses may still be JSON: half a surrogate pair, deep nesting
        return _strict.decode(data.decode())
