"""What an execution's log has told its readers already, so that nothing is told twice.

Folded from the events of earlier sittings. Not here: what was done and said (`past`, from
the journal), and how the state that a caller sees is folded (`executions.fold`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class Told:
    """What the log has said already."""

    calls: set[str] = field(default_factory=set)
    """Spans of the tool calls that were announced."""
    results: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    """Spans of the agents that were said to begin, and to be done."""
    done: set[str] = field(default_factory=set)
    void: set[str] = field(default_factory=set)
    """Spans of turns that have shown something since they last began."""
    warned: set[str] = field(default_factory=set)
    payments: int = 0
    _since: dict[str, float] = field(default_factory=dict)
    _ran: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _moment: float = 0.0

    def event(self, event: Mapping[str, Any]) -> None:
        """Take the next event of the log."""
        kind, span = event["type"], event.get("span", "main")
        if kind == "interrupted":
            for each, since in self._since.items():
                self._ran[each] += max(0.0, self._moment - since)
            self._since.clear()
            return
        self._moment = datetime.fromisoformat(event["ts"]).timestamp()
        if kind == "resumed":
            self._since = dict.fromkeys(self.begun - self.done, self._moment)
        elif kind == "agent_start":
            self.begun.add(span)
            self._since[span] = self._moment
        elif kind == "agent_complete":
            self.done.add(span)
        elif kind == "tool_call":
            self.calls.add(span)
        elif kind == "tool_result":
            self.results.add(span)
        elif kind in ("text", "thinking"):
            self.void.add(span)
        elif kind == "cost_update":
            self.payments += 1
        elif kind == "warning":
            self.warned.add(event["code"])
            if event["code"] == "RETRYING":
                self.void.discard(span)

    def ran_s(self, span: str) -> float:
        """Seconds that the agent at `span` has run in earlier sittings."""
        return self._ran[span]
