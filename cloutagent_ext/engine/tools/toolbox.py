"""The tools of one execution and everything they start, with one owner and one end."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from types import TracebackType

from ...schema.events import WarningCode
from ..masking import Mask
from ..notebooks import Notebooks
from ..past import Past
from ..ports import Events, Kernels, Tool
from ..reach import Reach as WebReach
from . import processes
from .base import Resources
from .commands import Commands
from .isolation import Isolation
from .kernel_slot import NotebookKernels
from .mcp import McpServers, Reach
from .mcp_process import Sandbox
from .registry import brought, builtin


class Toolbox:
    """`async with Toolbox(kernels=…, execution_id=…, past=…) as box: await run(job, ports, box.tools)`.

    Leaving it ends the kernel, every command and everything they left in the
    background, whatever happened inside; nothing is started by entering it.
    """

    def __init__(
        self,
        *,
        kernels: Kernels,
        execution_id: str,
        past: Past | None = None,
        isolation: Isolation | None = None,
    ) -> None:
        self._execution_id = execution_id
        self._resources = Resources(kernels, past, isolation)
        self._servers: McpServers | None = None
        self.tools: dict[str, Tool] = builtin(self._resources)

    @property
    def commands(self) -> Commands:
        """Its commands, for what else starts some in this execution (hooks): one owner, one end."""
        return self._resources.commands

    async def add_brought(self, wanted: Collection[str]) -> None:
        """Those of `wanted` that installed packages bring. One that cannot be loaded is not there."""
        if not self.tools.keys() >= set(wanted):
            self.tools |= (await asyncio.to_thread(brought, wanted))[0]

    def bind(self, notebooks: Notebooks | None, notebook: str | None, kernel: str) -> None:
        """Which notebook the agents may work on, and whether `python` runs in its kernel."""
        self._resources.notebooks, self._resources.notebook = notebooks, notebook
        if kernel == "notebook":
            self._resources.kernel.attach(NotebookKernels(notebooks, notebook))

    @property
    def reach(self) -> WebReach:
        """What `web_fetch` may reach."""
        return self._resources.reach

    @reach.setter
    def reach(self, reach: WebReach) -> None:
        self._resources.reach = reach

    def connect(
        self, reaches: Sequence[Reach], *, sandbox: Sandbox, events: Events, mask: Mask
    ) -> McpServers:
        """Its MCP servers, once: nothing is started yet, and whatever will be ends with it."""

        around = self.around(sandbox, events)
        self._servers = McpServers(reaches, events=events, mask=mask, sandbox=around)
        return self._servers

    def around(self, sandbox: Sandbox, events: Events) -> Sandbox:
        """`sandbox`, with a word to `events`, once per execution, where there is none."""

        async def warn(code: WarningCode, message: str) -> None:
            await events.emit("warning", code=code, message=message)

        return replace(sandbox, bare=lambda: self._resources.tell_not_isolated(warn))

    async def close(self, *, hurried: bool = False) -> int:
        """End everything; how many processes the last sweep still found. Safe to call twice.

        `hurried`: MCP servers get less time to end by themselves.
        """
        closing = [self._resources.close()]
        if self._servers is not None:
            closing.append(self._servers.close(hurried=hurried))
        # At the same time: a cancel has 5 s for everything.
        ended = await asyncio.gather(*closing, return_exceptions=True)
        # Looking at every process of the machine takes a while; what never started one needs no sweep.
        started = self._resources.started or (self._servers is not None and self._servers.started)
        swept = await processes.end_all(self._execution_id) if started else 0
        for outcome in ended:
            if isinstance(outcome, BaseException):
                raise outcome
        return swept

    async def __aenter__(self) -> Toolbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        hurried = kind is not None and issubclass(kind, asyncio.CancelledError)
        closing = asyncio.ensure_future(self.close(hurried=hurried))
        cancelled = False
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                if closing.cancelled():
                    raise
                cancelled = True  # the end is finished first: no process may be left behind
        closing.result()
        if cancelled and error is None:
            raise asyncio.CancelledError
