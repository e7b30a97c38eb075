"""The kernel of an open notebook, used beside its owner: run code in it, and let go.

It is never started, restarted or ended here. Code waits until the kernel is idle, so
that an interrupt, at the time limit or when the call is cancelled, meets our code and
not the owner's. One call at a time per kernel, over all executions of this server.
"""

from __future__ import annotations

import asyncio
import time

from ..engine.ports import ToolError
from .kernel import Died, JupyterKernel, OnOutput, Outcome

CONNECT_S = 30.0


class AttachedKernel(JupyterKernel):
    """`ports.Kernel` over a kernel that belongs to somebody else."""

    def __init__(self, manager: object, alone: asyncio.Lock) -> None:
        super().__init__(manager, _let_go)
        self._alone = alone
        self._connected = False

    async def execute(self, code: str, *, timeout_s: float, on_output: OnOutput) -> Outcome:
        """See `ports.Kernel.execute`; `dead` too where it does not stop when interrupted. It lives on."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                await self._alone.acquire()
        except TimeoutError:
            raise ToolError("The notebook's kernel is busy with another call: try again later.") from None
        try:
            if not await self._alive():
                return "dead"
            left = max(timeout_s - (time.monotonic() - began), 1.0)
            if not self._connected:
                self._connected = True
                self._channels.start()
            try:
                # It answers once whatever its owner runs has ended.
                await self._answers(min(left, CONNECT_S))
            except Died:
                return "dead"
            except RuntimeError:
                raise ToolError(
                    "The notebook's kernel does not answer: it is busy with something else, or hangs. "
                    "Try again when it is idle."
                ) from None
            return await self._run(code, timeout_s=left, on_output=on_output)
        finally:
            self._alone.release()

    async def _close(self) -> None:
        self._dead = True
        self._channels.stop()


async def _let_go() -> None:
    """Nothing to end."""
