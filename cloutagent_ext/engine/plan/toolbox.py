"""Built-in tools on the agents' lists: ones that do not exist, ones listed twice."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.project import Definition, Problem
from .findings import agents, error, nearest, repeated, warning


def check(definition: Definition, known: frozenset[str]) -> Iterator[Problem]:
    for node, path, one in agents(definition):
        for index, name in enumerate(one.tools):
            if name not in known:
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
