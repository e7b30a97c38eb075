"""The process of one stdio MCP server, below its own supervisor.

Three pipes lead to it; everything it starts, however it daemonises, ends with it. Its
errors go to a log file of their own, masked and at most `LOG_BYTES` long; a server that
floods them is slowed down by its own full pipe. Not here: what is said over the pipes
(`mcp_stdio`), how descendants are held together (`supervisor`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from ..masking import NOTHING, Mask
from . import watches
from .commands import limits
from .isolation import MAX_PROCESSES, Isolation
from .supervision import reap, spawn
from .text import clean

PATIENCE_S = 2.0
"""How long a server may take to end by itself once its input is closed; then TERM, as long again, KILL."""
HURRIED_S = 0.7
"""The first of these where a cancelled execution has 5 s for everything."""
LOG_BYTES = 1024 * 1024
"""Most of a server's errors that is kept."""
LAST_LINES = 20
"""Lines of a server's errors that are told when it fails."""

_READ_BYTES = 64 * 1024
_LINE_BYTES = 8 * 1024
_SLOWED_S = 0.05
"""Pause after each helping of a flood."""
_FOR_EVER_S = 10**9


async def _nothing() -> None:
    """Nobody is to be told."""


@dataclass(frozen=True)
class Sandbox:
    """What goes around each server of an execution: one of its own, whatever the others are in."""

    isolation: Isolation = field(default_factory=Isolation)
    folders: Mapping[Path, Literal["read", "write"]] = field(default_factory=dict)
    """Folders that it sees besides its own."""
    network: bool = False
    bare: Callable[[], Awaitable[None]] = _nothing
    """Told where there is none."""


@dataclass(frozen=True)
class Launch:
    """What is started: exactly this, with exactly this environment."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    log: Path
    """File for its errors."""
    mask: Mask = NOTHING
    home: Path | None = None
    sandbox: Sandbox = field(default_factory=Sandbox)


@dataclass(eq=False)
class ServerProcess:
    """A started server. `stop` it always."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    errors: Errors
    exited: asyncio.Future[int | None]
    """Its exit code (negative: the signal) once it has exited; None where its supervisor was killed."""
    _supervisor: subprocess.Popen[bytes]
    _control: asyncio.StreamWriter
    _input: _Input
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _transports: list[asyncio.BaseTransport] = field(default_factory=list)

    async def stop(self, *, hurried: bool = False) -> None:
        """Close its input, wait, end its tree. Everything it has started is gone when this returns."""
        try:
            self.stdin.close()
            await asyncio.wait({self.exited}, timeout=HURRIED_S if hurried else PATIENCE_S)
        finally:
            await asyncio.shield(asyncio.ensure_future(self._end(hurried=hurried)))

    async def _end(self, *, hurried: bool) -> None:
        if not self._input.lost:
            self.stdin.transport.abort()  # what was not read by now will not be
        with contextlib.suppress(OSError):
            if hurried:
                self._control.write(b"!")
            self._control.write_eof()
        await asyncio.to_thread(reap, self._supervisor)
        for transport in self._transports:
            transport.close()
        self._control.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.errors.close()
        if not self.exited.done():
            self.exited.set_result(None)


async def launch(what: Launch) -> ServerProcess:
    """Start it. Raises OSError with the reason where that is impossible, `EndExecution` without a sandbox."""
    if sys.platform != "linux":
        raise OSError(
            "MCP servers that are programs need Linux: only there can all they start be ended again."
        )
    isolation = what.sandbox.isolation
    wrapped = await isolation.around(
        what.argv,
        workspace=what.cwd,
        home=what.home,
        folders=what.sandbox.folders,
        network=what.sandbox.network,
    )
    if not wrapped.isolated:
        await what.sandbox.bare()
    memory = isolation.memory_bytes or watches.machine_memory() * 3 // 4
    request = {
        "argv": wrapped.argv,
        "cwd": str(what.cwd),
        "fallback": str(what.cwd),
        "timeout_s": _FOR_EVER_S,
        "max_output": _FOR_EVER_S,
        "max_processes": MAX_PROCESSES,
        "max_memory": memory,
        "disk": str(what.cwd),
        "max_disk": isolation.disk_bytes,
        "limits": limits(memory, isolated=wrapped.isolated),
        "report_fd": 0,
        "stdin": "",
        "kept": 0,
        "apart": False,
        "may_go_on": False,
        "grace_s": PATIENCE_S,
    }
    spawning = asyncio.ensure_future(asyncio.to_thread(_spawn, request, dict(what.env)))
    try:
        started = await asyncio.shield(spawning)
    except asyncio.CancelledError:
        spawning.add_done_callback(_abandon)
        raise
    return await _connected(started, what)


async def _connected(started: _Spawned, what: Launch) -> ServerProcess:
    loop = asyncio.get_running_loop()
    exited: asyncio.Future[int | None] = loop.create_future()
    opened: list[asyncio.BaseTransport] = []
    try:
        control_reader, control = await asyncio.open_unix_connection(sock=started.control)
        opened.append(control.transport)
        transport, protocol = await loop.connect_write_pipe(_Input, started.stdin)
        opened.append(transport)
        stdin = asyncio.StreamWriter(transport, protocol, None, loop)
        stdout, out_transport = await _reader(started.stdout)
        opened.append(out_transport)
        stderr, err_transport = await _reader(started.stderr)
    except (
        BaseException
    ):  # cancelled between two of them: the loop would keep what is open, and so the server
        for each in opened:
            each.close()
        _hang_up(started)
        raise
    errors = Errors(what.log, what.mask)
    process = ServerProcess(stdin, stdout, errors, exited, started.process, control, protocol)
    process._transports += [out_transport, err_transport]
    process._tasks += [
        asyncio.create_task(_await_exit(control_reader, exited, what.argv[0]), name="mcp server's end"),
        asyncio.create_task(errors.follow(stderr), name="mcp server's errors"),
    ]
    return process


