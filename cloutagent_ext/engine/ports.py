"""What the engine needs from the outside world, as protocols.

The engine knows no server, no project folder and no Jupyter: it receives these. The
real ones are bound in `executions.worker`; tests bind fakes and run in milliseconds.
Not here: any implementation, and what is to be done with them (`job`).

Two kinds of failure, never mixed: `ToolError` is a result that the model reads and
reacts to; `EndExecution` ends the execution with one of the contract's codes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from ..schema.approvals import Preview
from ..schema.base import JsonObject
from ..schema.events import OutputPart, WarningCode
from ..schema.execution import EndCode
from ..schema.project import Hook
from .asking import Approvals as Approvals
from .asking import Decision as Decision
from .asking import Question as Question
from .asking import Shown as Shown
from .masking import NOTHING, Mask

if TYPE_CHECKING:
    from .kept import KeptFiles
    from .models.catalogue import ModelFacts

Wire = dict[str, Any]
"""One JSON object exactly as the Messages API sends or takes it."""


# ---------------------------------------------------------------- failures


class ToolError(Exception):
    """A tool could not do what was asked; the text is for the model, which may try otherwise.

    `parts`: the same with its files and pictures, where there is more than the text.
    """

    def __init__(self, message: str, *, parts: Sequence[OutputPart] = ()) -> None:
        super().__init__(message)
        self.parts = list(parts)


class EndExecution(Exception):
    """The execution cannot go on. `code` is the contract's, `message` says why and how to mend it."""

    def __init__(self, code: EndCode, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code: EndCode = code
        self.message = message
        self.details = details


PROMPT_TOO_LONG = "prompt_too_long"
"""`ModelFailure.kind` of a request that is larger than the model's context window."""


class ModelFailure(Exception):
    """A model call failed.

    `retryable`: the whole request may be sent again. `retry_after_s`: what the service
    asked for. `code`: how the execution ends when retrying is over or pointless.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        retry_after_s: float | None = None,
        code: EndCode = "MODEL_ERROR",
        kind: str = "",
        request_id: str | None = None,
        details: JsonObject | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.code: EndCode = code
        self.kind = kind
        """The service's own word (`overloaded_error`, `connection`, `incomplete`, …)."""
        self.request_id = request_id
        self.details = details or {}
        """What else is known; it becomes part of how the execution ends."""


CASSETTE_MISS = "cassette_miss"
"""`kind` of a failure: a replay was asked what its recording does not have."""


# ---------------------------------------------------------------- model


class Model(Protocol):
    """One model endpoint: the Messages API as a stream of its own JSON events."""

    def stream(self, request: Wire) -> AsyncIterator[Wire]:
        """Send `request` (body of POST /v1/messages) and yield each SSE event's JSON as it arrives.

        Includes `message_start` … `message_stop`, and `ping`; never an SDK type. Raises
        `ModelFailure` for everything that goes wrong, an `error` event and an end without
        `message_stop` included. Closing the iterator closes the connection.
        """
        ...

    async def count_tokens(self, request: Wire) -> int | None:
        """Input tokens of `request`, or None where the service cannot say."""
        ...


class ModelFiles(Protocol):
    """Files that a model's service keeps, so that requests can name them. Raises `ModelFailure`."""

    async def upload(self, name: str, media_type: str, data: bytes) -> str:
        """Keep it; its id for `{"type": "file", "file_id": …}`."""
        ...

    async def delete(self, file_id: str) -> None:
        """Have the service forget it."""
        ...


class Models(Protocol):
    """Which endpoint an agent talks to."""

    def for_agent(self, agent: str) -> Model:
        """The endpoint for `agent` (`main`, or a subagent's id without its instance number)."""
        ...

    def files(self, model: str) -> ModelFiles | None:
        """Where files for requests to `model` are kept; None: its endpoint cannot, which is the default."""
        return None


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float | None = None
    """None: twice the input, as the service's own list has it."""


class Prices(Protocol):
    def of(self, model: str) -> Price | None:
        """Highest list price of `model` (for reservations), or None when unknown."""
        ...

    def cost(self, model: str, usage: Wire) -> float | None:
        """Exact price in US dollars of one response's wire `usage`, or None when unknown."""
        ...


# ---------------------------------------------------------------- tools


@runtime_checkable
class Kernel(Protocol):
    """A Jupyter kernel that belongs to one execution."""

    async def execute(
        self, code: str, *, timeout_s: float, on_output: Callable[[JsonObject], None]
    ) -> Literal["ok", "error", "timeout", "dead"]:
        """Run `code`; each iopub message's `{"msg_type", "content"}` goes to `on_output` as it comes.

        `timeout`: it was interrupted, state is kept. `dead`: the kernel is gone, and the
        next call starts a fresh one.
        """
        ...

    async def close(self) -> None:
        """End the kernel and every process it started; safe to call twice."""
        ...


Confine = Callable[[Path], Awaitable[Sequence[str]]]
"""Given a folder that is to be seen and written to, what goes before a command line for a sandbox."""


class Kernels(Protocol):
    async def start(self, *, cwd: Path, env: Mapping[str, str], confine: Confine | None = None) -> Kernel:
        """A fresh kernel in `cwd` with exactly `env`; raises `ToolError` where none can start.

        `confine`: it is started in that sandbox, which may have no network.
        """
        ...


@dataclass
class ToolContext:
    """What a tool call may use. One per execution and agent; shared locks by name."""

    execution_id: str
    agent: str
    call_id: str
    span: str
    workspace: Path
    """Folder of this execution; the working directory of commands."""
    env: Mapping[str, str]
    """The whole environment of child processes (an allow-list, never the server's)."""
    warn: Callable[[WarningCode, str], Awaitable[None]]
    folders: Mapping[Path, Literal["read", "write"]] = field(default_factory=dict)
    """Absolute folders outside the workspace that the project names."""
    network: bool = False
    mask: Mask = NOTHING
    """Takes the secrets that a child was given out of its text: before that is cut, or kept in a file."""
    keep: JsonObject = field(default_factory=dict)
    """What the tool puts here is journalled with its result, for the toolbox that goes on after a crash."""
    alive: Callable[[], None] = lambda: None
    """To be called when there is a sign of life, output for instance: a call without any is asked about."""
    shown: Shown | None = None
    """What a person was shown who allowed the call: a tool whose preview tells of a state holds to that."""


class Tool(Protocol):
    """Something a model may call."""

    name: str
    description: str
    """What the model reads."""
    touches: str
    """In one line, what it may touch."""
    input_schema: JsonObject
    read_only: bool
    """No effect outside: may run again after a crash."""
    default_permission: Literal["allow", "ask"]
    source: str
    """`builtin`, `mcp:<server>` or `subagent`."""

    def lock(self, arguments: JsonObject) -> str | None:
        """Name of what this call must have alone (`kernel`, `file:<path>`); None runs beside everything."""
        ...

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """Do it. `arguments` have passed the schema. Raises `ToolError` for what the model should know."""
        ...


@runtime_checkable
class Previewing(Protocol):
    """A tool that can say what a call would do; a `Tool` need not be one."""

    async def preview(self, arguments: JsonObject, context: ToolContext) -> Preview | None:
        """What it would do, without doing any of it; None where that cannot be told. Forms: `previews`."""
        ...


# ---------------------------------------------------------------- the rest


class Events(Protocol):
    async def emit(self, type: str, *, agent: str = "main", span: str = "main", **fields: Any) -> int:
        """Append one event (fields of `schema.events`); on disk when this returns. Its id."""
        ...


class Journal(Protocol):
    """What a crash resumes from: wire JSON of each reply and tool result, before and after each effect."""

    async def record(self, kind: str, *, sync: bool = False, **fields: Any) -> None:
        """Append `{"kind": kind, **fields}`; with `sync` it has reached the disk when this returns."""
        ...


class Servers(Protocol):
    """The MCP servers of one execution; whoever bound them ends them."""

    async def tools(self, servers: Sequence[str]) -> list[Tool]:
        """The tools of these servers (ids) as they are now; those not yet running are started, side by side.

        One that cannot be reached is told in a warning, and its tools are not there. Raises
        `EndExecution` MCP_CONNECTION_FAILED where it is essential.
        """
        ...

    def check(self) -> None:
        """Raise `EndExecution` MCP_CONNECTION_FAILED where an essential server is lost for good."""
        ...


class Secrets(Protocol):
    async def get(self, name: str) -> str:
        """Value of a project secret; raises `EndExecution` where it is missing or locked."""
        ...


@dataclass(frozen=True)
class HookReply:
    """What a hook said, as it said it: not yet masked, not yet judged (`engine.hooks.answers`)."""

    text: str = ""
    """Standard output, or the body of the answer."""
    errors: str = ""
    """Standard error."""
    blocks: bool = False
    """Exit code 2."""
    background: bool = False
    """It has said that it goes on in the background."""
    failed: str = ""
    """Why it gave no answer."""


class HookActions(Protocol):
    """Runs hooks, each as a child process or a call of an address, never in this process."""

    async def run(self, hook: Hook, told: JsonObject) -> HookReply:
        """Tell `hook` about an event. Never raises but `CancelledError`, and then leaves no process."""
        ...


MemoryPath = tuple[str, ...]
"""Plain names of folders and of a file, outermost first."""


class MemoryFiles(Protocol):
    """Text files of a project that outlive its executions. Raises `ToolError` for what a model may mend."""

    async def list(self) -> dict[MemoryPath, int]:
        """All files with their sizes in bytes."""
        ...

    async def read(self, path: MemoryPath) -> str: ...

    async def change(self, path: MemoryPath, edit: Callable[[str | None], str]) -> None:
        """Write what `edit` makes of the file's text (None: there is none), with nobody else in between."""
        ...

    async def delete(self, path: MemoryPath) -> None:
        """A file, or a folder with all in it."""
        ...

    async def rename(self, old: MemoryPath, new: MemoryPath) -> None:
        """A file or a folder; never over another."""
        ...


class Ceiling(Protocol):
    """Money that this execution shares with others, in whatever process they run."""

    async def hold(self, dollars: float, *, least: float) -> float:
        """Set aside up to `dollars`, at least `least`; how much it was.

        Waits while others hold what it needs. Raises `EndExecution` (COST_LIMIT_EXCEEDED)
        where no less than `least` will ever be left.
        """
        ...

    def settle(self, held: float, spent: float) -> None:
        """Give back what was held, and book what was spent of it."""
        ...


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds that only grow."""
        ...

    def time(self) -> float:
        """Seconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Ports:
    """Everything one execution is bound to."""

    models: Models
    prices: Prices
    events: Events
    journal: Journal
    approvals: Approvals
    kernels: Kernels
    secrets: Secrets
    clock: Clock
    hooks: HookActions | None = None
    """Where none is bound, every hook counts as failed."""
    ceiling: Ceiling | None = None
    """The batch that this execution belongs to; None where it is alone."""
    servers: Servers | None = None
    """None: there are none, whatever the definition says."""
    facts: Callable[[str], ModelFacts | None] | None = None
    """What is known about a model; None: what the catalogue says."""
    kept: KeptFiles | None = None
    """Files that the model's service keeps for this execution; None: it can keep none."""
