"""The project definition: what GET and PUT of a project carry, and what an execution freezes.

Who delegates to whom and who uses which server follows from lists of ids; edges
of the canvas follow from those. Not here: where cards stand (`schema.canvas`), how it lies on
disk (`store.layout`) and what is wrong with it as a plan (`engine.plan`).
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from .base import JsonObject, Model, Name, Prompt, Severity, Slug, Timestamp, unique
from .canvas import Ui

DEFAULT_MODEL = "claude-opus-5-5"
"""Model of a new agent."""

Permission = Literal["allow", "ask", "deny"]
Permissions = dict[Annotated[str, Field(min_length=1, max_length=500)], Permission]
Effort = Literal["low", "medium", "high", "xhigh", "max"]
HookEvent = Literal[
    "PreToolUse", "PostToolUse", "PostToolUseFailure", "UserPromptSubmit", "Stop", "SubagentStart",
    "SubagentStop", "PreCompact", "SessionStart", "SessionEnd", "Notification", "Error",
]  # fmt: skip
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class Limits(Model):
    """Ceilings of one execution, all subagents included. Each ends it by its own error code."""

    max_cost_usd: float | None = Field(1.0, gt=0, le=10_000)
    """Most money one execution may spend, in US dollars; empty means no money limit."""
    max_tokens: int = Field(100_000, ge=256, le=1_000_000_000)
    """Most tokens over all turns: uncached input, cache writes and output. Cache reads do not count."""
    timeout_s: int = Field(3600, ge=1, le=14_400)
    """Most seconds of running time; waiting for a person or in the queue does not count."""
    max_turns: int = Field(50, ge=1, le=1000)
    """Most model turns of one agent."""


class PartialLimits(Model):
    """Limits that lower others; what is empty stays as it was."""

    max_cost_usd: float | None = Field(None, gt=0, le=10_000)
    """Most money, in US dollars."""
    max_tokens: int | None = Field(None, ge=256, le=1_000_000_000)
    """Most tokens (uncached input, cache writes, output)."""
    timeout_s: int | None = Field(None, ge=1, le=14_400)
    """Most seconds of running time."""
    max_turns: int | None = Field(None, ge=1, le=1000)
    """Most model turns."""

    def lower(self, limits: Limits) -> Limits:
        """`limits`, lowered by mine; a higher value of mine changes nothing."""

        def least(mine: float | None, theirs: float | None) -> float | None:
            values = [value for value in (mine, theirs) if value is not None]
            return min(values) if values else None

        return Limits.model_validate(
            {name: least(getattr(self, name), getattr(limits, name)) for name in Limits.model_fields}
        )


class Folder(Model):
    """A folder below the Jupyter server's root that tools may touch."""

    path: Annotated[str, Field(min_length=1, max_length=1000)]
    """Path relative to the server's root."""
    mode: Literal["read", "write"] = "read"
    """Whether tools may only read there."""


class Agent(Model):
    """The one agent that a project runs."""

    name: Name = "main"
    """What the card says."""
    model: Annotated[str, Field(min_length=1, max_length=200)] = DEFAULT_MODEL
    """Which model it thinks with."""
    system_prompt: Prompt = ""
    """Who it is and how it works. Takes `{{variables}}`."""
    task: Prompt = ""
    """What it is asked when an execution brings no prompt of its own. Takes `{{variables}}`."""
    tools: list[Annotated[str, Field(min_length=1, max_length=64)]] = []
    """Built-in tools it may call."""
    permissions: Permissions = {}
    """Per tool or pattern (`bash(git *)`): allow, ask or deny."""
    on_ask_unattended: Literal["fail", "wait"] = "fail"
    """What a call that must ask does when nobody can answer: fail with a message, or wait."""
    subagents: list[Slug] | None = None
    """Subagents it delegates to; empty (null) means all that no other subagent lists."""
    mcps: list[Slug] | None = None
    """MCP servers it uses; empty (null) means all."""
    notebook: Annotated[str, Field(max_length=1000)] | None = None
    """Notebook it is bound to, relative to the server's root."""
    kernel: Literal["own", "notebook"] = "own"
    """Where `python` runs: a fresh kernel for each execution, or the bound notebook's."""
    max_tokens: int = Field(8192, ge=256, le=128_000)
    """Longest single reply, in tokens."""
    effort: Effort | None = None
    """How hard the model thinks; empty means the model's default."""
    thinking: Literal["auto", "off"] = "auto"
    """Whether the model may think before it answers, where the model lets one choose."""
    memory: bool = False
    """Keep files under `memory/` across executions."""
    compact_at_tokens: int = Field(150_000, ge=10_000, le=1_000_000)
    """Context size at which the conversation is summarised."""
    output_schema: JsonObject | None = None
    """JSON Schema of the final answer; empty means free text."""
    folders: list[Folder] = []
    """Folders of the Jupyter server that its tools may touch, besides the workspace."""
    network: bool = False
    """Whether its commands may use the network, where isolation can tell."""
    env: dict[EnvName, str] = {}
    """Environment variables of its commands; may name secrets as `{{secret:NAME}}`."""
    stall_s: int = Field(600, ge=10, le=14_400)
    """Seconds without progress after which it pauses and asks."""
    simulate: bool = False
    """Play the simulated model even when a key is set."""


