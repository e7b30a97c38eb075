"""Process 1 of the sandbox that an execution's commands share: starts a supervisor for each.

Runs as `python -I -S warden.py` inside bubblewrap; standard library only. Its standard
input is a socket to the owner: each message brings one descriptor, which becomes the
standard input of a new supervisor. When the owner hangs up, or dies, this process ends,
and the kernel ends everything in its process namespace with it: whatever a command did
to get away. It cannot be killed, stopped or traced from the inside.
"""

# ruff: noqa: PTH100, PTH118, PTH120
# Start-up counts, as in `supervisor`.
from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys

READY = b"ready"
SUPERVISOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "supervisor.py")


def start(command: int) -> None:
    """A supervisor whose owner speaks through `command`; where none can be made, the owner sees it closed."""
    try:
        pid = os.fork()
    except OSError:  # too many processes for now; this one, whose end would end them all, goes on
        os.close(command)
        return
    if pid == 0:
        try:
            os.setsid()
            os.dup2(command, 0)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            os.execv(sys.executable, [sys.executable, "-I", "-S", SUPERVISOR])  # noqa: S606
        finally:
            os._exit(127)
    os.close(command)


def main() -> None:
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    control.send(READY)
    poller = select.poll()
    poller.register(control, select.POLLIN)
    poller.register(wake_read, select.POLLIN)
    while True:
        for descriptor, _ in poller.poll():
            if descriptor == wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
            else:
                message, commands, _, _ = socket.recv_fds(control, 16, 4)
                if not message:
                    return
                for command in commands:
                    start(command)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


if __name__ == "__main__":
    main()
