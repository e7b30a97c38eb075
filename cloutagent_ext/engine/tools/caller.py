"""A tool of the caller's as the engine's `Tool`: a function in somebody's notebook.

Trust model. The function runs where the caller runs, with all that the caller may do; nothing of
it runs here. Arguments have passed its schema before they go out. What comes back is a mime
bundle like a kernel's: masked, cut and kept as files by the same rules. Calls go one after
another, since a notebook has one kernel. Not here: how a call reaches the caller and its
answer comes back (`executions.callers`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, Protocol

from ...schema.base import JsonObject
from ...schema.client_tools import ClientTool
from ...schema.events import OutputPart, TextPart
from ..ports import ToolContext
from .display import Collector, TooMuchOutput

SOURCE = "client"


class Callers(Protocol):
    """Whoever brought the tools."""

    async def call(
        self, tool: ClientTool, arguments: JsonObject, context: ToolContext, alive: Callable[[], None]
    ) -> list[dict[str, Any]]:
        """Mime bundles that the function gave. Raises `ToolError` where it failed, or nobody is there."""
        ...


class CallerTool:
    """See `ports.Tool`."""

    def __init__(self, tool: ClientTool, callers: Callers) -> None:
        self.name, self.description, self.input_schema = tool.name, tool.description, tool.input_schema
        self.read_only = tool.read_only
        self.default_permission: Literal["allow", "ask"] = tool.permission
        self.source = SOURCE
        self.touches = "Whatever the function does in the program that called this execution."
        self._tool = tool
        self._callers = callers

    def lock(self, arguments: JsonObject) -> str | None:
        """See `ports.Tool.lock`."""
        return SOURCE

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """See `ports.Tool.run`."""
        bundles = await self._callers.call(self._tool, arguments, context, context.alive)
        return await asyncio.to_thread(_parts, bundles, context)


def _parts(bundles: list[dict[str, Any]], context: ToolContext) -> list[OutputPart]:
    collected = Collector()
    try:
        for bundle in bundles:
            collected.take({"msg_type": "display_data", "content": {"data": bundle}})
    except TooMuchOutput:  # what the limit of a request's body lets through is less than that
        pass
    return collected.parts(context) or [TextPart(text="[done]")]
