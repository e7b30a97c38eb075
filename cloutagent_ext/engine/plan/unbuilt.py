"""What this version cannot do is refused: a guard that silently does not run would be worse."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.project import Definition, Problem
from .findings import error

_CODE = "NOT_SUPPORTED"


def check(definition: Definition) -> Iterator[Problem]:
    agent = definition.agent
    if agent.memory:
        yield error(_CODE, "agent", "agent.memory", "Memory is not kept yet: switch it off.")
