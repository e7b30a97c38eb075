"""The hooks of one execution, as the rest of the engine calls them.

Each method is one event: it tells the hooks that are for it, leaves a `hook` event for every one
of them, and gives back what they came to together. Where there is none it costs a look into a
dictionary. Not here: what one hook's output means (`answers`), running it (`ports.HookActions`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...failpoints import failpoint
from ...schema.base import JsonObject
from ...schema.events import OutputPart, TextPart
from ...schema.project import Hook, HookEvent
from ..job import Job
from ..past import Past
from ..ports import EndExecution, HookReply, Ports
from ..scope import Scope
from ..text import clean
from . import moments
from .answers import NO_OUTPUT, Answer, blocks_when_failing, fail, read
from .matchers import Matcher

log = logging.getLogger(__name__)

MAIN = "main"
MAX_STOP_BLOCKS = 10
"""Times that hooks may send one agent back to work when it wants to stop."""
LAST_WORDS_S = 60
"""Most seconds that each hook of an end (`Error`, `SessionEnd`) may take: the limits are past by then."""

_NO_ACTIONS = HookReply(failed="nothing here can run hooks")


@dataclass
class Word:
    """What the hooks say about a tool call before it runs."""

    arguments: JsonObject
    deny: str | None = None
    """Why it must not run."""
    ask: bool = False
    """A person has to decide, whatever the rules allow."""
    allow: bool = False
    """The question that the tool asks by default needs no asking."""


@dataclass
class Compaction:
    """What the hooks say about a summary that is about to replace the conversation's past."""

    block: str | None = None
    """Why it must not happen."""
    instructions: str = ""
    """What else whoever summarises should know."""


