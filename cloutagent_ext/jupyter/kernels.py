"""Kernels for executions: in the Jupyter server, where people see them, or without a server.

`ServerKernels` starts them through the server's own kernel manager, so they are in
Lab's list of running kernels and in /api/kernels. `LocalKernels` is for the command
line. What a running kernel does is `jupyter.kernel`.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from ..engine.ports import Kernel, ToolError
from .kernel import JupyterKernel

KERNEL_NAME = "python3"
"""Jupyter's own name for the kernel of the Python it runs on."""

End = Callable[[], Awaitable[None]]


class ServerKernels:
    """Kernels of a Jupyter server. `kernel_manager` is its AsyncMappingKernelManager."""

    def __init__(self, kernel_manager: Any) -> None:
        self._manager = kernel_manager

    async def start(self, *, cwd: Path, env: Mapping[str, str]) -> Kernel:
        """See `ports.Kernels.start`."""
        return await _started(self._launch(cwd, env))

    async def _launch(self, cwd: Path, env: Mapping[str, str]) -> tuple[Any, End]:
        kernel_id = await self._manager.start_kernel(kernel_name=KERNEL_NAME, cwd=str(cwd), env=dict(env))

        async def end() -> None:
            if kernel_id in self._manager:  # a person may have shut it down already
                await self._manager.shutdown_kernel(kernel_id, now=True)

        return self._manager.get_kernel(kernel_id), end


class LocalKernels:
    """Kernels of this process, without a server."""

    async def start(self, *, cwd: Path, env: Mapping[str, str]) -> Kernel:
        """See `ports.Kernels.start`."""
        return await _started(self._launch(cwd, env))

    async def _launch(self, cwd: Path, env: Mapping[str, str]) -> tuple[Any, End]:
        from jupyter_client.manager import AsyncKernelManager

        manager = AsyncKernelManager(kernel_name=KERNEL_NAME)
        # What a kernel writes past Jupyter's channels would end up between the lines of the command.
        await manager.start_kernel(
            cwd=str(cwd), env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        async def end() -> None:
            await manager.shutdown_kernel(now=True)

        return manager, end


async def _started(launch: Awaitable[tuple[Any, End]]) -> Kernel:
    """A kernel that answers, or `ToolError`; cancelled or failed, it leaves no process."""
    launching = asyncio.ensure_future(launch)
    try:
        manager, end = await asyncio.shield(launching)
    except asyncio.CancelledError:
        # A kernel half launched is a process already: it is ended before we leave.
        outcome = (await asyncio.gather(launching, return_exceptions=True))[0]
        if not isinstance(outcome, BaseException):
            await outcome[1]()
        raise
    except Exception as error:  # whatever Jupyter, its provisioner or the system say
        raise ToolError(f"No Python kernel could be started: {error}") from error
    kernel = JupyterKernel(manager, end)
    try:
        await kernel.ready()
    except BaseException as error:
        await asyncio.shield(kernel.close())
        if isinstance(error, Exception):
            raise ToolError(f"The Python kernel started but does not answer: {error}") from error
        raise
    return kernel