class Subagent(Model):
    """An agent that another one calls as a tool."""

    id: Slug
    """Its id inside the project, also its file's name."""
    name: Name
    """What the card says."""
    description: Annotated[str, Field(max_length=10_000)] = ""
    """When to delegate to it: this is what the calling model reads."""
    prompt: Prompt = ""
    """Its system prompt. Takes `{{variables}}`."""
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Which model it thinks with; empty means the agent's."""
    tools: list[Annotated[str, Field(min_length=1, max_length=64)]] = []
    """Built-in tools it may call."""
    permissions: Permissions = {}
    """Per tool or pattern: allow, ask or deny."""
    subagents: list[Slug] = []
    """Subagents it delegates to, at most three levels deep."""
    mcps: list[Slug] = []
    """MCP servers it uses."""
    parallel: bool = True
    """Whether several calls to it may run at once."""
    max_parallel_instances: int = Field(3, ge=1, le=20)
    """How many run at once; more calls wait in order."""
    limits: PartialLimits | None = None
    """Its own ceilings within what is left of its caller's."""
    essential: bool = False
    """Whether its failure ends the whole execution."""
    enabled: bool = True
    """Off: stays on the canvas, is not connected."""


class CommandAction(Model):
    """Run a program: JSON on its standard input, exit code 2 blocks."""

    type: Literal["command"]
    command: list[Annotated[str, Field(max_length=10_000)]] = Field(min_length=1, max_length=100)
    """Program and arguments, run in the execution's workspace."""


class HttpAction(Model):
    """POST the event as JSON to an address."""

    type: Literal["http"]
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    """http or https address."""
    headers: dict[str, str] = {}
    """Headers; may name secrets as `{{secret:NAME}}`."""


class Hook(Model):
    """Something that is told, or asked, when an event happens."""

    id: Slug
    """Its id inside the project, also its file's name."""
    name: Name
    """What the card says."""
    event: HookEvent
    """When it runs."""
    matcher: Annotated[str, Field(max_length=500)] = ""
    """Which tools it is for, `|`-separated; empty means all."""
    enabled: bool = True
    """Off: stays on the canvas, does not run."""
    action: Annotated[CommandAction | HttpAction, Field(discriminator="type")]
    """What it does."""
    env: dict[EnvName, str] = {}
    """Environment variables of its command; may name secrets as `{{secret:NAME}}`."""
    timeout_s: int = Field(60, ge=1, le=600)
    """Seconds until it counts as failed."""
    on_failure: Literal["block", "continue"] | None = None
    """What a failing hook means; empty means block for PreToolUse, continue elsewhere."""


class McpServer(Model):
    """A Model Context Protocol server whose tools the agents may call."""

    id: Slug
    """Its id inside the project; its tools are `mcp__<id>__<tool>`."""
    name: Name
    """What the card says."""
    transport: Literal["stdio", "http", "sse"] = "stdio"
    """How it is reached: a program, streamable HTTP, or the older SSE."""
    command: Annotated[str, Field(max_length=1000)] | None = None
    """Program of a stdio server."""
    args: list[Annotated[str, Field(max_length=10_000)]] = Field([], max_length=200)
    """Arguments of the program."""
    env: dict[EnvName, str] = {}
    """Environment variables of the program; may name secrets."""
    url: Annotated[str, Field(max_length=2000)] | None = None
    """Address of an http or sse server."""
    headers: dict[str, str] = {}
    """Headers; may name secrets."""
    credentials: dict[EnvName, str] = {}
    """Environment variable or header → name of the project secret it gets."""
    enabled_tools: list[str] | None = None
    """Tools that may be called; empty (null) means all."""
    timeout_s: int = Field(60, ge=1, le=3600)
    """Seconds a call may take."""
    essential: bool = False
    """Whether its failure ends the whole execution."""
    enabled: bool = True
    """Off: stays on the canvas, is not connected."""


class Variable(Model):
    """A value that callers hand in and prompts name as `{{name}}`."""

    description: Annotated[str, Field(max_length=2000)] = ""
    """What it is for."""
    default: str | None = None
    """Value when a caller gives none."""
    required: bool = True
    """Whether an execution without a value (and without a default) is refused."""


class Queue(Model):
    """How many executions of this project run and wait."""

    max_concurrent: int = Field(3, ge=1, le=100)
    """Most that run at once (the server's own cap may be lower)."""
    max_queue: int = Field(50, ge=0, le=1000)
    """Most that wait; the next one gets 503."""
    queue_timeout_s: int = Field(300, ge=1, le=86_400)
    """Longest wait, in seconds."""


