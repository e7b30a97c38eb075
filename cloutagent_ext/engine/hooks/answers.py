"""What a hook said, read: its decision, what it changes, what it adds, or why it counts as failed.

Claude Code's contract. Exit code 0: standard output is a JSON object, or plain text. Exit code 2
blocks with standard error as the reason, whatever standard output holds. Any other end is a
failure; so is output that begins like JSON and is none, or says what the contract does not know:
a guard that cannot be understood must not count as content. Not here: running it (`actions`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from ...schema.base import JsonObject
from ...schema.project import Hook, HookEvent
from ..masking import Mask
from ..ports import HookReply
from ..text import clean, clean_json, clip

BLOCKABLE = frozenset(
    {
        *("PreToolUse", "PostToolUse", "PostToolUseFailure"),
        *("UserPromptSubmit", "Stop", "SubagentStop", "PreCompact"),
    }
)
"""Events that a hook can block; of PostToolUse and PostToolUseFailure the model gets the reason."""
AFTERTHOUGHTS = frozenset({"SessionEnd", "Notification", "Error"})
"""Events behind which there is nothing left to keep from happening."""
CONTEXT_FROM_TEXT = frozenset({"UserPromptSubmit", "SessionStart", "SubagentStart", "PreCompact"})
"""Events of which plain text is for the model (PreCompact: for whoever summarises)."""
NO_OUTPUT = object()
"""`Answer.output` of a hook that leaves the output alone."""

_LONGEST_NOTE = 2000
"""Characters of a hook's words that its event repeats."""
_LONGEST_CONTEXT = 16 * 1024
"""Bytes of one hook's words that the model gets."""

_DECISIVE = ('"decision"', '"hookSpecificOutput"', '"continue"')

Permission = Literal["allow", "ask", "deny"]


@dataclass
class Answer:
    """One hook's answer about one event."""

    hook: Hook
    permission: Permission | None = None
    """`deny` is a block, of whatever the event is about."""
    reason: str = ""
    arguments: JsonObject | None = None
    """What the tool gets instead."""
    output: Any = field(default=NO_OUTPUT)
    """What the model gets instead."""
    context: str = ""
    """What it adds for the model."""
    stop: str | None = None
    """Why the execution is to end after this step."""
    failed: str = ""
    """Why it counts as failed."""
    note: str = ""
    """What else it said, for people."""
    duration_ms: int = 0

    @property
    def outcome(self) -> Literal["allow", "deny", "changed", "failed"]:
        """As its `hook` event says it."""
        if self.failed:
            return "failed"
        if self.permission == "deny" or self.stop is not None:
            return "deny"
        changes = self.arguments is not None or self.output is not NO_OUTPUT or self.context
        return "changed" if changes or self.permission == "ask" else "allow"

    def told(self) -> str:
        """What its event says, the hook's name first."""
        said = [f"failed: {self.failed}" if self.failed else ""]
        if self.permission == "deny":
            said.append(f"blocks: {self.reason}")
        elif self.permission == "ask":
            said.append(
                f"wants a person to decide: {self.reason}" if self.reason else "wants a person to decide"
            )
        if self.stop is not None:
            said.append(f"ends the execution: {self.stop}")
        if self.arguments is not None:
            said.append(f"changed the input to {json.dumps(self.arguments, ensure_ascii=False)}")
        said.append("changed the output" if self.output is not NO_OUTPUT else "")
        said.append(f"added {len(self.context)} characters for the model" if self.context else "")
        said.append(self.note)
        text = "; ".join(part for part in said if part) or "has no objection"
        return clip(f"{self.hook.name} {text}", limit=2 * _LONGEST_NOTE)


class Unreadable(ValueError):
    """What the hook said is not what the contract knows; the text says what."""


def read(hook: Hook, reply: HookReply, mask: Mask) -> Answer:
    """`reply` as an answer; a failure that blocks (`on_failure`) is one with `permission` deny."""
    answer = Answer(hook)
    if reply.failed:
        answer.failed = clean(mask(reply.failed))
    elif reply.blocks:
        answer.permission = "deny"
        answer.reason = clip(clean(mask(reply.errors.strip())), limit=_LONGEST_CONTEXT)
        answer.reason = answer.reason or _reason_in(reply.text, mask) or "no reason given"
    else:
        try:
            _read_text(answer, hook.event, clean(reply.text.strip()), mask)
        except Unreadable as error:
            answer = Answer(hook, failed=clean(mask(str(error))))
    if reply.background:
        answer.note = answer.note or "goes on in the background"
    if answer.permission == "deny" and hook.event not in BLOCKABLE:
        answer.failed = f"it blocks {hook.event}, which cannot be blocked: {answer.reason}"
        answer.permission, answer.reason = None, ""
    return _with_policy(answer)


