"""Calls of the caller's own tools: out as events of the log, back by HTTP.

A call is taken by the first who says `working`, and is theirs until it is answered, its time is
over, or they are silent for too long; each of these is a result that the model reads. Nothing
of it outlives this process: after a crash a call that had gone out counts as every other
tool call that was cut off (`engine.dispatch`). Not here: who may answer (`server`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..engine.ports import Clock, Events, ToolContext, ToolError
from ..errors import Conflict, Forbidden, InvalidRequest, NotFound
from ..schema.base import JsonObject
from ..schema.client_tools import LARGEST_SCHEMA, ClientAnswer, ClientCallTaken, ClientTool

if TYPE_CHECKING:
    from ..auth.principal import Principal
    from ..engine.tools.caller import CallerTool
    from ..schema.execution import ExecuteRequest


@dataclass
class _Call:
    tool: ClientTool
    deadline: float
    heard: float
    """When its caller was heard last; at first, when it went out."""
    caller: str | None = None
    answer: ClientAnswer | None = None
    over: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Calls:
    """Of one execution, as long as this process runs it. The engine's `Callers`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: Events
        self._calls: dict[str, _Call] = {}
        """By call id; of one that a model gave twice, the newest."""

    def tools(self, brought: Sequence[ClientTool], events: Events) -> dict[str, CallerTool]:
        """What the caller brought, by name; calls go out to `events`."""
        from ..engine.tools.caller import CallerTool

        self._events = events
        return {tool.name: CallerTool(tool, self) for tool in brought}

    async def call(
        self, tool: ClientTool, arguments: JsonObject, context: ToolContext, alive: Callable[[], None]
    ) -> list[dict[str, Any]]:
        """See `engine.tools.caller.Callers`."""
        now = self._clock.monotonic()
        call = self._calls[context.call_id] = _Call(tool, now + tool.timeout_s, now)
        try:
            await self._events.emit(
                "client_call",
                agent=context.agent,
                span=context.span,
                call_id=context.call_id,
                tool=tool.name,
                input=arguments,
                timeout_s=tool.timeout_s,
                silence_s=tool.silence_s,
            )
            answer = await self._answer(call, alive)
        finally:
            call.over = True
        if answer.status == "failed":
            raise ToolError(answer.message or f"{tool.name} failed, and does not say why.")
        return answer.outputs

    async def _answer(self, call: _Call, alive: Callable[[], None]) -> ClientAnswer:
        while call.answer is None:
            now = self._clock.monotonic()
            quiet = call.heard + call.tool.silence_s
            if now >= call.deadline:
                raise ToolError(
                    f"{call.tool.name} did not answer within {call.tool.timeout_s:g} s. It may still be at "
                    "work where it runs, and have its effect; its answer is not waited for any more."
                )
            if now >= quiet:
                raise ToolError(_silent(call))
            try:
                async with asyncio.timeout(min(call.deadline, quiet) - now):
                    await call.news.wait()
            except TimeoutError:
                continue
            call.news.clear()
            alive()
        return call.answer

    def take(self, call_id: str, answer: ClientAnswer) -> ClientCallTaken:
        """Whoever answers: a sign of life, or the end of the call. The same end again changes nothing.

        Raises NotFound, and Conflict where another one has the call, or nobody waits for it.
        """
        call = self._calls.get(call_id)
        if call is None:
            raise NotFound(f"No call {call_id!r} of this execution waits for its caller.")
        if call.answer is not None and call.answer == answer:
            return ClientCallTaken(call_id=call_id, timeout_s=0.0)
        if call.over or call.answer is not None:
            raise Conflict("Nobody waits for this call any more: it is answered, or its time is over.")
        if call.caller not in (None, answer.caller):
            raise Conflict("Another program has taken this call; leave it to that one.")
        call.caller, call.heard = answer.caller, self._clock.monotonic()
        if answer.status != "working":
            call.answer = answer
        call.news.set()
        return ClientCallTaken(call_id=call_id, timeout_s=max(0.0, call.deadline - call.heard))


def _silent(call: _Call) -> str:
    name, seconds = call.tool.name, call.tool.silence_s
    if call.caller is None:
        return (
            f"Nobody took the call of {name} within {seconds:g} s: the notebook that offered it is closed, "
            "or its kernel is gone. It was not run. Do without it."
        )
    return (
        f"The program that runs {name} has been silent for {seconds:g} s: its kernel is gone, or hangs. "
        "outcome unknown: it may have done all of its work, a part of it or nothing."
    )


def check(request: ExecuteRequest, principal: Principal) -> None:
    """Refuse tools of callers that cannot be: for keys, of a name that is taken, of a broken schema.

    Blocking. Raises Forbidden, InvalidRequest.
    """
    if not request.client_tools:
        return
    if principal.kind == "key":
        raise Forbidden("`client_tools` are for Jupyter users: a key runs the project's own tools.")
    from ..engine.tools.memory import NAME as MEMORY
    from ..engine.tools.registry import builtin

    taken, seen = {*builtin(), MEMORY}, set[str]()
    for place, tool in enumerate(request.client_tools):
        if (problem := _problem(tool, taken, seen)) is not None:
            raise InvalidRequest(
                f"The tool {tool.name} cannot be used: {problem}.",
                fields=[{"path": f"client_tools.{place}", "message": problem}],
            )
        seen.add(tool.name)


def _problem(tool: ClientTool, taken: Collection[str], seen: Collection[str]) -> str | None:
    import jsonschema

    if tool.name in seen:
        return "two of them have this name"
    if tool.name in taken or tool.name.startswith(("mcp__", "agent__")):
        return "another tool has this name, choose another one"
    if tool.input_schema.get("type") != "object":
        return 'its `input_schema` is no JSON schema with `"type": "object"`'
    if len(json.dumps(tool.input_schema)) > LARGEST_SCHEMA:
        return f"its `input_schema` is longer than {LARGEST_SCHEMA:,} characters"
    try:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
    except jsonschema.SchemaError as error:
        return f"its `input_schema` is no JSON schema: {error.message[:200]}"
    return None
