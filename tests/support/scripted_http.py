"""A real HTTP server whose answers a test writes down, faults included.

It runs in threads of its own, so that a plain (blocking) client can be tested too.
Connections can be cut in the middle of an answer, as proxies and dying servers do.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Close the connection without an answer."""


@dataclass
class Stream:
    """Frames of an event stream; afterwards a clean end, or a cut in the middle of one more frame."""

    events: list[dict[str, Any]]
    cut: bool = False
    hold: threading.Event | None = None
    """Keep the stream open, silent, until this is set."""


class ScriptedHttp:
    """`routes["GET /path"]` is an answer, a list of answers in order (the last one stays), or a function."""

    def __init__(self) -> None:
        self.routes: dict[str, Any] = {}
        self.requests: list[Request] = []
        self.url = ""

    def asked(self, route: str) -> list[Request]:
        return [r for r in self.requests if f"{r.method} {r.path}" == route]

    def answer(self, request: Request) -> Answer | Stream:
        self.requests.append(request)
        found = self.routes.get(f"{request.method} {request.path}")
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if isinstance(found, Callable):
            found = found(request)
        return found or Answer(404, {"error": {"code": "NOT_FOUND", "message": f"no {request.path}"}})


def _handler(script: ScriptedHttp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = script.answer(Request(self.command, path, query, headers, self.rfile.read(length)))
            self.close_connection = True
            if isinstance(answer, Stream):
                self._stream(answer)
            elif answer.cut:
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self._plain(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def _plain(self, answer: Answer) -> None:
            data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            data = b"" if answer.status == 204 else data
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, stream: Stream) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in stream.events:
                self._chunk(f"id: {event['id']}\ndata: {json.dumps(event)}\n\n".encode())
            if stream.hold is not None:
                stream.hold.wait(30)
            if stream.cut:
                self._chunk(b'id: 999\ndata: {"id": 999, "ty')
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self.wfile.write(b"0\r\n\r\n")

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def scripted_http() -> Iterator[ScriptedHttp]:
    script = ScriptedHttp()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
