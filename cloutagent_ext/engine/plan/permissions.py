"""Permissions: rules that cannot be read, are about nothing, or never decide anything."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from ...schema.project import Definition, Problem
from ..permissions import Rule, parse
from ..wiring import PREFIX
from .findings import agents, error, nearest, warning

_MCP = "mcp__"


def check(definition: Definition, tools: frozenset[str]) -> Iterator[Problem]:
    names = tools | {PREFIX + one.id for one in definition.subagents}
    servers = [f"{_MCP}{server.id}__" for server in definition.mcps]
    for node, path, one in agents(definition):
        bare_denied = {text for text, verdict in one.permissions.items() if verdict == "deny"}
        for text, verdict in one.permissions.items():
            place = f"{path}.permissions.{text}"
            rule = parse(text, verdict)
            if rule is None:
                yield error(
                    "BAD_PERMISSION",
                    node,
                    place,
                    f"The permission {text!r} cannot be read: write a tool's name, alone or with a pattern "
                    "in parentheses, as in bash(git *).",
                )
            elif not _is_about_something(rule, names, servers):
                yield warning(
                    "UNKNOWN_PERMISSION",
                    node,
                    place,
                    f"The permission {text!r} is about no tool there is: check the name "
                    f"{rule.tool}.{nearest(rule.tool, names)}",
                )
            elif rule.pattern is not None and verdict != "deny" and rule.tool in bare_denied:
                yield warning(
                    "PERMISSION_WITHOUT_EFFECT",
                    node,
                    place,
                    f"{text!r} never applies, because {rule.tool} is denied: set {rule.tool} to ask.",
                )
            elif rule.pattern is None and verdict == "deny" and rule.tool in one.tools:
                yield warning(
                    "TOOL_DENIED",
                    node,
                    place,
                    f"{rule.tool} is on the list of tools, and every call to it is denied: take it off the "
                    "list, or allow it.",
                )


def _is_about_something(rule: Rule, names: frozenset[str], servers: list[str]) -> bool:
    if any(fnmatchcase(name, rule.tool) for name in names):
        return True
    if "*" not in rule.tool:
        return any(rule.tool.startswith(server) and rule.tool != server for server in servers)
    # What tools a server has is not known here: the part before the star decides.
    start = rule.tool.partition("*")[0]
    return any(server.startswith(start) or start.startswith(server) for server in servers)