def fail(answer: Answer, why: str) -> Answer:
    """The same hook's answer as a failed one: it asks for what cannot be done."""
    return _with_policy(Answer(answer.hook, failed=why, note=answer.note, duration_ms=answer.duration_ms))


def blocks_when_failing(hook: Hook) -> bool:
    """Whether a failure of `hook` counts as a block."""
    if hook.event in AFTERTHOUGHTS:
        return False
    return (hook.on_failure or ("block" if hook.event == "PreToolUse" else "continue")) == "block"


def _with_policy(answer: Answer) -> Answer:
    if answer.failed and blocks_when_failing(answer.hook):
        answer.permission = "deny"
        answer.reason = f"it failed, and what it guards is not done without it ({answer.failed})"
    return answer


def _read_text(answer: Answer, event: HookEvent, text: str, mask: Mask) -> None:
    if not text.startswith("{"):
        behind = text.partition("\n{")[2]
        if any(word in behind for word in _DECISIVE):  # a decision must not pass as plain text
            raise Unreadable("its JSON does not stand at the beginning of its output")
        text = mask(text)
        if event in CONTEXT_FROM_TEXT:
            answer.context = clip(text, limit=_LONGEST_CONTEXT)
        else:
            answer.note = clip(text, limit=_LONGEST_NOTE)
        return
    said = mask.deep(clean_json(_object(text)))
    if said.get("async") is True:
        answer.note = "goes on in the background"
        return
    _read_object(answer, event, said)


def _object(text: str) -> JsonObject:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        first, _, rest = text.partition("\n")
        said = _first_line(first) if rest else None
        if said is None:
            raise Unreadable("its output begins like JSON and is none") from None
    if not isinstance(said, dict):
        raise Unreadable("its output is no JSON object")
    return said


def _first_line(line: str) -> JsonObject | None:
    """The first line where it says that the rest is work in the background."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and said.get("async") is True else None


def _read_object(answer: Answer, event: HookEvent, said: JsonObject) -> None:
    _one_of(said, "decision", {"block", "approve"})
    specific = said.get("hookSpecificOutput")
    if specific is None:
        specific = {}
    if not isinstance(specific, dict):
        raise Unreadable("`hookSpecificOutput` is no object")
    if specific.get("hookEventName", event) != event:
        raise Unreadable(f"it answers for {specific['hookEventName']!r}, and the event is {event}")
    decision = said.get("decision")
    if decision is not None:
        answer.permission = "deny" if decision == "block" else "allow"
        answer.reason = _text(said, "reason")
    if event == "PreToolUse":
        _read_permission(answer, specific)
    if event == "PostToolUse" and "updatedToolOutput" in specific:
        answer.output = specific["updatedToolOutput"]
    if answer.permission == "deny":
        answer.reason = clip(answer.reason, limit=_LONGEST_CONTEXT) or "no reason given"
    answer.context = clip(_text(specific, "additionalContext"), limit=_LONGEST_CONTEXT)
    going_on = said.get("continue", True)
    if not isinstance(going_on, bool):
        raise Unreadable("`continue` is neither true nor false")
    if not going_on:
        answer.stop = clip(_text(said, "stopReason"), limit=_LONGEST_NOTE) or "no reason given"
    answer.note = clip(_text(said, "systemMessage"), limit=_LONGEST_NOTE)


def _read_permission(answer: Answer, specific: JsonObject) -> None:
    _one_of(specific, "permissionDecision", {"allow", "deny", "ask", "defer"})
    decision = specific.get("permissionDecision")
    if decision is not None and answer.permission != "deny":
        # `defer` is "decide later": a question here may wait for days, and survives a restart.
        answer.permission = "ask" if decision == "defer" else decision
        answer.reason = _text(specific, "permissionDecisionReason") or answer.reason
    arguments = specific.get("updatedInput")
    if arguments is not None:
        if not isinstance(arguments, dict):
            raise Unreadable("`updatedInput` is no object")
        answer.arguments = arguments


def _one_of(said: JsonObject, name: str, known: set[str]) -> None:
    value = said.get(name)
    if value is not None and (not isinstance(value, str) or value not in known):
        raise Unreadable(f"`{name}` is {repr(value)[:80]}, and may be {', '.join(sorted(known))}")


def _text(said: JsonObject, name: str) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"`{name}` is no text")
    return value.strip()


def _reason_in(text: str, mask: Mask) -> str:
    """The reason that a blocking hook gave as JSON instead of on standard error."""
    try:
        said = json.loads(text)
        specific = said.get("hookSpecificOutput") or {}
        reason = said.get("reason") or specific.get("permissionDecisionReason")
    except (ValueError, AttributeError, RecursionError):
        reason = text.strip()
    return clip(clean(mask(reason)), limit=_LONGEST_CONTEXT) if isinstance(reason, str) else ""
