"""Hooks: commands and addresses that cannot be called, matchers that match nothing, failures and order.

Whether a program exists is not looked for: nothing is read from disk here, and nothing is started.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...schema.project import Definition, Hook, HttpAction, Problem
from ..hooks.answers import AFTERTHOUGHTS
from ..hooks.matchers import Matcher, matched, parts, problem
from ..wiring import PREFIX
from .addresses import has_password, wrong_headers, wrong_url
from .findings import error, hooks, info, nearest, warning

_ABOUT_TOOLS = {"PreToolUse", "PostToolUse", "PostToolUseFailure"}


def check(definition: Definition, tools: frozenset[str]) -> Iterator[Problem]:
    names = tools | {PREFIX + one.id for one in definition.subagents}
    servers = [f"mcp__{server.id}__" for server in definition.mcps]
    for node, path, hook in hooks(definition):
        yield from _action(hook, node, path)
        yield from _matcher(hook, names, servers, node, f"{path}.matcher")
        yield from _failure(hook, node, f"{path}.on_failure")
    yield from _order(definition, names)


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
    for part in parts(hook.matcher):
        if not part:
            if hook.matcher.strip():
                message = "The matcher has an empty part between its bars: take a bar away."
                yield warning("MATCHES_NOTHING", node, path, message)
        elif (reason := problem(part)) is not None:
            yield error(
                "BAD_MATCHER",
                node,
                path,
                f"The matcher {part!a} cannot be used, because {reason}: name tools, with `|` between them.",
            )
        elif not matched(part, names) and not _of_servers(part, servers):
            yield warning(
                "MATCHES_NOTHING",
                node,
                path,
                f"The matcher names {part}, and there is no such tool: correct it.{nearest(part, names)}",
            )


def _of_servers(part: str, servers: list[str]) -> bool:
    """Whether `part` may be about a tool of these servers, which nobody has asked for their tools yet."""
    start = re.split(r"[^A-Za-z0-9_-]", part.removeprefix("^"), maxsplit=1)[0]
    return any(start.startswith(server) or (start != part and server.startswith(start)) for server in servers)


def _failure(hook: Hook, node: str, path: str) -> Iterator[Problem]:
    if hook.on_failure == "block" and hook.event in AFTERTHOUGHTS:
        yield warning(
            "BLOCK_IGNORED",
            node,
            path,
            f"Behind {hook.event} nothing is left to block, so a failure is only shown: choose continue.",
        )
    elif hook.on_failure == "continue" and hook.event == "PreToolUse":
        yield info(
            "GUARD_OPEN",
            node,
            path,
            f"If {hook.name} fails or hangs, the call runs all the same: choose block if it is a guard.",
        )


def _order(definition: Definition, names: frozenset[str]) -> Iterator[Problem]:
    """Two hooks that may rewrite the same calls: no race here, but an order that counts. Said once."""
    for event in ("PreToolUse", "PostToolUse"):
        first: dict[str, Hook] = {}
        for node, path, hook in hooks(definition):
            if hook.event != event:
                continue
            matcher = Matcher(hook.matcher)
            taken = [name for name in sorted(names) if matcher.takes(name)]
            if before := next((first[name] for name in taken if name in first), None):
                yield info(
                    "HOOKS_IN_ORDER",
                    node,
                    path,
                    f"{hook.name} runs after {before.name} for the same tools, and gets what that leaves: "
                    "their order in the list counts.",
                )
                break
            first.update(dict.fromkeys(taken, hook))
