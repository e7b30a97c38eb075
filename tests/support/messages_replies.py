"""What the scripted Messages API can be told to answer: replies, failures, and ways in which bytes travel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Reply:
    """One reply with status 200. `blocks` as the Messages API has them."""

    blocks: list[Json]
    stop_reason: str | None = "end_turn"
    stop_details: Json | None = None
    usage: Json | None = None
    """Replaces the counted usage; `message_start` carries it, with `output_tokens` 1."""
    final_usage: Json | None = None
    """Replaces the usage of `message_delta`."""
    pieces: int = 8
    """Characters in one delta."""
    raw_inputs: dict[int, str] = field(default_factory=dict)
    """Block index → text of its `input_json_delta`s, where it is not the input's JSON."""
    extra_events: list[Json] = field(default_factory=list)
    """Events put before the first block."""
    # How the bytes travel
    chunk_size: int | None = None
    """Bytes of one write; None writes each event whole."""
    crlf: bool = False
    delay_s: float = 0.0
    """Pause before each event."""
    hold: asyncio.Event | None = None
    """Waits for this before `message_start`."""
    hold_after_start: asyncio.Event | None = None
    """Waits for this after `message_start`."""
    # How it breaks
    cut_after: int | None = None
    """The connection is reset after this many events."""
    end_after: int | None = None
    """The stream ends cleanly after this many events."""
    end_at_byte: int | None = None
    """The connection is closed after this many bytes of the stream, wherever that is."""
    error_after: tuple[int, str] | None = None
    """After that many events comes an `error` event of this type."""
    garbage_after: int | None = None
    """After that many events comes a data line that is no JSON."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Failure:
    """A reply with an error status."""

    status: int
    type: str = "api_error"
    message: str = "scripted failure"
    headers: dict[str, str] = field(default_factory=dict)
    details: Json | None = None


@dataclass
class Raw:
    """Any answer at all."""

    body: bytes
    content_type: str = "text/event-stream"
    status: int = 200
    close: bool = False
    """Close the connection without a word instead."""
    headers: dict[str, str] = field(default_factory=dict)


Scripted = Reply | Failure | Raw
Script = Callable[[Json, int], Scripted]
"""From a request's body and its number (from 0) to the answer."""


def Say(text: str, **more: Any) -> Reply:
    """Text, and the turn ends."""
    return Reply([{"type": "text", "text": text}], **more)


def Call(name: str, arguments: Json, *, id: str | None = None, text: str = "", **more: Any) -> Reply:
    """One tool call, after `text` if there is any."""
    return Calls([(name, arguments)], ids=[id] if id else None, text=text, **more)


def Calls(
    calls: list[tuple[str, Json]], *, ids: list[str] | None = None, text: str = "", **more: Any
) -> Reply:
    """Several tool calls in one turn."""
    blocks: list[Json] = [{"type": "text", "text": text}] if text else []
    for number, (name, arguments) in enumerate(calls):
        call_id = ids[number] if ids else ""
        blocks.append({"type": "tool_use", "id": call_id, "name": name, "input": arguments})
    more.setdefault("stop_reason", "tool_use")
    return Reply(blocks, **more)
