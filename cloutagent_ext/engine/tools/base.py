"""What the built-in tools share: their outer form, and what they hold of one execution."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal

from ...schema.base import JsonObject
from ...schema.events import OutputPart, WarningCode
from ..notebooks import Notebooks
from ..past import Past
from ..ports import Confine, Kernels, ToolContext, ToolError
from ..reach import Reach
from .commands import Commands
from .isolation import NOT_ISOLATED, NOTEBOOK_NOT_ISOLATED, Isolation
from .kernel_slot import KernelSlot
from .room import ARGV, OPTIONS, Room


class Resources:
    """What the tools of one execution share. `toolbox.Toolbox` owns and closes it."""

    def __init__(
        self, kernels: Kernels, past: Past | None = None, isolation: Isolation | None = None
    ) -> None:
        """`past`: what earlier sittings of the execution left behind, if it goes on from some."""
        past = Past() if past is None else past
        self.isolation = isolation or Isolation()
        self.commands = Commands(self.isolation)
        self.kernel = KernelSlot(kernels, lost="python" in past.tools_used)
        self.shown_directories: dict[str, str] = {}
        """Where a command that a person is asked about will run, by the call's span."""
        self.directories: dict[str, str] = {
            agent: kept["directory"] for agent, kept in past.kept.items() if "directory" in kept
        }
        """Working directory of each agent's commands, by its name."""
        self.writing = asyncio.Lock()
        """One change of a file at a time: each reads what the one before has written."""
        self._warned = "NOT_ISOLATED" in past.told.warned
        self.notebooks: Notebooks | None = None
        """Notebooks of the Jupyter server; None without one."""
        self.notebook: str | None = None
        """The notebook that the project is bound to."""
        self.reach = Reach()
        """What `web_fetch` may reach."""
        self._room: Room | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    @property
    def started(self) -> bool:
        """Whether any process was ever started here."""
        return self.commands.started or self.kernel.started

    async def warn_not_isolated(self, context: ToolContext, message: str = NOT_ISOLATED) -> None:
        """Say once per execution what is not confined."""
        await self.tell_not_isolated(context.warn, message)

    async def tell_not_isolated(
        self, warn: Callable[[WarningCode, str], Awaitable[None]], message: str = NOT_ISOLATED
    ) -> None:
        """The same for what is started by no call of a tool."""
        if not self._warned:
            self._warned = True
            isolated = message != NOT_ISOLATED and await self.isolation.problem() is None
            await warn("NOT_ISOLATED", message if isolated else NOT_ISOLATED)

    async def room(self, context: ToolContext) -> Room | None:
        """The sandbox of this execution's commands, opened at first use; None, and a warning, without one."""
        async with self._opening:
            if self._closed:
                raise ToolError("The execution is ending; no command starts any more.")
            if self._room is not None:
                if self._room.alive:
                    return self._room
                await self._room.close()
            if not await self.isolation.isolates():
                await self.warn_not_isolated(context)
                return None
            argv = await self._around(ARGV, context, options=OPTIONS)
            self.commands.started = True
            self._room = await Room.open(argv, cwd=context.workspace, env=context.env)
            return self._room

    async def around_kernel(self, context: ToolContext) -> Confine | None:
        """The sandbox of this execution's kernel, as its commands have it; None, and a warning, without."""
        if self.kernel.attached:
            await self.warn_not_isolated(context, NOTEBOOK_NOT_ISOLATED)
            return None
        if not await self.isolation.isolates():
            await self.warn_not_isolated(context)
            return None

        async def confine(sockets: Path) -> Sequence[str]:
            # A kernel whose parent is process 1 takes itself for an orphan, and ends.
            options = ("--die-with-parent", "--unsetenv", "JPY_PARENT_PID")
            return await self._around([], context, options=options, writable=sockets)

        return confine

    async def _around(
        self,
        argv: Sequence[str],
        context: ToolContext,
        *,
        options: Sequence[str],
        writable: Path | None = None,
    ) -> list[str]:
        """`argv` in this execution's sandbox, `writable` shown in it, too."""
        folder = context.workspace.parent
        tmp, home = folder / "tmp", folder / "home"
        await asyncio.to_thread(tmp.mkdir, exist_ok=True)
        wrapped = await self.isolation.around(
            argv,
            workspace=context.workspace,
            home=home,
            folders={**context.folders, **({writable: "write"} if writable else {})},
            network=context.network,
            tmp=tmp,
            options=options,
        )
        return wrapped.argv

    async def close(self) -> None:
        """End kernel, commands and the sandbox around them."""
        self._closed = True
        # Kernel and commands at the same time: a cancel has 5 s for both.
        ended = await asyncio.gather(self.kernel.close(), self.commands.close(), return_exceptions=True)
        async with self._opening:
            if self._room is not None:
                await self._room.close()
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome


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
