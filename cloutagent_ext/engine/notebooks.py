"""The notebooks that a tool works in, as the engine sees them: their cells, changes, and the port to them.

Not here: the tool (`tools.notebook`), and the Jupyter server behind the port (`jupyter.notebooks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ..schema.base import JsonObject
from .ports import Kernel


@dataclass(frozen=True)
class NotebookState:
    """A notebook as it is now."""

    cells: list[JsonObject]
    """In nbformat's own form, sources as one text."""
    note: str = ""
    """What the model should know about who sees it: empty where an open tab shows each change."""


@dataclass(frozen=True)
class CellChange:
    """One change of one cell. `before` is the cell as it was seen; where it is not any more: a refusal."""

    kind: Literal["insert", "replace", "delete"]
    index: int
    before: JsonObject | None
    after: JsonObject | None


class Notebooks(Protocol):
    """The notebooks of a Jupyter server, through its own services. Everything raises `ToolError`."""

    async def read(self, path: str) -> NotebookState:
        """The notebook at `path` below the server's root; as open tabs have it, where that is known."""
        ...

    async def change(self, path: str, change: CellChange) -> NotebookState:
        """Make `change` and nothing else; refused where somebody else changed that cell meanwhile."""
        ...

    async def kernel(self, path: str) -> Kernel:
        """The kernel that the notebook is open with. Closing it lets go of it: it is never ended."""
        ...
