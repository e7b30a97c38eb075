"""Starting a supervisor, and seeing it gone.

Commands and MCP servers run below one, so that all they start ends with them. Not here:
what it does (`supervisor`, a program of its own), and what it is told (`commands`,
`mcp_process`).
Everything blocks: call it in a thread.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .environment import must_fit

STOP_S = 5.0
"""How long a supervisor may take to end everything below it before it is killed itself."""

_PROGRAM = Path(__file__).with_name("supervisor.py")


def spawn(
    control: socket.socket, env: dict[str, str], pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """A supervisor that is told by `control` what to start; it has `env` and `pass_fds`, no more.

    Raises OSError, also for variables that no program can be given.
    """
    must_fit(env)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(_PROGRAM)],
        stdin=control.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=env,
        pass_fds=pass_fds,
        start_new_session=True,
    )


def reap(process: subprocess.Popen[bytes]) -> None:
    """Return when it has ended, which it does once its control is closed; killed where it hangs."""
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
