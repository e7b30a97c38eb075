"""The tool calls of one turn: let through, run side by side, answered in their order.

Whatever goes wrong with a call is a result that the model reads; only `EndExecution`
ends the run. Calls that share a lock run one after the other, in the order of the calls.
Each leaves journal records before and after its effect (`tool_started`, `tool_done`).
After a crash a recorded result is given again as it is, and a call that had started
without one is not made again unless it only reads: its outcome is unknown, and said so.
Not here: whether a call may run, and with which arguments (`gate`).
"""

from __future__ import annotations

import asyncio
import logging
import traceback
import uuid
from contextlib import nullcontext

from pydantic import TypeAdapter

from ..failpoints import failpoint
from ..schema.base import JsonObject
from ..schema.events import OutputPart, TextPart
from .context import OpenCall, Run
from .gate import going_in_circles, permitted
from .ports import EndExecution, Tool, ToolError, Wire
from .remembered import PastCall
from .results import masked, tidy, to_wire
from .scope import Scope
from .text import clean, clean_json
from .toolcontext import tool_context
from .unfinished import AGENT_CUT_OFF, AGENT_NOT_RUN, OUTCOME_UNKNOWN

log = logging.getLogger(__name__)

_PARTS: TypeAdapter[list[OutputPart]] = TypeAdapter(list[OutputPart])


async def run_calls(run: Run, scope: Scope, span: str, uses: list[Wire]) -> list[Wire]:
    """A `tool_result` block for each `tool_use` block of `uses`, in the same order; then hooks' words."""
    for use in uses:
        at = f"{span}/{use['id']}"
        run.open_calls[at] = OpenCall(scope.agent, span, use, run.ports.clock.monotonic())
        if at in run.past.told.calls:
            continue
        tool = scope.tools.get(use["name"])
        await run.ports.events.emit(
            "tool_call",
            agent=scope.agent,
            span=at,
            call_id=use["id"],
            tool=clean(use["name"]),
            source=tool.source if tool is not None else "builtin",
            input=_shown(use.get("input")),
        )
        failpoint("tool.announced")
    if len(uses) == 1:
        return await _one(run, scope, span, uses[0])
    with run.pace.spread(len(uses)) as done:

        async def one(use: Wire) -> list[Wire]:
            blocks = await _one(run, scope, span, use)
            done()
            return blocks

        tasks = [asyncio.create_task(one(use)) for use in uses]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            # Reached with unfinished calls when one ended the execution or somebody cancelled it.
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome
    blocks = [task.result() for task in tasks]
    # The service wants all results first.
    return [own[0] for own in blocks] + [text for own in blocks for text in own[1:]]


async def _one(run: Run, scope: Scope, span: str, use: Wire) -> list[Wire]:
    """The result of one call, and behind it what hooks add for the model."""
    call_id, name = use["id"], use["name"]
    past = run.past.call(f"{span}/{call_id}")
    if past is not None and past.result is not None:  # done in an earlier sitting: never again
        await _tell(run, scope.agent, span, use, past.result, past.output, past.duration_ms)
        return [past.result, *past.added]
    clock = run.ports.clock
    started = clock.monotonic()
    kept: JsonObject = {}
    try:
        parts, is_error = tidy(masked(await _run(run, scope, span, use, past, kept), run.job.mask)), False
    except ToolError as error:
        said: list[OutputPart] = [TextPart(text=str(error) or "The tool failed without a word.")]
        parts, is_error = tidy(masked(error.parts or said, run.job.mask)), True
    content = await to_wire(parts, run.job.workspace)
    failpoint("tool.ran")
    result: Wire = {"type": "tool_result", "tool_use_id": call_id, "content": content}
    if is_error:
        result["is_error"] = True
    added: list[Wire] = [
        {"type": "text", "text": text} for text in run.hooks.context(scope, f"{span}/{call_id}")
    ]
    output = [part.model_dump() for part in parts]
    duration_ms = round((clock.monotonic() - started) * 1000)
    await run.ports.journal.record(
        "tool_done",
        agent=scope.agent,
        span=span,
        call_id=call_id,
        tool=name,
        result=result,
        added=added,
        output=output,
        duration_ms=duration_ms,
        kept=kept,
    )
    failpoint("tool.journalled")
    await _tell(run, scope.agent, span, use, result, output, duration_ms)
    failpoint("tool.told")
    return [result, *added]


async def break_off(run: Run, span: str) -> None:
    """Say of the calls below `span`, whose agent is over and its caller goes on, that they had no end.

    Those of the inner agents first. Nothing of them runs any more.
    """
    for at in reversed([each for each in run.open_calls if each.startswith(f"{span}/")]):
        call = run.open_calls[at]
        text = AGENT_CUT_OFF if call.started else AGENT_NOT_RUN
        content = [{"type": "text", "text": text}]
        result: Wire = {
            "type": "tool_result", "tool_use_id": call.use["id"], "content": content, "is_error": True,
        }  # fmt: skip
        output = [TextPart(text=text).model_dump()]
        duration_ms = round((run.ports.clock.monotonic() - call.since) * 1000)
        await run.ports.journal.record(
            "tool_done",
            agent=call.agent,
            span=call.turn,
            call_id=call.use["id"],
            tool=call.use["name"],
            result=result,
            added=[],
            output=output,
            duration_ms=duration_ms,
            kept={},
        )
        await _tell(run, call.agent, call.turn, call.use, result, output, duration_ms)


