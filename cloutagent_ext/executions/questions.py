"""The questions of one execution: asked, answered once, and never forgotten.

Each is in the journal before anybody sees it, and its answer before it has an effect, so
that both outlive the server. They exist as long as this process owns the execution,
whether it runs or waits. Not here: slots and clocks (`approvals`), who may answer (`server`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from ..engine.asking import NOBODY
from ..engine.masking import NOTHING, Mask
from ..engine.ports import Clock, Decision, Question, Tool
from ..engine.remembered import PastQuestion
from ..errors import Conflict, InvalidRequest, NotFound
from ..guard import SyncFailed
from ..loading import loaded
from ..schema.base import JsonObject
from ..schema.execution import ENDED

if TYPE_CHECKING:
    from .live import Live

_log = logging.getLogger(__name__)

PATIENCE_S = 7 * 24 * 3600.0
"""Seconds after which a question that nobody has answered is answered with no."""
GRACE_S = 24 * 3600.0
"""Least of it that is left after a restart, unless that much was waited by a running server already."""
_NOTE_S = 3600.0
"""Between two notes in the journal of how long a question has waited."""


class Closed(Exception):
    """The execution leaves this process, which takes no more answers for it: hold it anew."""


class Asked:
    """One question, and its answer once it stands on the disk."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.decision: Decision | None = None
        self.deciding: tuple[Decision, asyncio.Task[None]] | None = None
        self.patience: asyncio.Task[None] | None = None
        self.waited_s: Callable[[], float] = lambda: 0.0
        """How long it has waited for an answer while a server ran."""
        self._answered = asyncio.Event()

    @property
    def open(self) -> bool:
        return self.decision is None

    def settle(self, decision: Decision) -> None:
        self.decision = decision
        self._answered.set()
        if self.patience is not None and self.patience is not asyncio.current_task():
            self.patience.cancel()

    async def answer(self) -> Decision:
        """Somebody's decision, whenever it comes."""
        await self._answered.wait()
        assert self.decision is not None
        return self.decision


