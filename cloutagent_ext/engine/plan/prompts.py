"""Prompts and the variables they use: missing texts, names nobody declared, values nobody uses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...schema.project import Definition, Problem, Subagent
from ..prompt import BUILTINS, secrets_in, variables_in
from .findings import agents, error, hooks, info, mcps, nearest, subagents, warning

_ANY_PLACE = re.compile(r"\{\{([^{}\n]{0,80})\}\}")
_NAME_LIKE = re.compile(r"\s*(secret:\s*)?[\w .-]{1,80}\s*")
"""What a person who writes between double braces means as a name; JSON and code are not meant."""


def texts(definition: Definition) -> Iterator[tuple[str, str, str]]:
    """Node, path and text of every prompt."""
    yield "agent", "agent.system_prompt", definition.agent.system_prompt
    yield "agent", "agent.task", definition.agent.task
    for node, path, one in subagents(definition):
        yield node, f"{path}.prompt", one.prompt


def check(definition: Definition) -> Iterator[Problem]:
    yield from _missing(definition)
    for node, path, text in texts(definition):
        for name in sorted(secrets_in(text)):
            yield error(
                "SECRET_IN_PROMPT",
                node,
                path,
                f"A model must never see a secret: take {{{{secret:{name}}}}} out and give it to "
                "an MCP server, a hook or `agent.env`.",
            )
        for name in sorted(variables_in(text) - definition.variables.keys()):
            near = nearest(name, [*definition.variables, *BUILTINS])
            yield error(
                "UNDECLARED_VARIABLE",
                node,
                path,
                f"{{{{{name}}}}} is not declared: add {name} to the variables, or take it out of "
                f"the text.{near}",
            )
        for place in sorted(_unreadable(text)):
            yield warning(
                "BAD_PLACEHOLDER",
                node,
                path,
                f"{{{{{place}}}}} names no variable and stays as it is: a name has letters, digits and _, "
                "and begins with no digit.",
            )
    yield from _declared(definition)
    yield from _elsewhere(definition)


def _missing(definition: Definition) -> Iterator[Problem]:
    agent = definition.agent
    if not agent.system_prompt.strip():
        yield warning(
            "NO_PROMPT",
            "agent",
            "agent.system_prompt",
            "Nothing says who the agent is and how it works: write its system prompt.",
        )
    if not agent.task.strip():
        message = "There is no task, so every execution must bring a prompt."
        yield info("NO_TASK", "agent", "agent.task", message)
    for node, path, one in subagents(definition):
        if not one.prompt.strip():
            yield warning(
                "NO_PROMPT",
                node,
                f"{path}.prompt",
                f"Nothing says who {one.name} is and how it works: write its prompt.",
            )


def _unreadable(text: str) -> set[str]:
    return {
        inside
        for inside in _ANY_PLACE.findall(text)
        if _NAME_LIKE.fullmatch(inside)
        and not variables_in(f"{{{{{inside}}}}}")
        and not secrets_in(f"{{{{{inside}}}}}")
        and inside.strip() not in BUILTINS
    }


def _declared(definition: Definition) -> Iterator[Problem]:
    everywhere = [definition.agent.system_prompt, definition.agent.task]
    everywhere += [one.prompt for one in definition.subagents]  # also of those that are switched off
    used = set[str]().union(*map(variables_in, everywhere))
    for name in definition.variables:
        if name in BUILTINS:
            yield warning(
                "VARIABLE_SHADOWED",
                None,
                f"variables.{name}",
                f"{{{{{name}}}}} is built in, and its own value always wins: give the variable another name.",
            )
        elif name not in used and definition.agent.task.strip():
            # Without a task, the prompts that executions bring may use it.
            yield warning(
                "UNUSED_VARIABLE",
                None,
                f"variables.{name}",
                f"No prompt uses {{{{{name}}}}}: use it, or remove the variable.",
            )


def _elsewhere(definition: Definition) -> Iterator[Problem]:
    """Only prompts are filled in: anywhere else the braces would go out as they are."""
    values: list[tuple[str, str, str]] = []
    for node, path, one in agents(definition):
        if isinstance(one, Subagent):
            values.append((node, f"{path}.description", one.description))
        else:
            values += [(node, f"{path}.env.{name}", value) for name, value in one.env.items()]
    for node, path, hook in hooks(definition):
        values += [(node, f"{path}.env.{name}", value) for name, value in hook.env.items()]
        if hook.action.type == "http":
            values.append((node, f"{path}.action.url", hook.action.url))
            for name, value in hook.action.headers.items():
                values.append((node, f"{path}.action.headers.{name}", value))
        else:
            values += [
                (node, f"{path}.action.command.{n}", value) for n, value in enumerate(hook.action.command)
            ]
    for node, path, server in mcps(definition):
        values += [(node, f"{path}.url", server.url or ""), (node, f"{path}.command", server.command or "")]
        values += [(node, f"{path}.args.{n}", value) for n, value in enumerate(server.args)]
        values += [(node, f"{path}.env.{name}", value) for name, value in server.env.items()]
        values += [(node, f"{path}.headers.{name}", value) for name, value in server.headers.items()]
    for node, path, value in values:
        for name in sorted(variables_in(value)):
            yield warning(
                "VARIABLE_NOT_FILLED",
                node,
                path,
                f"{{{{{name}}}}} is filled in in prompts only and stays as it is here: write the value.",
            )
