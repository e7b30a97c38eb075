"""What all agents of one execution share: its ports, budget, clock, locks and warnings.

Made once by `loop.run`. Nothing here runs an agent.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..schema.base import JsonObject
from ..schema.events import WarningCode
from ..schema.execution import ContextWindow, PercentOfLimit, Usage
from .arguments import ArgumentChecks
from .budget import Budget, Settled
from .guard import Guard
from .hooks.runner import Hooks
from .job import Job
from .models.catalogue import ModelFacts, facts_of
from .pace import Pace, Places
from .past import Past
from .ports import Ports, Shown, Tool, Wire
from .stopwatch import Stopwatch
from .warmup import Warmup


@dataclass
class OpenCall:
    """A tool call that is announced, and not answered yet."""

    agent: str
    turn: str
    """Span of its turn."""
    use: Wire
    since: float
    started: bool = False
    """It may have had its effect."""


@dataclass
class Run:
    """One execution while it runs."""

    job: Job
    ports: Ports
    budget: Budget
    stopwatch: Stopwatch
    tools: Mapping[str, Tool]
    """Built-in tools by name; this execution's own, so they may hold state."""
    locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """What a tool call must have alone, by name."""
    instances: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How many instances of each subagent there were."""
    places: dict[str, Places] = field(default_factory=dict)
    """Places for instances of each subagent that run at once."""
    warmups: defaultdict[str, Warmup] = field(default_factory=lambda: defaultdict(Warmup))
    """The shared prompt prefix of each subagent's instances."""
    checks: ArgumentChecks = field(default_factory=ArgumentChecks)
    past: Past = field(default_factory=Past)
    """What earlier sittings left; empty for one that begins."""
    shown: dict[str, Shown] = field(default_factory=dict)
    """What a person was shown of the calls that they allowed, by the calls' spans."""
    open_calls: dict[str, OpenCall] = field(default_factory=dict)
    """By their spans."""
    guard: Guard = field(init=False)
    """Notices circles and silence."""
    pace: Pace = field(init=False)
    """What of it can go on; its clock stands while nothing can."""
    builtins: dict[str, str] = field(init=False)
    hooks: Hooks = field(init=False)
    _warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.hooks = Hooks(self.job, self.ports, self.past)
        self.instances.update(self.past.instances())
        self._warned |= self.past.told.warned
        self.guard = Guard(self.stopwatch.elapsed_s, self.job.definition.agent.stall_s)
        self.pace = Pace(rests=self._rest, wakes=self.stopwatch.go_on)
        self.builtins = {
            "timestamp": self.job.created_at,
            "project_name": self.job.project_name,
            "execution_id": self.job.execution_id,
        }

    def facts(self, model: str) -> ModelFacts | None:
        """What is known about a model, or None."""
        return (self.ports.facts or facts_of)(model)

    def _rest(self) -> None:
        self.stopwatch.pause()
        self.ports.approvals.rest()

    async def warn(
        self, code: WarningCode, message: str, *, agent: str = "main", span: str = "main", **details: object
    ) -> None:
        """One `warning` event."""
        fields: JsonObject = {"details": details} if details else {}
        await self.ports.events.emit("warning", agent=agent, span=span, code=code, message=message, **fields)

    async def warn_once(
        self, code: WarningCode, message: str, *, agent: str = "main", span: str = "main"
    ) -> None:
        """`warn`, unless this execution has given that warning."""
        if code not in self._warned:
            self._warned.add(code)
            await self.warn(code, message, agent=agent, span=span)

    def percent_of_limit(self) -> PercentOfLimit:
        """How much of each ceiling is used."""
        return PercentOfLimit(
            cost=self.budget.percent_of_cost(),
            tokens=self.budget.percent_of_tokens(),
            time=min(100.0, round(100 * self.stopwatch.elapsed_s() / self.stopwatch.limit_s, 2)),
        )

    async def book(
        self,
        settled: Settled,
        *,
        agent: str,
        span: str,
        context: ContextWindow | None = None,
        duration_ms: int | None = None,
        stop_reason: str | None = None,
    ) -> None:
        """Say what a model call cost, and warn where a limit comes near."""
        await self.ports.events.emit(
            "cost_update",
            agent=agent,
            span=span,
            usage=self.budget.usage.model_dump(),
            total_cost_usd=self.budget.cost,
            turn_usage=settled.usage.model_dump(),
            turn_cost_usd=settled.cost,
            percent_of_limit=self.percent_of_limit().model_dump(),
            context=None if context is None else context.model_dump(),
            duration_ms=duration_ms,
            stop_reason=stop_reason,
        )
        for code, message in settled.warnings:
            await self.warn_once(code, message)


@dataclass
class Totals:
    """What one agent has spent, without its subagents."""

    usage: Usage = field(default_factory=Usage)
    cost: float | None = 0.0
    turns: int = 0

    def add(self, settled: Settled) -> None:
        self.usage = self.usage + settled.usage
        self.cost = None if self.cost is None or settled.cost is None else self.cost + settled.cost