async def _tell(
    run: Run, agent: str, span: str, use: Wire, result: Wire, output: list[JsonObject], duration_ms: int
) -> None:
    """The `tool_result` event, unless the log has it."""
    call_id = use["id"]
    run.open_calls.pop(f"{span}/{call_id}", None)
    if f"{span}/{call_id}" in run.past.told.results:
        return
    await run.ports.events.emit(
        "tool_result",
        agent=agent,
        span=f"{span}/{call_id}",
        call_id=call_id,
        tool=clean(use["name"]),
        is_error=bool(result.get("is_error")),
        output=output,
        duration_ms=duration_ms,
    )


async def _unknown(run: Run, scope: Scope, span: str, use: Wire) -> ToolError:
    """Why a call that an earlier sitting had started is not made again, said to people and to the model."""
    await run.warn(
        "OUTCOME_UNKNOWN",
        f"{clean(use['name'])} was cut off while it ran. Whether it had its effect is unknown; it is not run "
        "again.",
        agent=scope.agent,
        span=f"{span}/{use['id']}",
    )
    return ToolError(
        f"{OUTCOME_UNKNOWN} This call was cut off while it ran: it may have done all of its "
        "work, a part of it or nothing, and it was not run again. Look at how things stand before you "
        "repeat it."
    )


async def _run(
    run: Run, scope: Scope, span: str, use: Wire, past: PastCall | None, kept: JsonObject
) -> list[OutputPart]:
    name, call_id = use["name"], use["id"]
    tool = scope.tools.get(name)
    again = past is not None and past.started
    ended = past.ended if past is not None else None
    if past is not None and again and ended is None and not (tool and (past.read_only or _goes_on(tool))):
        raise await _unknown(run, scope, span, use)
    if past and again and tool:
        arguments = past.arguments
    else:
        circle = run.guard.circles(scope.agent).call(name, use.get("input"))
        if tool is None:
            there = ", ".join(sorted(scope.tools)) or "none"
            missing = ToolError(f"There is no tool called {name}. Tools you may call: {there}.")
            raise missing if circle is None else going_in_circles(scope, circle)
        arguments = await permitted(run, scope, span, tool, use, circle)
    if past is not None and ended is not None:  # only the hooks had not had their say
        return await _told(run, scope, span, use, arguments, _PARTS.validate_python(ended), past.duration_ms)
    failpoint("tool.allowed")
    clock, began = run.ports.clock, run.ports.clock.monotonic()
    try:
        parts = await _effect(run, scope, span, tool, call_id, arguments, kept)
    except ToolError as error:
        await run.hooks.after_failure(
            scope,
            f"{span}/{call_id}",
            tool=name,
            call_id=call_id,
            arguments=arguments,
            error=run.job.mask(str(error)),
            duration_ms=round((clock.monotonic() - began) * 1000),
        )
        raise
    if not run.hooks.wants("PostToolUse", name):
        return parts
    parts, duration_ms = tidy(masked(parts, run.job.mask)), round((clock.monotonic() - began) * 1000)
    await run.ports.journal.record(
        "tool_ended",
        agent=scope.agent,
        span=span,
        call_id=call_id,
        output=[part.model_dump() for part in parts],
        duration_ms=duration_ms,
        kept=kept,
    )
    return await _told(run, scope, span, use, arguments, parts, duration_ms)


def _goes_on(tool: Tool) -> bool:
    """Whether a call of `tool` that was broken off is no effect of its own: its conversation goes on."""
    return tool.source == "subagent"


async def _told(
    run: Run,
    scope: Scope,
    span: str,
    use: Wire,
    arguments: JsonObject,
    parts: list[OutputPart],
    duration_ms: int,
) -> list[OutputPart]:
    """What hooks make of the output of a call that went well."""
    return await run.hooks.after_call(
        scope,
        f"{span}/{use['id']}",
        tool=use["name"],
        call_id=use["id"],
        arguments=arguments,
        parts=parts,
        duration_ms=duration_ms,
    )


def _named(tool: Tool) -> str:
    kind, _, server = tool.source.partition(":")
    if kind == "mcp" and server:
        return f"MCP server {server}, tool {tool.name.removeprefix(f'mcp__{server}__')}"
    return f"the tool {tool.name}"


async def _effect(
    run: Run, scope: Scope, span: str, tool: Tool, call_id: str, arguments: JsonObject, kept: JsonObject
) -> list[OutputPart]:
    """Run the tool, which has its lock to itself; whatever goes wrong in it is a `ToolError`."""
    name, lock = tool.name, tool.lock(arguments)
    async with run.locks[lock] if lock is not None else nullcontext():
        await run.ports.journal.record(
            "tool_started",
            sync=not tool.read_only,
            agent=scope.agent,
            span=span,
            call_id=call_id,
            tool=name,
            arguments=arguments,
            read_only=tool.read_only,
        )
        run.open_calls[f"{span}/{call_id}"].started = True
        failpoint("tool.recorded")
        try:
            if tool.source == "subagent":  # what it waits for, it says itself
                return await tool.run(arguments, tool_context(run, scope, span, call_id, keep=kept))
            waits = run.guard.waiting(
                _named(tool), agent=scope.agent, span=f"{span}/{call_id}", call_id=call_id, tool=name
            )
            with waits as alive:
                context = tool_context(run, scope, span, call_id, keep=kept, alive=alive)
                return await tool.run(arguments, context)
        except (ToolError, EndExecution):
            raise
        except Exception as error:
            reference = uuid.uuid4().hex
            trace = run.job.mask("".join(traceback.format_exception(error)))
            log.error("Tool %s failed in execution %s (%s)\n%s", name, run.job.execution_id, reference, trace)
            raise ToolError(f"The tool {name} failed: {type(error).__name__}: {error}") from error


def _shown(arguments: object) -> JsonObject:
    cleaned = clean_json(arguments or {})
    return cleaned if isinstance(cleaned, dict) else {"value": cleaned}
