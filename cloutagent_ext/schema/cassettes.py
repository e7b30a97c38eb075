"""Cassettes: recordings of executions that can be played again without a model.

Not here: how they are written and played (`engine.models.cassette`, `engine.models.recorded`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import Model, Timestamp
from .execution import ExecutionId, Status

CassetteId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class CassetteCreate(Model):
    """Body of POST executions/{id}/cassette."""

    tools: bool = False
    """Keep the results of tools too: a replay then plays them, and runs no tool."""


class CassetteCreated(Model):
    """Answer of POST executions/{id}/cassette."""

    cassette_id: CassetteId


class CassetteRow(Model):
    """What a cassette says about itself."""

    id: CassetteId
    execution_id: ExecutionId
    """The execution that was recorded."""
    project_name: str
    version: int
    """Version of the project that ran."""
    model: str
    prompt: str
    """What was asked, variables not filled in; played again where the request brings none."""
    variables: dict[str, str] = {}
    status: Status
    """How the recorded execution ended."""
    replies: int = Field(ge=0)
    """Model replies on it."""
    tool_results: int | None = None
    """Tool results on it; null where tools are to run again."""
    created_at: Timestamp
    size: int = 0
    """Bytes on the disk."""
