"""Built-in tools on the agents' lists: ones that do not exist, ones listed twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...schema.project import Definition, Problem
from ..tools.memory import NAME as MEMORY
from .findings import agents, error, nearest, repeated, warning


def broken(definition: Definition, why: Mapping[str, str]) -> Iterator[Problem]:
    """Tools of installed packages that cannot be loaded. `why`: what is wrong, by name."""
    for node, path, one in agents(definition):
        for index, name in enumerate(one.tools):
            if name in why:
                message = f"The tool {name} cannot be used ({why[name]}). Mend its package, or take it away."
                yield error("TOOL_BROKEN", node, f"{path}.tools.{index}", message)


def check(definition: Definition, known: frozenset[str]) -> Iterator[Problem]:
    for node, path, one in agents(definition):
        for index, name in enumerate(one.tools):
            if name == MEMORY:
                message = "Notes are switched on by `memory` of the agent: take this off the list."
                yield error("UNKNOWN_TOOL", node, f"{path}.tools.{index}", message)
            elif name not in known:
                yield error(
                    "UNKNOWN_TOOL",
                    node,
                    f"{path}.tools.{index}",
                    f"There is no tool called {name}.{nearest(name, known)} "
                    f"There are: {', '.join(sorted(known))}.",
                )
        for index, name in repeated(one.tools):
            message = f"{name} is on the list twice: take one away."
            yield warning("LISTED_TWICE", node, f"{path}.tools.{index}", message)
