"""Kernels for executions: in the Jupyter server, where people see them, or without a server.

`ServerKernels` starts them through the server's own kernel manager, so they are in
Lab's list of running kernels and in /api/kernels. `LocalKernels` is for the command
line. Where there is a sandbox, both start kernels in it instead, and those are in nobody's
list (`confined`). What a running kernel does is `jupyter.kernel`.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ..engine.ports import Confine, Kernel, ToolError
from ..loading import loaded

KERNEL_NAME = "python3"
"""Jupyter's own name for the kernel of the Python it runs on."""
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
"""What a kernel writes past Jupyter's channels would end up between the lines of the command."""
_TRIES = 3
"""How often a kernel is started that dies before it answers.

Jupyter chooses ports that are free and hands them to a kernel that takes them a second later: on a busy
machine a connection may have got one meanwhile. A kernel in the sandbox has sockets in a folder of its own,
and needs no second try.
"""

Started = TypeVar("Started")


class ServerKernels:
    """Kernels of a Jupyter server. `kernel_manager` is its AsyncMappingKernelManager."""

    def __init__(self, kernel_manager: Any) -> None:
        self._manager = kernel_manager

    async def start(self, *, cwd: Path, env: Mapping[str, str], confine: Confine | None = None) -> Kernel:
        """See `ports.Kernels.start`."""
        if confine is not None:
            return await _confined(cwd, env, confine)
        await loaded("jupyter.kernel")
        from .kernel import unbroken

        def start() -> Awaitable[Any]:
            begun: Awaitable[Any] = self._manager.start_kernel(
                kernel_name=KERNEL_NAME, cwd=str(cwd), env=dict(env)
            )
            return begun

        async def end(kernel_id: str) -> None:
            if kernel_id in self._manager:  # a person may have shut it down already
                await unbroken(self._manager.shutdown_kernel(kernel_id, now=True))

        return await _started(start, self._manager.get_kernel, end, tries=_TRIES)


class LocalKernels:
    """Kernels of this process, without a server."""

    async def start(self, *, cwd: Path, env: Mapping[str, str], confine: Confine | None = None) -> Kernel:
        """See `ports.Kernels.start`."""
        if confine is not None:
            return await _confined(cwd, env, confine)
        await loaded("jupyter.kernel")
        from .kernel import unbroken

        jupyter = await asyncio.to_thread(importlib.import_module, "jupyter_client.manager")

        manager: Any = None

        def start() -> Awaitable[None]:
            nonlocal manager  # another for each try: it has its ports
            manager = jupyter.AsyncKernelManager(kernel_name=KERNEL_NAME)
            begun: Awaitable[None] = manager.start_kernel(cwd=str(cwd), env=dict(env), **_QUIET)
            return begun

        async def end(_: None) -> None:
            await unbroken(manager.shutdown_kernel(now=True))

        return await _started(start, lambda _: manager, end, tries=_TRIES)


async def _confined(cwd: Path, env: Mapping[str, str], confine: Confine) -> Kernel:
    """A kernel in the sandbox that `confine` gives."""
    await loaded("jupyter.kernel")
    from .kernel import unbroken

    module = await asyncio.to_thread(importlib.import_module, "cloutagent_ext.jupyter.confined")
    try:
        kernel = await asyncio.to_thread(module.ConfinedKernel, KERNEL_NAME)
    except OSError as error:
        raise ToolError(f"No Python kernel could be started: {error}") from error

    async def end(_: None) -> None:
        try:
            await unbroken(kernel.manager.shutdown_kernel(now=True))
        finally:
            await asyncio.to_thread(kernel.remove)

    try:
        kernel.put_into(await confine(kernel.folder))
    except BaseException:
        await asyncio.to_thread(kernel.remove)
        raise

    def start() -> Awaitable[None]:
        begun: Awaitable[None] = kernel.manager.start_kernel(cwd=str(cwd), env=dict(env), **_QUIET)
        return begun

    return await _started(start, lambda _: kernel.manager, end)


async def _started(
    start: Callable[[], Awaitable[Started]],
    manager_of: Callable[[Started], Any],
    end: Callable[[Started], Awaitable[None]],
    *,
    tries: int = 1,
) -> Kernel:
    """A kernel that answers, or `ToolError`; cancelled or failed, it leaves no process.

    One that dies before it has answered is started anew, `tries` times in all.
    """
    from .kernel import Died, JupyterKernel, unbroken

    while True:
        tries -= 1
        starting = asyncio.ensure_future(start())
        try:
            which = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A kernel half started is a process already: it is ended before we leave, or behind us.
            await unbroken(_ended(starting, end))
            raise
        except Exception as error:  # whatever Jupyter, its provisioner or the system say
            raise ToolError(f"No Python kernel could be started: {error}") from error
        kernel = JupyterKernel(manager_of(which), functools.partial(end, which))
        try:
            await kernel.ready()
        except BaseException as error:
            await asyncio.shield(kernel.close())
            if isinstance(error, Died) and tries > 0:
                continue
            if isinstance(error, Exception):
                raise ToolError(f"The Python kernel started but does not answer: {error}") from error
            raise
        return kernel


async def _ended(starting: asyncio.Future[Started], end: Callable[[Started], Awaitable[None]]) -> None:
    """Return when what was being started is gone again."""
    await asyncio.wait({starting})
    if not starting.cancelled() and starting.exception() is None:
        await end(starting.result())
