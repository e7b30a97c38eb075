"""A link to an MCP server that is a program: one JSON message a line over its pipes.

Unlike the SDK's own transport it bounds everything that a server can send: a line (16
MiB), requests to us that are not yet answered, and floods of what nobody asked for,
which are read slowly until the server's own pipe holds it back. Lines that are no
messages are passed over. Not here: the process (`mcp_process`).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import Any

import anyio
import mcp_types
from mcp.shared.message import SessionMessage

from .mcp_link import END_BYTES, MAX_MESSAGE_BYTES, UNREADABLE, id_in
from .mcp_process import Launch, ServerProcess, launch

_READ_BYTES = 64 * 1024
_MOST_REQUESTS = 64
"""Requests of a server to us that may wait for our answer; more are dropped."""
_FREE_MESSAGES = 1000
_FREE_BYTES = 1024 * 1024
"""Messages nobody asked for, and their bytes, that are read at full speed between two answers."""
_TOO_LONG = f"The answer is longer than {MAX_MESSAGE_BYTES // 1024**2} MiB, and thrown away. Ask for less."
_FLOOD_READ_BYTES = 32 * 1024
_FLOOD_PAUSE_S = 0.05
_SKIP_PAUSE_S = 0.005
_LAST_WORDS_S = 0.5

_CHANGED = "notifications/tools/list_changed"
_PROGRESS = "notifications/progress"
_WANTED = frozenset({_CHANGED, "notifications/cancelled", "notifications/subscriptions/acknowledged"})
"""Notifications that mean something here; logs and resources do not, progress only now and then."""
_PROGRESS_PAUSE_S = 0.5
"""Between two reports of one call's progress that are passed on: each is a sign of life, no more."""


