"""An execution as spans: who did what, inside of what, for how long and at what price.

Derived from the events (`executions.trace`); nothing here is stored. Attributes have the names of
OpenTelemetry's GenAI conventions, ours begin with `cloutagent.`; none holds what was said, asked for
or answered, so that a trace can leave the machine.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import JsonObject, Model, Timestamp
from .execution import ExecutionId, Status, Usage

SpanKind = Literal["execution", "agent", "model", "tool", "subagent", "hook", "mcp"]
SpanStatus = Literal["running", "ok", "error", "cancelled", "interrupted"]


class Moment(Model):
    """Something that happened within a span: a question to a person, a warning, a new sitting."""

    name: str
    ts: Timestamp
    attributes: JsonObject = {}


class Span(Model):
    """One step of an execution, with its beginning and its end."""

    span_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    parent_id: str | None = None
    """The step it belongs to; null for the execution itself."""
    kind: SpanKind
    """`model`: one attempt of a model call; `mcp`: a call of an MCP server's tool; `agent`: the main one."""
    name: str
    agent: str = "main"
    path: str
    """The `span` of its events."""
    from_event: int
    """The event that it begins with."""
    start: Timestamp
    end: Timestamp | None = None
    """Null while it goes on."""
    duration_ms: int | None = None
    """Milliseconds from start to end; null while it goes on."""
    status: SpanStatus = "running"
    message: str = ""
    """Why it ended badly."""
    usage: Usage | None = None
    """Tokens: of a model call its own, of an agent its own calls', of the execution all."""
    total_cost_usd: float | None = None
    """US dollars likewise; null where there is none or a price is unknown."""
    attributes: JsonObject = {}
    moments: list[Moment] = []


class Trace(Model):
    """The spans of an execution in the order in which they began; it grows while it runs."""

    trace_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    """The execution's id without its hyphens: the same in logs and in OpenTelemetry."""
    execution_id: ExecutionId
    status: Status
    """How the execution stands."""
    items: list[Span]
    next_cursor: str | None = None
    """Ask again with `cursor` until it is null."""
