"""A stretch of a conversation retold as plain text: for a summary, and for what follows one.

Thinking is left out: it is bound to the conversation it was thought in. Not here: when
and why it is retold (`engine.compaction`).
"""

from __future__ import annotations

import json

from .ports import Wire
from .text import clean, clip

_ONE_BLOCK_BYTES = 16 * 1024
"""Longest single block in a retelling."""


def as_text(messages: list[Wire]) -> str:
    """What was said, called and answered, in order, each under its speaker."""
    names: dict[str, str] = {}
    told = []
    for message in messages:
        for block in message["content"]:
            if block.get("type") == "tool_use":
                names[block["id"]] = block["name"]
            if text := _told(message["role"], block, names):
                told.append(text)
    return "\n\n".join(told)


def images_of(message: Wire) -> list[Wire]:
    """Pictures in `message`, those of its tool results included."""
    found = []
    for block in message["content"]:
        if block.get("type") == "image":
            found.append(block)
        elif isinstance(inner := block.get("content"), list):
            found.extend(part for part in inner if isinstance(part, dict) and part.get("type") == "image")
    return found


def _told(role: str, block: Wire, names: dict[str, str]) -> str:
    kind = block.get("type")
    if kind == "text":
        return f"[{role}] {_short(block['text'])}"
    if kind == "tool_use":
        arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
        return f"[call of {block['name']}] {_short(arguments)}"
    if kind == "tool_result":
        name = names.get(block.get("tool_use_id", ""), "a tool")
        failed = " (failed)" if block.get("is_error") else ""
        return f"[result of {name}{failed}] {_short(_content(block.get('content')))}"
    if kind == "compaction":
        return f"[summary of what came before] {_short(str(block.get('content') or ''))}"
    if kind == "image":
        return f"[{role}: a picture]"
    return ""


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(
        part.get("text", "") if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts
    )


def _short(text: str) -> str:
    return clip(clean(text), limit=_ONE_BLOCK_BYTES)
