"""The sandbox that all commands of one execution share, as seen by its owner.

One for all, so that a server left in the background can be spoken to and ended by the
next command: same processes, same loopback, same /tmp. Process 1 in it is `warden`; it
holds nothing of the commands, only starts a supervisor for each. `close` ends all there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..ports import EndExecution
from . import processes
from .environment import must_fit

WARDEN = Path(__file__).with_name("warden.py")
READY_S = 30.0
STOP_S = 2.0
"""How long the sandbox may take to vanish before its processes are killed one by one."""
_POLL_S = 0.02
ARGV = [sys.executable, "-I", "-S", str(WARDEN)]
"""What a sandbox is put around."""
OPTIONS = ("--as-pid-1",)


class Room:
    """One running sandbox. Made by `open`."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Room:
        """Start `argv`: a sandbox around `ARGV`. Raises `EndExecution` TOOL_ERROR where it does not come up.

        Cancelled: nothing of it is left.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        spawning = asyncio.ensure_future(asyncio.to_thread(_spawn, argv, cwd, dict(env), theirs))
        try:
            process = await asyncio.shield(spawning)
        except OSError as error:
            ours.close()
            raise _broken(str(error)) from error
        except asyncio.CancelledError:
            await asyncio.wait({spawning})
            if spawning.exception() is None:
                await cls(spawning.result(), ours).close()
            ours.close()
            raise
        room = cls(process, ours)
        try:
            async with asyncio.timeout(READY_S):
                word = await asyncio.get_running_loop().sock_recv(ours, 16)
        except BaseException as error:
            await room.close()
            if isinstance(error, TimeoutError | OSError):
                raise _broken("it does not answer") from error
            raise
        if not word:
            said = await asyncio.to_thread(_said, process)
            await room.close()
            raise _broken(said)
        return room

    @property
    def alive(self) -> bool:
        """Whether process 1 still listens: it never says anything more, so a word would be its end."""
        if self._process.poll() is not None:
            return False
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        return not poller.poll(0)

    async def start_supervisor(self, command: socket.socket) -> bool:
        """A new supervisor that listens on `command`; False where this sandbox is gone, or takes no more."""
        give_up = time.monotonic() + READY_S
        while True:
            try:
                socket.send_fds(self._control, [b"+"], [command.fileno()])
            except BlockingIOError:  # many at once, and process 1 has not come round to them
                if time.monotonic() > give_up or self._process.poll() is not None:
                    return False
                await asyncio.sleep(_POLL_S)
            except OSError:
                return False
            else:
                return self.alive

    async def close(self) -> None:
        """End every process in it; safe to call twice."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._control.close()
        await asyncio.to_thread(_end, self._process)


def _spawn(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], theirs: socket.socket
) -> subprocess.Popen[bytes]:
    with theirs:
        must_fit(env)
        return subprocess.Popen(
            argv,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )


def _said(process: subprocess.Popen[bytes]) -> str:
    try:
        _, said = process.communicate(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        return "it hung up"
    return said.decode("utf-8", "replace").strip()[:500] or f"exit code {process.returncode}"


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    if process.returncode is None:
        processes.end_below(process.pid)
        process.kill()
        process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _broken(why: str) -> EndExecution:
    return EndExecution("TOOL_ERROR", f"The sandbox for this execution's commands does not start: {why}")
