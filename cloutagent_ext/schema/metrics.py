"""What the dashboard draws: counts, money, tokens and times of a window. Not here: how they are counted."""

from __future__ import annotations

from typing import Literal

from .base import Model, Timestamp
from .execution import Usage

Window = Literal["1h", "24h", "7d", "30d"]


class Counts(Model):
    """Executions by status."""

    queued: int = 0
    running: int = 0
    waiting: int = 0
    interrupted: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class Durations(Model):
    """How long completed executions ran, in milliseconds; null where none has completed."""

    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None


class Bucket(Model):
    """One stretch of the window. Money and tokens stand where they were spent, executions where they were
    created."""

    start: Timestamp
    executions: Counts = Counts.plain()
    cost_usd: float = 0.0
    usage: Usage = Usage.plain()
    duration: Durations = Durations.plain()
    queue_length: int = 0
    """Most that waited for their turn at one moment."""
    running: int = 0
    """Most that had begun and not ended at one moment; who waits for a person counts."""


class ProjectFigures(Model):
    project_id: str
    project_name: str
    """Its name when it last ran."""
    executions: int = 0
    cost_usd: float = 0.0
    usage: Usage = Usage.plain()


class ModelFigures(Model):
    model: str
    turns: int = 0
    """Model turns that were paid for."""
    cost_usd: float = 0.0
    usage: Usage = Usage.plain()


class AgentFigures(Model):
    agent: str
    """`main`, or a subagent's id; all its instances together."""
    project_id: str
    project_name: str
    turns: int = 0
    cost_usd: float = 0.0
    usage: Usage = Usage.plain()


class ToolFigures(Model):
    tool: str
    source: str
    """`builtin`, `mcp:<server>` or `subagent`."""
    calls: int = 0
    errors: int = 0
    """Calls that the model was told had failed."""
    mean_ms: float | None = None
    """Mean duration; null where no call has come back."""


class CostBin(Model):
    """Ended executions that cost at least `from_usd` and less than `to_usd`."""

    from_usd: float
    to_usd: float | None
    """Null: no upper edge."""
    executions: int = 0


class Disk(Model):
    """Room on the disk of the data folder, in bytes, as measured a while ago."""

    used_bytes: int
    """All of the data folder."""
    projects_bytes: int
    """Definitions, files, versions; without executions."""
    executions_bytes: int
    """Logs of executions."""
    workspaces_bytes: int
    """Working folders of executions (`temp/`)."""
    backups_bytes: int
    free_bytes: int
    """Room that is left."""
    measured_at: Timestamp


class Metrics(Model):
    """Figures of a window, expired executions included.

    Simulated executions, and those that a recording played, stand apart: all figures but `running`,
    `queue_length` and `simulated` are of those that a model was paid for, or with `simulated=true` of the
    others, which cost nothing.
    """

    window: Window
    project: str | None = None
    """The project they are about; null: all."""
    of_simulated: bool = False
    """Whether the figures are those of simulated executions."""
    since: Timestamp
    until: Timestamp
    bucket_s: int
    """Length of a bucket, in seconds."""
    complete: bool
    """False while the ledger is being read from the logs again, so that some executions are not counted."""
    projects: int
    """How many projects there are."""
    running: int
    """Executions that run now, simulated ones included."""
    queue_length: int
    """Executions that wait for their turn now, simulated ones included."""
    executions: Counts
    """Those created in the window."""
    simulated: Counts
    """Simulated and replayed ones created in the window."""
    success_rate: float | None
    """Completed ones among those completed or failed, 0 to 1; null where there is none."""
    duration: Durations
    cost_usd: float
    """US dollars spent in the window."""
    unpriced_turns: int
    """Model turns whose price is not known: they are in no sum of money."""
    usage: Usage
    buckets: list[Bucket]
    by_project: list[ProjectFigures]
    """Dearest first, then by executions."""
    by_model: list[ModelFigures]
    by_agent: list[AgentFigures]
    by_tool: list[ToolFigures]
    """Most used first."""
    cost_histogram: list[CostBin]
    active_streams: int
    """Event streams open at this server now."""
    max_streams: int
    disk: Disk | None = None
    """Null until it has been measured for the first time."""
