"""Text on its way into a transcript or a log: made encodable, and cut to size.

A lone surrogate in one message makes every later request of that conversation fail,
and what has entered an append-only transcript stays; so text is cleaned before it enters.
"""

from __future__ import annotations

import math
from typing import Any

INLINE_BYTES = 32 * 1024
"""Most text of one tool result that a model gets, in bytes of UTF-8."""
HEAD_BYTES = 24 * 1024
"""How much of a longer text's beginning is kept; the rest of the room is its end."""

IMAGE_TOKENS = 5000
"""More than the service counts for any one picture."""
DOCUMENT_BYTES_PER_TOKEN = 20
HELD_DOCUMENT_TOKENS = 1_000_000
"""Most tokens of a document that the service keeps: what a window holds. Its own count is asked for then."""
"""Base64 of a PDF per token, about: what the service counts depends on its pages."""


def clean(text: str) -> str:
    """`text` with lone surrogates replaced, and surrogate pairs that came in two pieces joined."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_json(value: Any) -> Any:
    """`value` (JSON) with every string cleaned and every NaN or infinity spelled out as text."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def clip(text: str, *, limit: int = INLINE_BYTES) -> str:
    """`text`, or where it has over `limit` bytes of UTF-8 its head and tail, with what is missing said."""
    if len(text) <= limit // 4:
        return text
    data = text.encode()
    if len(data) <= limit:
        return text
    head_bytes = min(HEAD_BYTES, limit * 3 // 4)
    tail_bytes = max(0, limit - head_bytes - 80)  # 80: room for the line between them
    head = data[:head_bytes].decode("utf-8", "ignore")
    tail = data[len(data) - tail_bytes :].decode("utf-8", "ignore")
    return f"{head}\n[... {len(data) - head_bytes - tail_bytes} bytes left out ...]\n{tail}"


def likely_tokens(size: int) -> int:
    """Tokens that `size` bytes of prose or code usually are."""
    return -(-size // 4)


def most_tokens(size: int) -> int:
    """More tokens than `size` bytes of any text that people or tools write are, for reservations."""
    return -(-size // 2)
