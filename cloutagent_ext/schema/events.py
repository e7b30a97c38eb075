"""The events of an execution: one JSON object a line of `events.jsonl`, and one frame of a stream.

Ids start at 1 and have no gaps. An event, once visible, never changes. Exactly one
of `complete`, `error`, `cancelled` ends a log.

`span` says which step an event belongs to, as a path, so that a prefix is its parent:
`main` (an agent) · `main/2` (its second turn) · `main/2/<call_id>` (a tool call of that
turn) · `main/2/<call_id>/researcher#1` (a subagent inside that call) · and so on.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from .approvals import Preview
from .base import JsonObject, Model, Timestamp
from .execution import ContextWindow, EndCode, ExecutionId, Origin, PercentOfLimit, Result, Usage
from .project import Limits


class Event(Model):
    """What every event has."""

    id: int = Field(ge=1)
    ts: Timestamp
    agent: str = "main"
    """`main`, or `<subagent id>#k` for the k-th instance of a subagent."""
    span: str = "main"
    """Path of the step it belongs to."""


class TextPart(Model):
    """Text that a tool gave back."""

    type: Literal["text"] = "text"
    text: str
    """Up to 32 KiB; of longer text its head and tail, with what was left out said between them."""
    path: str | None = None
    """Workspace file that holds all of it, where it was longer."""


class ImagePart(Model):
    """A picture that a tool gave back; a file of the workspace."""

    type: Literal["image"] = "image"
    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
    path: str
    alt: str = ""


class FilePart(Model):
    """A file of the workspace that a tool made."""

    type: Literal["file"] = "file"
    path: str
    media_type: str = "application/octet-stream"
    size: int
    """Bytes."""


class DisplayPart(Model):
    """A Jupyter mime bundle for people (`text/html`, …); the model gets its plain text."""

    type: Literal["display"] = "display"
    data: dict[str, Any]


OutputPart = Annotated[TextPart | ImagePart | FilePart | DisplayPart, Field(discriminator="type")]


class Queued(Event):
    """Accepted; the first event of every log, and again whenever its place changes."""

    type: Literal["queued"] = "queued"
    execution_id: ExecutionId
    position: int
    """Place in the queue from 1; 0 means that it starts at once."""


class Start(Event):
    """It runs."""

    type: Literal["start"] = "start"
    execution_id: ExecutionId
    project_id: str
    version: int
    model: str
    limits: Limits
    simulated: bool
    replay: str | None = None
    """Cassette that plays the model's part; nothing is charged then."""
    origin: Origin
    resumed_from: ExecutionId | None = None
    forked_from: ExecutionId | None = None
    forked_at: int | None = None
    """Event of that one whose turn is taken anew: what was before it is this one's history too."""
    continued_from: ExecutionId | None = None


class Interrupted(Event):
    """Nobody works on it any more: its server stopped, or a server found it without an owner."""

    type: Literal["interrupted"] = "interrupted"
    why: str
    died: bool = False
    """Its server ended without a word. After the third time the execution is given up."""
    unsettled_cost_usd: float = 0.0
    """Most that model calls may have cost whose end nobody saw; taken from the limits for good."""


class Resumed(Event):
    """The log goes on."""

    type: Literal["resumed"] = "resumed"
    by: str
    """A person, or `restart`."""
    attempt: int
    """Which of its runs this is: 2 for the first resume."""
    limits: Limits | None = None
    """The limits from now on, where they were changed."""


class AgentStart(Event):
    """An agent begins; for a subagent `call_id` is the call that started it."""

    type: Literal["agent_start"] = "agent_start"
    name: str
    """What its card says."""
    subagent: str | None = None
    """Id of the subagent; null for the agent itself."""
    call_id: str | None = None
    model: str
    prompt: str
    variables: dict[str, str] = {}
    """Of the agent itself: the values that its prompts were filled with, for whoever runs it again."""


class AgentComplete(Event):
    """An agent is done; its own totals, without those of its subagents."""

    type: Literal["agent_complete"] = "agent_complete"
    call_id: str | None = None
    result: str
    usage: Usage
    total_cost_usd: float | None
    turns: int


class Thinking(Event):
    """A piece of the model's thinking, to be appended; `final` closes the block."""

    type: Literal["thinking"] = "thinking"
    content: str
    final: bool = False


class Text(Event):
    """A piece of the model's text, to be appended; `final` closes the block.

    A `warning` RETRYING with the same span makes what the turn had said so far void.
    """

    type: Literal["text"] = "text"
    content: str
    final: bool = False


class ToolCall(Event):
    """A tool starts. Visible before it has any effect."""

    type: Literal["tool_call"] = "tool_call"
    call_id: str
    tool: str
    source: str = "builtin"
    """`builtin`, `mcp:<server>`, `subagent`, `client`, or the package that brings it."""
    input: JsonObject


