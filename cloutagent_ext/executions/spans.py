"""The spans of one execution while they are made: begun, ended, given their usage. Pure.

Ids are digests of the execution's id and the step, so that every fold of a log gives the same ones, also
that of another server which goes on with it. Not here: what an event means (`trace`).
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..engine.text import clean
from ..schema.base import timestamp
from ..schema.execution import Usage
from ..schema.trace import Moment, Span, SpanKind, SpanStatus

_MAX_TEXT = 300
"""Longest text of a message or attribute, in characters: names that a model made up can be any length."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MAX_MOMENTS = 128
"""Most moments of one span; of a run with more, the first ones are kept and the rest counted."""

Event = Mapping[str, Any]


def span_id(execution_id: str, kind: SpanKind, path: str, number: int = 1) -> str:
    """Of the `number`-th step of that kind at `path`."""
    key = f"{execution_id} {kind} {path} {number}"
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:16]


class Spans:
    """All spans of one execution, in the order in which they began."""

    def __init__(self, execution_id: str, *, keep: bool) -> None:
        self._execution_id = execution_id
        self._keep = keep
        self._ids: Counter[str] = Counter()
        self.all: list[Span] = []
        """Empty without `keep`: who only sends on what has ended needs no more."""
        self.ended: list[Span] = []
        """Those that have ended since somebody emptied this."""

    def begin(
        self, kind: SpanKind, path: str, event: Event, name: str, parent: Span | None, **attributes: Any
    ) -> Span:
        """A new span; attributes that are None are left out."""
        step = f"{kind} {path}"
        self._ids[step] += 1
        span = Span(
            span_id=span_id(self._execution_id, kind, path, self._ids[step]),
            parent_id=parent.span_id if parent is not None else None,
            kind=kind,
            name=short(name),
            agent=event.get("agent", "main"),
            path=path,
            from_event=event["id"],
            start=event["ts"],
            attributes={name: short(value) for name, value in attributes.items() if value is not None},
            moments=[],
        )
        if self._keep:
            self.all.append(span)
        return span

    def end(self, span: Span, ts: str, status: SpanStatus = "ok", message: str = "") -> None:
        """It is over; once."""
        if span.end is not None:
            return
        span.start = min(span.start, ts)  # a try that was to come after a pause and never did
        span.end = ts
        span.duration_ms = ms_between(span.start, ts)
        span.status = status
        span.message = short(message)
        self.ended.append(span)

    def forget(self, span: Span) -> None:
        """It never was."""
        if self._keep:
            self.all.remove(span)


def moment(span: Span, name: str, event: Event, **attributes: Any) -> None:
    """Something that happened within `span`."""
    if len(span.moments) >= MAX_MOMENTS:
        left = span.attributes.get("cloutagent.moments_left_out", 0)
        span.attributes["cloutagent.moments_left_out"] = left + 1
        return
    found = {f"cloutagent.{key}": short(value) for key, value in attributes.items() if value is not None}
    span.moments.append(Moment(name=name, ts=event["ts"], attributes=found))


def spent(span: Span, usage: Usage, cost: float | None) -> None:
    """Usage and cost of a span, as fields and as attributes. The conventions count cached input, too."""
    span.usage, span.total_cost_usd = usage, cost
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    span.attributes |= {
        "gen_ai.usage.input_tokens": usage.input_tokens + read + written,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": read,
        "gen_ai.usage.cache_creation.input_tokens": written,
    }
    if cost is not None:
        span.attributes["cloutagent.cost_usd"] = cost


def added(span: Span, cost: float | None) -> float | None:
    if span.usage is None:
        return cost
    return None if cost is None or span.total_cost_usd is None else span.total_cost_usd + cost


def usage_of(value: Any) -> Usage:
    return value if isinstance(value, Usage) else Usage.model_validate(value, extra="ignore")


def short(value: Any) -> Any:
    """Of a text, at most its first 300 characters, without what moves a terminal's cursor."""
    value = _CONTROL.sub(" ", clean(value)) if isinstance(value, str) else value
    return value if not isinstance(value, str) or len(value) <= _MAX_TEXT else value[: _MAX_TEXT - 1] + "…"


def _moment_of(ts: str) -> datetime:
    return datetime.fromisoformat(ts).astimezone(UTC)


def ms_between(start: str, end: str) -> int:
    return max(0, round((_moment_of(end) - _moment_of(start)).total_seconds() * 1000))


def earlier(ts: str, ms: int) -> str:
    return timestamp(_moment_of(ts) - timedelta(milliseconds=ms))
