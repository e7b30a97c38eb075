"""Delegation: each subagent is a tool `agent__<id>` of its caller.

It has its own prompt, model, tools, limits and conversation; its answer is the tool's
result. Instances are named `<id>#k` over the whole execution. What it spends counts
against its caller's budget too. A subagent that fails is an error result, or ends the
execution as SUBAGENT_FAILED where the project calls it essential.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from ..failpoints import failpoint
from ..schema.base import JsonObject
from ..schema.events import OutputPart, TextPart
from ..schema.project import Subagent
from .budget import Budget, OwnLimit
from .context import Run
from .conversation import Conversation
from .dispatch import break_off
from .pace import Places
from .permissions import Rules
from .ports import EndExecution, Tool, ToolContext, ToolError
from .prompt import fill
from .scope import Scope
from .stopwatch import Stopwatch
from .tools.memory import NAME as MEMORY
from .wiring import PREFIX, children, servers

_ITS_OWN = frozenset({"MODEL_ERROR", "MODEL_REFUSED", "TURN_LIMIT_EXCEEDED", "STALLED"})
"""Endings of a subagent that its caller can react to; the others end the execution."""


class Delegation:
    """The tool by which one agent calls one subagent (`ports.Tool`).

    A call that a crash interrupted is made again: the conversation goes on where it stands.
    """

    read_only = False
    default_permission: Literal["allow", "ask"] = "allow"
    source = "subagent"
    touches = "what the subagent's own tools may touch"

    def __init__(
        self, run: Run, subagent: Subagent, caller: Budget, clocks: tuple[Stopwatch, ...] = ()
    ) -> None:
        self.name = PREFIX + subagent.id
        self.description, self.input_schema = described(subagent)
        self._run = run
        self._subagent = subagent
        self._caller = caller
        self._clocks = clocks

    def lock(self, arguments: JsonObject) -> str | None:
        return None

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """The subagent's answer. Raises `ToolError` where it fails and the project can do without."""
        places = self._run.places.setdefault(
            self._subagent.id,
            Places(self._run.pace, self._subagent.max_parallel_instances if self._subagent.parallel else 1),
        )
        async with places:
            failpoint("subagent.placed")
            return [TextPart(text=await self._answer(arguments["prompt"], context))]

    async def _answer(self, prompt: str, context: ToolContext) -> str:
        limits = self._subagent.limits
        budget = self._caller.within(
            max_cost_usd=limits.max_cost_usd if limits else None,
            max_tokens=limits.max_tokens if limits else None,
            owner=f"the subagent {self._subagent.name}",
        )
        timeout_s = limits.timeout_s if limits else None
        clocks = self._clocks
        if timeout_s is not None:
            clocks = (*clocks, Stopwatch(self._run.ports.clock, timeout_s))
        scope = await self._scope(prompt, context, budget, clocks)
        past = self._run.past
        budget.go_on(past, scope.span)
        left_s = None
        if timeout_s is not None:
            ran_s = past.told.ran_s(scope.span)
            clocks[-1].ran(ran_s)
            left_s = timeout_s - ran_s
        conversation = Conversation(self._run, scope)
        failpoint("subagent.named")
        try:
            async with asyncio.timeout(left_s) as deadline:
                if timeout_s is not None:
                    clocks[-1].timeout = deadline
                answer = await conversation.run()
                failpoint("subagent.answered")
                return answer.text
        except TimeoutError as error:
            if not deadline.expired():
                raise
            await break_off(self._run, scope.span)
            await conversation.complete()
            raise self._failed(
                "TIMEOUT", f"It was not done after {timeout_s} s.", conversation.text
            ) from error
        except EndExecution as error:
            own = error.owner is budget if isinstance(error, OwnLimit) else error.code in _ITS_OWN
            if not own:
                raise
            failure = self._failed(error.code, error.message, conversation.text)
            if isinstance(failure, ToolError):  # else all is over, and whoever ends it says so
                await break_off(self._run, scope.span)
            raise failure from error

    def _failed(self, code: str, why: str, said: str) -> Exception:
        message = f"The subagent {self._subagent.name} failed ({code}): {why}"
        if self._subagent.essential:
            return EndExecution(
                "SUBAGENT_FAILED", message, subagent=self._subagent.id, cause={"code": code, "message": why}
            )
        return ToolError(f"{message}\nIts last words: {said}" if said else message)

    async def _scope(
        self, prompt: str, context: ToolContext, budget: Budget, clocks: tuple[Stopwatch, ...]
    ) -> Scope:
        run, subagent, main = self._run, self._subagent, self._run.job.definition.agent
        label = run.past.instance(context.span, subagent.id)
        if label is None:
            run.instances[subagent.id] += 1
            label = f"{subagent.id}#{run.instances[subagent.id]}"
        own_turns = subagent.limits.max_turns if subagent.limits else None
        return Scope(
            agent=label,
            agent_id=subagent.id,
            name=subagent.name,
            span=f"{context.span}/{label}",
            model=subagent.model or main.model,
            system=fill(subagent.prompt, run.job.variables, run.builtins),
            prompt=prompt,
            tools=await tools_of(run, subagent, budget, clocks),
            rules=Rules(subagent.permissions),
            budget=budget,
            max_turns=min(own_turns or run.job.limits.max_turns, run.job.limits.max_turns),
            max_tokens=main.max_tokens,
            thinking=main.thinking,
            effort=main.effort,
            call_id=context.call_id,
            shared=subagent.parallel and subagent.max_parallel_instances > 1,
            clocks=clocks,
        )


def described(subagent: Subagent) -> tuple[str, JsonObject]:
    """What a caller's model reads about a subagent: description and input schema of its tool."""
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "prompt": {
                "type": "string",
                "minLength": 1,
                "description": "The whole task. It sees nothing else of this conversation.",
            }
        },
        "required": ["prompt"],
        "additionalProperties": False,
    }
    return subagent.description or f"Delegates a task to {subagent.name}.", schema


async def tools_of(
    run: Run, agent: Subagent | None, budget: Budget, clocks: tuple[Stopwatch, ...] = ()
) -> dict[str, Tool]:
    """Tools of `agent` (None: the main one) by name: built-in ones, its subagents, its MCP servers'.

    Starts the servers that do not run yet. Raises `EndExecution` where an essential one cannot be reached.
    """
    definition = run.job.definition
    main = definition.agent
    own = [*main.tools, *([MEMORY] if main.memory else []), *run.job.client_tools]
    names = agent.tools if agent is not None else own
    tools: dict[str, Tool] = {name: run.tools[name] for name in names if name in run.tools}
    for child in children(definition, agent):
        delegation: Tool = Delegation(run, child, budget, clocks)
        tools[delegation.name] = delegation
    if run.ports.servers is not None and (used := servers(definition, agent)):
        tools |= {tool.name: tool for tool in await run.ports.servers.tools(used)}
    return tools