class StdioLink:
    """See `mcp_link.Link`."""

    def __init__(self, what: Launch) -> None:
        self.closed = asyncio.Event()
        self.hurried = False
        self._what = what
        self._process: ServerProcess | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._asked: dict[str, float] = {}
        """Ids of our requests that wait for an answer, and when progress of each was passed on last."""
        self._unanswered: set[str] = set()
        """Ids of the server's requests that wait for ours."""
        self._idle_messages = self._idle_bytes = 0
        self._told_change = False
        self._why: str | None = None

    async def __aenter__(self) -> Any:
        """Start the program. Raises OSError."""
        process = self._process = await launch(self._what)
        incoming, self._read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        self._write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        self._streams = (incoming, self._read, self._write, outgoing)
        self._tasks = [
            asyncio.create_task(self._receive(process, incoming), name="mcp server's output"),
            asyncio.create_task(self._send(process, outgoing, incoming), name="mcp server's input"),
        ]
        return self._read, self._write

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        try:
            if self.closed.is_set():
                self._why = await self.last_words()  # before it is ended by us
            await process.stop(hurried=self.hurried)
        finally:
            self._why = self._why or ""
            self.closed.set()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for stream in self._streams:
                stream.close()

    async def last_words(self) -> str:
        process = self._process
        if process is None or self._why is not None:
            return self._why or ""
        await asyncio.wait({process.exited}, timeout=_LAST_WORDS_S)
        if not process.exited.done():
            return "it has closed its output" if self.closed.is_set() else ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await process.errors.ended.wait()
        if (error := process.exited.exception()) is not None:
            return str(error)
        code = process.exited.result()
        if code is None:
            return "it was killed together with its supervisor"
        if code < 0:
            return f"it was ended by {_signal(-code)}"
        return f"it ended with exit code {code}"

    def said(self) -> list[str]:
        return self._process.errors.last_lines if self._process is not None else []

    # ------------------------------------------------------------ from the server

    async def _receive(self, process: ServerProcess, incoming: Any) -> None:
        buffer = bytearray()
        skipping, head, tail = False, b"", b""
        try:
            while data := await process.stdout.read(self._helping()):
                self._told_change = False  # one a helping says as much as a thousand
                looked = len(buffer)
                buffer += data
                if skipping:
                    cut = buffer.find(b"\n")
                    tail = (tail + (buffer[-END_BYTES:] if cut < 0 else buffer[:cut]))[-END_BYTES:]
                    if cut < 0:
                        buffer.clear()
                        await asyncio.sleep(_SKIP_PAUSE_S)
                        continue
                    await self._lost_answer(head, bytes(tail), _TOO_LONG, incoming)
                    del buffer[: cut + 1]
                    skipping, looked = False, 0
                start = 0
                while (end := buffer.find(b"\n", max(start, looked))) >= 0:
                    await self._line(bytes(buffer[start:end]), incoming)
                    start = end + 1
                del buffer[:start]
                if len(buffer) > MAX_MESSAGE_BYTES:
                    head, tail = bytes(buffer[:END_BYTES]), bytes(buffer[-END_BYTES:])
                    await self._lost_answer(head, b"", _TOO_LONG, incoming)
                    buffer.clear()
                    skipping = True
                if self._flooded:
                    await asyncio.sleep(_FLOOD_PAUSE_S)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            await _drained(process)  # the session has let go
        except OSError:
            pass
        finally:
            self.closed.set()
            incoming.close()

    @property
    def _flooded(self) -> bool:
        return self._idle_messages > _FREE_MESSAGES or self._idle_bytes > _FREE_BYTES

    def _helping(self) -> int:
        return _FLOOD_READ_BYTES if self._flooded else _READ_BYTES

    async def _line(self, line: bytes, incoming: Any) -> None:
        message = _parsed(line)
        if isinstance(message, mcp_types.JSONRPCResponse | mcp_types.JSONRPCError):
            key = str(message.id)
            if self._asked.pop(key, None) is not None:
                self._idle_messages = self._idle_bytes = 0
                await incoming.send(SessionMessage(message))
                return
        self._idle_messages += 1
        self._idle_bytes += len(line)
        if isinstance(message, mcp_types.JSONRPCNotification):
            change = message.method == _CHANGED
            if message.method in _WANTED and not (change and self._told_change):
                self._told_change = self._told_change or change
                await incoming.send(SessionMessage(message))
            elif message.method == _PROGRESS and self._is_news(message):
                await incoming.send(SessionMessage(message))
        elif isinstance(message, mcp_types.JSONRPCRequest):
            if len(self._unanswered) < _MOST_REQUESTS:
                self._unanswered.add(str(message.id))
                await incoming.send(SessionMessage(message))
        elif message is None and line.strip() and not self._flooded:
            told = await self._lost_answer(line[:END_BYTES], line[-END_BYTES:], UNREADABLE, incoming)
            if not told and self._process is not None:
                await self._process.errors.say([b"[no message, passed over] " + line])

    def _is_news(self, progress: mcp_types.JSONRPCNotification) -> bool:
        """Whether somebody waits for the call that this is about, and has not just heard of it."""
        key, now = str((progress.params or {}).get("progressToken")), time.monotonic()
        if now - self._asked.get(key, now) < _PROGRESS_PAUSE_S:
            return False
        self._asked[key] = now
        return True

    async def _lost_answer(self, head: bytes, tail: bytes, why: str, incoming: Any) -> bool:
        """Answer, with `why`, the call whose answer this was going to be; whether there is one."""
        key = id_in(head, tail)
        if self._asked.pop(key, None) is None:
            return False
        error = mcp_types.ErrorData(code=mcp_types.INTERNAL_ERROR, message=why)
        reply = mcp_types.JSONRPCError(jsonrpc="2.0", id=int(key) if key.isdecimal() else key, error=error)
        await incoming.send(SessionMessage(reply))
        return True

    # ------------------------------------------------------------ to the server

    async def _send(self, process: ServerProcess, outgoing: Any, incoming: Any) -> None:
        try:
            async for session_message in outgoing:
                message = session_message.message
                if isinstance(message, mcp_types.JSONRPCRequest):
                    self._asked[str(message.id)] = 0.0
                elif isinstance(message, mcp_types.JSONRPCResponse | mcp_types.JSONRPCError):
                    self._unanswered.discard(str(message.id))
                elif message.method == "notifications/cancelled":
                    self._asked.pop(str((message.params or {}).get("requestId")), None)
                data = message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(data.encode("utf-8", "replace") + b"\n")
                await process.stdin.drain()
        except (OSError, anyio.ClosedResourceError, anyio.BrokenResourceError):
            # It may live on without reading: for us it is gone, and nobody shall wait for it.
            self.closed.set()
            incoming.close()


async def _drained(process: ServerProcess) -> None:
    """Throw away what still comes: a server that waits for room in its pipe cannot end by itself."""
    with contextlib.suppress(OSError):
        while await process.stdout.read(_READ_BYTES):  # noqa: ASYNC110 - slowly, whatever the server does
            await asyncio.sleep(_SKIP_PAUSE_S)


def _parsed(line: bytes) -> Any:
    try:
        return mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
