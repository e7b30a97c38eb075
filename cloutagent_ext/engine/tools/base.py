"""What the built-in tools share: their outer form, and what they hold of one execution."""

from __future__ import annotations

import asyncio
from typing import Literal

from ...schema.base import JsonObject
from ...schema.events import OutputPart
from ..past import Past
from ..ports import Kernels, ToolContext, ToolError
from .commands import Commands
from .isolation import NOT_ISOLATED
from .kernel_slot import KernelSlot


class Resources:
    """What the tools of one execution share. `toolbox.Toolbox` owns and closes it."""

    def __init__(self, kernels: Kernels, past: Past | None = None) -> None:
        """`past`: what earlier sittings of the execution left behind, if it goes on from some."""
        past = past or Past()
        self.commands = Commands()
        self.kernel = KernelSlot(kernels, lost="python" in past.tools_used)
        self.directories: dict[str, str] = {
            agent: kept["directory"] for agent, kept in past.kept.items() if "directory" in kept
        }
        """Working directory of each agent's commands, by its name."""
        self.writing = asyncio.Lock()
        """One change of a file at a time: each reads what the one before has written."""
        self._warned = "NOT_ISOLATED" in past.told.warned

    @property
    def started(self) -> bool:
        """Whether any process was ever started here."""
        return self.commands.started or self.kernel.started

    async def warn_not_isolated(self, context: ToolContext) -> None:
        """Say once per execution what is not confined."""
        if not self._warned:
            self._warned = True
            await context.warn("NOT_ISOLATED", NOT_ISOLATED)


class BuiltinTool:
    """Base of the built-in tools: class attributes describe, `run` does."""

    name: str
    description: str
    touches: str
    input_schema: JsonObject
    read_only: bool = False
    default_permission: Literal["allow", "ask"] = "allow"
    source: str = "builtin"

    def __init__(self, resources: Resources | None = None) -> None:
        self._resources = resources

    @property
    def resources(self) -> Resources:
        if self._resources is None:
            raise ToolError(f"`{self.name}` was called outside of an execution.")
        return self._resources

    def lock(self, arguments: JsonObject) -> str | None:
        """See `ports.Tool.lock`."""
        return None

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """See `ports.Tool.run`."""
        raise NotImplementedError
