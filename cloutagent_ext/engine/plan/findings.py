"""How a finding is made, and the walks over a definition that several checks share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from ...schema.project import Agent, Definition, Hook, McpServer, Problem, Subagent

LONGEST_TOOL_NAME = 64
"""Characters that the model service takes in a tool's name."""


def error(code: str, node: str | None, path: str, message: str) -> Problem:
    return Problem(severity="error", code=code, node=node, path=path, message=message)


def warning(code: str, node: str | None, path: str, message: str) -> Problem:
    return Problem(severity="warning", code=code, node=node, path=path, message=message)


def info(code: str, node: str | None, path: str, message: str) -> Problem:
    return Problem(severity="info", code=code, node=node, path=path, message=message)


def agents(definition: Definition) -> Iterator[tuple[str, str, Agent | Subagent]]:
    """Node, path prefix and agent of the main agent and each subagent that is switched on."""
    yield "agent", "agent", definition.agent
    for index, one in enumerate(definition.subagents):
        if one.enabled:
            yield f"subagent:{one.id}", f"subagents.{index}", one


def subagents(definition: Definition) -> Iterator[tuple[str, str, Subagent]]:
    """The same of the subagents alone."""
    for node, path, one in agents(definition):
        if isinstance(one, Subagent):
            yield node, path, one


def hooks(definition: Definition) -> Iterator[tuple[str, str, Hook]]:
    """Node, path prefix and hook of each that is switched on."""
    for index, one in enumerate(definition.hooks):
        if one.enabled:
            yield f"hook:{one.id}", f"hooks.{index}", one


def mcps(definition: Definition) -> Iterator[tuple[str, str, McpServer]]:
    """Node, path prefix and MCP server of each that is switched on."""
    for index, one in enumerate(definition.mcps):
        if one.enabled:
            yield f"mcp:{one.id}", f"mcps.{index}", one


def repeated(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Position and value of each name that stood there before."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index, name
        seen.add(name)


def nearest(name: str, known: Iterable[str]) -> str:
    """`" Did you mean x?"` where a known name is near, else nothing."""
    folded = {each.casefold(): each for each in sorted(known)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" Did you mean {folded[near[0]]}?" if near else ""
