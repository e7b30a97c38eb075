"""What becomes of a silence that the guard notices: a warning, then a question, then the end.

Asked is about a tool call, which a person can see and judge; a model that says nothing for
so long is given up. While somebody is asked, the time does not count. Not here: noticing
it (`guard`).
"""

from __future__ import annotations

import itertools
from contextlib import AbstractAsyncContextManager

from .asking import NOBODY
from .context import Run
from .guard import Wait, stalled
from .ports import Question


def watched(run: Run) -> AbstractAsyncContextManager[None]:
    """While `run` goes on: nothing that it waits for stays silent for longer than the project allows."""

    async def tell(wait: Wait, silent_s: float) -> None:
        await run.warn(
            "STALLED",
            f"waiting {silent_s:.0f} s for {wait.what}",
            agent=wait.agent,
            span=wait.span,
            kind="silent",
            waited_s=round(silent_s, 1),
            waited_for=wait.what,
            call_id=wait.call_id,
        )

    times = itertools.count(1 + max((each.again for each in run.past.questions.values()), default=0))

    async def ask(wait: Wait, silent_s: float) -> bool:
        if wait.call_id is None or wait.tool is None:
            return False
        question = Question(
            call_id=wait.call_id,
            tool=wait.tool,
            arguments={"waited_s": round(silent_s), "waited_for": wait.what},
            agent=wait.agent,
            agent_id=wait.agent.partition("#")[0],
            span=wait.span,
            schema={"type": "object"},
            reason=f"no sign of life for {silent_s:.0f} s: allow it to go on, or deny and the run ends",
            again=next(times),
        )
        with run.stopwatch.paused():
            return (await run.ports.approvals.decide(question)).allow

    return run.guard.watching(tell, ask)


def answered(run: Run) -> None:
    """Raise `EndExecution` where a person wanted that, and the server stopped before it was done."""
    if (question := run.past.given_up()) is None:
        return
    decision = question.decision
    who = decision.by if decision is not None else NOBODY
    raise stalled(
        f"There was no sign of life for {question.arguments.get('waited_s', 0)} s while waiting for "
        f"{question.arguments.get('waited_for', question.tool)}, and {who} did not want it to go on.",
        kind="silent",
        waited_s=question.arguments.get("waited_s"),
        waited_for=question.arguments.get("waited_for"),
        agent=question.agent,
        call_id=question.call_id,
    )
