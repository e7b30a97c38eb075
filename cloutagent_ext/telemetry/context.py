"""Whose work is being done: the execution and the request that a log line is about.

Carried by context variables, so that every line of a task says it, whoever writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

EXECUTION: ContextVar[str | None] = ContextVar("cloutagent_execution", default=None)
CALLER: ContextVar[str | None] = ContextVar("cloutagent_caller", default=None)
"""The span of another program that a request is part of, as its `traceparent` header names it."""
REQUEST: ContextVar[str | None] = ContextVar("cloutagent_request", default=None)

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent(header: str | None) -> str | None:
    """W3C's `traceparent`, where it is one."""
    return header if header is not None and _TRACEPARENT.fullmatch(header) else None


@contextmanager
def within(execution_id: str) -> Iterator[None]:
    """What is done inside belongs to this execution; a request that set it off is over long before."""
    execution, request = EXECUTION.set(execution_id), REQUEST.set(None)
    try:
        yield
    finally:
        EXECUTION.reset(execution)
        REQUEST.reset(request)


def ids() -> dict[str, str]:
    """The ids that a line of this moment carries. A trace's id is its execution's, without hyphens."""
    found: dict[str, str] = {}
    if (execution := EXECUTION.get()) is not None:
        found["execution_id"] = execution
        found["trace_id"] = execution.replace("-", "")
    if (request := REQUEST.get()) is not None:
        found["request_id"] = request
    return found
