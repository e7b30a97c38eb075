"""Who is told of each event of this process's executions, once it is written: metrics, log lines, spans.

Observers look; they change nothing, hold nothing up, and a fault in one is logged and forgotten. Not
here: those who read a log (`log.EventLog.cursor`), and what is done with what is told (`telemetry`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ..schema.execution import Spec
from ..telemetry import context

if TYPE_CHECKING:
    from ..telemetry.meters import Meters
    from .live import Live

_log = logging.getLogger("cloutagent.executions")

Event = Mapping[str, Any]

ENDED_AS = {"complete": "completed", "error": "failed", "cancelled": "cancelled"}
"""Ending events, and the status that they end in."""


class Observer(Protocol):
    """Somebody who is told."""

    def saw(self, live: Live, event: Event) -> None:
        """`event` of `live` is written. Called in the event loop: returns at once."""
        ...


class Observers:
    """All of them, as one that never fails."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = list(observers)

    def add(self, observer: Observer) -> None:
        """One more."""
        self._observers.append(observer)

    def saw(self, live: Live, event: Event) -> None:
        """Tell everybody."""
        for observer in self._observers:
            try:
                observer.saw(live, event)
            except Exception:
                kind = event.get("type")
                _log.exception("%s could not take the event %s", type(observer).__name__, kind)

    async def close(self) -> None:
        """Wait for what any of them still does."""
        for observer in self._observers:
            if (close := getattr(observer, "close", None)) is not None:
                await close()


class Measures:
    """Counts and measures (`telemetry.meters`)."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def saw(self, live: Live, event: Event) -> None:
        match event["type"]:
            case "cost_update":
                self._model_call(live.spec, event)
            case "tool_result":
                status = "error" if event["is_error"] else "ok"
                self._meters.observe(
                    "cloutagent.tool.duration", event["duration_ms"] / 1000, event["tool"][:100], status
                )
            case "hook":
                self._meters.add("cloutagent.hooks", 1, event["on"], event["outcome"])
            case "approval":
                self._meters.add("cloutagent.approvals", 1, event["decision"])
            case "warning" if event["code"] == "RETRYING":
                kind = str((event.get("details") or {}).get("kind") or "other")[:40]
                self._meters.add("cloutagent.model.retries", 1, kind)
            case kind if status := ENDED_AS.get(kind, ""):
                spec = live.spec
                simulated = "true" if spec.simulated else "false"
                self._meters.add("cloutagent.executions", 1, status, spec.origin, simulated)
                self._meters.observe("cloutagent.execution.duration", event["duration_ms"] / 1000, status)

    def _model_call(self, spec: Spec, event: Event) -> None:
        model, meters = model_of(spec, event.get("agent", "main")), self._meters
        provider = "anthropic"
        if spec.simulated or spec.replay is not None:
            provider = "cloutagent"
        elif "/" in model:
            provider = model.partition("/")[0]
        if provider != "cloutagent" and (cost := event["turn_cost_usd"]):
            meters.add("cloutagent.cost", cost, model)
        usage = event["turn_usage"]
        read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        tokens = {
            "input": usage["input_tokens"] + read + written, "output": usage["output_tokens"],
            "cache_read": read, "cache_creation": written,
        }  # fmt: skip
        for kind, count in tokens.items():
            if count:
                meters.observe("gen_ai.client.token.usage", count, "chat", provider, model, kind)
        if (took_ms := event.get("duration_ms")) is not None:
            broken = "" if event.get("stop_reason") else "incomplete"
            meters.observe(
                "gen_ai.client.operation.duration", took_ms / 1000, "chat", provider, model, broken
            )


def model_of(spec: Spec, agent: str) -> str:
    """The model of an agent by its label, `main` or `<subagent>#k`."""
    main = spec.definition.agent.model
    wanted = agent.rpartition("#")[0]
    found = next((each.model for each in spec.definition.subagents if each.id == wanted), None)
    return found or main


class Diary:
    """A line in the log when one begins, stops, goes on and ends."""

    _TOLD = frozenset({"start", "interrupted", "resumed", "approval_required", "approval", *ENDED_AS})

    def saw(self, live: Live, event: Event) -> None:
        kind = event["type"]
        if kind not in self._TOLD and not (kind == "queued" and event["id"] == 1):
            return
        fields: dict[str, Any] = {"project_id": live.spec.project_id, "event": kind}
        for name in (
            "origin",
            "by",
            "why",
            "code",
            "tool",
            "decision",
            "attempt",
            "duration_ms",
            "total_cost_usd",
        ):
            if event.get(name) is not None:
                fields[name] = event[name]
        if kind == "start":
            fields["model"], fields["simulated"] = event["model"], event["simulated"]
        if kind == "queued":
            kind, fields["position"] = "accepted", event["position"]
            fields["origin"] = live.spec.origin
        request = context.REQUEST.get()
        with context.within(live.id):
            if request is not None:
                fields["request_id"] = request
            level = logging.WARNING if kind == "error" and event["code"] == "INTERNAL" else logging.INFO
            _log.log(level, "Execution %s: %s", live.id, kind, extra={"fields": fields})
