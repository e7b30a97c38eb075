"""Where cards stand on the canvas: when nobody has placed them, and when some of them have gone. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ..schema.canvas import Node, Position, cards
from ..schema.project import Definition


def arrange(definition: Definition) -> list[Node]:
    """Where cards stand when nobody placed them: hooks left of the agent, subagents below, servers right."""
    columns: list[tuple[float, Iterable[str]]] = [
        (-360, [f"hook:{item.id}" for item in definition.hooks]),
        (360, [f"mcp:{item.id}" for item in definition.mcps]),
    ]
    nodes = [Node(id="agent", position=Position(x=0, y=0))]
    for x, ids in columns:
        nodes += [Node(id=each, position=Position(x=x, y=160 * row)) for row, each in enumerate(ids)]
    width = min(4, len(definition.subagents))
    for index, item in enumerate(definition.subagents):
        row, column = divmod(index, width)
        x = 300 * (column - (width - 1) / 2)
        nodes.append(Node(id=f"subagent:{item.id}", position=Position(x=x, y=320 + 200 * row)))
    return nodes


def without_strays(definition: Definition) -> Definition:
    """`definition` without the positions of cards that it does not have (any more)."""
    there = cards(definition)
    nodes = [node for node in definition.ui.nodes if node.id in there]
    if len(nodes) == len(definition.ui.nodes):
        return definition
    return definition.model_copy(update={"ui": definition.ui.model_copy(update={"nodes": nodes})})
