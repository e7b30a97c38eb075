"""The tools of one execution and everything they start, with one owner and one end."""

from __future__ import annotations

import asyncio
from types import TracebackType

from ..past import Past
from ..ports import Kernels, Tool
from . import processes
from .base import Resources
from .commands import Commands
from .isolation import Isolation
from .registry import builtin


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
        self.tools: dict[str, Tool] = builtin(self._resources)

    @property
    def commands(self) -> Commands:
        """Its commands, for what else starts some in this execution (hooks): one owner, one end."""
        return self._resources.commands

    async def close(self) -> int:
        """End everything; how many processes the last sweep still found. Safe to call twice."""
        try:
            await self._resources.close()
        finally:
            # Looking at every process of the machine takes a while; what never started one needs no sweep.
            swept = await processes.end_all(self._execution_id) if self._resources.started else 0
        return swept

    async def __aenter__(self) -> Toolbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        closing = asyncio.ensure_future(self.close())
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
