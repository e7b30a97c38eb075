"""Secrets by name: ones that are not there, in places that cannot take one, or written in the clear."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...schema.project import Definition, HttpAction, Problem
from ..prompt import secrets_in
from .findings import error, hooks, mcps, nearest, subagents, warning

_SOUNDS_SECRET = re.compile(r"api[_-]?key|token|secret|passw|authorization|credential", re.IGNORECASE)
_NOT_SECRET = re.compile(r"(?:true|false|\d{1,9}|)", re.IGNORECASE)

Place = tuple[str, str, str, str]
"""Node, path, name of the setting, its value."""


def check(definition: Definition, known: frozenset[str] | None) -> Iterator[Problem]:
    for node, path, name, value in _filled(definition):
        for secret in sorted(secrets_in(value)):
            yield from _absent(secret, known, node, path)
        if _SOUNDS_SECRET.search(name) and not secrets_in(value) and not _NOT_SECRET.fullmatch(value.strip()):
            yield warning(
                "SECRET_IN_CLEAR",
                node,
                path,
                f"{name} looks like a secret, and everybody who reads the project reads it: keep it as a "
                "secret and write {{secret:NAME}} here.",
            )
    for node, path, mcp in mcps(definition):
        for name, secret in mcp.credentials.items():
            place = f"{path}.credentials.{name}"
            if not secret.strip():
                message = f"{name} names no secret: write the name of one, or remove the line."
                yield error("SECRET_MISSING", node, place, message)
            else:
                yield from _absent(secret, known, node, place)
            if name in (mcp.env if mcp.transport == "stdio" else mcp.headers):
                message = f"{name} is set twice, here and by its own value: remove one of them."
                yield warning("CREDENTIAL_TWICE", node, place, message)
    for node, path, _, value in _not_filled(definition):
        for secret in sorted(secrets_in(value)):
            yield error(
                "SECRET_MISPLACED",
                node,
                path,
                f"{{{{secret:{secret}}}}} is not filled in here, where others could see it: give it as an "
                "environment variable or a header.",
            )


def _absent(secret: str, known: frozenset[str] | None, node: str, path: str) -> Iterator[Problem]:
    if known is not None and secret not in known:
        yield error(
            "SECRET_MISSING",
            node,
            path,
            f"The project has no secret {secret!a}: add it, or name another one.{nearest(secret, known)}",
        )


def _filled(definition: Definition) -> Iterator[Place]:
    """Where `{{secret:NAME}}` is filled in."""
    for name, value in definition.agent.env.items():
        yield "agent", f"agent.env.{name}", name, value
    for node, path, hook in hooks(definition):
        for name, value in hook.env.items():
            yield node, f"{path}.env.{name}", name, value
        if isinstance(hook.action, HttpAction):
            for name, value in hook.action.headers.items():
                yield node, f"{path}.action.headers.{name}", name, value
    for node, path, mcp in mcps(definition):
        for name, value in mcp.env.items():
            yield node, f"{path}.env.{name}", name, value
        for name, value in mcp.headers.items():
            yield node, f"{path}.headers.{name}", name, value


def _not_filled(definition: Definition) -> Iterator[Place]:
    """Where it is not, and people may try. Prompts are `prompts`' business."""
    for node, path, one in subagents(definition):
        yield node, f"{path}.description", "", one.description
    for node, path, hook in hooks(definition):
        if isinstance(hook.action, HttpAction):
            yield node, f"{path}.action.url", "", hook.action.url
        else:
            for index, value in enumerate(hook.action.command):
                yield node, f"{path}.action.command.{index}", "", value
    for node, path, mcp in mcps(definition):
        yield node, f"{path}.url", "", mcp.url or ""
        yield node, f"{path}.command", "", mcp.command or ""
        for index, value in enumerate(mcp.args):
            yield node, f"{path}.args.{index}", "", value
