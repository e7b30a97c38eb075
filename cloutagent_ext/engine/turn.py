"""One model turn: reserve, send, show what comes, settle; again where the service fails.

A failed attempt leaves nothing in the transcript. What it had said stays in the log,
made void by the RETRYING warning of the same span. Not here: what a reply means
(`engine.conversation`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from ..failpoints import failpoint
from ..schema.execution import ContextWindow
from .assembly import Assembly, Reply, broken
from .budget import Budget, Reservation, context_tokens
from .coalesce import Coalescer, Kind
from .context import Run, Totals
from .ports import EndExecution, Model, ModelFailure, Wire
from .retry import retrying
from .transcript import COUNT_MARGIN, Transcript
from .warmup import Warmup

MAX_ATTEMPT_S = 1800.0
"""Longest single reply, in seconds, however steadily it drips."""

_BILLED = frozenset({"incomplete", "connection", "timeout", "malformed", "too_slow"})
"""Failures after which the service has charged for what it had read and said."""
_SHOWN: dict[str, Kind] = {"text_delta": "text", "thinking_delta": "thinking"}


@dataclass(frozen=True)
class Ask:
    """One request to the model, and what is known of its size."""

    build: Callable[[int], Wire]
    """The body, given the ceiling of its output."""
    max_tokens: int
    prompt_tokens: int
    """No fewer than it has."""
    cached_tokens: Callable[[], int] = lambda: 0
    """How many of them the cache still has."""
    least_tokens: int = 0
    """No more than it has."""
    shown: bool = True
    """Whether what comes is the agent speaking."""


class Turns:
    """The model calls of one conversation."""

    def __init__(
        self,
        run: Run,
        *,
        agent: str,
        model: Model,
        transcript: Transcript,
        budget: Budget,
        totals: Totals,
        warmup: Warmup | None = None,
    ) -> None:
        self._run = run
        self._agent = agent
        self._model = model
        self._transcript = transcript
        self._budget = budget
        self._totals = totals
        self._warmup = warmup
        self._stream = Coalescer(run.ports.events, agent)
        self._last_cost: float | None = None
        self._tries = 0
        facts = run.facts(transcript.model)
        self._window = facts.context_window if facts is not None else None
        self.lowered = False
        """Whether the last reply had less room than the agent's `max_tokens`, for want of budget."""

    async def take(self, span: str, max_tokens: int) -> Reply:
        """The model's next reply, complete, paid for, not yet in the transcript. Raises `EndExecution`."""
        transcript = self._transcript
        warming = self._warmup is not None and await self._warmup.enter()
        ask = Ask(
            transcript.request,
            max_tokens,
            prompt_tokens=transcript.prompt_tokens(),
            cached_tokens=lambda: transcript.cached_tokens(self._run.ports.clock.monotonic()),
            least_tokens=transcript.least_tokens,
        )
        try:
            return await self._ask(span, ask)
        except ModelFailure as failure:
            raise _end(failure, self._tries) from failure
        finally:
            if warming and self._warmup is not None:
                self._warmup.open()
            self._warmup = None

    async def summary(self, span: str, ask: Ask) -> Reply:
        """The reply to a request beside the conversation: paid for, and not shown as what the agent says.

        Raises `ModelFailure` where the service gives none, `EndExecution` where it cannot be paid.
        """
        lowered = self.lowered
        try:
            reply = await self._ask(span, replace(ask, shown=False))
        finally:
            self.lowered = lowered
        await self._transcript.note_aside(ask.build(0), reply, span=span)
        return reply

    async def _ask(self, span: str, ask: Ask) -> Reply:
        """The reply to `ask`, again where the service fails for a while. Raises as `summary` does."""
        self._stream.span = span
        self._tries = 0

        async def attempt() -> Reply:
            self._tries += 1
            return await self._attempt(span, ask, self._tries)

        async def say(failure: ModelFailure, tried: int, wait_s: float) -> None:
            await self._run.warn(
                "RETRYING",
                f"{failure.message} Trying again in {wait_s:.1f} s (try {tried + 1}).",
                agent=self._agent,
                span=span,
                kind=failure.kind,
                wait_s=round(wait_s, 3),
                request_id=failure.request_id,
            )

        return await retrying(attempt, clock=self._run.ports.clock, say=say)

    async def _attempt(self, span: str, ask: Ask, number: int) -> Reply:
        held = await self._reserve(span, ask)
        failpoint("model.reserved")
        if number == 1 and ask.shown:
            size = len(self._transcript.messages)
            self._run.guard.circles(self._agent).request(size, self._transcript.segment, held.max_tokens)
        assembly = Assembly()
        spent: Wire | None = None
        cut_off = False
        clock = self._run.ports.clock
        began = clock.monotonic()
        try:
            request = ask.build(held.max_tokens)
            await self._run.ports.journal.record(
                "model_call",
                agent=self._agent,
                span=span,
                attempt=number,
                asked=ask.max_tokens,
                max_tokens=held.max_tokens,
                held_usd=held.cost,
                held_tokens=held.tokens,
                purpose="turn" if ask.shown else "compaction",
            )
            failpoint("model.recorded")
            began = clock.monotonic()
            await self._receive(request, assembly, shown=ask.shown)
            reply = assembly.reply()
            failpoint("model.complete")
            spent = reply.usage
        except ModelFailure as failure:
            if assembly.started and failure.kind in _BILLED:
                spent = assembly.usage
            raise
        except BaseException:  # cancelled: what the service had begun, it charges for
            spent, cut_off = assembly.usage if assembly.started else None, True
            raise
        finally:
            took_ms = round((clock.monotonic() - began) * 1000)
            await self._settle(
                held,
                spent,
                span,
                unknown=cut_off and not assembly.started,
                complete=spent is not None and assembly.complete,
                took_ms=took_ms,
                stop_reason=assembly.stop_reason,
            )
        reply.cost = self._last_cost
        return reply

    async def _settle(
        self,
        held: Reservation,
        spent: Wire | None,
        span: str,
        *,
        unknown: bool,
        complete: bool,
        took_ms: int,
        stop_reason: str | None,
    ) -> None:
        settled = self._budget.settle(held, spent)
        self._last_cost = settled.cost
        if unknown:  # the service may charge for it, and has not said how much
            return
        # Until this is written, the reservation counts as spent for whoever goes on after a crash.
        await self._run.ports.journal.record(
            "settled",
            agent=self._agent,
            span=span,
            usage=None if spent is None else settled.usage.model_dump(),
            cost_usd=settled.cost,
        )
        failpoint("model.settled")
        if spent is None:
            return
        self._totals.add(settled)
        window = ContextWindow(tokens=context_tokens(spent), window=self._window)
        await self._run.book(
            settled,
            agent=self._agent,
            span=span,
            context=window,
            duration_ms=took_ms,
            stop_reason=stop_reason,
        )
        failpoint("model.told")
        if settled.over:
            await self._run.warn(
                "COST_ABOVE_RESERVED",
                f"The service charged ${settled.over:.6f} more for a call than the ${held.cost:.6f} that had "
                "been set aside as the most it could cost.",
                agent=self._agent,
                span=span,
                over_usd=settled.over,
                reserved_usd=held.cost,
            )
        if not complete:
            await self._run.warn_once(
                "USAGE_LOWER_BOUND",
                "A reply was broken off, so the service has not said all it charges for: cost and tokens "
                "are at least what is shown.",
                agent=self._agent,
                span=span,
            )

    async def _reserve(self, span: str, ask: Ask) -> Reservation:
        model, prompt, wanted = self._transcript.model, ask.prompt_tokens, ask.max_tokens
        cached = ask.cached_tokens()
        if not self._budget.fits(model, prompt_tokens=prompt, cached_tokens=cached, max_tokens=wanted):
            # The generous estimate does not fit: a real count may.
            counted = await self._model.count_tokens(ask.build(wanted))
            if counted is not None:
                prompt = max(int(counted * COUNT_MARGIN) + 1, ask.least_tokens)
        held = await self._budget.reserve(
            model, prompt_tokens=prompt, cached_tokens=min(cached, prompt), max_tokens=wanted
        )
        self.lowered = held.max_tokens < wanted
        if self.lowered:
            await self._run.warn_once(
                "OUTPUT_LOWERED",
                f"The limits leave room for a reply of {held.max_tokens} tokens instead of {wanted}.",
                agent=self._agent,
                span=span,
            )
        return held

    async def _receive(self, request: Wire, assembly: Assembly, *, shown: bool) -> None:
        waits = self._run.guard.waiting(
            f"the model {self._transcript.model}", agent=self._agent, span=self._stream.span
        )
        try:
            async with asyncio.timeout(MAX_ATTEMPT_S) as cap:
                with waits as alive:
                    if shown:
                        await self._read(request, assembly, alive)
                    else:
                        await self._read_quietly(request, assembly, alive)
        except TimeoutError as error:
            if not cap.expired():
                raise
            raise ModelFailure(
                f"The reply was not complete after {MAX_ATTEMPT_S:.0f} s.", retryable=True, kind="too_slow"
            ) from error
        finally:
            await self._stream.discard()

    async def _read(self, request: Wire, assembly: Assembly, alive: Callable[[], None]) -> None:
        stream, shown = self._stream, None
        delta, add = assembly.delta, stream.add
        async with aclosing(self._model.stream(request)) as events:  # type: ignore[type-var]
            async for event in events:
                alive()
                if event["type"] == "content_block_delta":
                    piece = delta(event)
                    if piece is None or (kind := _SHOWN.get(piece[0])) is None:
                        continue
                    if kind is not shown:
                        if shown is not None:
                            await stream.finish(shown)
                        shown = kind
                    add(kind, piece[1])
                    failpoint("model.half")
                    continue
                if self._warmup is not None:
                    self._warmup.open()
                failpoint("model.first_event")
                closed = assembly.event(event)
                if event["type"] == "content_block_start" and (text := event["content_block"].get("text")):
                    if not isinstance(text, str):
                        raise broken("the text of a block is none")
                    shown = "text"
                    add("text", text)
                if closed is not None and shown is not None and closed.get("type") == shown:
                    await stream.finish(shown)
                    shown = None
        if shown is not None and assembly.complete:
            await stream.finish(shown)

    async def _read_quietly(self, request: Wire, assembly: Assembly, alive: Callable[[], None]) -> None:
        async with aclosing(self._model.stream(request)) as events:  # type: ignore[type-var]
            async for event in events:
                alive()
                if event["type"] == "content_block_delta":
                    assembly.delta(event)
                else:
                    assembly.event(event)


def _end(failure: ModelFailure, tries: int) -> EndExecution:
    tried = f" (tried {tries} times)" if tries > 1 else ""
    details = {**failure.details, "kind": failure.kind, "tries": tries}
    if failure.retry_after_s is not None:
        details["retry_after_s"] = failure.retry_after_s
    if failure.request_id:
        details["request_id"] = failure.request_id
    return EndExecution(failure.code, failure.message + tried, **details)
