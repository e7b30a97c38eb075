"""The simulated model: an HTTP transport below the SDK that answers POST /v1/messages itself.

It speaks the service's wire, so live and simulated runs go through the same code.
Usage is counted from the text, and an unchanged prefix is read from a cache, as the
service does it; nothing is charged. What it says is decided in `scenario`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2

from ...schema.base import JsonObject
from ..ports import Wire
from ..text import likely_tokens
from .catalogue import facts_of
from .scenario import BadScenario, Step, next_step
from .summary import summary_of

AGENT_HEADER = "x-cloutagent-agent"
"""Which agent's turns to play."""

_WORD = re.compile(r"\S+\s*|\s+")
_WORDS_AT_ONCE = 12
"""Words in one delta where nothing is paced."""
_INPUT_PIECE = 48
"""Characters of a tool input in one delta."""


class SimulatedTransport(httpx2.AsyncBaseTransport):
    """Plays one project. `pace`: words a second, 0 for as fast as it goes."""

    def __init__(self, scenario: JsonObject | None, variables: Mapping[str, str], pace: float) -> None:
        self._scenario = scenario
        self._variables = dict(variables)
        self._pace = pace
        self._cached: set[bytes] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(await request.aread())
        if request.url.path.endswith("/count_tokens"):
            return httpx2.Response(200, json={"input_tokens": sum(size for _, size in _prefixes(body))})
        agent = request.headers.get(AGENT_HEADER, "main")
        try:
            if "compaction" in body:
                step = Step(summary=summary_of(body["messages"]))
            else:
                step = next_step(body, agent, self._scenario, self._variables)
        except BadScenario as error:
            reason = {"type": "invalid_request_error", "message": str(error)}
            return httpx2.Response(400, json={"type": "error", "error": reason})
        serial = hashlib.sha256(agent.encode() + json.dumps(body["messages"]).encode()).hexdigest()[:20]
        wire = _Wire(body, step, serial, self._count(body), self._pace)
        headers = {"content-type": "text/event-stream", "request-id": f"req_sim_{serial}"}
        return httpx2.Response(200, headers=headers, stream=wire)

    def _count(self, body: Wire) -> Wire:
        """Input usage of `body`; remembers its prefix as cached."""
        facts = facts_of(body.get("model", ""))
        minimum = facts.cache_minimum if facts else 1024
        total = read = 0
        for digest, size in _prefixes(body):
            total += size
            if digest in self._cached and total >= minimum:
                read = total
        asked = body.get("cache_control") is not None
        written = total - read if asked and total >= minimum else 0
        if asked:
            self._cached.update(digest for digest, _ in _prefixes(body))
        return {
            "input_tokens": total - read - written,
            "cache_read_input_tokens": read if asked else 0,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        }


