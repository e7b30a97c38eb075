"""One conversation as append-only wire JSON, and the request that continues it.

System prompt and tools are frozen at the start; messages are only ever appended, and an
assistant message goes back exactly as it came, because thinking signatures bind to all
before them. Each part is journalled when it enters, so that a resume can rebuild the
conversation: `conversation` (frozen parts and first message), `assistant`, `user`, and
`segment`, whose messages stand in place of all before them. Not here: when a segment
ends, and what its successor begins with (`engine.compaction`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from .assembly import Reply
from .models.catalogue import ABOVE_HIGH, ModelFacts
from .output_schema import adapted
from .ports import Journal, Tool, Wire
from .remembered import PastConversation
from .text import DOCUMENT_BYTES_PER_TOKEN, HELD_DOCUMENT_TOKENS, IMAGE_TOKENS, clean, clean_json, most_tokens

_CACHE = {"type": "ephemeral"}
COUNT_MARGIN = 1.01
"""The service calls its own count an estimate."""
CACHE_LIFE_S = 240.0
"""Seconds for which a cached prefix is counted on; the service keeps it for 300."""


class Transcript:
    """The conversation of one agent."""

    def __init__(
        self,
        *,
        agent: str,
        span: str,
        model: str,
        system: str,
        tools: Iterable[Tool],
        settings: Wire,
        journal: Journal,
    ) -> None:
        self.model = model
        self._agent = agent
        self._span = span
        self._journal = journal
        self._frozen = _frozen(model, system, tools, settings)
        self._frozen_size = len(json.dumps(self._frozen))
        self.messages: list[Wire] = []
        self.segment = 0
        """How often it has begun again from a summary."""
        self._known_tokens: int | None = None
        self.least_tokens = 0
        """Tokens of the last request, as the service counted them: the next one has no fewer."""
        self._cached_tokens = 0
        self._cached_at = float("-inf")
        self._new_tokens = most_tokens(self._frozen_size)

    @property
    def prefix_tokens(self) -> int:
        """Estimate of system prompt and tools, which all conversations of one agent share."""
        return self._frozen_size // 4

    async def start(self, prompt: str, added: Iterable[str] = (), attached: Sequence[Wire] = ()) -> None:
        """The first message; `added`: what hooks give along with the prompt, `attached`: other blocks."""
        texts = [clean(prompt) or " ", *map(clean, added)]
        blocks = [{"type": "text", "text": text} for text in texts]
        message = {"role": "user", "content": [*attached, *blocks]}
        await self._journal.record(
            "conversation", agent=self._agent, span=self._span, request=self._frozen, message=message
        )
        self._append(message)

    async def go_on(self, past: PastConversation) -> None:
        """Stand where an earlier sitting left it, byte for byte: what is bound to it stays valid."""
        if past.request is None:
            await self._journal.record("frozen", agent=self._agent, span=self._span, request=self._frozen)
        else:
            self._frozen = past.request
            self._frozen_size = len(json.dumps(self._frozen))
            self._new_tokens = most_tokens(self._frozen_size)
        covered, usage = past.counted or (0, {})
        for number, message in enumerate(past.messages, 1):
            self._append(message)
            if number == covered and past.request is not None:
                self._count(usage, message)

    async def add_reply(self, reply: Reply, *, span: str, now: float) -> None:
        """A complete reply of the model, as it came."""
        message = {"role": "assistant", "content": reply.content}
        await self._journal.record(
            "assistant",
            agent=self._agent,
            span=span,
            content=reply.content,
            stop_reason=reply.stop_reason,
            stop_details=reply.stop_details,
            usage=reply.usage,
            message_id=reply.message_id,
            cost_usd=reply.cost,
        )
        self.messages.append(message)
        self._count(reply.usage, message)
        written, read = _cache_of(reply.usage)
        self._cached_tokens, self._cached_at = written + read, now

    def _count(self, usage: Wire, message: Wire) -> None:
        """Learn the size of the conversation, which ends with the reply `message`, from what it cost."""
        prompt = int(usage.get("input_tokens") or 0) + sum(_cache_of(usage))
        # What the model said becomes prompt; its own count is exact where the service gives one.
        if prompt:
            self.least_tokens = prompt
            self._known_tokens = prompt + int(usage.get("output_tokens") or 0)
            self._new_tokens = 0
        else:
            self._new_tokens += _tokens_of(message)

    async def begin_segment(self, messages: list[Wire], *, span: str, by: str) -> None:
        """Go on from `messages` instead of all there were: a new conversation under the same frozen parts.

        None of the old replies is in it, so no signature is bound to what is gone.
        """
        await self._journal.record(
            "segment", sync=True, agent=self._agent, span=span, messages=messages, by=by
        )
        self.messages = []
        self.segment += 1
        self._known_tokens = None
        self.least_tokens = 0
        self._cached_tokens, self._cached_at = 0, float("-inf")
        self._new_tokens = most_tokens(self._frozen_size)
        for message in messages:
            self._append(message)

    async def drop_reply(self, reply: Reply, *, span: str) -> None:
        """A complete reply that is asked for again, so that it does not enter; a recording has it too."""
        await self._journal.record(
            "reply_dropped",
            agent=self._agent,
            span=span,
            content=reply.content,
            stop_reason=reply.stop_reason,
            usage=reply.usage,
            message_id=reply.message_id,
        )

    async def note_aside(self, request: Wire, reply: Reply, *, span: str) -> None:
        """A request beside the conversation and its reply: for a recording of the execution."""
        await self._journal.record(
            "aside",
            agent=self._agent,
            span=span,
            request=request,
            content=reply.content,
            stop_reason=reply.stop_reason,
            usage=reply.usage,
            message_id=reply.message_id,
        )

    async def note_count(self, tokens: int) -> None:
        """The service's count of the next request: it decides what a recording must decide again."""
        await self._journal.record("counted", agent=self._agent, span=self._span, tokens=tokens)

    async def add_user(self, content: list[Wire], *, span: str, why: str = "results") -> None:
        """Tool results, all of one turn in one message, or another word of ours (`why` it is said)."""
        message = {"role": "user", "content": content}
        await self._journal.record("user", agent=self._agent, span=span, message=message, why=why)
        self._append(message)

    async def attach(self, blocks: Sequence[Wire]) -> None:
        """More for the last message, which is the user's and was not answered yet."""
        message = self.messages[-1]
        await self._journal.record("attached", agent=self._agent, span=self._span, blocks=list(blocks))
        self.messages[-1] = {**message, "content": [*message["content"], *blocks]}
        self._new_tokens += _tokens_of({"content": blocks})

    def _append(self, message: Wire) -> None:
        self.messages.append(message)
        self._new_tokens += _tokens_of(message)

    def prompt_tokens(self) -> int:
        """At least the tokens of the next request: the last count plus a generous estimate of what is new."""
        return (self._known_tokens or 0) + self._new_tokens

    def likely_tokens(self) -> int:
        """What the next request probably has: the last count plus a fair estimate of what is new."""
        return (self._known_tokens or 0) + self._new_tokens // 2

    def counted(self, tokens: int) -> None:
        """The service has counted the next request."""
        self.least_tokens = tokens
        self._known_tokens, self._new_tokens = int(tokens * COUNT_MARGIN) + 1, 0

    def cached_tokens(self, now: float) -> int:
        """Tokens of the next request that the previous call left in the cache."""
        return self._cached_tokens if now - self._cached_at < CACHE_LIFE_S else 0

    def request(self, max_tokens: int) -> Wire:
        """Body of the next POST /v1/messages."""
        return {**self._frozen, "max_tokens": max_tokens, "messages": self.messages}

    def aside(self, max_tokens: int, messages: list[Wire]) -> Wire:
        """Body of a request beside the conversation: its frozen parts, without the answer's form."""
        request = {**self._frozen, "max_tokens": max_tokens, "messages": messages}
        if "format" in (output := request.get("output_config") or {}):
            request["output_config"] = {name: value for name, value in output.items() if name != "format"}
            if not request["output_config"]:
                del request["output_config"]
        return request


