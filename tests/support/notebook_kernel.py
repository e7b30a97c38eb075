"""Notebooks played in a real kernel, whose sockets are files.

Jupyter chooses TCP ports for a kernel before the kernel takes them; among many tests that connect to one
another, one of the ports is somebody else's by then now and again, and the kernel is dead. The sockets lie in
a folder with a short name: 107 bytes is the most that one may have.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from traitlets.config import Config


def execute(
    book: Any,
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    timeout_s: int = 90,
    allow_errors: bool = False,
) -> None:
    """Run all cells of `book` in `folder`; their outputs are in it then. Raises what a cell raised.

    `env`: that of a server that the notebook should find.
    """
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:
        config = Config()
        config.KernelManager.transport, config.KernelManager.ip = "ipc", f"{sockets}/k"
        NotebookClient(
            book,
            timeout=timeout_s,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            allow_errors=allow_errors,
            config=config,
        ).execute(**({} if env is None else {"env": dict(env)}))


@contextmanager
def blocking_kernel(env: Mapping[str, str]) -> Iterator[BlockingKernelClient]:
    """A kernel of its own that answers, ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:
        manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/k")
        manager.start_kernel(env=dict(env))
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=90)
            yield client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