class Questions:
    """All that were asked in one execution. `answered` is told after each decision by whom."""

    def __init__(self, live: Live, clock: Clock, *, answered: Callable[[str], None]) -> None:
        self._live = live
        self._clock = clock
        self._tell = answered
        self._asked: dict[str, Asked] = {}
        """By the call's span: models may give the same call id twice."""
        self.mask: Mask = NOTHING
        """What to take out of what people read."""
        self.restored = False
        self._closed = False

    def restore(self, past: Mapping[str, PastQuestion]) -> None:
        """What was asked and answered before; a decision that was kept and not seen yet is told now.

        The first time only: from then on they are known here.
        """
        if self.restored or self._closed:
            return
        self.restored = True
        for key, each in past.items():
            self._asked[key] = asked = Asked(
                Question(
                    call_id=each.call_id,
                    tool=each.tool,
                    arguments=each.arguments,
                    agent=each.agent,
                    agent_id=each.agent_id,
                    span=each.span,
                    schema=each.schema,
                    reason=each.reason,
                    again=each.again,
                )
            )
            if each.decision is not None:
                asked.settle(each.decision)
        shown = {each.call_id: each.asked_at for each in self._live.state.approvals}
        for asked in self._asked.values():
            if asked.question.again and asked.decision is None:
                self._withdraw(asked, "the server stopped, and the call with it.")
            elif (call_id := asked.question.call_id) not in shown:
                continue
            elif asked.decision is not None:
                self._say(asked.question, asked.decision)
            elif asked.patience is None:
                since = datetime.fromisoformat(shown[call_id]).timestamp()
                waited_s = past[_key(asked.question)].waited_s
                left_s = patience_left(waited_s, passed_s=self._clock.time() - since)
                self._be_patient(asked, waited_s, left_s)

    # ------------------------------------------------------------ asking

    async def ask(self, question: Question) -> Asked:
        """Put it to whoever looks; one that was asked before is not asked again."""
        asked = self._asked.get(_key(question))
        if asked is None:
            asked = self._asked[_key(question)] = Asked(question)
            await self._record(
                "approval_asked",
                call_span=_key(question),
                of=question.span,
                again=question.again,
                call_id=question.call_id,
                tool=question.tool,
                arguments=question.arguments,
                agent=question.agent,
                agent_id=question.agent_id,
                schema=question.schema,
                reason=question.reason,
                preview=question.preview.model_dump() if question.preview else None,
            )
        if asked.open and not self._shown(question):
            self._live.say(
                "approval_required",
                agent=question.agent,
                span=question.span,
                **self.mask.deep(
                    {
                        "call_id": question.call_id,
                        "tool": question.tool,
                        "input": question.arguments,
                        "preview": question.preview.model_dump() if question.preview else None,
                        "reason": question.reason,
                    }
                ),
                running=question.again > 0,
            )
            self._be_patient(asked, 0.0, PATIENCE_S)
            question.told()
        return asked

    def _shown(self, question: Question) -> bool:
        return any(
            (each.call_id, each.agent) == (question.call_id, question.agent)
            for each in self._live.state.approvals
        )

    def _be_patient(self, asked: Asked, waited_s: float, left_s: float) -> None:
        """Say no for everybody in `left_s` seconds, by a clock that nobody sets."""
        began = self._clock.monotonic()
        asked.waited_s = lambda: waited_s + self._clock.monotonic() - began

        async def wait() -> None:
            while (left := began + left_s - self._clock.monotonic()) > 0:
                await self._clock.sleep(min(left, _NOTE_S))
                await self._note(asked)
            days = PATIENCE_S / 24 / 3600
            why = f"Nobody answered within {days:.0f} days, so it was not run."
            with contextlib.suppress(Conflict, Closed):  # somebody answered in the same moment, or it goes
                await self._decide(asked, Decision(False, NOBODY, why))

        asked.patience = asyncio.create_task(wait(), name=f"patience for {asked.question.call_id}")
        asked.patience.add_done_callback(_report)

    async def _note(self, asked: Asked) -> None:
        """Keep how long it has waited: after a restart only the wall would know, which can be set."""
        if asked.question.again or self._live.state.status in ENDED:
            return
        with contextlib.suppress(OSError, SyncFailed):  # then the next note says it
            await self._record(
                "approval_waited",
                call_span=_key(asked.question),
                waited_s=round(asked.waited_s(), 3),
            )

    def withdraw(self, question: Question) -> None:
        """Nobody's word is needed any more: the agent was broken off, or the silent call speaks again."""
        asked = self._asked.get(_key(question))
        if asked is not None and asked.open:
            over = "the call has ended or speaks again." if question.again else "its agent was broken off."
            self._withdraw(asked, over)

    def _withdraw(self, asked: Asked, why: str) -> None:
        decision = Decision(False, NOBODY, f"Withdrawn: {why}")
        if self._shown(asked.question):
            self._say(asked.question, decision)
        asked.settle(decision)

    # ------------------------------------------------------------ deciding

    async def decide(self, call_id: str, decision: Decision) -> None:
        """Answer the call `call_id`; on disk when this returns. The same answer again changes nothing.

        Raises NotFound, Conflict where it was answered otherwise or the execution has ended, InvalidRequest
        for changed arguments that do not fit, `Closed`.
        """
        if self._closed:
            raise Closed
        asked = self._find(call_id)
        if asked.open and asked.deciding is None and decision.arguments is not None:
            await self._check(asked.question, decision.arguments)
        await self._decide(asked, decision)

    async def _decide(self, asked: Asked, decision: Decision) -> None:
        if asked.decision is not None:
            _agree(asked.decision, decision)
            return
        if asked.deciding is None:
            if self._closed:
                raise Closed
            # In a task of its own: whoever decides may go away in the middle of it.
            name = f"decision on {asked.question.call_id}"
            work = asyncio.create_task(self._settle(asked, decision), name=name)
            work.add_done_callback(_report)
            asked.deciding = (decision, work)
        first, work = asked.deciding
        await asyncio.shield(work)
        _agree(first, decision)

    async def _settle(self, asked: Asked, decision: Decision) -> None:
        question = asked.question
        try:
            await self._record(
                "approval",
                call_span=_key(question),
                call_id=question.call_id,
                allow=decision.allow,
                by=decision.by,
                message=decision.message,
                arguments=decision.arguments,
            )
            if self._live.log.ended:  # stopped while the answer was on its way to the disk
                raise Conflict(
                    "This execution has ended: nothing waits for an answer.", status=self._live.state.status
                )
            self._say(question, decision)
        finally:
            asked.deciding = None
        asked.settle(decision)
        self._tell(decision.by)

    def _say(self, question: Question, decision: Decision) -> None:
        self._live.say(
            "approval",
            agent=question.agent,
            span=question.span,
            call_id=question.call_id,
            decision="allow" if decision.allow else "deny",
            by=decision.by,
            **self.mask.deep({"message": decision.message, "input": decision.arguments}),
        )

    def _find(self, call_id: str) -> Asked:
        """The question about this call: an open one before one that is answered."""
        found = [asked for asked in self._asked.values() if asked.question.call_id == call_id]
        for asked in found:
            if asked.open:
                return asked
        if found:
            return found[-1]
        raise NotFound(f"No call {call_id!r} of this execution asks for approval.")

    async def _check(self, question: Question, arguments: JsonObject) -> None:
        await loaded("engine.gate")
        from ..engine.arguments import ArgumentChecks
        from ..engine.gate import objection
        from ..engine.permissions import Rules

        checks = ArgumentChecks()
        await checks.load()
        definition = self._live.spec.definition
        rules = definition.agent.permissions
        for subagent in definition.subagents:
            if subagent.id == question.agent_id:
                rules = subagent.permissions
        tool = cast(Tool, SimpleNamespace(name=question.tool, input_schema=question.schema))
        if (problem := objection(checks, Rules(rules), tool, arguments)) is not None:
            raise InvalidRequest(
                f"The changed arguments cannot be used: {problem}.",
                fields=[{"path": "input", "message": problem}],
            )

    async def _record(self, kind: str, **fields: Any) -> None:
        with self._live.guard.noticing():
            await (await self._live.journal()).record(kind, sync=True, **fields)

    async def close(self) -> None:
        """Nobody of this process is waited for any more; decisions under way are finished."""
        self._closed = True
        tasks = []
        for asked in self._asked.values():
            if asked.patience is not None:
                asked.patience.cancel()
                tasks.append(asked.patience)
                if asked.open and asked.deciding is None:
                    await self._note(asked)
            if asked.deciding is not None:
                tasks.append(asked.deciding[1])
        await asyncio.gather(*tasks, return_exceptions=True)


def patience_left(waited_s: float, *, passed_s: float) -> float:
    """Seconds of patience after a restart: `waited_s` by servers that ran, `passed_s` by the wall.

    The wall says how long no server ran, but can have been set. Set back, it adds nothing; set forward, it
    takes no more than leaves a day to answer, and that day no more than what was not waited already.
    """
    left_s = PATIENCE_S - max(passed_s, waited_s)
    return max(left_s, min(GRACE_S, PATIENCE_S - waited_s))


def _agree(first: Decision, other: Decision) -> None:
    """Raise Conflict unless both say the same."""
    if (first.allow, first.message, first.arguments) != (other.allow, other.message, other.arguments):
        word = "allow" if first.allow else "deny"
        raise Conflict(
            f"{first.by} has decided already: {word}. The first decision stands.", decision=word, by=first.by
        )


def _report(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, Conflict):  # whoever decided is told of that
        _log.error("%s failed: %s", task.get_name(), error)


def _key(question: Question) -> str:
    """What tells one question from another: models may give the same call id twice."""
    return f"{question.span}?{question.again}" if question.again else question.span
