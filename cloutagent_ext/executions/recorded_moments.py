"""What happened in an execution, read back from its log as a hook would have been told it. All of it blocks.

Not here: asking a hook about it (`backtest`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..engine.hooks import moments
from ..engine.hooks.matchers import Matcher
from ..engine.unfinished import is_unfinished
from ..schema.base import JsonObject
from ..schema.project import Hook
from . import logfile

_MOST_BYTES = 32 * 1024 * 1024
"""Events of one execution that are held in memory to be told to a hook."""


@dataclass(frozen=True)
class Moment:
    """One thing that `hook` is for."""

    event_id: int
    agent: str
    fields: JsonObject
    call_id: str | None = None
    tool: str | None = None


def recorded(folder: Path, hook: Hook, most: int) -> tuple[list[Moment], bool]:
    """The moments of the execution in `folder` that `hook` is for, in order, and whether these are all.

    At most `most` of them, and `_MOST_BYTES` of events. Raises FileNotFoundError without a log,
    `logfile.LogDamaged` for one that cannot be read.
    """
    reader = _Reader(hook)
    found: list[Moment] = []
    held = 0
    for size, event in _events(folder / logfile.NAME):
        if (moment := reader.moment(event)) is None:
            continue
        held += size
        if len(found) == most or held > _MOST_BYTES:
            return found, False
        found.append(moment)
    return found, True


def _events(path: Path) -> Iterator[tuple[int, JsonObject]]:
    """Each event with its size."""
    offset, next_id = None, 1
    while True:
        page = logfile.read(path, next_id, offset)
        if not page.lines:
            return
        for line in page.lines:
            yield len(line), json.loads(line)
        offset, next_id = page.offset, next_id + len(page.lines)


class _Reader:
    """Reads one log; knows the calls whose results are still to come."""

    def __init__(self, hook: Hook) -> None:
        self._matcher = Matcher(hook.matcher)
        self._about = _READERS[hook.event]
        self._calls: dict[str, JsonObject] = {}
        self._denied: set[str] = set()

    def moment(self, event: JsonObject) -> Moment | None:
        kind = event["type"]
        if kind == "tool_call":
            self._calls[event["span"]] = event
        elif kind == "hook" and event["on"] == "PreToolUse" and event["outcome"] in ("deny", "failed"):
            self._denied.add(event["span"])
        moment = self._about(self, event)
        if kind == "tool_result":
            self._calls.pop(event["span"], None)
        if moment is None or (moment.tool is not None and not self._matcher.takes(moment.tool)):
            return None
        return moment

    # ------------------------------------------------------------ tools

    def before_call(self, event: JsonObject) -> Moment | None:
        call = event
        if event["type"] == "approval" and event.get("input") is not None and event["span"] in self._calls:
            # A person wrote other arguments, which hooks are asked about too.
            call = self._calls[event["span"]]
        elif event["type"] != "tool_call":
            return None
        fields = moments.call(call["tool"], event["call_id"], event["input"])
        return Moment(event["id"], event["agent"], fields, event["call_id"], call["tool"])

    def after_call(self, event: JsonObject) -> Moment | None:
        return self._result(event, failed=False)

    def after_failure(self, event: JsonObject) -> Moment | None:
        # A call that a hook had blocked never ran, so it never failed either.
        return None if event["span"] in self._denied else self._result(event, failed=True)

    def _result(self, event: JsonObject, *, failed: bool) -> Moment | None:
        if event["type"] != "tool_result" or event["is_error"] != failed:
            return None
        call = self._calls.get(event["span"])
        if call is None:
            return None
        if failed and is_unfinished(event["output"]):
            return None  # no hook was told of it: it has not failed by itself
        said = "\n".join(part.get("text", "") for part in event["output"])
        duration_ms = event["duration_ms"]
        fields = moments.call(event["tool"], event["call_id"], call["input"]) | (
            moments.failed(said, duration_ms)
            if failed
            else {"tool_response": event["output"], "duration_ms": duration_ms}
        )
        return Moment(event["id"], event["agent"], fields, event["call_id"], event["tool"])

    # ------------------------------------------------------------ agents and the execution

    def session_start(self, event: JsonObject) -> Moment | None:
        return _of(event, "start", lambda: {"source": "startup", "model": event["model"]})

    def prompt(self, event: JsonObject) -> Moment | None:
        return None if event.get("subagent") else _prompt(event)

    def subagent_start(self, event: JsonObject) -> Moment | None:
        return _prompt(event) if event.get("subagent") else None

    def stop(self, event: JsonObject) -> Moment | None:
        return _stop(event) if event["agent"] == "main" else None

    def subagent_stop(self, event: JsonObject) -> Moment | None:
        return _stop(event) if event["agent"] != "main" else None

    def pre_compact(self, event: JsonObject) -> Moment | None:
        if event.get("code") != "COMPACTED":
            return None
        return _of(event, "warning", lambda: {"trigger": "auto", "custom_instructions": ""})

    def notification(self, event: JsonObject) -> Moment | None:
        return _of(event, "approval_required", lambda: moments.waiting(event["agent"], event["tool"]))

    def session_end(self, event: JsonObject) -> Moment | None:
        if event["type"] == "error":
            return _of(event, "error", lambda: {"reason": event["code"]})
        return _of(event, "complete", lambda: {"reason": "completed"})

    def error(self, event: JsonObject) -> Moment | None:
        def fields() -> JsonObject:
            last = (event.get("result") or {}).get("text", "")
            return {"error": event["message"], "code": event["code"], "last_assistant_message": last}

        return _of(event, "error", fields)


def _of(event: JsonObject, kind: str, fields: Callable[[], JsonObject]) -> Moment | None:
    return Moment(event["id"], event["agent"], fields()) if event["type"] == kind else None


def _prompt(event: JsonObject) -> Moment | None:
    return _of(event, "agent_start", lambda: {"prompt": event["prompt"]})


def _stop(event: JsonObject) -> Moment | None:
    return _of(
        event,
        "agent_complete",
        lambda: {"stop_hook_active": False, "last_assistant_message": event["result"]},
    )


_READERS: dict[str, Callable[[_Reader, Any], Moment | None]] = {
    "PreToolUse": _Reader.before_call,
    "PostToolUse": _Reader.after_call,
    "PostToolUseFailure": _Reader.after_failure,
    "UserPromptSubmit": _Reader.prompt,
    "SessionStart": _Reader.session_start,
    "SessionEnd": _Reader.session_end,
    "Stop": _Reader.stop,
    "SubagentStart": _Reader.subagent_start,
    "SubagentStop": _Reader.subagent_stop,
    "PreCompact": _Reader.pre_compact,
    "Notification": _Reader.notification,
    "Error": _Reader.error,
}
