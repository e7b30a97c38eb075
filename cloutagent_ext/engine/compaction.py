"""Making room: a conversation that has grown too long goes on from a summary of itself.

Nothing that was sent is edited. The summary, the task word for word and the last user
turn begin a new segment under the same system prompt and tools; none of the old replies
is in it, so no thinking is bound to what is gone, and the whole history stays in the log
and the journal (`compaction_begin`, then `segment`). The service summarises where it can,
else the model is asked. Not here: the wire (`transcript`), paying for it (`turn`).

A crash between the two journal records loses only the summary: the old segment still
holds, and the next turn finds it too long again.
"""

from __future__ import annotations

from collections.abc import Callable

from ..failpoints import failpoint
from .assembly import Reply
from .context import Run
from .digest import as_text, images_of
from .ports import PROMPT_TOO_LONG, EndExecution, Model, ModelFailure, Wire
from .scope import Scope
from .text import clean, clip, most_tokens
from .transcript import Transcript
from .turn import Ask, Turns

WINDOW_EXCEEDED = "model_context_window_exceeded"
"""Stop reason of a reply that was cut because the window is full."""
SUMMARY_TOKENS = 16_000
"""Longest summary, thinking included."""
_GROWTH = 0.25
"""How much a conversation must grow past its last compaction, as a part of the limit, before the next."""
_LOGGED_BYTES = 32 * 1024
_TASK_BYTES = 64 * 1024
"""Longest task that is repeated word for word."""
_SMALLEST_WINDOW = 32_000
"""Tokens that a model is taken to have room for where nothing is known of it."""

_INSTRUCTIONS = (
    "The conversation has become too long for the context window, and you will go on from a summary alone. "
    "Write that summary now, as plain text, and call no tool. Say what was asked, what was found and done "
    "(with the file names, figures, identifiers and exact words that will be needed), what was tried and did "
    "not work, decisions and their reasons, what is still open, and the very next step. Leave out nothing "
    "that would have to be found out again."
)


