"""A reply put together from the wire's events, block by block, exactly as it has to go back.

Unknown events are passed over, unknown blocks and fields kept. What contradicts itself
is a broken reply, never a guess. Not here: sending, showing and judging it (`engine.turn`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field

from .ports import ModelFailure, Wire


@dataclass
class Reply:
    """One complete reply of a model."""

    content: list[Wire]
    """Blocks as they came; they go back unchanged."""
    stop_reason: str | None
    stop_details: Wire | None
    usage: Wire
    message_id: str | None = None
    model: str | None = None
    cost: float | None = None
    """US dollars; None when the price is unknown."""

    @property
    def text(self) -> str:
        """All its text."""
        return "".join(block.get("text") or "" for block in self.content if block.get("type") == "text")

    @property
    def tool_uses(self) -> list[Wire]:
        return [block for block in self.content if block.get("type") == "tool_use"]


@dataclass
class _Block:
    wire: Wire
    pieces: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    open: bool = True


_PIECE = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input"),
    "signature_delta": ("signature", "signature"),
}
"""Delta type → field of the delta that holds the piece, field of the block that it belongs to."""


_TEXTS = ("text", "thinking", "signature")


class Assembly:
    """One reply in the making."""

    def __init__(self) -> None:
        self.usage: Wire = {}
        self.started = False
        self._blocks: dict[int, _Block] = {}
        self._message: Wire = {}
        self._stop_reason: str | None = None
        self._stop_details: Wire | None = None
        self.complete = False
        self._unreadable_input = False

    @property
    def stop_reason(self) -> str | None:
        """Why the reply ended, as the service says it; None while it has not, or where it says no word."""
        reason = self._stop_reason if self.complete else None
        return reason[:64] if isinstance(reason, str) else None

    def delta(self, event: Wire) -> tuple[str, str] | None:
        """A `content_block_delta`. Returns the delta's type and piece where it brings text of some kind."""
        try:
            delta = event["delta"]
            kind: str = delta["type"]
            if (names := _PIECE.get(kind)) is None:
                self._other_delta(event, delta, kind)
                return None
            piece: str = delta[names[0]]
            block = self._blocks[event["index"]]
            if not block.open:
                raise broken(f"block {event['index']} goes on after its end")
            if not isinstance(piece, str) or (names[1] == "input" and "input" not in block.wire):
                raise broken(f"block {event['index']} gets a {kind} that it cannot take")
            block.pieces[names[1]].append(piece)
        except (KeyError, TypeError) as error:
            raise broken(f"a content_block_delta lacks {error}") from error
        return kind, piece

    def _other_delta(self, event: Wire, delta: Wire, kind: str) -> None:
        if kind == "citations_delta":
            wire = self._blocks[event["index"]].wire
            wire["citations"] = [*(wire.get("citations") or []), delta["citation"]]
        elif kind == "compaction_delta":  # comes whole, and goes back as it came
            wire = self._blocks[event["index"]].wire
            wire.update((name, delta[name]) for name in ("content", "encrypted_content") if name in delta)

    def event(self, event: Wire) -> Wire | None:
        """Any other event. Returns the block that it closes, if it closes one."""
        try:
            return self._event(event["type"], event)
        except (KeyError, TypeError, AttributeError) as error:
            raise broken(f"a {event['type']} lacks {error}") from error

    def _event(self, kind: str, event: Wire) -> Wire | None:
        if kind == "message_start":
            if self.started:
                raise broken("a second message begins inside the first")
            self.started = True
            self._message = event["message"]
            self._merge(self._message.get("usage"))
        elif kind == "content_block_start":
            if not self.started:
                raise broken("a block begins before its message")
            if event["index"] in self._blocks:
                raise broken(f"block {event['index']} begins twice")
            self._blocks[event["index"]] = _Block(_begun(event["content_block"], event["index"]))
        elif kind == "content_block_stop":
            block = self._blocks[event["index"]]
            if not block.open:
                raise broken(f"block {event['index']} ends twice")
            return self._close(block)
        elif kind == "message_delta":
            delta = event.get("delta") or {}
            self._stop_reason = delta.get("stop_reason", self._stop_reason)
            self._stop_details = delta.get("stop_details", self._stop_details)
            self._merge(event.get("usage"))
        elif kind == "message_stop":
            self.complete = True
        return None

    def reply(self) -> Reply:
        """The whole reply. Raises `ModelFailure` where its end was not seen."""
        if not self.complete or not self.started:
            raise ModelFailure(
                "The model service's reply ended before it was complete.", retryable=True, kind="incomplete"
            )
        for block in self._blocks.values():
            if block.open:  # a reply cut by max_tokens may leave its last block open
                self._close(block)
        if any(not _can_be_answered(block.wire) for block in self._blocks.values()):
            raise broken("a tool call has no id or no name")
        if self._unreadable_input and self._stop_reason == "tool_use":
            raise broken("the input of a tool call is not JSON")
        return Reply(
            content=[block.wire for block in self._blocks.values()],
            stop_reason=self._stop_reason,
            stop_details=self._stop_details,
            usage=self.usage,
            message_id=self._message.get("id"),
            model=self._message.get("model"),
        )

    def _merge(self, usage: Wire | None) -> None:
        # Totals of `message_delta` replace those of `message_start`; what they leave out stays.
        self.usage.update((name, value) for name, value in (usage or {}).items() if value is not None)

    def _close(self, block: _Block) -> Wire:
        block.open = False
        for name, pieces in block.pieces.items():
            joined = "".join(pieces)
            if name != "input":
                block.wire[name] = (block.wire.get(name) or "") + joined
            elif joined.strip():
                try:
                    block.wire["input"] = json.loads(joined, parse_constant=_refuse)
                except (ValueError, RecursionError):
                    self._unreadable_input = True
        block.pieces.clear()
        return block.wire


def _begun(block: object, index: object) -> Wire:
    """A block as it begins, of which what pieces are added to is text."""
    if not isinstance(block, dict):
        raise broken(f"block {index} is no object")
    for name in _TEXTS:
        if not isinstance(block.get(name, ""), str | None):
            raise broken(f"block {index} begins with a {name} that is no text")
    return dict(block)


def _can_be_answered(block: Wire) -> bool:
    return block.get("type") != "tool_use" or all(
        isinstance(block.get(name), str) and block[name] for name in ("id", "name")
    )


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def broken(why: str) -> ModelFailure:
    """The failure of a reply that contradicts itself."""
    return ModelFailure(f"The model service's reply cannot be read: {why}.", retryable=True, kind="malformed")
