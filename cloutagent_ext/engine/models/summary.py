"""How the simulated service summarises a conversation on demand, and reads its own summaries.

The block carries the whole conversation in what is opaque to everybody else, so that a
scenario goes on where it stands: nothing is kept between two requests. Not here: the
wire (`simulated`), what is said next (`scenario`).
"""

from __future__ import annotations

import base64
import json
import zlib

from ..ports import Wire


def summary_of(messages: list[Wire]) -> Wire:
    """The `compaction` block that stands for `messages`."""
    whole = expanded(messages)
    replies = sum(1 for message in whole if message.get("role") == "assistant")
    data = zlib.compress(json.dumps(whole).encode())
    return {
        "type": "compaction",
        "content": f"[A simulated summary of {len(whole)} messages, {replies} of them replies.]",
        "encrypted_content": base64.b64encode(data).decode(),
    }


def expanded(messages: list[Wire]) -> list[Wire]:
    """`messages` with a summary at their beginning replaced by what it stands for."""
    content = messages[0].get("content") if messages else None
    first = content[0] if isinstance(content, list) and content else {}
    if not isinstance(first, dict) or first.get("type") != "compaction":
        return messages
    whole: list[Wire] = json.loads(zlib.decompress(base64.b64decode(first["encrypted_content"])))
    return [*whole, *messages[1:]]
