"""An execution: what asks for one, what freezes it, and the state that GET shows.

The state is a fold over the events (`executions.fold`); nothing else computes it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from .approvals import OpenApproval
from .base import JsonObject, Model, Prompt, Timestamp
from .client_tools import MOST_TOOLS, ClientTool
from .project import Definition, Limits, PartialLimits

Status = Literal["queued", "running", "waiting", "interrupted", "completed", "failed", "cancelled"]
ENDED: frozenset[str] = frozenset({"completed", "failed", "cancelled"})
"""Statuses that never change again."""

Origin = Literal["panel", "notebook", "cli", "mcp", "key", "api"]
ORIGINS: frozenset[str] = frozenset(get_args(Origin))

EndCode = Literal[
    "COST_LIMIT_EXCEEDED", "TOKEN_LIMIT_EXCEEDED", "TIMEOUT", "QUEUE_TIMEOUT", "TURN_LIMIT_EXCEEDED",
    "TOOL_ERROR", "HOOK_BLOCKED", "MCP_CONNECTION_FAILED", "SUBAGENT_FAILED", "MODEL_ERROR",
    "MODEL_REFUSED", "STALLED",
    "INTERRUPTED", "DISK_FULL", "READ_ONLY", "OVERLOADED", "INTERNAL",
]  # fmt: skip
"""Codes that end an execution; when each applies is in the documentation of errors."""

ExecutionId = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]


class Usage(Model):
    """Tokens, as the Messages API counts them. The whole prompt is the sum of the three inputs."""

    input_tokens: int = 0
    """Uncached input."""
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in Usage.model_fields})

    @property
    def counted(self) -> int:
        """Tokens that count towards `limits.max_tokens`: all but cache reads."""
        return self.input_tokens + self.output_tokens + self.cache_creation_input_tokens


class PercentOfLimit(Model):
    """How much of each ceiling is used, 0 to 100; null where there is no such limit or no known price."""

    cost: float | None = None
    tokens: float | None = None
    time: float | None = None


class ContextWindow(Model):
    """How full the model's context window is."""

    tokens: int
    """Tokens of the conversation, as the last reply left it."""
    window: int | None = None
    """Tokens that the model has room for; null when that is not known."""


class Result(Model):
    """What an execution answered."""

    text: str = ""
    """The last reply, as text."""
    data: Any = None
    """The reply as JSON, where the agent has an `output_schema`."""


class Failure(Model):
    """Why an execution ended badly."""

    code: EndCode
    message: str
    details: JsonObject = {}


class Upload(Model):
    """A file that waits to be used by executions of its project."""

    upload_id: str
    size: int
    expires_at: Timestamp


class InputFile(Model):
    """A file for the workspace: an upload, or (Jupyter callers) a file of the Jupyter server."""

    path: Annotated[str, Field(min_length=1, max_length=1000)]
    """Where it goes, relative to the workspace."""
    upload_id: str | None = None
    contents_path: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> InputFile:
        if (self.upload_id is None) == (self.contents_path is None):
            raise ValueError("a file has either an `upload_id` or a `contents_path`")
        return self


class Batch(Model):
    """One ceiling shared by all executions that name it.

    With a key, a batch is the project's own; Jupyter users share theirs over all projects.
    """

    id: Annotated[str, Field(min_length=1, max_length=64)]
    max_cost_usd: float = Field(gt=0, le=1_000_000)
    """Most money of all its executions together, in US dollars; the same whenever the batch is named."""


