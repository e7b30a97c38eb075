"""A model provider: `parrot/grey` repeats what it was asked. A real one calls its service in `stream`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from cloutagent_ext.engine.models.suppliers import KnownModel
from cloutagent_ext.engine.ports import Price


def _asked(request: dict[str, Any]) -> str:
    """The text of the last message."""
    content = request["messages"][-1]["content"]
    return content if isinstance(content, str) else content[0]["text"]


class Parrot:
    def __init__(self, name: str) -> None:
        self.name = name

    async def stream(self, request: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """The events of the Messages API, from `message_start` to `message_stop`."""
        words = _asked(request).split()
        usage = {"input_tokens": len(words), "output_tokens": 1}
        message = {"id": "msg_1", "role": "assistant", "model": self.name, "content": [], "usage": usage}
        yield {"type": "message_start", "message": message}
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        for word in words:
            delta = {"type": "text_delta", "text": word + " "}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
        yield {"type": "content_block_stop", "index": 0}
        end = {"stop_reason": "end_turn"}
        yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": len(words)}}
        yield {"type": "message_stop"}

    async def count_tokens(self, request: dict[str, Any]) -> int | None:
        return None  # it cannot say; an estimate is used


class Parrots:
    def models(self) -> list[KnownModel]:
        price = Price(input=1.0, output=2.0, cache_read=0.1, cache_write_5m=1.25)
        return [
            KnownModel("grey", "Grey Parrot", context_window=32_000, max_output_tokens=16_000, price=price)
        ]

    def model(self, name: str, secret: Callable[[str], Awaitable[str]]) -> Parrot:
        return Parrot(name)  # a real one keeps `secret`, and asks it for the project's key in `stream`

    async def close(self) -> None:
        pass


def supplier() -> Parrots:
    return Parrots()
