"""The events that a scripted reply is, as the Messages API streams them.

Not here: how they travel and break on the way (`messages_api`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .messages_api import Json, Reply


def stream_of(body: Json, reply: Reply, usage: Json, number: int = 0) -> list[bytes]:
    """The events of `reply` to `body` as they travel, one item each."""
    return [encoded(event) for event in events_of(body, reply, with_ids(reply.blocks, number), usage, number)]


def events_of(body: Json, reply: Reply, blocks: list[Json], usage: Json, number: int) -> Iterable[Json]:
    yield {
        "type": "message_start",
        "message": {
            "id": f"msg_{number}", "type": "message", "role": "assistant", "model": body["model"],
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {**usage, "output_tokens": 1, "service_tier": "standard"},
        },
    }  # fmt: skip
    yield {"type": "ping"}
    yield from reply.extra_events
    for index, block in enumerate(blocks):
        yield from _blockevents_of(reply, index, block)
    size = len(json.dumps(reply.blocks))
    yield {
        "type": "message_delta",
        "delta": {
            "stop_reason": reply.stop_reason,
            "stop_sequence": None,
            **({"stop_details": reply.stop_details} if reply.stop_details else {}),
        },
        "usage": reply.final_usage if reply.final_usage is not None else {"output_tokens": -(-size // 4)},
    }
    yield {"type": "message_stop"}


_TEXTS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def _blockevents_of(reply: Reply, index: int, block: Json) -> Iterable[Json]:
    def delta(**fields: Any) -> Json:
        return {"type": "content_block_delta", "index": index, "delta": fields}

    kind = block["type"]
    if kind in _TEXTS:
        delta_type, name = _TEXTS[kind]
        empty = {key: ("" if key in (name, "signature") else value) for key, value in block.items()}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        text = block[name]
        for at in range(0, len(text), reply.pieces):
            yield delta(**{"type": delta_type, name: text[at : at + reply.pieces]})
        if "signature" in block:
            yield delta(type="signature_delta", signature=block["signature"])
    elif kind == "compaction":
        empty = {**block, "content": None, "encrypted_content": None}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield delta(
            type="compaction_delta",
            content=block["content"],
            encrypted_content=block.get("encrypted_content"),
        )
    elif kind == "tool_use":
        yield {"type": "content_block_start", "index": index, "content_block": {**block, "input": {}}}
        text = reply.raw_inputs.get(index, json.dumps(block["input"], ensure_ascii=False))
        yield delta(type="input_json_delta", partial_json="")
        for at in range(0, len(text), reply.pieces):
            yield delta(type="input_json_delta", partial_json=text[at : at + reply.pieces])
    else:  # a kind of block that nobody knows yet comes whole
        yield {"type": "content_block_start", "index": index, "content_block": block}
    yield {"type": "content_block_stop", "index": index}


def with_ids(blocks: list[Json], number: int) -> list[Json]:
    return [
        {**block, "id": f"toolu_{number}_{index}"}
        if block["type"] == "tool_use" and not block["id"]
        else block
        for index, block in enumerate(blocks)
    ]


def encoded(event: Json, end: str = "\n") -> bytes:
    text = json.dumps(event, ensure_ascii=_has_surrogate(event))  # half a pair can only travel escaped
    return f"event: {event['type']}{end}data: {text}{end}{end}".encode()


def _has_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