class Compaction:
    """Keeps one agent's conversation inside its window."""

    def __init__(self, run: Run, scope: Scope, transcript: Transcript, turns: Turns, model: Model) -> None:
        self._run = run
        self._scope = scope
        self._transcript = transcript
        self._turns = turns
        self._model = model
        facts = run.facts(scope.model)
        self._window = facts.context_window if facts else None
        limit = run.job.definition.agent.compact_at_tokens
        if self._window is not None:  # a window that is full before the limit is the limit
            limit = min(limit, max(self._window - scope.max_tokens, self._window // 2))
        self._limit = limit
        self._instructions = _INSTRUCTIONS
        """What whoever summarises is told, the hooks' word on it included."""
        self._next = float(limit)
        """Tokens from which the next compaction is due; above the limit after one that saved little."""
        self._by_service = run.job.own_service and (
            run.job.simulated
            or run.job.replay is not None  # then `own_service` says what was recorded
            or (facts is not None and facts.summarises)
        )

    async def make_room(self, span: str, room: int) -> None:
        """Compact where the next request would have more tokens than it should."""
        transcript = self._transcript
        if not self._has_history() or transcript.prompt_tokens() <= self._next:
            return
        counted = await self._model.count_tokens(transcript.request(room))
        if counted is not None:
            await transcript.note_count(counted)
            transcript.counted(counted)
        if (counted or transcript.likely_tokens()) <= self._next:
            return
        try:
            await self._compact(span, "size", None)
        except ModelFailure as failure:
            # It goes on as it is: there is room yet. Not again at once, since that would cost again.
            self._next = transcript.likely_tokens() + _GROWTH * self._limit
            await self._run.warn(
                "COMPACTION_FAILED",
                f"The conversation should be summarised, which failed ({failure.message}). It goes on whole.",
                agent=self._scope.agent,
                span=span,
            )

    async def after_refusal(self, end: EndExecution, span: str) -> None:
        """Compact where `end` says that the prompt is too long; raises `end` where that cannot help."""
        if end.details.get("kind") != PROMPT_TOO_LONG or not self._has_history():
            raise end
        try:
            await self._compact(span, PROMPT_TOO_LONG, None)
        except ModelFailure as failure:
            raise _outgrown(failure.message) from end

    async def after_cut(self, reply: Reply, span: str) -> None:
        """Compact after `reply`, the newest of the transcript, was cut by the window; else `EndExecution`."""
        try:
            await self._compact(span, WINDOW_EXCEEDED, reply)
        except ModelFailure as failure:
            raise _outgrown(failure.message) from failure

    def _has_history(self) -> bool:
        """Whether anything could be left out: a reply since the segment began."""
        return any(message["role"] == "assistant" for message in self._transcript.messages[1:])

    async def _compact(self, span: str, why: str, cut: Reply | None) -> None:
        transcript, scope = self._transcript, self._scope
        word = await self._run.hooks.pre_compact(scope, span, trigger="auto")
        if word.block is not None:
            raise ModelFailure(word.block, retryable=False, kind="hook")
        self._instructions = "\n\n".join(filter(None, (_INSTRUCTIONS, word.instructions)))
        messages, before = len(transcript.messages), transcript.likely_tokens()
        await self._run.ports.journal.record(
            "compaction_begin", agent=scope.agent, span=span, messages=messages, tokens=before, why=why
        )
        failpoint("compaction.begun")
        by, summary, beginning = await self._summarised(span, why, cut)
        failpoint("compaction.summarised")
        await transcript.begin_segment(beginning, span=span, by=by)
        failpoint("compaction.done")
        after = await self._model.count_tokens(transcript.request(scope.max_tokens))
        if after is not None:
            await transcript.note_count(after)
            transcript.counted(after)
        after = after or transcript.likely_tokens()
        self._next = max(self._limit, after + _GROWTH * self._limit)
        await self._run.warn(
            "COMPACTED",
            f"{messages} messages ({before:,} tokens) were summarised into {after:,} tokens. "
            "Everything before is still in this log.",
            agent=scope.agent,
            span=span,
            why=why,
            by=by,
            messages=messages,
            tokens_before=before,
            tokens_after=after,
            tokens_saved=max(0, before - after),
            summary=clip(clean(summary), limit=_LOGGED_BYTES),
        )

    # ------------------------------------------------------------ the summary

    async def _summarised(self, span: str, why: str, cut: Reply | None) -> tuple[str, str, list[Wire]]:
        """Who summarised, the summary, and the new segment's messages. `ModelFailure` where nobody could."""
        # The service's own summary takes no instructions of ours.
        if self._by_service and why == "size" and self._instructions == _INSTRUCTIONS:
            try:
                block = await self._service_block(span)
            except ModelFailure as failure:
                if failure.retryable:  # the service is out of order, and asking otherwise would not help
                    raise
                block = None
            if block is not None:
                begins = [{"role": "assistant", "content": [block]}, self._go_on()]
                return "service", str(block.get("content") or ""), begins
            self._by_service = False  # it said no once, and would say it again
        summary = ""
        if why == "size":
            summary = await self._asked(span, self._in_place())
        if not summary:  # the whole does not fit, or was answered with a tool call
            summary = await self._asked(span, self._retold())
        if not summary:
            raise ModelFailure("the model gave no summary", retryable=False, kind="no_summary")
        return "model", summary, [self._beginning(summary, cut)]

    async def _service_block(self, span: str) -> Wire | None:
        """The service's own summary, to be sent back as it came."""
        transcript = self._transcript
        messages = list(transcript.messages)

        def build(max_tokens: int) -> Wire:
            return {**transcript.aside(max_tokens, messages), "compaction": {"type": "summarize"}}

        reply = await self._turns.summary(span, self._ask(build, extra=0))
        blocks = [block for block in reply.content if block.get("type") == "compaction"]
        return blocks[0] if blocks and blocks[0].get("content") else None

    def _in_place(self) -> Ask:
        """The summary asked for where the conversation stands: all of it is in the cache already."""
        transcript = self._transcript
        *before, last = transcript.messages
        asked = {"type": "text", "text": self._instructions}
        if last["role"] == "user":
            messages = [*before, {**last, "content": [*last["content"], asked]}]
        else:
            messages = [*before, last, {"role": "user", "content": [asked]}]
        return self._ask(
            lambda max_tokens: transcript.aside(max_tokens, messages),
            extra=most_tokens(len(self._instructions.encode())),
        )

    def _retold(self) -> Ask:
        """The summary asked for of a shortened retelling, for a conversation that does not fit any more."""
        window = self._window or min(self._limit, _SMALLEST_WINDOW)
        room = max(4_000, window * 6 // 10 - SUMMARY_TOKENS)
        told = clip(as_text(self._transcript.messages), limit=2 * room)
        text = f"<conversation>\n{told}\n</conversation>\n\n{self._instructions}"
        message = {"role": "user", "content": [{"type": "text", "text": text}]}

        def build(max_tokens: int) -> Wire:
            request = self._transcript.aside(max_tokens, [message])
            return {name: value for name, value in request.items() if name not in ("tools", "system")}

        return Ask(build, self._summary_room(), prompt_tokens=most_tokens(len(text.encode())) + 200)

    def _ask(self, build: Callable[[int], Wire], *, extra: int) -> Ask:
        transcript, clock = self._transcript, self._run.ports.clock
        return Ask(
            build,
            self._summary_room(),
            prompt_tokens=transcript.prompt_tokens() + extra,
            cached_tokens=lambda: transcript.cached_tokens(clock.monotonic()),
            least_tokens=transcript.least_tokens,
        )

    def _summary_room(self) -> int:
        return max(1_000, min(SUMMARY_TOKENS, (self._window or self._limit) // 8))

    async def _asked(self, span: str, ask: Ask) -> str:
        """What the model answered, if it did; an empty text where it refused the request itself."""
        try:
            reply = await self._turns.summary(span, ask)
        except ModelFailure as failure:
            if failure.kind != PROMPT_TOO_LONG:
                raise
            return ""
        return "" if reply.stop_reason == "refusal" else clean(reply.text).strip()

    # ------------------------------------------------------------ the new segment

    def _beginning(self, summary: str, cut: Reply | None) -> Wire:
        """The first message of the new segment: summary, task and the last user turn."""
        messages = self._transcript.messages
        at = max(index for index, message in enumerate(messages) if message["role"] == "user")
        parts = [
            "This conversation goes on from an earlier part, which was summarised to make room.",
            f"<task>\n{clip(clean(self._scope.prompt), limit=_TASK_BYTES)}\n</task>",
            f"<summary>\n{summary}\n</summary>",
        ]
        if at > 0:
            parts.append(f"The last message to you was:\n{as_text(messages[at - 1 : at + 1])}")
        if cut is not None and (said := clean(cut.text).strip()):
            parts.append(f"You had begun to answer, and were cut off:\n{said}")
        parts.append("Go on from there.")
        content: list[Wire] = [{"type": "text", "text": "\n\n".join(parts)}]
        return {"role": "user", "content": [*content, *(images_of(messages[at]) if at > 0 else [])]}

    def _go_on(self) -> Wire:
        """What follows the service's block: the task once more, word for word."""
        task = clip(clean(self._scope.prompt), limit=_TASK_BYTES)
        said = "The conversation so far was summarised to make room. Go on from there."
        text = f"<task>\n{task}\n</task>\n\n{said}"
        return {"role": "user", "content": [{"type": "text", "text": text}]}


def _outgrown(why: str) -> EndExecution:
    return EndExecution(
        "MODEL_ERROR",
        "The conversation has outgrown the model's context window, and it could not be summarised "
        f"({why}). Split the task, or let tools answer shorter.",
        kind=WINDOW_EXCEEDED,
    )
