"""One agent as it is about to run: what it may do, with what, and how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..schema.base import JsonObject
from .budget import Budget
from .permissions import Rules
from .ports import Tool, Wire
from .stopwatch import Stopwatch


@dataclass(frozen=True)
class Scope:
    """One agent's run: the main agent's, or one instance of a subagent."""

    agent: str
    """Its name in events: `main`, or `<subagent id>#k`."""
    agent_id: str
    """`main`, or the subagent's id."""
    name: str
    """What its card says."""
    span: str
    """Path of its events; its turns are `<span>/1`, `<span>/2`, …"""
    model: str
    system: str
    """System prompt, variables filled in."""
    prompt: str
    """What it is asked."""
    tools: Mapping[str, Tool]
    rules: Rules
    budget: Budget
    max_turns: int
    max_tokens: int
    """Longest single reply."""
    thinking: str
    effort: str | None
    output_schema: JsonObject | None = None
    attached: Sequence[Wire] = ()
    """Blocks of the first message beside the prompt."""
    call_id: str | None = None
    """The call that started it; None for the main agent."""
    shared: bool = False
    """Other instances with the same prompt prefix may run beside it."""
    clocks: tuple[Stopwatch, ...] = ()
    """Time limits of its own and of the subagents above it; they stand while one of its calls waits."""
