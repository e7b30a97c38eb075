"""The commands of one execution, each below its own supervisor.

`run` returns when the command itself has exited; what it left running in the
background lives on until `close`, and no longer. Nothing here blocks the event loop.
Not here: what a command is and how its output is shown (`shell`, `search`); how its
processes are held together (`supervisor`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...failpoints import failpoint
from ..ports import ToolError
from . import watches
from .isolation import LIMITS, MAX_OUTPUT_BYTES, MAX_PROCESSES, Isolation
from .room import Room
from .supervision import STOP_S, reap, spawn

KEPT_BYTES = 16 * 1024 * 1024
"""Output that is handed over whole; of more, this much and the tail."""
_BUFFER_BYTES = 1024 * 1024

Why = Literal["exit", "async", "timeout", "output", "processes", "memory", "disk", "killed"]


@dataclass(frozen=True)
class Ran:
    """How a command went."""

    why: Why
    """`exit`: by itself; `async`: it goes on in the background, as it said (`Exchange.may_go_on`);
    else what stopped it, and everything that it had started."""
    exit_code: int | None
    """Negative: the signal that ended it."""
    head: bytes
    """Output, up to 16 MiB (`Exchange.kept`)."""
    tail: bytes
    """Last 32 KiB of a longer output."""
    total: int
    """Bytes of output in all."""
    report: str
    """What the command said on `report_fd`, where it ended with a line feed."""
    left: list[tuple[int, str]]
    """Pid and command line of what goes on in the background."""
    errors: bytes = b""
    """Beginning of standard error, where it was asked for apart; else it is part of the output."""
    errors_total: int = 0


@dataclass(frozen=True)
class Exchange:
    """A command that is told something and answers, and leaves nothing behind: a hook."""

    stdin: str
    kept: int
    """Bytes of output, and of standard error, that are kept."""
    may_go_on: bool = True
    """A first line `{"async": true}` is its answer; it goes on until `close`, or `timeout_s` at most."""


@dataclass(eq=False)
class _Supervised:
    """One command and everything below it, as seen by its owner."""

    result: asyncio.Future[Ran]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Commands:
    """Owner of every command of one execution."""

    def __init__(self, isolation: Isolation | None = None) -> None:
        self.isolation = isolation or Isolation()
        self.started = False
        """Whether a command was ever started."""
        self._live: set[_Supervised] = set()
        self._closed = False

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        fallback: str,
        env: Mapping[str, str],
        timeout_s: float,
        report_fd: int = 0,
        exchange: Exchange | None = None,
        room: Room | None = None,
        disk: Path | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> Ran:
        """Run `argv` in `cwd` (`fallback` if that folder is gone) with exactly `env`.

        `alive` is called now and then while it goes on writing.

        `exchange`: give it something to read, keep its standard error apart, and end all that it
        has started when it exits. `room`: the sandbox it runs in; its environment is the
        room's. `disk`: the folder whose size is watched.
        Cancelled: everything that the command has started is gone when CancelledError
        leaves here. Raises `ToolError` where it cannot be started.
        """
        if self._closed:
            raise ToolError("The execution is ending; no command starts any more.")
        if sys.platform != "linux":
            raise ToolError("Commands need Linux: only there can all that they start be ended again.")
        memory = self.isolation.memory_bytes or watches.machine_memory() * 3 // 4
        request = {
            "argv": list(argv),
            "cwd": cwd,
            "fallback": fallback,
            "timeout_s": timeout_s,
            "max_output": MAX_OUTPUT_BYTES,
            "max_processes": MAX_PROCESSES,
            "max_memory": memory,
            "disk": str(disk or ""),
            "max_disk": self.isolation.disk_bytes,
            "limits": limits(memory, isolated=room is not None),
            "report_fd": report_fd,
            "stdin": exchange.stdin if exchange else "",
            "kept": exchange.kept if exchange else KEPT_BYTES,
            "apart": exchange is not None,
            "may_go_on": exchange is not None and exchange.may_go_on,
        }
        supervised = _Supervised(asyncio.get_running_loop().create_future())
        self.started = True
        self._live.add(supervised)
        supervised.task = asyncio.create_task(self._supervise(supervised, request, dict(env), room, alive))
        try:
            ran = await asyncio.shield(supervised.result)
            if ran.why == "async":
                asyncio.get_running_loop().call_later(timeout_s, supervised.stop.set)
            elif exchange is not None:
                await _ended(supervised)
            return ran
        except (asyncio.CancelledError, ToolError):
            await _ended(supervised)
            raise

    async def close(self) -> None:
        """End every command and everything that commands left running."""
        self._closed = True
        await asyncio.gather(*(_ended(supervised) for supervised in list(self._live)))

    async def _supervise(
        self,
        supervised: _Supervised,
        request: dict[str, Any],
        env: dict[str, str],
        room: Room | None,
        alive: Callable[[], None],
    ) -> None:
        ours, theirs = socket.socketpair()
        process: subprocess.Popen[bytes] | None = None
        writer: asyncio.StreamWriter | None = None
        try:
            with theirs:
                if room is None:
                    process = await asyncio.to_thread(spawn, theirs, env)
                elif not await room.start_supervisor(theirs):
                    raise OSError("its sandbox is gone")
                failpoint("tool.spawned")
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_BUFFER_BYTES)
            if not supervised.stop.is_set():
                writer.write(json.dumps(request).encode() + b"\n")
            answer = asyncio.create_task(_answer(reader, supervised.result, alive))
            stop = asyncio.create_task(supervised.stop.wait())
            await asyncio.wait({answer, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if not answer.done():
                with contextlib.suppress(OSError):
                    writer.write_eof()  # good-bye: it ends everything and goes
                await asyncio.wait({answer}, timeout=STOP_S)
            answer.cancel()
            await asyncio.gather(answer, stop, return_exceptions=True)
        except OSError as error:
            if not supervised.result.done():
                supervised.result.set_exception(ToolError(f"The command could not be started: {error}"))
        finally:
            self._live.discard(supervised)
            if writer is not None:
                writer.close()
            else:
                ours.close()
            if process is not None:
                await asyncio.to_thread(reap, process)
            if not supervised.result.done():
                supervised.result.set_exception(ToolError("The command was stopped from outside."))
            supervised.result.exception()  # seen: a cancelled caller does not ask any more


def limits(memory: int, *, isolated: bool) -> dict[str, int]:
    """Limits of one process, as names of `resource`."""
    found = {**LIMITS, "RLIMIT_DATA": memory}
    # Counted per user and user namespace: outside of a sandbox the user's other processes would count, and
    # root has no limit anywhere. The supervisor's own count holds in each case.
    if isolated and os.getuid() != 0:
        found["RLIMIT_NPROC"] = MAX_PROCESSES
    return found


async def _answer(
    reader: asyncio.StreamReader, result: asyncio.Future[Ran], alive: Callable[[], None]
) -> None:
    """Read the supervisor's answer into `result`, then wait until its last process is gone."""
    try:
        while (line := await reader.readline()) == b"\n":
            alive()
        answer = json.loads(line or "{}")
        failpoint("tool.exited")
        if "problem" in answer:
            raise ToolError(f"The command could not be started: {answer['problem']}")
        if not answer:
            raise ToolError("The command's supervisor was killed, and the command with it.")
        head, tail, errors = [await reader.readexactly(size) for size in answer["parts"]]
    except (ToolError, OSError, asyncio.IncompleteReadError) as error:
        if not result.done():
            result.set_exception(
                error if isinstance(error, ToolError) else ToolError("The command's output was lost.")
            )
        return
    if not result.done():
        left = [(pid, line) for pid, line in answer["left"]]
        result.set_result(
            Ran(
                answer["why"],
                answer["exit"],
                head,
                tail,
                answer["total"],
                answer["report"].strip("\n"),
                left,
                errors,
                answer["errors_total"],
            )
        )
    with contextlib.suppress(OSError):
        await reader.read()


async def _ended(supervised: _Supervised) -> None:
    supervised.stop.set()
    if supervised.task is not None:
        await asyncio.shield(supervised.task)
