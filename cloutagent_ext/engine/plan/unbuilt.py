"""What this version cannot do is refused: a guard that silently does not run would be worse."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.project import Definition, Problem
from .findings import error, warning

_CODE = "NOT_SUPPORTED"


def check(definition: Definition) -> Iterator[Problem]:
    agent = definition.agent
    if agent.kernel == "notebook":
        yield error(
            _CODE, "agent", "agent.kernel", "Using a notebook's kernel is not possible yet: choose own."
        )
    if agent.notebook is not None:
        message = "The agent cannot be bound to a notebook yet; it runs unbound."
        yield warning(_CODE, "agent", "agent.notebook", message)
    if agent.memory:
        yield error(_CODE, "agent", "agent.memory", "Memory is not kept yet: switch it off.")
