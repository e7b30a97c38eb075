"""The recorded model: an HTTP transport below the SDK that answers POST /v1/messages from a cassette.

It speaks the service's wire, so live and replayed runs go through the same code. A request gets
the reply that was recorded for exactly it (`canonical`); the same request of several parallel
instances gets theirs one after the other. One that was never made is answered with an error that
names the first place where it differs from the nearest recorded one.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2

from ...schema.base import JsonObject
from ..ports import CASSETTE_MISS, Wire
from .canonical import Canon, Difference, shown
from .cassette import Cassette
from .simulated import AGENT_HEADER

_PIECE = 4096
"""Characters in one delta."""


class RecordedTransport(httpx2.AsyncBaseTransport):
    """Plays one cassette to one execution; `canon` is that execution's."""

    def __init__(self, cassette: Cassette, canon: Canon) -> None:
        self._cassette = cassette
        self._canon = canon

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.startswith("/v1/files"):  # whatever comes, the recording knows it by one name
            await request.aread()
            return httpx2.Response(200, json={"id": "file_recorded", "type": "file"})
        body = json.loads(await request.aread())
        frozen, messages = self._canon.frozen(body), self._canon.messages(body)
        found = self._cassette.find(frozen, messages)
        if request.url.path.endswith("/count_tokens"):
            return _counted(self._cassette.count(frozen, messages))
        reply = next((each for each in found if not each.used), None)
        if reply is None:
            agent = request.headers.get(AGENT_HEADER, "main")
            return self._miss(agent, frozen, messages, len(found))
        reply.used = True
        wire = self._canon.places.put_in(reply.wire)
        headers = {"content-type": "text/event-stream", "request-id": "req_recorded"}
        return httpx2.Response(200, headers=headers, stream=_Wire(wire, body.get("model")))

    def _miss(self, agent: str, frozen: Wire, messages: list[Any], times: int) -> httpx2.Response:
        message, details = self._explained(agent, frozen, messages, times)
        error = {"type": CASSETTE_MISS, "message": message, "details": details}
        return httpx2.Response(422, json={"type": "error", "error": error})

    def _explained(self, agent: str, frozen: Wire, messages: list[Any], times: int) -> tuple[str, JsonObject]:
        header = self._cassette.header
        name = f"The cassette {header.get('id', '')}".strip()
        asked = f"request {sum(m.get('role') == 'assistant' for m in messages) + 1} of `{agent}`"
        if times:
            said = (
                f"{name} has {times} {'reply' if times == 1 else 'replies'} to {asked}, and all are played: "
                "it was made more often than in the recording."
            )
            return said, {"path": "", "expected": times, "got": times + 1, "agent": agent}
        nearest = self._cassette.nearest(agent, frozen, messages)
        if nearest is None:
            return f"{name} holds no reply at all.", {"path": "", "expected": None, "got": None}
        found = nearest.differs(frozen, messages) or Difference("", None, None)
        details = {"path": found.path, "expected": found.expected, "got": found.got, "agent": agent}
        end = ""
        if len(messages) > max(each.at for each in self._cassette.replies if each.agent == nearest.agent):
            end = f" The recorded execution ended before ({header.get('status', 'it is not known how')})."
        said = (
            f"{name} does not have {asked}. It differs from the recorded one at `{found.path}`: expected "
            f"{_quoted(found.expected)}, got {_quoted(found.got)}.{end} Record it anew, or undo the change."
        )
        return said, details


def _counted(tokens: int | None) -> httpx2.Response:
    if tokens is None:
        reason = {"type": "not_found_error", "message": "not on the cassette"}
        return httpx2.Response(404, json={"type": "error", "error": reason})
    return httpx2.Response(200, json={"input_tokens": tokens})


def _quoted(value: Any) -> str:
    return json.dumps(shown(value), ensure_ascii=False)


class _Wire(httpx2.AsyncByteStream):
    """One recorded reply, as server-sent events that add up to exactly it."""

    def __init__(self, wire: Wire, model: str | None) -> None:
        self._wire = wire
        self._model = wire.get("model") or model

    async def __aiter__(self) -> AsyncIterator[bytes]:
        usage = self._wire.get("usage") or {}
        message: Wire = {
            "id": self._wire.get("message_id"), "type": "message", "role": "assistant", "model": self._model,
            "content": [], "stop_reason": None, "stop_sequence": None,
            "usage": {**usage, "output_tokens": 1},
        }  # fmt: skip
        yield _event("message_start", message=message)
        for index, block in enumerate(self._wire["content"]):
            first, deltas = _parts(block)
            yield _event("content_block_start", index=index, content_block=first)
            for delta in deltas:
                yield _event("content_block_delta", index=index, delta=delta)
            yield _event("content_block_stop", index=index)
        end: Wire = {"stop_reason": self._wire.get("stop_reason"), "stop_sequence": None}
        if self._wire.get("stop_details"):
            end["stop_details"] = self._wire["stop_details"]
        yield _event("message_delta", delta=end, usage={"output_tokens": usage.get("output_tokens")})
        yield _event("message_stop")


def _parts(block: Wire) -> tuple[Wire, list[Wire]]:
    """A block as it starts, and the deltas that make it whole; kinds nobody knows come whole."""
    kind = block.get("type")
    if kind == "text" and isinstance(text := block.get("text"), str):
        return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _pieces(text)]
    if kind == "thinking" and isinstance(text := block.get("thinking"), str):
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(text)]
        if block.get("signature"):
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", **({"signature": ""} if "signature" in block else {})}, deltas
    if kind == "tool_use" and block.get("input"):
        text = json.dumps(block["input"])
        return {**block, "input": {}}, [
            {"type": "input_json_delta", "partial_json": piece} for piece in _pieces(text)
        ]
    return block, []


def _pieces(text: str) -> list[str]:
    return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]


def _event(type: str, **fields: Any) -> bytes:
    return f"event: {type}\ndata: {json.dumps({'type': type, **fields})}\n\n".encode()
