"""What one execution spent and did: by time, agent, model and tool. Pure; a part of the fold.

Money and tokens are counted where they were spent, in slots of five minutes, so that an
execution that goes on past midnight costs on both days. Each model turn counts once, in
the execution that took it: one that goes on from another carries none of that one's.

Not here: where the ledger keeps it (`ledger`), and what GET shows (`fold`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SLOT_S = 300
"""Seconds of a slot: the finest that the metrics tell apart."""

TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")

Numbers = list[float]


class Account:
    """Grows with each event."""

    def __init__(self) -> None:
        self.spent: dict[tuple[int, str, str], Numbers] = {}
        """(slot, agent, model) → dollars, turns, turns without a price, then `TOKENS`."""
        self.tools: dict[tuple[int, str, str], Numbers] = {}
        """(slot, tool, source) → calls, errors, milliseconds, calls that came back."""
        self.waited = False
        """Whether it had to wait for its turn before it began."""
        self._models: dict[str, str] = {}
        self._calls: dict[str, tuple[int, str, str]] = {}

    def add(self, event: Mapping[str, Any], moment: float, model: str) -> None:
        """Count `event`, which happened at `moment` (seconds). `model`: the execution's own."""
        if (count := _COUNTS.get(event["type"])) is not None:
            count(self, event, int(moment // SLOT_S) * SLOT_S, model)

    def _queued(self, event: Mapping[str, Any], _: int, __: str) -> None:
        self.waited = self.waited or event["position"] > 0

    def _agent_start(self, event: Mapping[str, Any], _: int, __: str) -> None:
        self._models[event.get("agent", "main")] = event["model"]

    def _cost_update(self, event: Mapping[str, Any], slot: int, model: str) -> None:
        agent = event.get("agent", "main")
        place = (slot, agent.partition("#")[0], self._models.get(agent, model))
        numbers = self.spent.setdefault(place, [0.0] * (3 + len(TOKENS)))
        cost, usage = event["turn_cost_usd"], event["turn_usage"]
        numbers[0] += cost or 0.0
        numbers[1] += 1
        numbers[2] += cost is None
        for place_, name in enumerate(TOKENS, 3):
            numbers[place_] += usage.get(name, 0)

    def _tool_call(self, event: Mapping[str, Any], slot: int, _: str) -> None:
        place = (slot, event["tool"], event.get("source", "builtin"))
        self._calls[event["call_id"]] = place
        self.tools.setdefault(place, [0.0] * 4)[0] += 1

    def _tool_result(self, event: Mapping[str, Any], _: int, __: str) -> None:
        # A result without a call is what a guard or a person refused: nothing was used.
        if (place := self._calls.pop(event["call_id"], None)) is not None:
            numbers = self.tools[place]
            numbers[1] += bool(event["is_error"])
            numbers[2] += event["duration_ms"]
            numbers[3] += 1


_COUNTS = {
    "queued": Account._queued,
    "agent_start": Account._agent_start,
    "cost_update": Account._cost_update,
    "tool_call": Account._tool_call,
    "tool_result": Account._tool_result,
}
