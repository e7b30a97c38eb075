"""May this call run, and with which arguments?

In this order, each step able to end it: the arguments fit the schema of the tool; the hooks,
which may change them; deny rules; ask rules; the mode (`step`: every call asks); allow rules; the
tool's own default. Arguments that a person changes pass the schema, the deny rules and the hooks once
more. Not here: what a rule means (`permissions`), how a hook is asked (`hooks`), what a call would do
(`previews`), who is asked and how long that takes (`ports.Approvals`), running the call (`dispatch`).
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Literal

from ..schema.approvals import Preview
from ..schema.base import JsonObject
from ..schema.project import Permission
from . import previews
from .arguments import ArgumentChecks
from .asking import NOBODY
from .context import Run
from .guard import stalled
from .permissions import Rules, Verdict
from .ports import EndExecution, Question, Shown, Tool, ToolError, Wire
from .scope import Scope
from .text import clean_json
from .toolcontext import tool_context

STEP = "step by step: every call asks"
HOOK = "a hook wants a person to decide"


async def permitted(
    run: Run, scope: Scope, span: str, tool: Tool, use: Wire, circle: str | None = None
) -> JsonObject:
    """The arguments to run with, once they fit and the call is allowed; raises `ToolError` otherwise.

    `use` is the `tool_use` block, `span` that of its turn. `circle`: why the call goes in circles,
    where it does; then only a person lets it run, and `EndExecution` comes where nobody can.
    """
    if circle is None:
        return await _permitted(run, scope, span, tool, use)
    await run.warn(
        "STALLED",
        f"{scope.name} goes in circles: {circle}.",
        agent=scope.agent,
        span=f"{span}/{use['id']}",
        kind="circle",
    )
    try:
        arguments = await _permitted(run, scope, span, tool, use, circle)
    except Refused as refused:
        if refused.by != NOBODY:
            raise
        raise going_in_circles(scope, circle) from refused
    except ToolError as refused:
        raise going_in_circles(scope, circle) from refused
    run.guard.circles(scope.agent).forget()
    return arguments


async def _permitted(
    run: Run, scope: Scope, span: str, tool: Tool, use: Wire, circle: str | None = None
) -> JsonObject:
    arguments: JsonObject = use.get("input") or {}
    _check(run.checks, tool, arguments)
    if (asked := run.past.question(f"{span}/{use['id']}")) is not None:
        # Asked before the server stopped: the question stands as it was, and so does its answer.
        return await ask(
            run, scope, span, tool, use["id"], asked.arguments, reason=asked.reason, shown=asked.preview
        )
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
    said: Permission | None = "ask" if word.ask else "allow" if word.allow else None
    default = default_of(tool, arguments)
    verdict = judge(scope.rules, tool.name, arguments, default, step=run.job.step, said=said)
    if verdict.permission == "deny":
        raise ToolError(f"This call is not allowed here (rule {verdict.rule!r}: deny). Do without it.")
    if verdict.permission == "allow" and circle is None:
        return arguments
    reason = why(verdict, tool.name) if circle is None else f"it goes in circles: {circle}"
    return await ask(run, scope, span, tool, use["id"], arguments, reason=reason)


def going_in_circles(scope: Scope, circle: str) -> EndExecution:
    """The end of an agent that repeats itself, where nobody can say whether it may."""
    return stalled(
        f"{scope.name} goes in circles: {circle}. Nobody could be asked whether that is wanted. Change the "
        "task or the prompt, or run it where somebody can answer.",
        kind="circle",
        agent=scope.agent,
    )


class Refused(ToolError):
    """Somebody, or the policy for unattended runs, has said no. `by` says who."""

    def __init__(self, message: str, by: str) -> None:
        super().__init__(message)
        self.by = by


def default_of(tool: Tool, arguments: JsonObject) -> Literal["allow", "ask"]:
    """What `tool` wants for a call that no rule speaks of; some ask for a part of their calls only."""
    of_call = getattr(tool, "permission_for", None)
    found: Literal["allow", "ask"] = tool.default_permission if of_call is None else of_call(arguments)
    return found


def judge(
    rules: Rules,
    tool: str,
    arguments: JsonObject,
    default: Permission,
    *,
    step: bool = False,
    said: Permission | None = None,
) -> Verdict:
    """What holds for the call. `said`: a hook's word, which no rule that denies or asks gives way to."""
    verdict = rules.decide(tool, arguments, default)
    if verdict.permission == "deny":
        return verdict
    if said == "deny":
        return Verdict("deny", None)
    if verdict.permission == "ask" and verdict.rule is not None:
        return verdict
    if said == "ask":
        return Verdict("ask", HOOK)
    if step:
        return Verdict("ask", STEP)
    return Verdict("allow", None) if said == "allow" else verdict


