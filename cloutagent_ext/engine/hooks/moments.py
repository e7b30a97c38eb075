"""What a hook is told: Claude Code's fields, one JSON object on standard input or as the body of a POST.

Not given: `transcript_path`, since the event log has another form and lies outside of what a hook may
read. Tools have the names that they have here (`bash`, not `Bash`). Values are already masked.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...schema.base import JsonObject
from ...schema.events import OutputPart
from ...schema.project import HookEvent


def moment(
    event: HookEvent, *, execution_id: str, cwd: str, agent: str = "main", **fields: object
) -> JsonObject:
    """`event` as a hook is told it; `agent` as in events (`main`, or `<subagent id>#k`)."""
    told: JsonObject = {"session_id": execution_id, "cwd": cwd, "hook_event_name": event}
    if agent != "main":
        told |= {"agent_id": agent, "agent_type": agent.partition("#")[0]}
    return told | fields


def call(tool: str, call_id: str, arguments: JsonObject) -> JsonObject:
    """A tool call, before it runs."""
    return {"tool_name": tool, "tool_input": arguments, "tool_use_id": call_id}


def ran(parts: Sequence[OutputPart], duration_ms: int) -> JsonObject:
    """What a call that went well adds: the parts of its output, as in its `tool_result` event."""
    return {"tool_response": [part.model_dump() for part in parts], "duration_ms": duration_ms}


def waiting(agent: str, tool: str) -> JsonObject:
    """Notification that a call of `tool` waits for a person."""
    return {
        "message": f"{agent} wants to call {tool} and waits for your decision.",
        "title": "Waiting for approval",
        "notification_type": "permission_prompt",
    }


def failed(error: str, duration_ms: int) -> JsonObject:
    """What a call that failed adds."""
    return {"error": error, "is_interrupt": False, "duration_ms": duration_ms}
