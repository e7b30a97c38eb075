"""Who delegates to whom: names, unknown ids, cycles, depth, and subagents that nobody calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...schema.project import Definition, Hook, McpServer, Problem, Subagent
from ..wiring import MAX_DEPTH, PREFIX, by_id, children, paths
from .findings import LONGEST_TOOL_NAME, agents, error, nearest, repeated, subagents, warning


def check(definition: Definition) -> Iterator[Problem]:
    known = by_id(definition)
    for node, path, one in agents(definition):
        listed = one.subagents or []
        for index, child in enumerate(listed):
            if child not in known:
                yield error(
                    "UNKNOWN_SUBAGENT",
                    node,
                    f"{path}.subagents.{index}",
                    f"There is no subagent {child}: make it, or take it off the list.{nearest(child, known)}",
                )
        for index, child in repeated(listed):
            message = f"{child} is on the list twice: take one away."
            yield warning("LISTED_TWICE", node, f"{path}.subagents.{index}", message)
    yield from _shape(definition)
    for node, path, subagent in subagents(definition):
        if len(PREFIX + subagent.id) > LONGEST_TOOL_NAME:
            yield error(
                "ID_TOO_LONG",
                node,
                f"{path}.id",
                f"The id becomes the tool {PREFIX}{subagent.id}, and a tool's name has at most "
                f"{LONGEST_TOOL_NAME} characters: shorten it.",
            )
        if not subagent.description.strip():
            yield warning(
                "NO_DESCRIPTION",
                node,
                f"{path}.description",
                f"Nothing says when to delegate to {subagent.name}: describe it, or it is hardly called.",
            )
    yield from _names("subagent", definition.subagents)
    yield from _names("hook", definition.hooks)
    yield from _names("mcp", definition.mcps)


def _names(kind: str, items: Sequence[Subagent | Hook | McpServer]) -> Iterator[Problem]:
    """Two cards of one kind that nobody can tell apart."""
    for index, _ in repeated(item.name.strip().casefold() for item in items):
        yield warning(
            "DUPLICATE_NAME",
            f"{kind}:{items[index].id}",
            f"{kind}s.{index}.name",
            f"Another one is called {items[index].name} too: give them different names.",
        )


def _shape(definition: Definition) -> Iterator[Problem]:
    """Cycles, depth, and subagents that nobody calls."""
    index = {one.id: number for number, one in enumerate(definition.subagents)}
    reached: set[str] = set()
    reported: set[tuple[str, str]] = set()
    for path in paths(definition):
        reached.update(one.id for one in path)
        if len(path) > MAX_DEPTH and ("depth", path[-2].id) not in reported and path[-1] not in path[:-1]:
            reported.add(("depth", path[-2].id))
            yield error(
                "SUBAGENTS_TOO_DEEP",
                f"subagent:{path[-1].id}",
                f"subagents.{index[path[-2].id]}.subagents",
                f"{path[-1].name} stands {len(path)} levels below the agent, and {MAX_DEPTH} are possible: "
                "let one higher up delegate to it.",
            )
    # A cycle that nobody enters is a cycle all the same: with `null`, the agent calls none of its members.
    for node, place, start in subagents(definition):
        if _returns(definition, start):
            yield error(
                "SUBAGENT_CYCLE",
                node,
                f"{place}.subagents",
                f"{start.name} delegates to itself, directly or through others: take a connection away.",
            )
        elif start.id not in reached:
            yield warning(
                "SUBAGENT_UNUSED",
                node,
                place,
                f"Nobody delegates to {start.name}: connect it, or switch it off.",
            )


def _returns(definition: Definition, start: Subagent) -> bool:
    """Whether delegating downwards from `start` can come back to it."""
    pending, seen = list(children(definition, start)), set[str]()
    while pending:
        one = pending.pop()
        if one.id == start.id:
            return True
        if one.id not in seen:
            seen.add(one.id)
            pending.extend(children(definition, one))
    return False
