"""Who delegates to whom, and who uses which MCP server: resolved from the definition's lists of ids.

Not here: whether that wiring is sound (`engine.plan`), and running it (`engine.subagents`).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..schema.project import Definition, McpServer, Subagent

MAX_DEPTH = 3
"""Most subagents below one another."""

PREFIX = "agent__"
"""A subagent's tool is called `agent__<id>`."""


def by_id(definition: Definition) -> dict[str, Subagent]:
    """All subagents, also those that are switched off."""
    return {subagent.id: subagent for subagent in definition.subagents}


def listed_by_agent(definition: Definition) -> list[str]:
    """Ids that the agent itself delegates to; null stands for all that no other subagent lists."""
    if definition.agent.subagents is not None:
        return list(definition.agent.subagents)
    elsewhere = {child for one in definition.subagents for child in one.subagents if child != one.id}
    return [subagent.id for subagent in definition.subagents if subagent.id not in elsewhere]


def children(definition: Definition, parent: Subagent | None) -> list[Subagent]:
    """Enabled subagents that `parent` (None: the agent) may call; ids that do not exist are left out."""
    known = by_id(definition)
    ids = listed_by_agent(definition) if parent is None else parent.subagents
    return [known[i] for i in dict.fromkeys(ids) if i in known and known[i].enabled]


def servers(definition: Definition, agent: Subagent | None) -> list[str]:
    """Ids of the enabled MCP servers that `agent` (None: the main one, whose null means all) uses."""
    there = [server.id for server in definition.mcps if server.enabled]
    listed = definition.agent.mcps if agent is None else agent.mcps
    return there if listed is None else [each for each in dict.fromkeys(listed) if each in there]


def used_servers(definition: Definition) -> list[McpServer]:
    """The enabled MCP servers that an agent which can run uses."""
    agents: list[Subagent | None] = [None, *(path[-1] for path in paths(definition))]
    used = {each for agent in agents for each in servers(definition, agent)}
    return [server for server in definition.mcps if server.id in used]


def paths(definition: Definition) -> Iterator[tuple[Subagent, ...]]:
    """Every way down from the agent, up to and including the first repetition on it."""

    def walk(path: tuple[Subagent, ...]) -> Iterator[tuple[Subagent, ...]]:
        for child in children(definition, path[-1] if path else None):
            yield (*path, child)
            if child not in path and len(path) < MAX_DEPTH:
                yield from walk((*path, child))

    yield from walk(())
