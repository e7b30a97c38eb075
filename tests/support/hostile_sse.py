"""An MCP server of before 2025 at an address, over SSE, with one vice: in the test's own event loop.

It speaks bytes, with no library between it and the client. Apart from its vice it is a server of two
tools, `echo` and `count`. It knows who is connected, what it was sent, and what was given up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .hostile_peer import HostilePeer, deep

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
ENDLESS = b"data: " + b"x" * 65_000
NEVER_READY = {
    "silent": "not ready within",
    "no-endpoint": "not ready within",
    "hangs-on-initialize": "not ready within",
    "drips": "not ready within",
    "ends": "the stream ended before it named an address|the stream of events ended",
    "other-origin": "an address of another origin",
    "no-stream": "text/event-stream",
    "compressed": "compressed, which was not asked for",
    "endless-line": "exceeded the 16777216 byte limit",
    "endless-event": "exceeded the 16777216 byte limit",
    "binary": "the stream ended before it named an address|the stream of events ended",
    "refuses-posts": "HTTP 500",
}
"""Vices with which no connection comes about, and what is said of each."""


class HostileSse(HostilePeer):
    path = "/sse"

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.streams = 0
        """Streams that were ever opened."""
        self.opened_at: list[float] = []
        self._stream: asyncio.StreamWriter | None = None

    async def answer(
        self, verb: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if verb == "GET":
            await self._streaming(reader, writer)
            writer.close()
        else:
            await self._posted(json.loads(body), reader, writer)

    async def _streaming(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.streams += 1
        self.opened_at.append(asyncio.get_running_loop().time())
        gone = asyncio.create_task(reader.read())
        try:
            await self._begin(writer)
            if self.how not in ("ends", "binary"):
                await gone
        finally:
            gone.cancel()

    async def _begin(self, writer: asyncio.StreamWriter) -> None:
        endpoint = b"event: endpoint\ndata: /post\n\n"
        if self.how == "silent":
            return
        if self.how == "no-stream":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
        elif self.how == "compressed":
            writer.write(STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + endpoint)
        elif self.how == "drips":
            writer.write(STREAM)
            while not writer.is_closing():
                writer.write(b"d")
                await writer.drain()
                await asyncio.sleep(0.02)
        elif self.how in ("endless-line", "endless-event"):
            writer.write(STREAM)
            await self.without_end(writer, ENDLESS + (b"\n" if self.how == "endless-event" else b""))
        elif self.how == "binary":
            writer.write(STREAM + bytes(range(256)) * 400)
        elif self.how == "other-origin":
            writer.write(STREAM + b"event: endpoint\ndata: http://127.0.0.1:9/post\n\n")
        else:
            writer.write(STREAM + (b"" if self.how == "no-endpoint" else endpoint))
            self._stream = writer
        await writer.drain()

    # ------------------------------------------------------------ messages

    async def _posted(self, message: dict[str, Any], reader: Any, writer: asyncio.StreamWriter) -> None:
        self.sent.append(message)
        if self.how == "refuses-posts":
            writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
            return
        said = str(((message.get("params") or {}).get("arguments") or {}).get("text", ""))
        if said == "post hangs":
            await reader.read()
            return
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        if "id" in message and "method" in message:
            await self._answer(message, said)

    async def _answer(self, message: dict[str, Any], said: str) -> None:
        method = message["method"]
        if method == "initialize" and self.how != "hangs-on-initialize":
            result: Any = self.welcome(message)
        elif method == "tools/list":
            result = {"tools": self.tools()}
        elif method == "tools/call":
            self.calls += 1
            if said == "hang":
                return
            if said == "drop":
                self.writer.close()
                return
            if said == "endless":
                await self.without_end(self.writer, ENDLESS)
                return
            if said == "deep":
                self.event(deep(message))
                return
            if self.how == "garbage":
                self._garbage(message["id"])
            if self.how == "changes":
                self.event('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
            name = message["params"]["name"]
            result = {"content": [{"type": "text", "text": str(self.calls) if name == "count" else said}]}
        elif self.how != "hangs-on-initialize":
            error = {"code": -32601, "message": f"no such method: {method}"}
            self.event(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}))
            return
        else:
            return
        self.event(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    @property
    def writer(self) -> asyncio.StreamWriter:
        assert self._stream is not None
        return self._stream

    def event(self, data: str) -> None:
        self.writer.write(f"event: message\ndata: {data}\n\n".encode())

    def _garbage(self, number: int) -> None:
        write = self.writer.write
        write(b": a comment\n\nretry: 1\n\nid: 7\n\nevent: nonsense\ndata: x\n\n\xff\xfe\x00\x80\n\n")
        write(b"event: endpoint\ndata: http://127.0.0.1:9/elsewhere\n\n")
        for data in ("", "[]", "123", "{not json", "null", '{"jsonrpc":"2.0"}', '"' + "x" * 1000 + '"'):
            self.event(data)
        for other in (number + 1, f"{number}x", -1, 10**30):
            self.event(json.dumps({"jsonrpc": "2.0", "id": other, "result": {"content": []}}))
        for method in ("sampling/createMessage", "roots/list", "nonsense"):
            self.event(json.dumps({"jsonrpc": "2.0", "id": f"q{method}", "method": method}))


@asynccontextmanager
async def hostile_sse(how: str = "well") -> AsyncIterator[HostileSse]:
    peer = HostileSse(how)
    try:
        async with peer.listening():
            yield peer
    finally:
        if peer._stream is not None:
            peer._stream.close()
