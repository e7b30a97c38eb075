"""Trying a hook on what past executions did: what is asked, and what it would have done."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Model
from .execution import ExecutionId
from .project import HookEvent

MOST_EXECUTIONS = 500
"""Executions that one backtest looks at, at most."""


class BacktestRequest(Model):
    """Which executions the hook is tried on: the project's last ones, or those named."""

    last: int = Field(50, ge=1, le=MOST_EXECUTIONS)
    """How many, newest first. Ignored where `execution_ids` are given."""
    execution_ids: list[ExecutionId] | None = Field(None, min_length=1, max_length=MOST_EXECUTIONS)
    """Executions of this project."""


class BacktestRow(Model):
    """What the hook said about one thing that happened."""

    execution_id: ExecutionId
    event_id: int
    """The event of its log that the hook was told about."""
    agent: str
    call_id: str | None = None
    """The tool call, where it is about one."""
    tool: str | None = None
    outcome: Literal["allow", "ask", "deny", "changed", "failed"]
    message: str = ""
    duration_ms: int


class Backtest(Model):
    """What the hook would have done. Totals count the rows."""

    hook: str
    on: HookEvent
    executions: int
    """Executions that were looked at."""
    seen: int
    """What the hook was told about: calls, prompts, ends, as its event says."""
    allowed: int
    asked: int
    denied: int
    changed: int
    failed: int
    """Of a guard (`on_failure: block`) these would have been blocked too."""
    complete: bool
    """False: there was more than one backtest runs, or time was up; the newest were looked at first."""
    skipped: list[ExecutionId] = []
    """Executions whose log cannot be read."""
    rows: list[BacktestRow]
