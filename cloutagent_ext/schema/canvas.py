"""How a project looks on the canvas: cards, notes, and what part of it was last seen.

Nothing here changes what an execution does. Not here: what the cards stand for (`schema.project`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from .base import Model, Slug

if TYPE_CHECKING:
    from .project import Definition


class Position(Model):
    x: float
    y: float


class Node(Model):
    """Where a card stands: `agent`, `subagent:<id>`, `hook:<id>`, `mcp:<id>` or `note:<id>`."""

    id: Annotated[str, Field(pattern=r"^(agent|(subagent|hook|mcp|note):[a-z0-9-]{1,64})$")]
    position: Position


class Note(Model):
    """A sticky note on the canvas; never read by a model."""

    id: Slug
    text: Annotated[str, Field(max_length=20_000)] = ""
    width: float = Field(220, ge=80, le=2000)
    height: float = Field(120, ge=40, le=2000)


class Viewport(Model):
    x: float = 0
    y: float = 0
    zoom: float = Field(1, gt=0, le=10)


class Ui(Model):
    """How the canvas looks: outside versions and the unsaved mark, except for positions and notes."""

    nodes: list[Node] = []
    notes: list[Note] = []
    viewport: Viewport | None = None
    """Last seen part of the canvas; empty means fit everything."""
    snap: bool = True
    """Whether cards snap to the grid."""
    folded: list[str] = []
    """Panels folded away."""


class UiPatch(Model):
    """View state that PATCH …/ui takes; last write wins."""

    viewport: Viewport | None = None
    snap: bool | None = None
    folded: list[str] | None = None


def cards(definition: Definition) -> set[str]:
    """Ids of the cards that its canvas has."""
    found = {"agent", *(f"note:{note.id}" for note in definition.ui.notes)}
    for kind in ("subagent", "hook", "mcp"):
        found |= {f"{kind}:{item.id}" for item in getattr(definition, f"{kind}s")}
    return found
