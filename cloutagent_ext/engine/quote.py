"""What one execution will probably cost, before anything is sent: a range below the cap.

From what earlier executions of the same project cost, where there are some; else from the
sizes of the prompts and the turns that are allowed, at the prices that the budget reserves
and settles by. The cap is not an estimate: no execution costs more (`engine.budget`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from ..schema.project import Definition, Estimate, Subagent
from .ports import Prices, Wire
from .text import likely_tokens
from .wiring import children

FEWEST = 3
"""Earlier executions below which the sizes say more than the history."""
MOST = 20
"""Earlier executions that are looked at, the newest."""
_TURN_REPLY = 300
"""Tokens of a reply that calls a tool: a sentence and the call."""
_TURN_RESULT = 700
"""Tokens of a tool's answer, about."""


def quoted(
    first: Estimate,
    definition: Definition,
    prices: Prices | None,
    *,
    past: Sequence[float] = (),
    simulated: bool = False,
    local: bool = False,
) -> Estimate:
    """`first` (the first call) with the range of a whole execution and its cap.

    `past`: what completed executions cost, newest first. `local`: an unknown price counts as 0.
    """
    cap = definition.limits.max_cost_usd
    if simulated:
        return first.model_copy(update={"low_usd": 0.0, "high_usd": 0.0, "basis": "simulated"})
    known = list(past[:MOST])
    if len(known) >= FEWEST:
        low, high = statistics.median(known), _percentile(known, 0.9)
        basis = "history"
    else:
        found = None if prices is None else _by_size(first, definition, prices)
        if found is None and not local:
            return first.model_copy(update={"cap_usd": cap})
        low, high = found or (0.0, 0.0)
        basis, known = ("sizes" if found else "local"), []
    if cap is not None:
        low, high = min(low, cap), min(high, cap)
    return first.model_copy(
        update={"low_usd": low, "high_usd": high, "cap_usd": cap, "basis": basis, "executions": len(known)}
    )


def _percentile(values: Sequence[float], part: float) -> float:
    """The smallest of `values` that at least that part of them does not exceed."""
    return sorted(values)[math.ceil(part * len(values)) - 1]


def _by_size(first: Estimate, definition: Definition, prices: Prices) -> tuple[float, float] | None:
    """One call at least, all the turns that are allowed at most; each subagent once. None: no price."""
    agent, limits = definition.agent, definition.limits
    if first.cost_usd is None:
        return None
    calls_nothing = not (agent.tools or agent.memory or definition.mcps or children(definition, None))
    turns = 1 if calls_nothing else limits.max_turns
    high = _talk(prices, agent.model, first.input_tokens, turns, agent.max_tokens, limits.max_tokens)
    for one in _called(definition):
        own = one.limits.max_turns if one.limits and one.limits.max_turns else limits.max_turns
        prefix = likely_tokens(len(one.prompt.encode("utf-8", "replace"))) + 300 * (1 + len(one.tools))
        turns = own if one.tools or one.mcps or one.subagents else 1
        cost = _talk(prices, one.model or agent.model, prefix, turns, agent.max_tokens, limits.max_tokens)
        high = None if high is None or cost is None else high + cost
    return None if high is None else (first.cost_usd, max(high, first.cost_usd))


def _called(definition: Definition) -> list[Subagent]:
    found: dict[str, Subagent] = {}
    waiting = children(definition, None)
    while waiting:
        one = waiting.pop()
        if one.id not in found:
            found[one.id] = one
            waiting.extend(children(definition, one))
    return list(found.values())


def _talk(prices: Prices, model: str, prefix: int, turns: int, max_tokens: int, limit: int) -> float | None:
    """Price of a conversation of so many turns, each with a tool call, all of it in the cache; None: unknown.

    The turns end earlier where the token limit does.
    """
    new = _TURN_REPLY + _TURN_RESULT
    reply = min(_TURN_REPLY if turns > 1 else max_tokens, max_tokens)
    turns = max(1, min(turns, (limit - prefix) // (new + reply)))
    usage: Wire = {
        "cache_creation_input_tokens": prefix + (turns - 1) * new,
        "cache_read_input_tokens": (turns - 1) * prefix + new * (turns - 1) * (turns - 2) // 2,
        "output_tokens": turns * reply,
    }
    return prices.cost(model, usage)