def _cache_of(usage: Wire) -> tuple[int, int]:
    """Tokens that a call wrote into the cache, and read from it."""
    return (
        int(usage.get("cache_creation_input_tokens") or 0),
        int(usage.get("cache_read_input_tokens") or 0),
    )


def _frozen(model: str, system: str, tools: Iterable[Tool], settings: Wire) -> Wire:
    request: Wire = {"model": model, "cache_control": _CACHE}
    if system.strip():
        request["system"] = [{"type": "text", "text": clean(system), "cache_control": _CACHE}]
    # By name: the same set of tools makes the same bytes, so the cache finds them.
    ordered = sorted(tools, key=lambda tool: tool.name)
    if ordered:
        request["tools"] = [
            {
                "name": tool.name,
                "description": clean(tool.description),
                "input_schema": clean_json(tool.input_schema),
            }
            for tool in ordered
        ]
    return {**request, **settings}


def with_model(request: Wire, model: str, settings: Wire) -> Wire:
    """Frozen parts for another model: system prompt and tools, which signatures bind to, as they were."""
    kept: Wire = {name: request[name] for name in ("cache_control", "system", "tools") if name in request}
    return {"model": model, **kept, **settings}


def settings_for(
    facts: ModelFacts | None, *, thinking: str, effort: str | None, output_schema: Wire | None
) -> Wire:
    """How to think and answer, as fields of a request; fixed for a conversation, or its cache is lost."""
    settings: Wire = {}
    if facts is not None:
        # Some models can do without thinking only at a low effort; asked for both, the effort stands.
        must = facts.off_up_to_high and effort in ABOVE_HIGH
        chosen = facts.auto if thinking == "auto" or must else facts.off
        if chosen is not None:
            settings["thinking"] = dict(chosen)
    output: Wire = {}
    if effort is not None and (facts is None or effort in facts.efforts):
        output["effort"] = effort
    if output_schema is not None:
        output["format"] = {"type": "json_schema", "schema": clean_json(adapted(output_schema))}
    if output:
        settings["output_config"] = output
    return settings


def _tokens_of(message: Wire) -> int:
    """More tokens than `message` can have; pictures by number, not by their bytes."""
    images = documents = 0

    def size(block: Wire) -> int:
        nonlocal images, documents
        if block.get("type") == "image":
            images += 1
            return 0
        if block.get("type") == "document":
            if block["source"].get("type") == "file":
                documents += HELD_DOCUMENT_TOKENS
            documents += len(block["source"].get("data", "")) // DOCUMENT_BYTES_PER_TOKEN + IMAGE_TOKENS
            return 0
        if isinstance(inner := block.get("content"), list):
            return 60 + sum(size(part) for part in inner)
        return len(json.dumps(block, ensure_ascii=False).encode("utf-8", "replace"))

    return (
        most_tokens(20 + sum(size(block) for block in message["content"])) + images * IMAGE_TOKENS + documents
    )
