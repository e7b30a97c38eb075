"""A kernel with a sandbox around it, which is spoken to through sockets in a folder: it needs no network.

Not one of the Jupyter server's own kernels: those listen on the machine's network and start their
processes themselves. Not here: what the sandbox is (`engine.tools.isolation`). Imports jupyter_client:
load this module in a thread.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager


class ConfinedKernel:
    """One kernel that is not started yet, and the folder of its sockets, which is nobody else's.

    Making one blocks, and raises OSError.
    """

    def __init__(self, kernel_name: str) -> None:
        # Not below the data folder: the name of a socket has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="cloutagent-kernel-"))
        self.manager = AsyncKernelManager(
            kernel_name=kernel_name,
            transport="ipc",
            ip=str(self.folder / "k"),
            connection_file=str(self.folder / "kernel.json"),
        )
        spec = self.manager.kernel_spec
        assert spec is not None
        self._spec = spec
        # A signal would reach the sandbox, and what is in it only by dying: it has a session of its own.
        spec.interrupt_mode = "message"

    def put_into(self, sandbox: Sequence[str]) -> None:
        """Start it below the command line `sandbox`."""
        self._spec.argv = [*sandbox, *self._spec.argv]

    def remove(self) -> None:
        """Its folder. Blocking."""
        shutil.rmtree(self.folder, ignore_errors=True)
