"""What a monitor shows of one execution, put together from its events: figures, and a tree of steps.

Pure: events in, a picture out; the same events give the same picture, live or a year later. Not
here: how it looks (`pieces`), whose output it is (`monitor`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

LONGEST_OUTPUT = 4000
"""Characters of one tool's text that are shown."""


@dataclass
class Step:
    """A turn's words, a tool call, or a subagent inside a call."""

    span: str
    kind: Literal["turn", "call", "agent"]
    title: str
    began: float
    ended: float | None = None
    failed: bool = False
    about: str = ""
    """What it was asked, on one line."""
    thinking: str = ""
    text: str = ""
    input: dict[str, Any] = field(default_factory=dict)
    output: list[Any] = field(default_factory=list)
    """`text`, `image`, `file` and `display` parts, as events have them."""
    steps: list[Step] = field(default_factory=list)
    version: int = 0
    """Grows whenever it, or one below it, changes."""


@dataclass
class Asked:
    """A call that waits for a person."""

    call_id: str
    tool: str
    agent: str
    shown: str
    """What it would do."""
    reason: str


class Picture:
    """One execution, as far as its events have come."""

    def __init__(self, execution_id: str, project: str | None = None) -> None:
        self.id = execution_id
        self.project = project or "Execution"
        self.status = "queued"
        self.step = ""
        self.model = ""
        self.simulated = False
        self.replay = False
        self.tokens = 0
        self.cost: float | None = 0.0
        self.percent: dict[str, float] = {}
        """How much of each limit is used, 0 to 100."""
        self.limits: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.asked: list[Asked] = []
        self.result: str | None = None
        self.error: tuple[str, str] | None = None
        self.steps: list[Step] = []
        self.ran_s = 0.0
        self.last_id = 0
        self._at: dict[str, Step] = {}
        self._since: float | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")

    def seconds(self, now: float) -> float:
        """Running time at the moment `now`."""
        return self.ran_s + (max(0.0, now - self._since) if self._since is not None else 0.0)

    def walk(self) -> Iterator[Step]:
        """All steps, parents first."""
        waiting = list(reversed(self.steps))
        while waiting:
            step = waiting.pop()
            yield step
            waiting += reversed(step.steps)

    # ------------------------------------------------------------ events

    def apply(self, event: Any) -> None:
        """Take the next event; types of a newer server only move the clock on."""
        moment = datetime.fromisoformat(event.ts).timestamp()
        self.last_id = event.id
        take = getattr(self, f"_{event.type}", None)
        if take is not None:
            take(event, moment)

    def _queued(self, event: Any, moment: float) -> None:
        self.status, self.step = "queued", f"place {event.position} in the queue" if event.position else ""

    def _start(self, event: Any, moment: float) -> None:
        self.model, self.simulated, self.replay = event.model, event.simulated, bool(event.replay)
        self.limits = event.limits.model_dump()
        self._runs(moment)

    def _resumed(self, event: Any, moment: float) -> None:
        if event.limits is not None:
            self.limits = event.limits.model_dump()
        self._runs(moment)

    def _running(self, event: Any, moment: float) -> None:
        step = self.step
        self._runs(moment)
        self.step = step

    def _runs(self, moment: float) -> None:
        self.status, self.step, self._since = "running", "starting", moment

    def _rests(self, status: str, moment: float) -> None:
        self.ran_s, self._since = self.seconds(moment), None
        self.status, self.step = status, ""

    def _waiting(self, event: Any, moment: float) -> None:
        self._rests("waiting", moment)
        self.step = "for a person"

    def _interrupted(self, event: Any, moment: float) -> None:
        self._rests("interrupted", moment)
        self.step = event.why

    def _agent_start(self, event: Any, moment: float) -> None:
        if event.subagent is not None:
            self._new(Step(event.span, "agent", event.agent, moment, about=_line(event.prompt)))
        self.step = "waiting for the model"

    def _agent_complete(self, event: Any, moment: float) -> None:
        if (step := self._at.get(event.span)) is not None:
            step.ended = moment
            self._changed(step)

    def _thinking(self, event: Any, moment: float) -> None:
        step = self._turn(event, moment)
        step.thinking += event.content
        self.step = "thinking"
        self._changed(step)

    def _text(self, event: Any, moment: float) -> None:
        step = self._turn(event, moment)
        step.text += event.content
        self.step = "writing"
        self._changed(step)

    def _tool_call(self, event: Any, moment: float) -> None:
        self._turn(event, moment)
        about = _line(_shown(event.tool, event.input))
        self._new(Step(event.span, "call", event.tool, moment, about=about, input=event.input))
        self.step = event.tool

    def _tool_result(self, event: Any, moment: float) -> None:
        step = self._at.get(event.span)
        if step is not None:
            step.ended, step.failed, step.output = moment, event.is_error, list(event.output)
            self._changed(step)
        self.step = "waiting for the model"

    def _approval_required(self, event: Any, moment: float) -> None:
        preview = event.preview
        shown = preview.content if preview is not None else _shown(event.tool, event.input)
        self.asked.append(Asked(event.call_id, event.tool, event.agent, shown, event.reason))

    def _approval(self, event: Any, moment: float) -> None:
        answered = [each.tool for each in self.asked if each.call_id == event.call_id]
        self.asked = [each for each in self.asked if each.call_id != event.call_id]
        if self.status == "waiting" and not self.asked:
            self._runs(moment)
        if answered and event.decision == "allow":
            self.step = answered[0]

    def _cost_update(self, event: Any, moment: float) -> None:
        usage, percent = event.usage, event.percent_of_limit
        self.tokens = usage.counted + usage.cache_read_input_tokens
        self.cost = event.total_cost_usd
        found = {"cost": percent.cost, "tokens": percent.tokens}
        self.percent = {name: value for name, value in found.items() if value is not None}

    def _warning(self, event: Any, moment: float) -> None:
        if event.code == "RETRYING" and (step := self._at.get(event.span)) is not None:
            step.text = step.thinking = ""  # what the turn had said is void
            self._changed(step)
        if event.code not in ("SIMULATED", "REPLAYED"):
            self.warnings.append(event.message)

    def _complete(self, event: Any, moment: float) -> None:
        self._over("completed", event, moment)

    def _error(self, event: Any, moment: float) -> None:
        self._over("failed", event, moment)
        self.error = (event.code, event.message)

    def _cancelled(self, event: Any, moment: float) -> None:
        self._over("cancelled", event, moment)
        self.error = ("CANCELLED", f"Stopped by {event.by}.")

    def _over(self, status: str, event: Any, moment: float) -> None:
        self._rests(status, moment)
        self.ran_s = event.duration_ms / 1000
        self.asked = []
        if event.result is not None:
            self.result = event.result.text
        for step in self.walk():
            if step.ended is None:
                step.ended = moment
                step.version += 1

    # ------------------------------------------------------------ the tree

    def _turn(self, event: Any, moment: float) -> Step:
        """The turn that the event is in."""
        parts = event.span.split("/")
        while parts and not parts[-1].isdecimal():
            parts.pop()
        span = "/".join(parts) or event.span
        step = self._at.get(span)
        return step if step is not None else self._new(Step(span, "turn", event.agent, moment))

    def _new(self, step: Step) -> Step:
        if (known := self._at.get(step.span)) is not None:  # told again after a resume
            return known
        self._at[step.span] = step
        parent = self._parent(step.span)
        (self.steps if parent is None else parent.steps).append(step)
        self._changed(step)
        return step

    def _parent(self, span: str) -> Step | None:
        while "/" in span:
            span = span.rpartition("/")[0]
            if (step := self._at.get(span)) is not None:
                return step
        return None

    def _changed(self, step: Step | None) -> None:
        while step is not None:
            step.version += 1
            step = self._parent(step.span)


def _shown(tool: str, arguments: dict[str, Any]) -> str:
    """What a call does, as a person would write it."""
    for name in ("command", "code", "path", "url", "prompt", "pattern"):
        if isinstance(value := arguments.get(name), str):
            return value
    return json.dumps(arguments, ensure_ascii=False) if arguments else ""


def _line(text: str, longest: int = 90) -> str:
    words = " ".join(text.split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"
