"""One execution as the engine gets it and gives it back: what is to be done, and how it went.

Not here: what it is done with (`ports`), and how it is frozen, kept and told to callers
(`schema.execution`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..schema.base import JsonObject
from ..schema.execution import EndCode, Result, Usage
from ..schema.project import Definition, Limits
from .masking import NOTHING, Mask
from .tools.isolation import Isolation


@dataclass(frozen=True)
class Job:
    """One execution, as the engine sees it."""

    execution_id: str
    definition: Definition
    project_name: str
    prompt: str
    """Prompt or task, variables not yet filled in."""
    variables: Mapping[str, str]
    limits: Limits
    workspace: Path
    created_at: str
    """Value of `{{timestamp}}`, frozen at acceptance."""
    simulated: bool = False
    own_service: bool = False
    """The base URL is Anthropic's own (or the simulated model's): its betas may be used."""
    step: bool = False
    """Every tool call asks."""
    local_prices: bool = False
    """The base URL is not Anthropic's: an unknown price counts as 0 and is shown as local."""
    replay: str | None = None
    """Cassette that plays the model's part."""
    folders: Mapping[Path, Literal["read", "write"]] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    mask: Mask = NOTHING
    """Takes out the secrets that `env` holds; everything that comes back from tools goes through it."""
    home: Path | None = None
    """Home folder of its children: theirs to write to, like the workspace."""
    files: Sequence[str] = ()
    """Files of the workspace that came with the task."""
    client_tools: Sequence[str] = ()
    """Tools that the caller brought; the main agent's."""
    isolation: Isolation = field(default_factory=Isolation)
    """The sandbox that goes around its children."""


@dataclass(frozen=True)
class Outcome:
    """How it went. The worker turns this into the log's last event, once nothing of it runs any more."""

    status: Literal["completed", "failed"]
    result: Result | None
    usage: Usage
    total_cost_usd: float | None
    turns: int
    code: EndCode | None = None
    message: str = ""
    details: JsonObject = field(default_factory=dict)
