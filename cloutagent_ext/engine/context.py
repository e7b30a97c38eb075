"""What all agents of one execution share: its ports, budget, clock, locks and warnings.

Made once by `loop.run`. Nothing here runs an agent.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ..schema.base import JsonObject
from ..schema.events import WarningCode
from ..schema.execution import ContextWindow, PercentOfLimit, Usage
from .arguments import ArgumentChecks
from .budget import Budget, Settled
from .hooks.runner import Hooks
from .models.catalogue import ModelFacts, facts_of
from .past import Past
from .ports import Clock, Job, Ports, Tool
from .warmup import Warmup


class Stopwatch:
    """Running time of an execution; it stands while a person is being waited for.

    `ran_s`: what earlier sittings took.
    """

    def __init__(self, clock: Clock, limit_s: float, *, ran_s: float = 0.0) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._started = clock.monotonic()
        self._paused = 0
        self._paused_at = 0.0
        self._left_out = -ran_s
        self.timeout: asyncio.Timeout | None = None
        """The deadline that moves with the pauses; set by `loop.run`."""

    def elapsed_s(self) -> float:
        """Seconds of running so far."""
        now = self._paused_at if self._paused else self._clock.monotonic()
        return now - self._started - self._left_out

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """The time inside does not count."""
        if self._paused == 0:
            self._paused_at = self._clock.monotonic()
            self._move_deadline(None)
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1
            if self._paused == 0:
                self._left_out += self._clock.monotonic() - self._paused_at
                self._move_deadline(self.limit_s - self.elapsed_s())

    def _move_deadline(self, seconds: float | None) -> None:
        if self.timeout is not None and not self.timeout.expired():
            now = asyncio.get_running_loop().time()
            self.timeout.reschedule(None if seconds is None else now + seconds)


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
    places: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    """Places for instances of each subagent that run at once."""
    warmups: defaultdict[str, Warmup] = field(default_factory=lambda: defaultdict(Warmup))
    """The shared prompt prefix of each subagent's instances."""
    checks: ArgumentChecks = field(default_factory=ArgumentChecks)
    past: Past = field(default_factory=Past)
    """What earlier sittings left; empty for one that begins."""
    builtins: dict[str, str] = field(init=False)
    hooks: Hooks = field(init=False)
    _warned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.hooks = Hooks(self.job, self.ports)
        self.instances.update(self.past.instances())
        self._warned |= self.past.told.warned
        self.builtins = {
            "timestamp": self.job.created_at,
            "project_name": self.job.project_name,
            "execution_id": self.job.execution_id,
        }

    def facts(self, model: str) -> ModelFacts | None:
        """What is known about a model, or None."""
        return (self.ports.facts or facts_of)(model)

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
        self, settled: Settled, *, agent: str, span: str, context: ContextWindow | None = None
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
