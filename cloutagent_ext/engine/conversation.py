"""One agent from its first prompt to its answer: turn after turn, as the stop reasons say.

Not here: how a turn is sent (`turn`), how tools run (`dispatch`), what a subagent is (`subagents`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..failpoints import failpoint
from ..schema.execution import EndCode
from .arguments import describe, validator_for
from .assembly import Reply
from .budget import WARN_AT
from .compaction import Compaction
from .context import Run, Totals
from .dispatch import run_calls
from .ports import EndExecution, Wire
from .remembered import PastConversation
from .scope import Scope
from .text import clean, clean_json
from .tools.mcp_listing import changed
from .transcript import Transcript, settings_for
from .turn import Turns

MAX_PAUSES = 5
"""Times in a row that a reply may pause to be continued."""
MAX_REPAIRS = 2
"""Times that an answer which does not fit `output_schema` is sent back."""
_UNKNOWN_MODEL_OUTPUT = 32_000
"""Longest reply asked of a model that is not in the catalogue, in tokens."""


@dataclass(frozen=True)
class Answer:
    """What an agent came to."""

    text: str
    data: Any = None


class Conversation:
    """One run of one agent. `text` and `totals` hold also after a failure."""

    def __init__(self, run: Run, scope: Scope) -> None:
        self.text = ""
        self.totals = Totals()
        self._run = run
        self._scope = scope
        self._past = past = run.past.conversations.get(scope.span)
        if past is not None:
            self.text = clean(past.text)
            self.totals = Totals(past.usage, past.cost, past.turns)
        self._to_show: Sequence[Wire] = ()
        """What the next message to the model has to show it besides."""
        self._turns_before = past.turns_before if past is not None else 0
        self._transcript = Transcript(
            agent=scope.agent,
            span=scope.span,
            model=scope.model,
            system=scope.system,
            tools=scope.tools.values(),
            settings=settings_for(
                run.facts(scope.model),
                thinking=scope.thinking,
                effort=scope.effort,
                output_schema=scope.output_schema,
            ),
            journal=run.ports.journal,
        )
        facts = run.facts(scope.model)
        # A prefix that is too short for the cache is not worth waiting for.
        cacheable = facts is not None and self._transcript.prefix_tokens >= facts.cache_minimum
        self._largest = facts.max_output_tokens if facts else _UNKNOWN_MODEL_OUTPUT
        model = run.ports.models.for_agent(scope.agent_id)
        self._turns = Turns(
            run,
            agent=scope.agent,
            model=model,
            transcript=self._transcript,
            budget=scope.budget,
            totals=self.totals,
            warmup=run.warmups[scope.agent_id] if scope.shared and cacheable else None,
        )
        self._compaction = Compaction(run, scope, self._transcript, self._turns, model)

    async def run(self) -> Answer:
        """Its answer. Raises `EndExecution` where it comes to none."""
        scope, emit, told = self._scope, self._run.ports.events.emit, self._run.past.told
        if scope.span not in told.begun:
            await emit(
                "agent_start",
                agent=scope.agent,
                span=scope.span,
                name=scope.name,
                subagent=None if scope.call_id is None else scope.agent_id,
                call_id=scope.call_id,
                model=scope.model,
                prompt=clean(scope.prompt),
                **({"variables": clean_json(dict(self._run.job.variables))} if scope.call_id is None else {}),
            )
        failpoint("run.agent_begun")
        try:
            answer = await self._converse()
        except EndExecution:
            await self.complete()
            raise
        await self.complete()
        return answer

    async def complete(self) -> None:
        """Say that it is over, unless that was said: also for whoever has broken it off."""
        if self._scope.span in self._run.past.told.done:
            return
        await self._run.ports.events.emit(
            "agent_complete",
            agent=self._scope.agent,
            span=self._scope.span,
            call_id=self._scope.call_id,
            result=self.text,
            usage=self.totals.usage.model_dump(),
            total_cost_usd=self.totals.cost,
            turns=self.totals.turns - self._turns_before,
        )

    async def _begin(self) -> Reply | None:
        """Stand at the first message, or where an earlier sitting stood; its reply that nobody acted upon."""
        past = self._past
        if past is None:
            added = await self._run.hooks.begin(self._scope)
            await self._transcript.start(self._scope.prompt, added, self._scope.attached)
            failpoint("run.conversation")
            return None
        await self._transcript.go_on(past)
        failpoint("run.restored")
        if self._scope.attached and past.last is None and self._transcript.messages[-1]["role"] == "user":
            await self._transcript.attach(self._scope.attached)
        else:
            self._to_show = self._scope.attached
        await self._tell_changed_tools(past)
        if self._scope.call_id is None and self._run.past.prompt_due:
            await self._run.hooks.begin_again(self._scope)
        self._run.hooks.go_on(self._scope, sent_back=past.sent_back, answered=past.last is None)
        if past.last is None and self._run.past.is_void(span := f"{self._scope.span}/{past.turns + 1}"):
            await self._run.warn(
                "RETRYING",
                "The server stopped in the middle of this reply; asking for it again.",
                agent=self._scope.agent,
                span=span,
                kind="interrupted",
            )
        return past.last

    async def _tell_changed_tools(self, past: PastConversation) -> None:
        """The tools that the model knows are those it began with; servers may have others by now."""
        changes = changed(past.request, self._scope.tools.values()) if past.request is not None else []
        if changes:
            await self._run.warn(
                "MCP_TOOLS_CHANGED",
                f"The MCP tools of {self._scope.name} are not those that its conversation began with "
                f"({'; '.join(changes)}). It keeps the list it began with.",
                agent=self._scope.agent,
                span=self._scope.span,
                changes=changes,
            )

    async def _converse(self) -> Answer:
        scope, transcript, past, hooks = self._scope, self._transcript, self._past, self._run.hooks
        room = min(scope.max_tokens, self._largest)
        pauses = repairs = cuts = 0
        span = ""
        reply = await self._begin()
        if past is not None:
            room, pauses, repairs, span = max(room, past.room), past.pauses, past.repairs, past.last_span
        while True:
            if reply is None:
                span = self._next_turn()
                await self._warn_of_turns()
                reply = await self._reply(span, room)
                if reply.stop_reason == "max_tokens" and _ends_in_a_call(reply):
                    room = self._more_room(room)
                    await transcript.drop_reply(reply, span=span)
                    await self._run.warn(
                        "RETRYING",
                        f"The reply was cut inside a tool call; asking again with room for {room} tokens.",
                        agent=scope.agent,
                        span=span,
                        kind="max_tokens",
                    )
                    reply = None
                    continue
                await transcript.add_reply(reply, span=span, now=self._run.ports.clock.monotonic())
                failpoint("model.journalled")
            now, reply = reply, None
            self._run.guard.circles(scope.agent).turn(now)
            if text := clean(now.text):
                self.text = text
            match now.stop_reason:
                case "tool_use" if now.tool_uses:
                    results = await run_calls(self._run, scope, span, now.tool_uses)
                    shown, self._to_show = self._to_show, ()
                    await transcript.add_user([*results, *shown], span=span)
                    failpoint("tool.answered")
                    hooks.check(scope)
                    pauses = cuts = 0
                case "pause_turn" | "compaction" if pauses < MAX_PAUSES:
                    pauses += 1
                case "model_context_window_exceeded" if not cuts:
                    cuts += 1
                    await self._compaction.after_cut(now, span)
                case "end_turn" | "stop_sequence":
                    self.text = clean(now.text)
                    data, problem = self._data()
                    if problem is None:
                        if (more := await hooks.stop(scope, self.text)) is None:
                            return Answer(self.text, data)
                        await transcript.add_user([{"type": "text", "text": more}], span=span, why="hook")
                        continue
                    if repairs == MAX_REPAIRS:
                        raise EndExecution(
                            "MODEL_ERROR",
                            f"The answer does not fit the output schema: {problem}",
                            kind="output_schema",
                        )
                    repairs += 1
                    again = (
                        f"That answer does not fit the required JSON schema ({problem}). "
                        "Answer again, with the JSON only."
                    )
                    await transcript.add_user([{"type": "text", "text": again}], span=span, why="repair")
                case _:
                    raise self._stopped(now, room)

    async def _reply(self, span: str, room: int) -> Reply:
        """The model's next reply; room is made for it before, or once when the service says there is none."""
        await self._compaction.make_room(span, room)
        try:
            return await self._turns.take(span, room)
        except EndExecution as end:
            await self._compaction.after_refusal(end, span)
        return await self._turns.take(span, room)

    def _next_turn(self) -> str:
        if self.totals.turns - self._turns_before >= self._scope.max_turns:
            raise EndExecution(
                "TURN_LIMIT_EXCEEDED",
                f"{self._scope.name} was not done after {self._scope.max_turns} turns. "
                "Raise `max_turns` of the limits.",
                max_turns=self._scope.max_turns,
            )
        if self._run.ports.servers is not None:
            self._run.ports.servers.check()
        self.totals.turns += 1
        return f"{self._scope.span}/{self.totals.turns}"

    async def _warn_of_turns(self) -> None:
        """One warning when most of the turns are used. A subagent's own limit is its caller's to hear of."""
        used, most = self.totals.turns - self._turns_before - 1, self._scope.max_turns
        if self._scope.call_id is None and used >= WARN_AT * most:
            await self._run.warn_once("TURNS_80", f"{used} of the limit of {most} turns are used.")

    def _more_room(self, room: int) -> int:
        """Twice the room for a reply that was cut in a call, once; `EndExecution` where that cannot help."""
        larger = min(room * 2, self._largest)
        if self._turns.lowered or room > self._scope.max_tokens or larger <= room:
            raise self._cut(room)
        return larger

    def _cut(self, room: int) -> EndExecution:
        if self._turns.lowered:
            budget = self._scope.budget
            by_cost = (budget.percent_of_cost() or 0) >= (budget.percent_of_tokens() or 0)
            code: EndCode = "COST_LIMIT_EXCEEDED" if by_cost else "TOKEN_LIMIT_EXCEEDED"
            return EndExecution(
                code, "The reply was cut: the limit left no room for more.", kind="max_tokens"
            )
        return EndExecution(
            "MODEL_ERROR",
            f"The reply was cut at {room} tokens. Raise `max_tokens` of the agent, or ask for less at once.",
            kind="max_tokens",
            max_tokens=room,
        )

    def _stopped(self, reply: Reply, room: int) -> EndExecution:
        """Why a stop reason other than an answer ends the run."""
        reason = reply.stop_reason
        if reason == "max_tokens":
            return self._cut(room)
        if reason == "refusal":
            details = reply.stop_details or {}
            why = details.get("explanation") or details.get("category") or "no reason given"
            return EndExecution(
                "MODEL_REFUSED", f"The model refused to answer ({why}).", stop_details=details, kind="refusal"
            )
        messages = {
            "model_context_window_exceeded": "The conversation has outgrown the model's context window. "
            "Split the task, or let tools answer shorter.",
            "pause_turn": f"The model paused {MAX_PAUSES + 1} times in a row without going on.",
            "tool_use": "The model stopped to call a tool and named none.",
        }
        said = messages.get(reason or "", f"The model stopped for a reason we do not know ({reason}).")
        return EndExecution("MODEL_ERROR", said, kind=reason or "no_stop_reason")

    def _data(self) -> tuple[Any, str | None]:
        """The answer as JSON and None, or None and what is wrong with it; free text is always right."""
        schema = self._scope.output_schema
        if schema is None:
            return None, None
        try:
            data = json.loads(self.text)
        except ValueError as error:
            return None, f"it is not JSON: {error}"
        return data, describe(validator_for(schema), data)


def _ends_in_a_call(reply: Reply) -> bool:
    return bool(reply.content) and reply.content[-1].get("type") == "tool_use"
