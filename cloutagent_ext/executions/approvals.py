"""The engine's `Approvals` port: a call that asks waits here, and its execution gives its slot away.

Where nobody can answer, the project's `on_ask_unattended` decides: an error result that says
so, or waiting all the same. Not here: when a call must ask (`engine.gate`), the questions
themselves and their answers (`questions`).
"""

from __future__ import annotations

import asyncio

from ..engine.ports import Clock, Decision, Question
from ..schema.execution import Spec
from .live import Live

_FACES = frozenset({"panel", "notebook", "cli"})
"""Origins whose face shows a question to a person."""


def attended(spec: Spec) -> bool:
    """Whether somebody is there who can be asked."""
    return spec.origin in _FACES if spec.attended is None else spec.attended


class Approvals:
    """Of one execution while it runs."""

    def __init__(self, live: Live, clock: Clock) -> None:
        self._live = live
        self._questions = live.questions
        self._clock = clock
        self._waits = attended(live.spec) or live.spec.definition.agent.on_ask_unattended == "wait"
        self._idle = False
        self._asking = 0
        """Questions on their way to whoever looks."""
        self._rests_since: float | None = None
        self._waking: asyncio.Task[None] | None = None

    async def decide(self, question: Question) -> Decision:
        """See `ports.Approvals.decide`."""
        if not self._waits:
            return unattended(question)
        try:
            self._asking += 1
            try:
                asked = await self._questions.ask(question)
            finally:
                self._asking -= 1
            if asked.open:
                self._settle()
            decision = await asked.answer()
        except asyncio.CancelledError:
            if (
                self._live.stop is None
            ):  # not the execution is stopped, but the call broken off by another's end
                self._questions.withdraw(question)
            raise
        await self._wake()
        return decision

    def rest(self) -> None:
        """See `ports.Approvals.rest`."""
        self._idle = True
        self._settle()

    def _settle(self) -> None:
        """Give the slot away, once nothing can go on and all that is to be asked has been."""
        asked = not self._asking and bool(self._live.state.approvals)
        if self._idle and asked and self._rests_since is None:
            self._rests_since = self._clock.monotonic()
            self._live.say("waiting")
            self._live.slot.give_back()

    async def _wake(self) -> None:
        """Return with a slot; several decisions share the way to it."""
        if self._rests_since is not None:
            if self._waking is None:
                self._waking = asyncio.create_task(self._take_again())
            await asyncio.shield(self._waking)
        self._idle = False

    async def _take_again(self) -> None:
        try:
            await self._live.slot.take_again()
            self._count()
            if self._live.state.status != "running":
                self._live.say("running")
        finally:
            self._waking = None

    def _count(self) -> None:
        if self._rests_since is not None:
            self._live.rested_s += self._clock.monotonic() - self._rests_since
            self._rests_since = None

    async def close(self) -> None:
        """The execution is over, or leaves this process."""
        self._count()
        if self._waking is not None:
            self._waking.cancel()
            await asyncio.gather(self._waking, return_exceptions=True)


def unattended(question: Question) -> Decision:
    """A refusal that the model can react to and a person can act on."""
    tool, agent = question.tool, question.agent_id
    where = "the agent" if agent == "main" else f"the subagent {agent}"
    return Decision(
        allow=False,
        by="policy",
        message=(
            f"This call of `{tool}` needs a person's approval, and nobody can give it here, so it was "
            f"not run. Do without it, or say what you would have done. (To allow it, set the "
            f'permission "{tool}": "allow" on {where} of this project, or a pattern such as '
            f'"{tool}(...)" for some of its calls. To let it wait for somebody, set `on_ask_unattended` '
            f'to "wait".)'
        ),
    )