class ClientCall(Event):
    """A function of the caller's is to be called: POST …/calls/{call_id} takes the call and answers it.

    Comes after `tool_call`, once the call is allowed; `tool_result` says that nobody waits any more.
    """

    type: Literal["client_call"] = "client_call"
    call_id: str
    tool: str
    input: JsonObject
    """The arguments it runs with; they fit the tool's schema."""
    timeout_s: float
    silence_s: float


class ToolResult(Event):
    """What a tool gave back to the model."""

    type: Literal["tool_result"] = "tool_result"
    call_id: str
    tool: str
    is_error: bool
    output: list[OutputPart]
    duration_ms: int


class ApprovalRequired(Event):
    """A tool call waits for a person."""

    type: Literal["approval_required"] = "approval_required"
    call_id: str
    tool: str
    input: JsonObject
    preview: Preview | None = None
    """What it would do; null where that cannot be told."""
    reason: str = ""
    """Why it asks: a rule, a hook, step mode, a silence."""
    running: bool = False
    """Whether the call runs already and gives no sign of life: allowed, it goes on; denied, all ends."""


class Waiting(Event):
    """Nothing can go on until somebody has decided: the slot is given back, the clock stands."""

    type: Literal["waiting"] = "waiting"


class Running(Event):
    """It has a slot again, for which it had to wait after a decision."""

    type: Literal["running"] = "running"


class Approval(Event):
    """Somebody has decided: a person, a key, or `policy` when nobody did in time."""

    type: Literal["approval"] = "approval"
    call_id: str
    decision: Literal["allow", "deny"]
    by: str
    message: str = ""
    """What was said with it."""
    input: JsonObject | None = None
    """The arguments it runs with, where the person changed them."""


class HookEventRecord(Event):
    """A hook ran."""

    type: Literal["hook"] = "hook"
    hook: str
    on: str
    outcome: Literal["allow", "deny", "changed", "failed"]
    message: str = ""
    duration_ms: int


class CostUpdate(Event):
    """A model turn was paid for. Totals are the execution's; `turn_*` is this turn of `agent`."""

    type: Literal["cost_update"] = "cost_update"
    usage: Usage
    total_cost_usd: float | None
    turn_usage: Usage
    turn_cost_usd: float | None
    percent_of_limit: PercentOfLimit
    context: ContextWindow | None = None
    """Window of `agent`, as this reply left it."""
    duration_ms: int | None = None
    """Milliseconds from the request to the end of its reply."""
    stop_reason: str | None = None
    """Why the reply ended; null where it was broken off."""


WarningCode = Literal[
    "COST_80", "TOKENS_80", "TIME_80", "TURNS_80", "RETRYING", "COMPACTED", "CONTEXT_EDITED",
    "MCP_RECONNECTED", "LOG_REPAIRED", "STALLED", "NOT_ISOLATED", "SIMULATED", "PRICE_LOCAL",
    "OUTPUT_LOWERED", "KERNEL_LOST", "USAGE_LOWER_BOUND", "COMPACTION_FAILED", "OUTCOME_UNKNOWN",
    "WORKSPACE_AS_NOW", "COST_ABOVE_RESERVED", "MCP_FAILED", "MCP_TOOLS_CHANGED",
    "MCP_TOOLS_LEFT_OUT", "REPLAYED", "FILE_NOT_SHOWN",
]  # fmt: skip


class Warning_(Event):
    """Something a person should know; the execution goes on."""

    type: Literal["warning"] = "warning"
    code: WarningCode
    message: str
    details: JsonObject = {}


class _Ending(Event):
    """What is known at the end."""

    usage: Usage
    total_cost_usd: float | None
    duration_ms: int
    result: Result | None = None


class Complete(_Ending):
    """It has answered."""

    type: Literal["complete"] = "complete"
    result: Result


class Error(_Ending):
    """It has failed; `result` holds what there was by then."""

    type: Literal["error"] = "error"
    code: EndCode
    message: str
    details: JsonObject = {}


class Cancelled(_Ending):
    """Somebody stopped it."""

    type: Literal["cancelled"] = "cancelled"
    by: str


AnyEvent = Annotated[
    Queued | Start | Interrupted | Resumed | AgentStart | AgentComplete | Thinking | Text | ToolCall
    | ClientCall | ToolResult | ApprovalRequired | Approval | Waiting | Running | HookEventRecord | CostUpdate
    | Warning_ | Complete | Error | Cancelled,
    Field(discriminator="type"),
]  # fmt: skip

EVENT: TypeAdapter[Any] = TypeAdapter(AnyEvent, config=ConfigDict(defer_build=True))
"""Reads one event of any type: `EVENT.validate_json(line)`."""

ENDINGS = frozenset({"complete", "error", "cancelled"})
"""Types that end a log."""