@dataclass
class _Agent:
    """What hooks have come to about one agent of the execution."""

    stop: EndExecution | None = None
    sent_back: int = 0
    context: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Span of a tool call → what hooks add to its result."""


class Hooks:
    """The enabled hooks of an execution, by event."""

    def __init__(self, job: Job, ports: Ports, past: Past | None = None) -> None:
        self._job = job
        self._ports = ports
        self._by_event: dict[str, list[tuple[Hook, Matcher]]] = {}
        self._agents: defaultdict[str, _Agent] = defaultdict(_Agent)
        self._notices: set[asyncio.Task[None]] = set()
        for hook in job.definition.hooks:
            if hook.enabled:
                self._by_event.setdefault(hook.event, []).append((hook, Matcher(hook.matcher)))
        for agent, (message, hook_id, event) in ({} if past is None else past.stopped).items():
            self._agents[agent].stop = EndExecution("HOOK_BLOCKED", message, hook=hook_id, on=event)

    def wants(self, event: HookEvent, tool: str | None = None) -> list[Hook]:
        """The hooks that are for `event` (about `tool`), in the project's order."""
        listed = self._by_event.get(event)
        if listed is None:
            return []
        return [hook for hook, matcher in listed if tool is None or matcher.takes(tool)]

    # ------------------------------------------------------------ an agent begins and stops

    async def begin(self, scope: Scope) -> list[str]:
        """SessionStart and UserPromptSubmit of the main agent, SubagentStart of another one.

        What they add to its first message. Raises `EndExecution` where one of them blocks.
        """
        if not self._by_event:
            return []
        if scope.call_id is not None:
            return await self._first(scope, "SubagentStart", prompt=scope.prompt)
        added = await self._first(scope, "SessionStart", source="startup", model=scope.model)
        return added + await self._first(scope, "UserPromptSubmit", prompt=scope.prompt)

    async def begin_again(self, scope: Scope) -> None:
        """The same of an execution that goes on from another one: its prompt may be a new one.

        They may block it; what they add is left out, since the conversation has begun already.
        """
        if not self._by_event:
            return
        await self._first(scope, "SessionStart", source="resume", model=scope.model)
        await self._first(scope, "UserPromptSubmit", prompt=scope.prompt)
        await self._ports.journal.record("prompt_passed", agent=scope.agent, span=scope.span)

    async def _first(self, scope: Scope, event: HookEvent, **fields: object) -> list[str]:
        answers = await self._side_by_side(scope.agent, scope.span, event, fields)
        for answer in answers:
            if answer.permission == "deny":
                what = "the prompt" if event == "UserPromptSubmit" else f"{scope.name} at its start"
                raise EndExecution(
                    "HOOK_BLOCKED",
                    f"The hook {answer.hook.name} blocked {what}: {answer.reason}",
                    hook=answer.hook.id,
                    on=event,
                )
        self.check(scope)
        return [_named(answer, answer.context) for answer in answers if answer.context]

    async def stop(self, scope: Scope, text: str) -> str | None:
        """Stop or SubagentStop: what the agent must go on with, or None where it may stop.

        Raises `EndExecution` where hooks never let it, or end the execution.
        """
        event: HookEvent = "Stop" if scope.call_id is None else "SubagentStop"
        if event not in self._by_event:
            return None
        self.check(scope)
        state = self._agents[scope.agent]
        fields = {"stop_hook_active": state.sent_back > 0, "last_assistant_message": text}
        answers = await self._side_by_side(scope.agent, scope.span, event, fields)
        self.check(scope)
        against = [answer for answer in answers if answer.permission == "deny"]
        if not against:
            return None
        state.sent_back += 1
        if state.sent_back > MAX_STOP_BLOCKS:
            names = ", ".join(answer.hook.name for answer in against)
            raise EndExecution(
                "HOOK_BLOCKED",
                f"{names} did not let {scope.name} stop, {MAX_STOP_BLOCKS} times. Let the hook look at "
                "`stop_hook_active`, or give the agent a way to satisfy it.",
                hook=against[0].hook.id,
                on=event,
            )
        return "\n\n".join(
            "\n".join(part for part in (_named(answer, answer.reason), answer.context) if part)
            for answer in against
        )

    def go_on(self, scope: Scope, *, sent_back: int, answered: bool) -> None:
        """A resumed conversation had been sent back that often; `answered`: no call of it is open.

        Raises `EndExecution` where a hook had ended the execution in a step that is done.
        """
        if sent_back:
            self._agents[scope.agent].sent_back = sent_back
        if answered:
            self.check(scope)

    # ------------------------------------------------------------ a tool call

    async def before_call(
        self,
        scope: Scope,
        span: str,
        *,
        tool: str,
        call_id: str,
        arguments: JsonObject,
        problem: Callable[[JsonObject], str | None],
    ) -> Word:
        """PreToolUse. `span`: the call's own. `problem`: why a tool could not take such arguments."""
        word = Word(arguments)
        if "PreToolUse" not in self._by_event:
            return word
        for hook in self.wants("PreToolUse", tool):
            told = moments.call(tool, call_id, word.arguments)
            answer = await self._ask(scope.agent, hook, told)
            if answer.arguments is not None and (wrong := problem(answer.arguments)) is not None:
                answer = fail(answer, f"its `updatedInput` does not fit the tool: {wrong}")
            await self._say(scope.agent, span, answer)
            if answer.permission == "deny" or answer.stop is not None:
                why = answer.reason if answer.permission == "deny" else answer.stop
                word.deny = word.deny or f"The hook {hook.name} blocked this call: {why}"
            word.ask = word.ask or answer.permission == "ask"
            word.allow = word.allow or answer.permission == "allow"
            if answer.arguments is not None:
                word.arguments = answer.arguments
            self._add(scope, span, tool, answer)
        return word

    async def after_call(
        self,
        scope: Scope,
        span: str,
        *,
        tool: str,
        call_id: str,
        arguments: JsonObject,
        parts: list[OutputPart],
        duration_ms: int,
    ) -> list[OutputPart]:
        """PostToolUse, of a call that went well: its output, as hooks leave it."""
        if "PostToolUse" not in self._by_event:
            return parts
        for hook in self.wants("PostToolUse", tool):
            told = moments.call(tool, call_id, arguments) | moments.ran(parts, duration_ms)
            answer = await self._ask(scope.agent, hook, told)
            await self._say(scope.agent, span, answer)
            if answer.output is not NO_OUTPUT:
                parts = [TextPart(text=_output_text(answer.output))]
            self._add(scope, span, tool, answer)
        return parts

    async def after_failure(
        self,
        scope: Scope,
        span: str,
        *,
        tool: str,
        call_id: str,
        arguments: JsonObject,
        error: str,
        duration_ms: int,
    ) -> None:
        """PostToolUseFailure, of a call that ran and failed."""
        if "PostToolUseFailure" not in self._by_event:
            return
        told = moments.call(tool, call_id, arguments) | moments.failed(error, duration_ms)
        answers = await self._side_by_side(scope.agent, span, "PostToolUseFailure", told, tool=tool)
        for answer in answers:
            self._add(scope, span, tool, answer)

    def context(self, scope: Scope, span: str) -> list[str]:
        """What hooks have added to the result of the call at `span`; each time once."""
        if scope.agent not in self._agents:
            return []
        return self._agents[scope.agent].context.pop(span, [])

    def _add(self, scope: Scope, span: str, tool: str, answer: Answer) -> None:
        added = self._agents[scope.agent].context[span]
        if answer.hook.event != "PreToolUse" and answer.permission == "deny":
            added.append(_named(answer, answer.reason, tool))
        if answer.context:
            added.append(_named(answer, answer.context, tool))

    # ------------------------------------------------------------ the rest

    async def pre_compact(
        self, scope: Scope, span: str, *, trigger: str, custom_instructions: str = ""
    ) -> Compaction:
        """PreCompact. `trigger`: `auto` or `manual`. Raises `EndExecution` where one ends the execution."""
        result = Compaction()
        if "PreCompact" not in self._by_event:
            return result
        told = {"trigger": trigger, "custom_instructions": custom_instructions}
        answers = await self._side_by_side(scope.agent, span, "PreCompact", told)
        self.check(scope)
        for answer in answers:
            if answer.permission == "deny" and result.block is None:
                result.block = f"The hook {answer.hook.name} blocked it: {answer.reason}"
        result.instructions = "\n\n".join(answer.context for answer in answers if answer.context)
        return result

    def notify(self, scope: Scope, span: str, *, message: str, title: str, kind: str) -> None:
        """Notification, beside whatever goes on: nobody waits for these hooks until `close`."""
        if "Notification" not in self._by_event:
            return
        told = {"message": message, "title": title, "notification_type": kind}
        task = asyncio.create_task(self._notice(scope, span, told))
        self._notices.add(task)
        task.add_done_callback(self._noticed)

    async def _notice(self, scope: Scope, span: str, told: JsonObject) -> None:
        await self._side_by_side(scope.agent, span, "Notification", told)

    def _noticed(self, task: asyncio.Task[None]) -> None:
        self._notices.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Telling about a notification failed: %s", error)

    async def ended(self, *, reason: str, error: str | None, text: str) -> None:
        """Error (where there is one), then SessionEnd. `reason`: `completed`, or the code of the error."""
        if error is not None:
            told = {"error": error, "code": reason, "last_assistant_message": text}
            await self._side_by_side(MAIN, MAIN, "Error", told, most_s=LAST_WORDS_S)
        await self._side_by_side(MAIN, MAIN, "SessionEnd", {"reason": reason}, most_s=LAST_WORDS_S)

    def check(self, scope: Scope) -> None:
        """Raises `EndExecution` where a hook has ended the execution in a step of this agent."""
        if scope.agent in self._agents and (stop := self._agents[scope.agent].stop) is not None:
            raise stop

    async def close(self, *, cancelled: bool) -> None:
        """Wait for what still runs beside (`cancelled`: end it)."""
        notices = list(self._notices)
        for task in notices if cancelled else []:
            task.cancel()
        await asyncio.gather(*notices, return_exceptions=True)

    # ------------------------------------------------------------ one hook

    async def _side_by_side(
        self,
        agent: str,
        span: str,
        event: HookEvent,
        fields: JsonObject,
        *,
        tool: str | None = None,
        most_s: int | None = None,
    ) -> list[Answer]:
        hooks = self.wants(event, tool)
        if most_s is not None:
            hooks = [hook.model_copy(update={"timeout_s": min(hook.timeout_s, most_s)}) for hook in hooks]
        if not hooks:
            return []
        tasks = [asyncio.create_task(self._tell(agent, span, hook, fields)) for hook in hooks]
        try:
            return list(await asyncio.gather(*tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _tell(self, agent: str, span: str, hook: Hook, fields: JsonObject) -> Answer:
        answer = await self._ask(agent, hook, fields)
        await self._say(agent, span, answer)
        return answer

    async def _ask(self, agent: str, hook: Hook, fields: JsonObject) -> Answer:
        told = moments.moment(
            hook.event,
            execution_id=self._job.execution_id,
            cwd=str(self._job.workspace),
            agent=agent,
            **fields,
        )
        actions, clock = self._ports.hooks, self._ports.clock
        began = clock.monotonic()
        failpoint("hook.begun")
        reply = _NO_ACTIONS if actions is None else await actions.run(hook, told)
        answer = read(hook, reply, self._job.mask)
        answer.duration_ms = round((clock.monotonic() - began) * 1000)
        failpoint("hook.ended")
        return answer

    async def _say(self, agent: str, span: str, answer: Answer) -> None:
        hook = answer.hook
        if answer.stop is not None and self._agents[agent].stop is None:
            message = f"The hook {hook.name} ended the execution: {answer.stop}"
            self._agents[agent].stop = EndExecution("HOOK_BLOCKED", message, hook=hook.id, on=hook.event)
            await self._ports.journal.record(
                "hook_stop", agent=agent, span=span, message=message, hook=hook.id, on=hook.event
            )
        told = answer.told()
        if answer.failed and not blocks_when_failing(hook):
            told += "; the execution goes on without it"
        await self._ports.events.emit(
            "hook",
            agent=agent,
            span=span,
            hook=hook.id,
            on=hook.event,
            outcome=answer.outcome,
            message=told,
            duration_ms=answer.duration_ms,
        )


def _named(answer: Answer, text: str, tool: str = "") -> str:
    """`text` for the model, with where it comes from."""
    about = f", {answer.hook.event} of {tool}" if tool else ""
    return f"[hook {answer.hook.name}{about}] {text}"


def _output_text(output: Any) -> str:
    if isinstance(output, list) and all(isinstance(part, dict) and "text" in part for part in output):
        output = "\n".join(str(part["text"]) for part in output)
    return clean(output if isinstance(output, str) else json.dumps(output, ensure_ascii=False))
