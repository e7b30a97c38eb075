"""An execution as a notebook: its log and files read, and handed to `export.notebook`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from .._version import __version__
from ..engine.tools.beneath import Refused, located, normal, read
from ..schema.base import JsonObject
from ..schema.execution import ExecutionState
from .log import EventLog
from .workspace import Workspace

MAX_PICTURE_BYTES = 8 * 1024 * 1024
"""Largest picture that goes into a notebook."""


async def of(state: ExecutionState, log: EventLog, workspace: Workspace) -> bytes:
    """The execution as the bytes of an `.ipynb`, as far as it has come."""
    events: list[JsonObject] = []
    following: int | None = 1
    while following is not None:
        found, following = await log.page(following)
        events += found

    def render() -> bytes:
        from ..export.notebook import notebook

        whole = notebook(state, events, lambda path: _picture(workspace.path, path), version=__version__)
        return (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace")

    return await asyncio.to_thread(render)


def _picture(root: Path, path: str) -> bytes | None:
    """A file of the workspace, None where it is gone, too large, or leads elsewhere."""
    try:
        with located(str(root), normal(path)) as (directory, name):
            return read(directory, name, limit=MAX_PICTURE_BYTES)
    except (Refused, OSError):
        return None
