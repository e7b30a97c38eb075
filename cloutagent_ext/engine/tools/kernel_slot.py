"""The one kernel of an execution: started when first needed, replaced when it died, ended at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from ...schema.base import JsonObject
from ..notebooks import Notebooks
from ..ports import Confine, Kernel, Kernels, ToolContext, ToolError


class KernelSlot:
    """Holds the kernel that the agent and all its subagents share."""

    def __init__(self, kernels: Kernels, *, lost: bool = False) -> None:
        self._kernels = kernels
        self.lost = lost
        """Whether variables that the agents count on went with an earlier kernel, and nobody has said so."""
        self.attached = False
        """Whether the kernel is somebody else's, a notebook's: its life is not ours."""
        self.started = False
        """Whether a kernel was ever started, or tried to."""
        self._kernel: Kernel | None = None
        self._alone = asyncio.Lock()
        self._closed = False

    def attach(self, kernels: Kernels) -> None:
        """Use a kernel that is there already, as `kernels` finds it."""
        self._kernels, self.attached = kernels, True

    async def execute(
        self,
        code: str,
        context: ToolContext,
        *,
        timeout_s: float,
        on_output: Callable[[JsonObject], None],
        confine: Confine | None = None,
    ) -> Literal["ok", "error", "timeout", "dead"]:
        """`ports.Kernel.execute` on this execution's kernel, which `confine` goes around when it is started.

        A dead one is ended for good here.
        """
        async with self._alone:
            if self._closed:
                raise ToolError("The execution is ending; no code runs any more.")
            if self._kernel is None:
                self.started = True
                self._kernel = await self._kernels.start(
                    cwd=context.workspace, env=context.env, confine=confine
                )
                if self._closed:
                    raise ToolError("The execution is ending; no code runs any more.")
            outcome = await self._kernel.execute(code, timeout_s=timeout_s, on_output=on_output)
            if outcome == "dead":
                kernel, self._kernel = self._kernel, None
                await kernel.close()
            return outcome

    async def close(self) -> None:
        """End the kernel; whoever still waits for it gets an error."""
        self._closed = True
        if self._kernel is not None:
            await self._kernel.close()  # without waiting for the code that runs: it ends by this
        async with self._alone:  # and one that was just starting
            kernel, self._kernel = self._kernel, None
            if kernel is not None:
                await kernel.close()


class NotebookKernels:
    """`ports.Kernels` that finds the kernel of one open notebook instead of starting one."""

    def __init__(self, notebooks: Notebooks | None, notebook: str | None) -> None:
        self._notebooks = notebooks
        self._notebook = notebook

    async def start(self, *, cwd: Path, env: Mapping[str, str], confine: Confine | None = None) -> Kernel:
        """See `notebooks.Notebooks.kernel`."""
        if self._notebooks is None:
            raise ToolError(
                "`python` runs in the kernel of an open notebook here, and there is no Jupyter server."
            )
        if self._notebook is None:
            raise ToolError("`agent.kernel` is `notebook`, and the project names no notebook.")
        return await self._notebooks.kernel(self._notebook)