class _Input(asyncio.StreamReaderProtocol):
    """The server's input, as its writer sees it."""

    def __init__(self) -> None:
        super().__init__(asyncio.StreamReader())
        self.lost = False
        """Its pipe is closed; asyncio cannot be told a second time."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        super().connection_lost(exc)


async def _reader(pipe: IO[bytes]) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader(limit=_READ_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader, transport


async def _await_exit(
    control: asyncio.StreamReader, exited: asyncio.Future[int | None], program: str
) -> None:
    """The supervisor's answer: the server has exited, or could not be started."""
    problem: str | None = None
    code: int | None = None
    with contextlib.suppress(OSError, ValueError):
        answer = json.loads(await control.readline() or b"{}")
        problem, code = answer.get("problem"), answer.get("exit")
    if exited.done():
        return
    if problem is not None:
        missing = f"there is no program {program} here" if "[Errno 2]" in problem else problem
        exited.set_exception(OSError(f"it cannot be started: {missing}"))
        exited.exception()  # seen: it may die with nobody asking
    else:
        exited.set_result(code)


class Errors:
    """What a server writes to its standard error: the first `LOG_BYTES` in a file, the last lines here."""

    def __init__(self, path: Path, mask: Mask) -> None:
        self._path = path
        self._mask = mask
        self._last: deque[str] = deque(maxlen=LAST_LINES)
        self._room = LOG_BYTES
        self._file: IO[bytes] | None = None
        self._writing = threading.Lock()
        self._closed = False
        self._cut = False
        self.ended = asyncio.Event()

    @property
    def last_lines(self) -> list[str]:
        """Its last words."""
        return list(self._last)

    async def follow(self, stderr: asyncio.StreamReader) -> None:
        """Read to the end of `stderr`."""
        rest = b""
        try:
            while data := await stderr.read(_READ_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > 2 * _LINE_BYTES:  # a line without an end: its beginning is told, once
                    lines.append(rest)
                    rest = b""
                if lines:
                    await self.say(lines)
                if self._room <= 0:
                    await asyncio.sleep(_SLOWED_S)
            if rest:
                await self.say([rest])
        finally:
            self.ended.set()

    async def say(self, lines: list[bytes]) -> None:
        """Keep `lines`, cleaned and masked."""
        if self._room > 0:
            shown = [self._shown(line) for line in lines]
        else:
            shown = [self._shown(line) for line in lines[-LAST_LINES:]]
        self._last.extend(line for line in shown if line.strip())
        if self._room > 0:
            text = "".join(f"{line}\n" for line in shown).encode()
            await asyncio.to_thread(self._write, text)

    def _shown(self, line: bytes) -> str:
        # Masked before it is cut: half a secret would not be found.
        return self._mask(clean(line[: 2 * _LINE_BYTES]))[:_LINE_BYTES]

    def _write(self, data: bytes) -> None:
        with self._writing, contextlib.suppress(OSError):  # a full disk: the server goes on without its log
            if self._closed:  # a thread outlives the task that waited for it
                return
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("ab")
            self._file.write(data[: self._room])
            if len(data) > self._room:
                self._file.write(b"\n[the rest is left out]\n")
            self._file.flush()
        self._room -= len(data)

    async def close(self) -> None:
        """Close the file; nothing is written any more."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._writing:
            self._closed = True
            if self._file is not None:
                self._file.close()


@dataclass(frozen=True)
class _Spawned:
    process: subprocess.Popen[bytes]
    control: socket.socket
    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]


def _spawn(request: dict[str, Any], env: dict[str, str]) -> _Spawned:
    """The supervisor, told what to start, with our ends of all it is reached by."""
    with contextlib.ExitStack() as failed, contextlib.ExitStack() as theirs:
        ours, control = socket.socketpair()
        failed.callback(ours.close)
        theirs.callback(control.close)
        ends: list[int] = []
        files: list[IO[bytes]] = []
        for mode in ("wb", "rb", "rb"):
            read, write = os.pipe()
            near, far = (write, read) if mode == "wb" else (read, write)
            files.append(failed.enter_context(os.fdopen(near, mode, buffering=0)))
            theirs.callback(os.close, far)
            ends.append(far)
        process = spawn(control, env, ends)
        ours.sendall(json.dumps({**request, "stdio": ends}).encode() + b"\n")
        failed.pop_all()
        return _Spawned(process, ours, *files)


def _abandon(spawning: asyncio.Future[_Spawned]) -> None:
    """The start was cancelled while a thread was at it: hang up, so that the supervisor ends it."""
    if spawning.cancelled() or spawning.exception() is not None:
        return
    _hang_up(spawning.result())


def _hang_up(started: _Spawned) -> None:
    for end in (started.control, started.stdin, started.stdout, started.stderr):
        end.close()
    asyncio.get_running_loop().run_in_executor(None, reap, started.process)
