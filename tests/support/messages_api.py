"""A scripted Messages API: a real HTTP server on loopback that speaks the wire of October 2026.

Replies come from a script, one per request. It counts tokens and caches prefixes as the
service does, refuses an assistant message that is not byte for byte what it sent, and
fails in every way the service and the networks before it do. Every request is kept.
Not here: what can be answered (`messages_replies`), which events a reply is (`messages_events`), and
what is refused (`wire_rules`).
Independent of the product's own code on purpose.

    async with MessagesApi([Say("Hello"), Call("bash", {"command": "ls"})]) as api:
        ... api.url ... api.requests
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Iterable
from email.parser import BytesParser
from email.policy import HTTP

from .messages_events import encoded, events_of, with_ids
from .messages_replies import Call as Call
from .messages_replies import Calls as Calls
from .messages_replies import Failure, Json, Raw, Reply, Script, Scripted
from .messages_replies import Say as Say
from .wire_rules import WireRules, canonical

CACHE_MINIMUM = 512
"""Shortest prefix that is cached, in tokens."""


# ---------------------------------------------------------------- the server


class MessagesApi:
    """The server; `async with` starts and stops it.

    Every request is held to `wire_rules`: one that breaks them is answered 400 and fails the
    test when this is closed, whatever the product made of the answer, unless the test
    `expects_refusals`.
    """

    def __init__(
        self,
        script: Iterable[Scripted] | Script,
        *,
        api_key: str | None = "test-key",
        expects_refusals: bool = False,
    ) -> None:
        self._script: deque[Scripted] | Script = script if callable(script) else deque(script)
        self._api_key = api_key
        self.rules = WireRules()
        self._expects_refusals = expects_refusals
        self._violations: list[str] = []
        self._cached: set[str] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.requests: list[Json] = []
        """Bodies of POST /v1/messages, as they came."""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.counted: list[Json] = []
        """Bodies of POST /v1/messages/count_tokens."""
        self.files: dict[str, bytes] = {}
        """What the Files API holds, by id."""
        self.uploads: list[tuple[str | None, str, bytes]] = []
        """Name, media type and content of every file that came."""
        self.deleted: list[str] = []
        self.upload_failures: deque[Failure] = deque()
        """How the next uploads fail."""
        self.refused: list[str] = []
        """Why requests were answered 400."""
        self.usages: list[Json] = []
        """Input usage of each streamed reply."""
        self.told: list[Json] = []
        """What each streamed reply has said that it cost, as far as it went; none that ended in an error,
        which the service does not charge for."""
        self.open = 0
        self.most_open = 0
        self.disconnected = asyncio.Event()
        """A client went away in the middle of a reply."""
        self.url = ""

    def play(self, script: Iterable[Scripted] | Script) -> None:
        """Begin anew with `script`; what was sent and asked before is forgotten, connections stay."""
        self._script = script if callable(script) else deque(script)
        self.rules = WireRules()
        self._cached.clear()
        for kept in (
            self.requests,
            self.bodies,
            self.headers,
            self.counted,
            self.refused,
            self.usages,
            self.told,
        ):
            kept.clear()

    async def __aenter__(self) -> MessagesApi:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        if not self._expects_refusals:
            assert self._violations == [], "requests that the service would refuse"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.disconnected.set()
        except asyncio.CancelledError:
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False when the connection is over."""
        head = await _head(reader)
        if head is None:
            return False
        path, headers = head
        data = await reader.readexactly(int(headers.get("content-length", 0)))
        if path.startswith("/v1/files"):
            return await self._files(writer, path, headers, data)
        body = json.loads(data)
        if path.endswith("/count_tokens"):
            self.counted.append(body)
            total = sum(tokens for _, tokens in _steps(body))
            return await self._plain(writer, 200, {"input_tokens": total})
        number = len(self.requests)
        self.requests.append(body)
        self.bodies.append(data)
        self.headers.append(headers)
        if self._api_key is not None and headers.get("authorization") != f"Bearer {self._api_key}":
            return await self._fail(writer, Failure(401, "authentication_error", "invalid bearer token"))
        reason = self.rules.objection(body, headers) or self._names_no_file(body)
        if reason is not None:
            self.refused.append(reason)
            self._violations.append(reason)
            return await self._fail(writer, Failure(400, "invalid_request_error", reason))
        answer = self._next(body, number)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            if isinstance(answer, Failure):
                return await self._fail(writer, answer)
            if isinstance(answer, Raw):
                return await self._raw(writer, answer)
            return await self._stream(reader, writer, body, answer, number)
        finally:
            self.open -= 1

    async def _files(
        self, writer: asyncio.StreamWriter, path: str, headers: dict[str, str], data: bytes
    ) -> bool:
        """The Files API: POST /v1/files and DELETE /v1/files/{id}."""
        if self._api_key is not None and headers.get("authorization") != f"Bearer {self._api_key}":
            return await self._fail(writer, Failure(401, "authentication_error", "invalid bearer token"))
        if file_id := path.removeprefix("/v1/files").strip("/"):
            if file_id not in self.files:
                return await self._fail(writer, Failure(404, "not_found_error", f"no file {file_id}"))
            del self.files[file_id]
            self.deleted.append(file_id)
            return await self._plain(writer, 200, {"id": file_id, "type": "file_deleted"})
        if self.upload_failures:
            return await self._fail(writer, self.upload_failures.popleft())
        head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
        parts = {
            part.get_param("name", header="content-disposition"): part
            for part in BytesParser(policy=HTTP).parsebytes(head + data).iter_parts()
        }
        life = int(parts["expires_in_seconds"].get_payload(decode=True))
        if not 3600 <= life <= 7_776_000:
            return await self._fail(writer, Failure(400, "invalid_request_error", "expires_in_seconds"))
        file = parts["file"]
        kept = file.get_payload(decode=True)
        file_id = f"file_{len(self.uploads)}"
        self.uploads.append((file.get_filename(), file.get_content_type(), kept))
        self.files[file_id] = kept
        answer = {
            "id": file_id, "type": "file", "filename": file.get_filename(), "downloadable": False,
            "mime_type": file.get_content_type(), "size_bytes": len(kept),
            "created_at": "2026-10-01T00:00:00Z",
        }  # fmt: skip
        return await self._plain(writer, 200, answer)

    def _names_no_file(self, body: Json) -> str | None:
        """Why a request's files are refused: it names one that is not here."""
        for message in body["messages"]:
            for block in message["content"] if isinstance(message["content"], list) else ():
                source = block.get("source") or {}
                if source.get("type") == "file" and source.get("file_id") not in self.files:
                    return f"no file {source.get('file_id')}"
        return None

    def _next(self, body: Json, number: int) -> Scripted:
        if callable(self._script):
            return self._script(body, number)
        if not self._script:
            return Failure(400, "invalid_request_error", f"the script ends before request {number + 1}")
        return self._script.popleft()

    def _usage(self, body: Json) -> Json:
        """Input usage: what of the prompt was cached before, what is written now, what is neither."""
        total = read = 0
        digests = []
        for digest, tokens in _steps(body):
            total += tokens
            digests.append(digest)
            if digest in self._cached and total >= CACHE_MINIMUM:
                read = total
        caching = "cache_control" in body or '"cache_control"' in json.dumps(body)
        if not caching:
            return {"input_tokens": total}
        written = total - read if total >= CACHE_MINIMUM else 0
        if written:
            self._cached.update(digests)
        return {
            "input_tokens": total - read - written,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        }

    # ------------------------------------------------------------ answers

    async def _stream(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body: Json,
        reply: Reply,
        number: int,
    ) -> bool:
        if reply.hold is not None:
            await reply.hold.wait()
        usage = dict(reply.usage) if reply.usage is not None else self._usage(body)
        self.usages.append(usage)
        blocks = with_ids(reply.blocks, number)
        events = list(events_of(body, reply, blocks, usage, number))
        whole = reply.cut_after is None and reply.end_after is None and reply.error_after is None
        if reply.end_at_byte is not None:
            whole = reply.end_at_byte >= sum(map(len, map(encoded, events)))
        if whole and reply.garbage_after is None:
            self.rules.sent(body, blocks, reply.stop_reason)
        headers = {"content-type": "text/event-stream; charset=utf-8", "request-id": f"req_{number}"}
        await _write_head(writer, 200, {**headers, **reply.headers, "transfer-encoding": "chunked"})
        end = "\r\n" if reply.crlf else "\n"
        if reply.end_at_byte is not None:
            stream = b"".join(encoded(event, end) for event in events)
            if part := stream[: reply.end_at_byte]:
                await _write_chunk(writer, part)
            return False
        self.told.append(told := {})
        for index, event in enumerate(events):
            if reply.cut_after == index:
                writer.transport.abort()
                return False
            if reply.end_after == index:
                break
            if reply.error_after is not None and reply.error_after[0] == index:
                self.told.remove(told)
                kind = reply.error_after[1]
                error = {"type": "error", "error": {"type": kind, "message": f"scripted {kind}"}}
                await _write_event(writer, error, end, None)
                break
            if reply.garbage_after == index:
                await _write_chunk(writer, f'event: x{end}data: {{"type": "content_blo{end}{end}'.encode())
                break
            if reply.delay_s:
                await asyncio.sleep(reply.delay_s)
            if writer.is_closing():
                raise ConnectionResetError
            await _write_event(writer, event, end, reply.chunk_size)
            told |= event.get("usage") or event.get("message", {}).get("usage") or {}
            if index == 0 and reply.hold_after_start is not None:
                gone = asyncio.create_task(reader.read(1))
                opened = asyncio.create_task(reply.hold_after_start.wait())
                done, pending = await asyncio.wait({gone, opened}, return_when=asyncio.FIRST_COMPLETED)
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)
                if gone in done:
                    raise ConnectionResetError
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _fail(self, writer: asyncio.StreamWriter, failure: Failure) -> bool:
        error: Json = {"type": failure.type, "message": failure.message}
        if failure.details is not None:
            error["details"] = failure.details
        headers = {"request-id": f"req_{len(self.requests) - 1}", **failure.headers}
        return await self._plain(writer, failure.status, {"type": "error", "error": error}, headers)

    async def _plain(
        self, writer: asyncio.StreamWriter, status: int, body: Json, headers: dict[str, str] | None = None
    ) -> bool:
        data = json.dumps(body).encode()
        sizes = {"content-type": "application/json", "content-length": str(len(data))}
        await _write_head(writer, status, {**sizes, **(headers or {})})
        writer.write(data)
        await writer.drain()
        return True

    async def _raw(self, writer: asyncio.StreamWriter, raw: Raw) -> bool:
        if not raw.close:
            sizes = {"content-type": raw.content_type, "content-length": str(len(raw.body))}
            await _write_head(writer, raw.status, {**sizes, **raw.headers})
            writer.write(raw.body)
            await writer.drain()
            return True
        return False


# ---------------------------------------------------------------- the wire


def _steps(body: Json) -> list[tuple[str, int]]:
    """Digest of everything up to each step of the prompt, and that step's tokens."""
    running = hashlib.sha256()
    steps = []
    for part in (body.get("tools", []), body.get("system", []), *body["messages"]):
        text = canonical(part)
        running.update(text.encode("utf-8", "surrogatepass"))
        steps.append((running.hexdigest(), -(-len(text) // 4)))
    return steps


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = text.split("\r\n")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    return first.split(" ")[1], headers


async def _write_head(writer: asyncio.StreamWriter, status: int, headers: dict[str, str]) -> None:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    await writer.drain()


async def _write_event(writer: asyncio.StreamWriter, event: Json, end: str, chunk_size: int | None) -> None:
    data = encoded(event, end)
    for at in range(0, len(data), chunk_size or len(data)):
        await _write_chunk(writer, data[at : at + (chunk_size or len(data))])


async def _write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()
