"""The way in: one execution from its job to its outcome.

Pure but for its ports: it reads no project and knows no server. It emits everything
between `start` and the ending event, which are the worker's.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from ..scarcity import SAID, is_scarce
from ..schema.execution import EndCode, Result
from . import silence
from .attachments import shown
from .budget import WARN_AT, Budget, Settled
from .context import Run
from .conversation import Conversation
from .job import Job, Outcome
from .past import Past
from .permissions import Rules
from .ports import EndExecution, Ports, Tool, Wire
from .prompt import fill
from .scope import Scope
from .stopwatch import Stopwatch
from .subagents import tools_of

log = logging.getLogger(__name__)

_OF_OTHERS = frozenset({"TOOL_ERROR", "MCP_CONNECTION_FAILED", "MODEL_ERROR", "SUBAGENT_FAILED", "INTERNAL"})
"""Endings that blame somebody who may only have met a system with nothing left."""


async def run(job: Job, ports: Ports, tools: Mapping[str, Tool], past: Past | None = None) -> Outcome:
    """Run `job` to its end, from where `past` left it.

    `tools`: the built-in tools by name, this execution's own; whoever made them ends what
    they hold. Always an `Outcome`; raises only `CancelledError`, when it is cancelled.
    """
    limits = job.limits
    budget = Budget(
        ports.prices,
        max_cost_usd=limits.max_cost_usd,
        max_tokens=limits.max_tokens,
        local_prices=job.local_prices or job.simulated,
        ceiling=ports.ceiling,
    )
    past = Past() if past is None else past
    budget.go_on(past, "main")
    ran_s = past.ran_s + past.carried_s
    this = Run(job, ports, budget, Stopwatch(ports.clock, limits.timeout_s, ran_s=ran_s), tools, past=past)
    try:
        outcome = await _played(this)
        await _last_words(this, outcome)
    except asyncio.CancelledError:
        await this.hooks.close(cancelled=True)
        raise
    return outcome


async def _played(this: Run) -> Outcome:
    """What came of it, whatever happened."""
    limits, budget = this.job.limits, this.budget
    main: Conversation | None = None
    try:
        async with asyncio.timeout(limits.timeout_s - this.stopwatch.elapsed_s()) as deadline:
            this.stopwatch.timeout = deadline
            async with _watching_time(this), silence.watched(this):
                await this.checks.load()
                await _announce(this)
                await _catch_up(this)
                silence.answered(this)
                main = Conversation(this, await _main_scope(this))
                answer = await main.run()
        return Outcome(
            "completed",
            Result(text=answer.text, data=answer.data),
            budget.usage,
            budget.cost,
            main.totals.turns,
        )
    except TimeoutError as error:
        if not deadline.expired():
            return _unforeseen(this, main, error)
        message = f"It was not done after {limits.timeout_s} s of running. Raise `timeout_s` of the limits."
        return _failed(this, main, "TIMEOUT", message, timeout_s=limits.timeout_s)
    except EndExecution as end:
        if end.code in _OF_OTHERS and is_scarce(end):
            return _failed(
                this, main, "OVERLOADED", SAID, **end.details, instead_of=end.code, why=end.message
            )
        return _failed(this, main, end.code, end.message, **end.details)
    except Exception as error:
        return _unforeseen(this, main, error)


async def _last_words(this: Run, outcome: Outcome) -> None:
    """The hooks of the end. Nothing that goes wrong here changes how it ended."""
    reason: str = outcome.code or outcome.status
    error = outcome.message if outcome.status == "failed" else None
    text = outcome.result.text if outcome.result is not None else ""
    try:
        await this.hooks.ended(reason=reason, error=error, text=text)
        await this.hooks.close(cancelled=False)
    except Exception:
        log.exception("The last hooks of execution %s failed", this.job.execution_id)


async def _main_scope(this: Run) -> Scope:
    job, agent = this.job, this.job.definition.agent
    return Scope(
        agent="main",
        agent_id="main",
        name=agent.name,
        span="main",
        model=agent.model,
        system=fill(agent.system_prompt, job.variables, this.builtins),
        prompt=fill(job.prompt, job.variables, this.builtins),
        tools=await tools_of(this, None, this.budget),
        rules=Rules(agent.permissions),
        budget=this.budget,
        max_turns=job.limits.max_turns,
        max_tokens=agent.max_tokens,
        thinking=agent.thinking,
        effort=agent.effort,
        output_schema=agent.output_schema,
        attached=await _attached(this),
    )


async def _attached(this: Run) -> list[Wire]:
    """Files that the main agent is to be shown now; none where an earlier sitting has."""
    job, past = this.job, this.past
    if "main" in past.conversations and past.attach is None:
        return []
    facts = this.facts(job.definition.agent.model)
    return await shown(
        [*dict.fromkeys([*(past.attach or ()), *job.files])],
        job.workspace,
        sees=facts is not None and facts.sees,
        kept=this.ports.kept,
        warn=this.warn,
    )


async def _announce(this: Run) -> None:
    job = this.job
    if job.replay is not None:
        await this.warn_once(
            "REPLAYED",
            f"The cassette {job.replay} plays the model's part: no model is asked, and nothing is charged.",
        )
    elif job.simulated:
        await this.warn_once(
            "SIMULATED", "The simulated model plays this run: no model is asked, and nothing is charged."
        )
    elif job.local_prices and this.ports.prices.of(job.definition.agent.model) is None:
        await this.warn_once(
            "PRICE_LOCAL",
            f"No price is known for {job.definition.agent.model} at this base URL: its tokens count as free.",
        )


async def _catch_up(this: Run) -> None:
    """Say what the log lacks because the server died between doing and telling."""
    past = this.past
    if len(past.spent) > past.told.payments:
        last = past.spent[-1]
        await this.book(Settled(last.usage, last.cost), agent=last.agent, span=last.span)
    if past.unsettled_usd:
        await this.warn_once(
            "USAGE_LOWER_BOUND",
            "A model call was on its way when the server stopped. What it cost is not known; up to "
            f"${past.unsettled_usd:.4f} stay taken from the limits for it.",
        )


@asynccontextmanager
async def _watching_time(this: Run) -> AsyncIterator[None]:
    """One warning when most of the time is used."""

    async def watch() -> None:
        warn_at = WARN_AT * this.stopwatch.limit_s
        while (left := warn_at - this.stopwatch.elapsed_s()) > 0:  # noqa: ASYNC110 - pauses move it away
            await asyncio.sleep(max(left, 1.0 if this.stopwatch.stands else 0.05))
        await this.warn_once(
            "TIME_80", f"{WARN_AT:.0%} of the limit of {this.stopwatch.limit_s:g} s is used."
        )

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _failed(this: Run, main: Conversation | None, code: EndCode, message: str, **details: object) -> Outcome:
    text = main.text if main is not None else ""
    return Outcome(
        "failed",
        Result(text=text) if text else None,
        this.budget.usage,
        this.budget.cost,
        main.totals.turns if main is not None else 0,
        code=code,
        message=message,
        details=details,
    )


def _unforeseen(this: Run, main: Conversation | None, error: Exception) -> Outcome:
    """What nobody named: the system had nothing left, or it is a fault of ours."""
    request_id = uuid.uuid4().hex
    if is_scarce(error):
        log.error(
            "Execution %s ended for want of memory, threads or files (request %s): %r",
            this.job.execution_id, request_id, error,
        )  # fmt: skip
        return _failed(this, main, "OVERLOADED", SAID, request_id=request_id)
    log.error("Execution %s failed (request %s)", this.job.execution_id, request_id, exc_info=error)
    message = "Something went wrong inside CloutAgent. The server's log has the rest under this request id."
    return _failed(this, main, "INTERNAL", message, request_id=request_id)