class ExecuteRequest(Model):
    """Body of POST …/execute; all fields are optional."""

    prompt: Prompt | None = None
    """What to do; empty means the project's `task`."""
    variables: dict[str, str] = {}
    """Values for the project's variables; a number or boolean is taken as its text."""
    files: list[InputFile] = Field([], max_length=100)
    """Files to put into the workspace first."""
    limits: PartialLimits | None = None
    """Lower limits than the project's; a higher one is taken as the project's."""
    version: int | str | None = None
    """Version to run: `3` or `"v3"`; empty means the saved state, or with a key the published version."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Model of the agent instead of the project's (Jupyter callers)."""
    stream: bool = False
    """Answer with the event stream itself."""
    wait: bool = False
    """Answer when it has ended, with its final state."""
    continue_from: ExecutionId | None = None
    """A finished execution whose conversation goes on."""
    step: bool = False
    """Ask before every tool call (Jupyter callers)."""
    attended: bool | None = None
    """Whether somebody is there to answer a tool that asks; empty: as the origin says. `true` with a key
    needs the scope `approve`."""
    replay: str | None = None
    """Cassette to play the model's replies from: no key, no cost. `prompt` and `variables` that are not
    given are those of the recording."""
    batch: Batch | None = None
    client_tools: list[ClientTool] = Field([], max_length=MOST_TOOLS)
    """Functions of the caller's that the main agent may call (Jupyter callers)."""
    metadata: JsonObject = {}
    """Anything of the caller's; shown with the execution."""

    @field_validator("variables", mode="before")
    @classmethod
    def _numbers_are_text(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {k: _as_text(v) if isinstance(v, bool | int | float) else v for k, v in values.items()}

    @field_validator("version")
    @classmethod
    def _version_number(cls, value: int | str | None) -> int | None:
        if isinstance(value, str):
            digits = value.removeprefix("v")
            if not digits.isdecimal() or len(digits) > 9:
                raise ValueError('a version is a number, written 3 or "v3"')
            value = int(digits)
        if value is not None and value < 1:
            raise ValueError("versions start at 1")
        return value


def _as_text(value: bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class ApprovalDecision(Model):
    """Body of POST …/approvals/{call_id}."""

    decision: Literal["allow", "deny"]
    message: Annotated[str, Field(max_length=10_000)] = ""
    """With `deny`: what the model is told. With `allow`: a note for the log."""
    input: JsonObject | None = None
    """With `allow`: arguments to run with instead (Jupyter users)."""

    @model_validator(mode="after")
    def _only_what_runs_is_edited(self) -> ApprovalDecision:
        if self.decision == "deny" and self.input is not None:
            raise ValueError("a denied call does not run: leave `input` out, or allow it")
        return self


class ResumeRequest(Model):
    """Body of POST …/resume."""

    limits: PartialLimits | None = None
    """Other limits than before: at most those that the project has now. They hold for the whole work, what
    was spent before included."""


class ChangedResult(Model):
    """Another result of a tool call."""

    call_id: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(min_length=1, max_length=1_000_000)]


class ForkRequest(Model):
    """Body of POST …/fork: where the history is shared up to, and what is different from there."""

    from_event: int = Field(ge=1)
    """An event of the execution; its turn is taken anew, and all before it is shared."""
    prompt: Prompt | None = None
    """At the beginning the task instead of the old one; later what is said besides, before that turn."""
    variables: dict[str, str] | None = None
    """Other values; those that are not named stay. Another system prompt leaves the model's thinking out."""
    limits: PartialLimits | None = None
    """Lower limits than the project's."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    tool_result: ChangedResult | None = None
    """Of a call that the main agent made in the turn of `from_event`: that turn is kept, and ends there."""


class Begun(Model):
    """Answer of POST …/resume and …/fork: the execution that goes on."""

    execution_id: ExecutionId


class Accepted(Model):
    """Answer of POST …/execute by default (202)."""

    execution_id: ExecutionId
    status: Literal["running", "queued"]
    position: int | None = None
    """Place in the queue, from 1; null when it runs."""
    stream_url: str
    """Where its events stream, relative to the server's address."""


class Spec(Model):
    """What an execution was accepted with, frozen on disk before the answer (`spec.json`)."""

    execution_id: ExecutionId
    project_id: str
    project_name: str
    version: int
    definition: Definition
    """The definition as it ran, whatever happens to the project later."""
    prompt: str
    """Prompt or task, variables not yet filled in."""
    variables: dict[str, str]
    """Every declared variable that has a value, defaults included."""
    limits: Limits
    """The project's, lowered by the request's."""
    origin: Origin
    simulated: bool
    """Whether the simulated model plays it."""
    replay: str | None = None
    """Cassette that plays the model's part."""
    priority: int = 0
    """0: panel and other Jupyter callers; 1: API keys. Lower starts first."""
    files: list[InputFile] = []
    batch: Batch | None = None
    """The ceiling that it shares with other executions."""
    client_tools: list[ClientTool] = []
    """Functions of the caller's, frozen like the definition."""
    step: bool = False
    """Whether every tool call asks."""
    attended: bool | None = None
    """Whether somebody can answer a tool that asks; null: as the origin says."""
    metadata: JsonObject = {}
    idempotency_key: str | None = None
    """The caller's `Idempotency-Key`: the same one within a day means this execution."""
    resumed_from: ExecutionId | None = None
    forked_from: ExecutionId | None = None
    forked_at: int | None = None
    """Event of that one up to which the history is shared."""
    continued_from: ExecutionId | None = None
    traceparent: str | None = None
    """The caller's own span, where its request named one (W3C); the trace links to it."""
    created_at: Timestamp


class ExecutionState(Model):
    """Everything about an execution that fits one screen; a fold over its events."""

    execution_id: ExecutionId
    project_id: str
    project_name: str
    status: Status
    cancelling: bool = False
    """A cancel was asked for and its processes are being ended."""
    position: int | None = None
    """Place in the queue, from 1, while it waits."""
    version: int
    model: str
    simulated: bool
    replay: str | None = None
    """Cassette that plays the model's part; nothing is charged then."""
    origin: Origin
    client_tools: list[str] = []
    """Names of the functions that its caller brought."""
    inputs: list[InputFile] = []
    """The files that it was given, as the request named them; uploads are kept for a day."""
    resumed_from: ExecutionId | None = None
    forked_from: ExecutionId | None = None
    continued_from: ExecutionId | None = None
    usage: Usage = Usage.plain()
    total_cost_usd: float | None = 0.0
    """US dollars so far; null when a price is unknown."""
    percent_of_limit: PercentOfLimit = PercentOfLimit.plain()
    context: ContextWindow | None = None
    """The main agent's context window; null before its first reply."""
    limits: Limits
    turns: int = 0
    approvals: list[OpenApproval] = []
    """Tool calls that wait for a person, oldest first."""
    current_step: str | None = None
    """What it does right now, in words: `python`, `waiting for the model`."""
    created_at: Timestamp
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    duration_ms: int | None = None
    """Milliseconds of running so far, or in all."""
    result: Result | None = None
    error: Failure | None = None
    files: int = 0
    """How many files its workspace has that it made or changed."""
    last_event_id: int = 0
    metadata: JsonObject = {}
    pinned: bool = False
    """Kept beyond the retention."""
    expired: bool = False
    """Its log, files and result are gone, as the retention says; this is what the ledger keeps of it."""

    @property
    def asks_people(self) -> bool:
        """Whether somebody has to decide: nothing can go on before that, or a call has gone silent."""
        return self.status == "waiting" or any(each.running for each in self.approvals)