def why(verdict: Verdict, tool: str) -> str:
    """Why a call asks, for the person who is asked."""
    if verdict.rule in (STEP, HOOK):
        return verdict.rule
    if verdict.rule is not None:
        return f"rule {verdict.rule}: ask"
    return f"{tool} asks unless a rule allows it"


async def ask(
    run: Run,
    scope: Scope,
    span: str,
    tool: Tool,
    call_id: str,
    arguments: JsonObject,
    *,
    reason: str,
    shown: Preview | None = None,
) -> JsonObject:
    """The arguments that a person allowed; raises `ToolError` where they refused.

    `shown`: the preview that a person has seen already, before the server stopped.

    The time it takes counts for nobody who waits for it: not for the subagents around the
    call, nor for the execution while nothing else of it runs.
    """
    preview = shown or await previews.of(tool, arguments, tool_context(run, scope, span, call_id))
    question = Question(
        call_id=call_id,
        tool=tool.name,
        arguments=arguments,
        agent=scope.agent,
        agent_id=scope.agent_id,
        span=f"{span}/{call_id}",
        schema=tool.input_schema,
        preview=preview,
        reason=reason,
        told=lambda: run.hooks.notify(
            scope,
            f"{span}/{call_id}",
            message=f"{scope.name} wants to call {tool.name} and waits for your decision.",
            title="Waiting for approval",
            kind="permission_prompt",
        ),
    )
    with ExitStack() as waiting:
        for clock in scope.clocks:
            waiting.enter_context(clock.paused())
        waiting.enter_context(run.pace.resting())
        decision = await run.ports.approvals.decide(question)
    if not decision.allow:
        said = decision.message or f"This call was refused by {decision.by}. Do without it."
        raise Refused(said, decision.by)
    if preview is not None:
        run.shown[question.span] = Shown(arguments, preview)
    if decision.arguments is None:
        return arguments
    edited: JsonObject = clean_json(decision.arguments)
    if (problem := objection(run.checks, scope.rules, tool, edited)) is not None:
        raise Refused(f"The arguments as {decision.by} changed them cannot be used: {problem}", decision.by)
    if edited != arguments:
        await _guarded(run, scope, question, tool, edited, decision.by)
    return edited


async def _guarded(
    run: Run, scope: Scope, question: Question, tool: Tool, edited: JsonObject, by: str
) -> None:
    """Have the hooks judge what a person made of the arguments, too; raises `Refused` where one objects.

    They had judged other arguments, and nobody gets past a guard by changing them. A hook that wants a
    person to decide has what it wants. One that would change these arguments again is against them: what
    it would make of them, nobody was shown.
    """
    run.hooks.context(scope, question.span)  # what they had to say was about the arguments of before
    word = await run.hooks.before_call(
        scope,
        question.span,
        tool=tool.name,
        call_id=question.call_id,
        arguments=edited,
        problem=lambda changed: run.checks.problem(tool, changed),
    )
    if word.deny is not None:
        raise Refused(f"{word.deny} (It judged the arguments as {by} changed them.)", by)
    if word.arguments != edited:
        raise Refused(
            f"A hook would change the arguments that {by} wrote, to ones that nobody has allowed, so this "
            "call was not run. Make it again as you want it: hooks change it first, then a person decides.",
            by,
        )


def objection(checks: ArgumentChecks, rules: Rules, tool: Tool, arguments: object) -> str | None:
    """Why a person's own arguments for `tool` cannot be used, or None. They overrule `ask`, not `deny`."""
    if (problem := checks.problem(tool, arguments)) is not None:
        return problem
    assert isinstance(arguments, dict)
    verdict = rules.decide(tool.name, arguments, "allow")
    return f"the rule {verdict.rule!r} denies them" if verdict.permission == "deny" else None


def _check(checks: ArgumentChecks, tool: Tool, arguments: object) -> None:
    if (problem := checks.problem(tool, arguments)) is not None:
        raise ToolError(f"The arguments do not fit the schema of {tool.name}: {problem}")