class Definition(Model):
    """What a person edits: everything of a project but its id, dates and version.

    An execution freezes exactly this.
    """

    name: Name
    """What the project is called."""
    description: Annotated[str, Field(max_length=10_000)] = ""
    """What it is for, in a sentence or two."""
    agent: Agent = Agent.plain()
    subagents: list[Subagent] = Field([], max_length=1000)
    hooks: list[Hook] = Field([], max_length=1000)
    mcps: list[McpServer] = Field([], max_length=1000)
    variables: dict[VariableName, Variable] = {}
    limits: Limits = Limits.plain()
    on_restart: Literal["resume", "interrupt"] = "resume"
    """What happens to a running execution when the server comes back."""
    queue: Queue = Queue.plain()
    ui: Ui = Ui.plain()

    @field_validator("subagents", "hooks", "mcps")
    @classmethod
    def _ids_are_unique(cls, items: list[Subagent] | list[Hook] | list[McpServer]) -> object:
        if not unique(item.id for item in items):
            raise ValueError("two of them have the same id; ids are unique among their kind")
        return items

    @model_validator(mode="after")
    def _note_ids_are_unique(self) -> Definition:
        if not unique(note.id for note in self.ui.notes):
            raise ValueError("two notes have the same id")
        return self


class Project(Definition):
    """A stored project, as GET answers it."""

    id: UUID
    """Its id for ever; a copy gets another."""
    version: int = Field(ge=1)
    """Number of its newest version."""
    published_version: int | None = None
    """Version that calls with a key run; null means the newest."""
    trusted: bool = True
    """False: nothing of it is started until a person has confirmed what would run."""
    updated_at: Timestamp
    """Time of its last change."""


READ_ONLY_FIELDS = frozenset(Project.model_fields) - frozenset(Definition.model_fields)
"""Fields that GET gives and PUT ignores (except `id`, where another one is 400)."""


class ProjectUpdate(Definition):
    """Body of PUT: the definition. The read-only fields that GET gave may ride along and are ignored."""

    id: UUID | None = None
    """The project's own, if it is given at all."""
    version: int | None = None
    published_version: int | None = None
    trusted: bool | None = None
    updated_at: str | None = None

    @field_validator("id", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        # Bodies are held to their types, and JSON has no type of its own for an id.
        return UUID(value) if isinstance(value, str) else value

    def definition(self) -> Definition:
        """What is saved: everything that is not read-only."""
        return Definition(**{name: getattr(self, name) for name in Definition.model_fields})


class CreatedProject(Project):
    """Answer of POST projects: the definition, and once only its first key."""

    api_key: str
    """Text of the first key. It will not be shown again."""


class ProjectCreate(Model):
    """Body of POST projects."""

    name: Name
    template: Slug | None = None
    """Id of a starter project (GET templates); empty means an empty agent."""


class ProjectRow(Model):
    """A project in the list."""

    id: UUID
    name: str
    description: str
    version: int
    updated_at: Timestamp
    trusted: bool = True
    unreadable: str | None = None
    """Why it cannot be opened, with file and line; null when it can."""


class Problem(Model):
    """One finding of the validator, with the place to mend it."""

    severity: Severity
    code: str
    """UPPER_SNAKE, stable."""
    node: str | None = None
    """Card it is about (`agent`, `subagent:<id>`, …); null means the project."""
    path: str | None = None
    """Dotted path of the field inside the definition."""
    message: str
    """What is wrong and how to mend it."""


class Estimate(Model):
    """What one execution will likely take: its first model call, and the range of the whole."""

    input_tokens: int
    """Of the first model call."""
    cost_usd: float | None
    """Of the first model call, in US dollars; null when a price is unknown."""
    low_usd: float | None = None
    """Of the whole execution, the lower end of what is expected; null when a price is unknown."""
    high_usd: float | None = None
    """The upper end."""
    cap_usd: float | None = None
    """What no execution costs more than: the money limit; null when there is none."""
    basis: Literal["history", "sizes", "simulated", "local"] = "sizes"
    """Where the range comes from: median and 90th percentile of earlier executions; the sizes of the prompts
    and the turns allowed; nothing, since the simulated model plays or a local address names no price."""
    executions: int = 0
    """How many earlier executions it comes from."""


class Validation(Model):
    """Answer of POST …/validate."""

    ok: bool
    """Whether an execution would be accepted: no problem of severity error."""
    problems: list[Problem]
    estimate: Estimate
    credentials: Literal["setting", "secret", "environment", "base_url", "none"] = "none"
    """Where the key of this project's model calls comes from; `secret`: its own secret `ANTHROPIC_API_KEY`;
    `none`: there is none, so the simulated model plays."""
