"""An MCP server at an address, over streamable HTTP, with one vice: in the test's own event loop.

It speaks bytes, with no library between it and the client. Apart from its vice it is a server of two
tools, `echo` and `count`, of the protocol of 2025 with a session. What a call's text says decides how
that call is answered. It knows who is connected, what it was sent, and what was given up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from .hostile_peer import HostilePeer, deep

EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
"""An answer as a stream of events, until the connection ends."""
NEVER_READY = {
    "hangs-on-initialize": "not ready within",
    "stream-without-answer": "not ready within",
    "drips-head": "not ready within",
    "drips-body": "not ready within",
    "hangs-on-list": "not ready within",
    "pages-without-end": "",
    "ends": "",
    "endless-head": "",
    "endless-json": "longer than 16 MiB",
    "endless-line": "exceeded the 16777216 byte limit",
    "endless-event": "exceeded the 16777216 byte limit",
    "binary": "",
    "html": "text/html",
    "no-json": "JSON",
    "odd-status": "",
    "takes-only": "202",
    "refuses": "HTTP 500",
    "redirects-for-ever": "redirect",
    "odd-session": "",
}
"""Vices with which no connection comes about, and what is said of each."""


class HostileHttp(HostilePeer):
    path = "/mcp"

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.forgotten = False
        """The session is no longer known."""
        self.session = 0

    async def answer(
        self, verb: str, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if verb == "POST":
            await self._posted(json.loads(body), reader, writer)
        elif verb == "GET":
            await self._streaming(reader, writer)
        elif self.how == "hangs-on-delete":
            await reader.read()
        else:
            self._plain(writer, b"", "200 OK")

    # ------------------------------------------------------------ how an answer is given

    def _plain(
        self, writer: asyncio.StreamWriter, body: bytes, status: str, kind: str = "", more: str = ""
    ) -> None:
        kind = f"Content-Type: {kind}\r\n" if kind else ""
        writer.write(
            f"HTTP/1.1 {status}\r\n{kind}{more}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        )

    def _json(self, writer: asyncio.StreamWriter, message: Any, more: str = "") -> None:
        self._plain(writer, json.dumps(message).encode(), "200 OK", "application/json", more)

    def _events(self, writer: asyncio.StreamWriter, *data: str, close: bool = True) -> None:
        writer.write(EVENTS + b"".join(f"event: message\ndata: {each}\n\n".encode() for each in data))
        if close:
            writer.close()

    # ------------------------------------------------------------ the stream for what nobody asked

    async def _streaming(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.how == "ends-streams":
            writer.write(EVENTS + b"retry: 0\nid: 1\ndata:\n\n")
            writer.close()
        elif self.how == "refuses-streams":
            self._plain(writer, b"", "405 No")
        else:
            writer.write(EVENTS)
            await writer.drain()
            await reader.read()

    # ------------------------------------------------------------ messages

    async def _posted(self, message: dict[str, Any], reader: Any, writer: asyncio.StreamWriter) -> None:
        self.sent.append(message)
        method = str(message.get("method"))
        if "id" not in message or "method" not in message:
            if self.how == "hangs-on-notices":
                await reader.read()
            elif self.how == "drops-notices":
                writer.close()
            else:
                self._plain(writer, b"", "202 Accepted")
        elif self.forgotten and method != "initialize":
            self._plain(writer, b"", "404 Not Found")
        elif method == "server/discover":
            error = {"code": -32601, "message": "no such method"}
            self._json(writer, {"jsonrpc": "2.0", "id": message["id"], "error": error})
        elif method == "initialize":
            await self._initialize(message, reader, writer)
        elif method == "tools/list":
            await self._list(message, reader, writer)
        else:
            await self._call(message, reader, writer)

    async def _initialize(self, message: dict[str, Any], reader: Any, writer: asyncio.StreamWriter) -> None:
        result = self.welcome(message)
        json_head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        match self.how:
            case "hangs-on-initialize":
                await reader.read()
            case "stream-without-answer":
                writer.write(EVENTS + b": here\n\n")
                await reader.read()
            case "drips-head":
                writer.write(json_head)
                await self.without_end(writer, b"X", 0.02)
            case "drips-body":
                writer.write(json_head + b"Content-Length: 100000\r\n\r\n")
                await self.without_end(writer, b" ", 0.02)
            case "ends":
                writer.close()
            case "endless-head":
                await self.without_end(writer, json_head + b"X: " + b"x" * 60_000 + b"\r\n")
            case "endless-json":
                writer.write(json_head + b"\r\n")
                await self.without_end(writer, b" " * 65_000)
            case "endless-line" | "endless-event":
                writer.write(EVENTS)
                line_end = b"\n" if self.how == "endless-event" else b""
                await self.without_end(writer, b"data: " + b"x" * 65_000 + line_end)
            case "binary":
                writer.write(bytes(range(256)) * 400)
                writer.close()
            case "html":
                self._plain(writer, b"<html>", "200 OK", "text/html")
            case "no-json":
                self._plain(writer, b"{not json\xff", "200 OK", "application/json")
            case "odd-status":
                writer.write(b"HTTP/1.1 999 \xff\r\nContent-Length: 0\r\n\r\n")
            case "takes-only":
                self._plain(writer, b"", "202 Accepted")
            case "refuses":
                self._plain(writer, b"", "500 No")
            case "redirects-for-ever":
                self._plain(writer, b"", "307 There", more="Location: /mcp\r\n")
            case "odd-session":
                self._json(writer, _answer(message, result), "Mcp-Session-Id: \xff\xfe\x80\r\n")
            case _:
                self.forgotten = False
                self.session += 1
                session = "" if self.how == "no-session" else f"Mcp-Session-Id: s{self.session}\r\n"
                self._json(writer, _answer(message, result), session)

    async def _list(self, message: dict[str, Any], reader: Any, writer: asyncio.StreamWriter) -> None:
        if self.how == "hangs-on-list":
            await reader.read()
            return
        result: dict[str, Any] = {"tools": self.tools()}
        if self.how == "pages-without-end":
            number = len(self.sent)
            result = {
                "tools": [{**self.tools()[0], "name": f"t{number}-{n}"} for n in range(50)],
                "nextCursor": f"{number}",
            }
        self._json(writer, _answer(message, result))

    async def _call(self, message: dict[str, Any], reader: Any, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        said = str((message["params"].get("arguments") or {}).get("text", ""))
        counts = message["params"]["name"] == "count"
        result = {"content": [{"type": "text", "text": str(self.calls) if counts else said}]}
        answer = _answer(message, result)
        match said:
            case "hang":
                await reader.read()
            case "stream hangs":
                writer.write(EVENTS + b"id: 7\ndata:\n\n")
                await reader.read()
            case "drop":
                writer.close()
            case "forget":
                self.forgotten = True
                self._plain(writer, b"", "404 Not Found")
            case "endless json":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
                await self.without_end(writer, b" " * 65_000)
            case "endless events":
                writer.write(EVENTS)
                await self.without_end(writer, b"data: " + b"x" * 65_000)
            case "deep json":
                self._plain(writer, deep(message).encode(), "200 OK", "application/json")
            case "deep events":
                self._events(writer, deep(message))
            case "nothing":
                self._plain(writer, b"", "200 OK", "application/json")
            case "another's":
                self._json(writer, {**answer, "id": 10**9})
            case "ends without an answer":
                writer.write(EVENTS + b": nothing\n\n")
                writer.close()
            case "ends again and again":
                writer.write(EVENTS + b"retry: 0\nid: 7\ndata:\n\n")
                writer.close()
            case "garbage":
                self._garbage(writer, message, answer)
            case "changed" if self.how == "changes":
                changed = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
                self._events(writer, changed, json.dumps(answer))
            case _:
                self._json(writer, answer)

    def _garbage(self, writer: asyncio.StreamWriter, message: dict[str, Any], answer: dict[str, Any]) -> None:
        asks = [
            json.dumps({"jsonrpc": "2.0", "id": f"q{method}", "method": method})
            for method in ("sampling/createMessage", "roots/list", "nonsense")
        ]
        writer.write(EVENTS + b": a comment\n\nretry: 1\n\nid: \n\nevent: nonsense\ndata: x\n\n\x00\x80\n\n")
        writer.write(b"event: endpoint\ndata: http://127.0.0.1:9/elsewhere\n\n")
        for data in ("", *asks, json.dumps(answer), "{not json", json.dumps({**answer, "id": -1})):
            writer.write(f"event: message\ndata: {data}\n\n".encode())
        writer.close()


def _answer(message: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


@asynccontextmanager
async def hostile_http(how: str = "well") -> AsyncIterator[HostileHttp]:
    peer = HostileHttp(how)
    async with peer.listening():
        yield peer
