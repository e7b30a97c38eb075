"""Proxies as they stand between people and servers: some buffer, some cut, none asks first.

    async with Proxy(port, cut=lambda: 700) as proxy: ...  # http://127.0.0.1:{proxy.port}/

Bytes are passed on as they come; of HTTP only as much is understood as each vice needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Literal, Self

_CHUNK = 64 * 1024
_ALWAYS = 2**62
_LAST_CHUNK = b"0\r\n\r\n"


class Proxy:
    """On a port of loopback, before the server on `target`.

    `buffering`: holds an answer back until it has ended, as nginx does; "obeys" passes on at
    once what says `X-Accel-Buffering: no`, "deaf" does not care. `lifetime_s`: cuts each
    connection after that time. `idle_s`: cuts one on which the server is silent for that time.
    `cut`: asked for each connection, after how many bytes of the server's it is cut (None: never);
    `reset` says whether with RST instead of FIN.
    """

    def __init__(
        self,
        target: int,
        *,
        buffering: Literal["obeys", "deaf"] | None = None,
        lifetime_s: float | None = None,
        idle_s: float | None = None,
        cut: Callable[[], int | None] = lambda: None,
        reset: Callable[[], bool] = lambda: False,
    ) -> None:
        self._target = target
        self._buffering = buffering
        self._lifetime_s = lifetime_s
        self._idle_s = idle_s
        self._cut = cut
        self._reset = reset
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.connections = 0
        self.cuts = 0
        """Connections that were ended against both sides' will."""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            there, up = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        asking = asyncio.create_task(self._ask(reader, up))
        try:
            async with asyncio.timeout(self._lifetime_s):
                whole = await self._answer(there, writer)
        except TimeoutError:
            whole = False
        except (OSError, asyncio.CancelledError):
            whole = True
        finally:
            self._tasks.discard(task)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            for end in (writer, up):
                with contextlib.suppress(OSError):
                    end.close()
        if not whole:
            self.cuts += 1

    async def _ask(self, reader: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                up.write(data)
                await up.drain()
            up.close()  # the client has gone: the server hears of it

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the server's side ended it, not this proxy."""
        left = limit if (limit := self._cut()) is not None else _ALWAYS
        held: list[bytes] | None = None
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    data = await there.read(_CHUNK)
            except TimeoutError:
                return False
            if not data:
                break
            if self._buffering and data.startswith(b"HTTP/1."):  # an answer begins; there may be several
                held = None if self._passes(data) else []
            if held is not None:
                held.append(data)
                if not data.endswith(_LAST_CHUNK):
                    continue
                data, held = b"".join(held), None
            writer.write(data[:left])
            await writer.drain()
            left -= len(data)
            if left <= 0:
                if self._reset():
                    _reset_on_close(writer)
                return False
        writer.write(b"".join(held or ()))
        await writer.drain()
        return True

    def _passes(self, head: bytes) -> bool:
        """Whether this answer asks not to be held back, or is none that lasts."""
        head = head.partition(b"\r\n\r\n")[0].lower()
        if b"text/event-stream" not in head:
            return True
        return self._buffering == "obeys" and b"x-accel-buffering: no" in head


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    transport_socket = writer.get_extra_info("socket")
    if transport_socket is not None:
        transport_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
