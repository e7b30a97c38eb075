"""What the Messages API of October 2026 demands of a request, for every request of every test.

Roles, answers to tool calls, and above all that nothing is changed that was said before:
an assistant message is bound to system prompt, tools and all messages before it.
Independent of the product's own code on purpose.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

Json = dict[str, Any]

_BOUND = ("thinking", "redacted_thinking")


class WireRules:
    """The rules, and what was sent so far."""

    def __init__(self, *, allow_new_segments: bool = False) -> None:
        self.allow_new_segments = allow_new_segments
        """Whether old replies may stand under another prefix, once all their thinking is left out."""
        self._sent: dict[str, str] = {}
        self._pieces: set[str] = set()
        self._paused: set[str] = set()

    def sent(self, body: Json, blocks: list[Json], stop_reason: str | None) -> None:
        """`blocks` were the whole answer to `body`."""
        if stop_reason == "pause_turn":
            self._paused.add(canonical(blocks))
        self._sent[digest(body, body["messages"])] = canonical(blocks)
        self._pieces.update(canonical(block) for block in blocks)

    def objection(self, body: Json, headers: dict[str, str]) -> str | None:
        """Why the service refuses this request; None where it does not."""
        for name in ("model", "max_tokens", "messages"):
            if name not in body:
                return f"{name}: field required"
        for name in ("temperature", "top_p", "top_k"):
            if name in body:
                return f"{name}: not permitted"
        messages = body["messages"]
        begins_with_summary = bool(messages) and is_summary(messages[0])
        if not messages or (messages[0]["role"] != "user" and not begins_with_summary):
            return "messages: first message must use the user role"
        betas = headers.get("anthropic-beta", "")
        if ("compaction" in body or begins_with_summary) and "compact-2026-09-04" not in betas:
            return "compaction: this beta was not asked for"
        form = "format" in (body.get("output_config") or {})
        if "compaction" in body and (form or "context_management" in body):
            return "compaction: cannot be combined with an output format or context management"
        if messages[-1]["role"] == "assistant" and canonical(messages[-1]["content"]) not in self._paused:
            return "messages: prefill is not supported by this model"
        open_calls: list[str] = []
        for index, message in enumerate(messages):
            blocks = message["content"]
            if message["role"] == "assistant":
                if (reason := self._changed(body, index)) is not None:
                    return reason
                open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
                continue
            if index and messages[index - 1]["role"] == "user":
                return f"messages.{index}: two user messages in a row"
            if isinstance(blocks, str):
                blocks = [{"type": "text", "text": blocks}]
            if any(block["type"] == "text" and not block["text"] for block in blocks):
                return f"messages.{index}: text content blocks must be non-empty"
            answers = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
            if sorted(answers) != sorted(open_calls):
                return f"messages.{index}: not one `tool_result` for each `tool_use`: {open_calls}"
            if any(block["type"] == "tool_result" for block in blocks[len(answers) :]):
                return f"messages.{index}: `tool_result` blocks come first"
            open_calls = []
        return None

    def _changed(self, body: Json, index: int) -> str | None:
        """Signatures bind to all before them: a prefix must be exactly one that was answered so."""
        if index == 0 and is_summary(body["messages"][0]):
            block = canonical(body["messages"][0]["content"])
            return None if block in self._sent.values() else "messages.0: a summary that was never given"
        prefix = digest(body, body["messages"][:index])
        sent = self._sent.get(prefix)
        blocks = body["messages"][index]["content"]
        if sent is None and self.allow_new_segments and not any(b["type"] in _BOUND for b in blocks):
            strange = [block for block in blocks if canonical(block) not in self._pieces]
            return f"messages.{index}: something that was never said" if strange else None
        if sent is None:
            return f"messages.{index}: Invalid `signature`: bound to a different conversation"
        if sent != canonical(body["messages"][index]["content"]):
            return f"messages.{index}: an assistant message differs from what was sent"
        return None


def is_summary(message: Json) -> bool:
    """Whether a message is a summary that the service gave."""
    content = message["content"]
    return isinstance(content, list) and bool(content) and content[0].get("type") == "compaction"


def digest(body: Json, messages: list[Json]) -> str:
    """Stands for everything that a reply after `messages` is bound to."""
    parts = [sorted(map(canonical, body.get("tools", []))), canonical(body.get("system", []))]
    text = json.dumps([*parts, *map(canonical, messages)])
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys, without `cache_control`: the changes that signatures tolerate."""

    def strip(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: strip(inner) for key, inner in item.items() if key != "cache_control"}
        return [strip(inner) for inner in item] if isinstance(item, list) else item

    return json.dumps(strip(value), sort_keys=True)
