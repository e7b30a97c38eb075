"""Hooks: commands and addresses that cannot be called, matchers that match nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from ...schema.project import Definition, Hook, HttpAction, Problem
from ..wiring import PREFIX
from .addresses import has_password, wrong_headers, wrong_url
from .findings import error, hooks, nearest, warning

_ABOUT_TOOLS = {"PreToolUse", "PostToolUse", "PostToolUseFailure"}
_PLAIN = re.compile(r"[A-Za-z0-9_*-]+")
"""A tool's name, perhaps with stars; anything else may be a pattern that only the runtime can judge."""


def check(definition: Definition, tools: frozenset[str]) -> Iterator[Problem]:
    names = tools | {PREFIX + one.id for one in definition.subagents}
    servers = [f"mcp__{server.id}__" for server in definition.mcps]
    for node, path, hook in hooks(definition):
        yield from _action(hook, node, path)
        yield from _matcher(hook, names, servers, node, f"{path}.matcher")


def _action(hook: Hook, node: str, path: str) -> Iterator[Problem]:
    action = hook.action
    if isinstance(action, HttpAction):
        if (reason := wrong_url(action.url)) is not None:
            message = f"The hook's address cannot be called, because {reason}: correct it."
            yield error("BAD_URL", node, f"{path}.action.url", message)
        elif has_password(action.url):
            yield warning(
                "PASSWORD_IN_URL",
                node,
                f"{path}.action.url",
                "Whoever reads the project reads the password in this address: use a header with a secret.",
            )
        for name, reason in wrong_headers(action.headers).items():
            message = f"The header {name!a} cannot be sent, because {reason}: correct it."
            yield error("BAD_HEADER", node, f"{path}.action.headers.{name}", message)
        if hook.env:
            message = (
                "A hook that calls an address starts no command, so its `env` goes nowhere: use headers."
            )
            yield warning("ENV_IGNORED", node, f"{path}.env", message)
    elif not action.command[0].strip():
        yield error(
            "NO_COMMAND",
            node,
            f"{path}.action.command.0",
            f"{hook.name} names no program to run: write one, or switch the hook off.",
        )
    elif any(c.isspace() for c in action.command[0].strip()) and len(action.command) == 1:
        yield warning(
            "COMMAND_NOT_SPLIT",
            node,
            f"{path}.action.command.0",
            f"A program called {action.command[0]!a} is looked for, arguments and all: write each "
            "argument as an item of its own.",
        )


def _matcher(
    hook: Hook, names: frozenset[str], servers: list[str], node: str, path: str
) -> Iterator[Problem]:
    if not hook.matcher:
        return
    if hook.event not in _ABOUT_TOOLS:
        yield warning(
            "MATCHER_IGNORED",
            node,
            path,
            f"{hook.event} is about no tool, so the matcher changes nothing: clear it.",
        )
        return
    for part in hook.matcher.split("|"):
        wanted = part.strip()
        if not wanted:
            message = "The matcher has an empty part between its bars: take a bar away."
            yield warning("MATCHES_NOTHING", node, path, message)
        elif _PLAIN.fullmatch(wanted) and not _matches(wanted, names, servers):
            yield warning(
                "MATCHES_NOTHING",
                node,
                path,
                f"The matcher names {wanted}, and there is no such tool: correct it.{nearest(wanted, names)}",
            )


def _matches(wanted: str, names: frozenset[str], servers: list[str]) -> bool:
    if any(fnmatchcase(name, wanted) for name in names):
        return True
    start = wanted.partition("*")[0]
    if "*" in wanted and any(server.startswith(start) for server in servers):
        return True
    return any(start.startswith(server) for server in servers)