def _prefixes(body: Wire) -> list[tuple[bytes, int]]:
    """For each step of the prompt (tools, system, each message): digest of all so far, tokens of the step."""
    running = hashlib.sha256(str(body.get("model")).encode())
    found = []
    for part in (body.get("tools") or [], body.get("system") or [], *(body.get("messages") or [])):
        data = json.dumps(_uncontrolled(part), ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")
        running.update(data)
        found.append((running.digest(), likely_tokens(len(data)) if part else 0))
    return found


_NO_CONTENT = frozenset({"cache_control", "encrypted_content"})


def _uncontrolled(part: Any) -> Any:
    """`part` without `cache_control`, which says where to cache, and without what is opaque to a model."""
    if isinstance(part, dict):
        return {key: _uncontrolled(value) for key, value in part.items() if key not in _NO_CONTENT}
    return [_uncontrolled(item) for item in part] if isinstance(part, list) else part


class _Wire(httpx2.AsyncByteStream):
    """One reply, as server-sent events."""

    def __init__(self, body: Wire, step: Step, serial: str, usage: Wire, pace: float) -> None:
        self._model = body.get("model")
        self._ceiling = int(body.get("max_tokens") or 0)
        self._step, self._stop_reason = _within(step, self._ceiling)
        self._serial = serial
        self._usage = usage
        self._pace = pace

    async def __aiter__(self) -> AsyncIterator[bytes]:
        message: Wire = {
            "id": f"msg_sim_{self._serial}", "type": "message", "role": "assistant", "model": self._model,
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {**self._usage, "output_tokens": 1, "service_tier": "standard"},
        }  # fmt: skip
        yield _event("message_start", message=message)
        step, index, size = self._step, 0, 0
        if step.summary is not None:
            yield _start(index, {**step.summary, "content": None, "encrypted_content": None})
            yield _delta(index, {**step.summary, "type": "compaction_delta"})
            yield _event("content_block_stop", index=index)
            index, size = index + 1, len(step.summary["content"])
        if step.thinking:
            yield _start(index, {"type": "thinking", "thinking": "", "signature": ""})
            async for piece in self._paced(step.thinking):
                yield _delta(index, {"type": "thinking_delta", "thinking": piece})
            signature = hashlib.sha256(step.thinking.encode("utf-8", "replace")).hexdigest()
            yield _delta(index, {"type": "signature_delta", "signature": f"sim_{signature}"})
            yield _event("content_block_stop", index=index)
            index, size = index + 1, size + len(step.thinking)
        if step.text:
            yield _start(index, {"type": "text", "text": ""})
            async for piece in self._paced(step.text):
                yield _delta(index, {"type": "text_delta", "text": piece})
            yield _event("content_block_stop", index=index)
            index, size = index + 1, size + len(step.text)
        for number, (name, arguments) in enumerate(step.tools):
            call_id = f"toolu_sim_{self._serial}_{number}"
            yield _start(index, {"type": "tool_use", "id": call_id, "name": name, "input": {}})
            text = json.dumps(arguments, ensure_ascii=False)
            for at in range(0, len(text), _INPUT_PIECE):
                yield _delta(
                    index, {"type": "input_json_delta", "partial_json": text[at : at + _INPUT_PIECE]}
                )
            yield _event("content_block_stop", index=index)
            index, size = index + 1, size + len(text) + len(name)
        yield _event(
            "message_delta",
            delta={"stop_reason": self._stop_reason, "stop_sequence": None},
            usage={"output_tokens": likely_tokens(size) + 1},
        )
        yield _event("message_stop")

    async def _paced(self, text: str) -> AsyncIterator[str]:
        words = _WORD.findall(text)
        # At most 20 pieces a second: a finer grain would not be seen.
        at_once = max(1, round(self._pace / 20)) if self._pace else _WORDS_AT_ONCE
        for at in range(0, len(words), at_once):
            piece = words[at : at + at_once]
            yield "".join(piece)
            if self._pace:
                await asyncio.sleep(len(piece) / self._pace)


def _within(step: Step, max_tokens: int) -> tuple[Step, str]:
    """`step` and its stop reason; what is longer than `max_tokens` is cut, as the service does it."""
    if step.summary is not None:
        return step, "compaction"
    calls = sum(len(json.dumps(arguments, ensure_ascii=False)) + len(name) for name, arguments in step.tools)
    if likely_tokens(len(step.thinking) + len(step.text) + calls) + 1 <= max_tokens:
        return step, "tool_use" if step.tools else "end_turn"
    room = max(0, max_tokens - 1) * 4  # characters, as `likely_tokens` counts
    thinking = step.thinking[:room]
    return Step(thinking=thinking, text=step.text[: room - len(thinking)]), "max_tokens"


def _event(type: str, **fields: Any) -> bytes:
    return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n".encode()


def _start(index: int, block: Wire) -> bytes:
    return _event("content_block_start", index=index, content_block=block)


def _delta(index: int, delta: Wire) -> bytes:
    return _event("content_block_delta", index=index, delta=delta)
