"""Query arguments of the routes, as models: one per kind of list, page or stream.

Not here: how arguments are read from an address (`server.arguments`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from .base import Model, Moment
from .execution import Status
from .metrics import Window

MAX_ROWS = 1000
"""Most rows of one page of a list; larger wishes are clamped, never refused."""

MAX_EVENTS = 1000
"""Most events of one page, and the default."""

MAX_SPANS = 10_000
"""Most spans of one page of a trace, and the default."""


def _clamped(most: int) -> BeforeValidator:
    def clamp(value: object) -> object:
        number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 16 else value
        return min(number, most) if isinstance(number, int) else value

    return BeforeValidator(clamp)


Cursor = Annotated[str, Field(max_length=1000)]
EventId = Annotated[int, Field(ge=1, le=2**53)]


class NoQuery(Model):
    """A route that takes no arguments."""


class ProjectQuery(Model):
    q: Annotated[str, Field(max_length=200)] | None = None
    """Only projects whose name or description contains this."""
    limit: Annotated[int, _clamped(MAX_ROWS), Field(ge=1)] = 100
    """Most rows of a page."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before."""


class VersionQuery(Model):
    limit: Annotated[int, _clamped(MAX_ROWS), Field(ge=1)] = 100
    """Most rows of a page."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before."""


class SaveQuery(Model):
    draft: bool = False
    """Save without making a version (autosave)."""


class ValidateQuery(Model):
    connect: bool = False
    """Also start each MCP server that is switched on and ask it for its tools. Not for keys."""


class ExportQuery(Model):
    format: Literal["zip", "tar.gz", "claude", "python"] = "zip"
    """`claude`: a zip in the form of a Claude Code project. `python`: a program that stands alone."""
    ui: bool = True
    """With positions and notes of the canvas (`.ui/`)."""
    executions: bool = False
    """With the logs of its executions."""


class ExecutionQuery(Model):
    project: Annotated[str, Field(max_length=64)] | None = None
    """Only this project's."""
    status: Status | None = None
    """Only those in this status."""
    since: Moment | None = None
    """Only those created at or after this time: ISO 8601 with its zone."""
    until: Moment | None = None
    """Only those created before this time, likewise."""
    expired: bool = False
    """Also those whose files are gone, as the ledger keeps them."""
    limit: Annotated[int, _clamped(MAX_ROWS), Field(ge=1)] = 100
    """Most rows of a page."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before."""


class MetricsQuery(Model):
    window: Window = "24h"
    """How far back."""
    project: Annotated[str, Field(max_length=64)] | None = None
    """Only this project's figures."""
    simulated: bool = False
    """The figures of simulated executions instead."""
    utc_offset: Annotated[int, Field(ge=-840, le=840)] = 0
    """Minutes that the reader's clock is ahead of UTC: where days begin."""


class StreamQuery(Model):
    from_event: EventId = 1
    """First event to send; a `Last-Event-ID` header wins."""


class WatchQuery(Model):
    watch: list[Annotated[str, Field(pattern=r"^[0-9a-f-]{36}(:[0-9]{1,15})?$")]] = Field([], max_length=200)
    """`<execution id>:<first event>`, once per execution whose events are wanted."""


class EventsQuery(Model):
    from_event: EventId = 1
    """First event of the page."""
    limit: Annotated[int, _clamped(MAX_EVENTS), Field(ge=1)] = MAX_EVENTS
    """Most events of a page."""
    cursor: Cursor | None = None
    """`next_cursor` of the page before; wins over `from_event`."""


class TraceQuery(Model):
    limit: Annotated[int, _clamped(MAX_SPANS), Field(ge=1)] = MAX_SPANS
    """Most spans of a page."""
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,15}$")] | None = None
    """`next_cursor` of the page before."""
