"""May this call run, and with which arguments?

In this order: the arguments fit the schema of the tool, then the hooks, which may change them,
then the rules, then a person where rules or hooks say `ask`. Not here: what a rule means
(`permissions`), how a hook is asked (`hooks`), who the person is (`ports.Approvals`), running the
call (`dispatch`).
"""

from __future__ import annotations

from typing import Literal

from ..schema.base import JsonObject
from .context import Run
from .ports import Tool, ToolError, Wire
from .scope import Scope
from .text import clean_json


async def permitted(run: Run, scope: Scope, span: str, tool: Tool, use: Wire) -> JsonObject:
    """The arguments to run with, once they fit and the call is allowed; raises `ToolError` otherwise.

    `use` is the `tool_use` block, `span` that of its turn.
    """
    arguments: JsonObject = use.get("input") or {}
    _check(run, tool, arguments)
    arguments = clean_json(arguments)
    word = await run.hooks.before_call(
        scope,
        f"{span}/{use['id']}",
        tool=tool.name,
        call_id=use["id"],
        arguments=arguments,
        problem=lambda changed: run.checks.problem(tool, changed),
    )
    if word.deny is not None:
        raise ToolError(word.deny)
    arguments = word.arguments
    verdict = scope.rules.decide(tool.name, arguments, default_of(tool, arguments))
    if verdict.permission == "deny":
        raise ToolError(f"This call is not allowed here (rule {verdict.rule!r}: deny). Do without it.")
    # A hook's "allow" answers the tool's own question, never one that a rule of the project asks.
    allowed = verdict.permission == "allow" or (word.allow and verdict.rule is None)
    if allowed and not word.ask:
        return arguments
    return await _asked(run, scope, span, tool, use, arguments)


def default_of(tool: Tool, arguments: JsonObject) -> Literal["allow", "ask"]:
    """What `tool` wants for a call that no rule speaks of; some ask for a part of their calls only."""
    of_call = getattr(tool, "permission_for", None)
    found: Literal["allow", "ask"] = tool.default_permission if of_call is None else of_call(arguments)
    return found


async def _asked(
    run: Run, scope: Scope, span: str, tool: Tool, use: Wire, arguments: JsonObject
) -> JsonObject:
    """The arguments that a person allowed; the time it takes does not count as running."""
    async with run.stopwatch.paused():
        decision = await run.ports.approvals.decide(
            call_id=use["id"],
            tool=tool.name,
            arguments=arguments,
            agent=scope.agent,
            span=f"{span}/{use['id']}",
        )
    if not decision.allow:
        raise ToolError(decision.message or f"This call was refused by {decision.by}. Do without it.")
    if decision.arguments is not None:
        arguments = decision.arguments
        _check(run, tool, arguments)
    return arguments


def _check(run: Run, tool: Tool, arguments: object) -> None:
    if (problem := run.checks.problem(tool, arguments)) is not None:
        raise ToolError(f"The arguments do not fit the schema of {tool.name}: {problem}")
