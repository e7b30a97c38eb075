"""Links to an MCP server at an address: streamable HTTP, and the older SSE.

Redirects are followed only within the address's own origin, so that no header meant for
one server reaches another; a message has at most 16 MiB, uncompressed, so that few bytes
cannot become very many. Nothing of the machine's environment is sent along; its proxy is
used, except for an address on this machine. Not here: what is said (`mcp_connection`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2
import mcp_types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import request_within_origin, sse_within_origin
from mcp.shared.message import SessionMessage

from ... import handshakes
from .. import names
from .mcp_client import TAKEN_S, PatientClient
from .mcp_link import END_BYTES, MAX_MESSAGE_BYTES, UNREADABLE, id_in

CONNECT_S = 10.0
SEND_S = 30.0
SILENCE_S = 3660.0
"""Longest silence of a server: a little more than the longest call may take."""

C = TypeVar("C", bound=httpx2.AsyncClient)


class HttpLink:
    """See `mcp_link.Link`. Streamable HTTP."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.closed = asyncio.Event()
        self.hurried = False
        self._url = url
        self._watch = _Watch()
        self._headers = dict(headers)
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Any:
        """Nothing is sent yet. Raises OSError for an address or a header that cannot be used."""
        try:
            client = await _client(self._url, self._headers, self._watch, PatientClient)
            await self._stack.enter_async_context(client)
            self._stack.push_async_callback(client.let_go)
            return await self._stack.enter_async_context(
                streamable_http_client(self._url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES)
            )
        except BaseException:
            await self.__aexit__(None, None, None)
            raise

    async def __aexit__(self, *failure: Any) -> None:
        await self._stack.__aexit__(*failure)
        self.closed.set()

    async def last_words(self) -> str:
        return self._watch.refusal

    def said(self) -> list[str]:
        return []


class SseLink:
    """See `mcp_link.Link`. The transport of before 2025: a stream of events, and an address to post to."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.closed = asyncio.Event()
        self.hurried = False
        self._url = url
        self._headers = dict(headers)
        self._watch = _Watch()
        self._why = ""
        self._stack = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked: dict[str, asyncio.Task[None]] = {}
        """Our requests that wait for an answer, by id, and the post of each."""

    async def __aenter__(self) -> Any:
        """Open the stream and wait for the address to post to. Raises OSError, httpx2.HTTPError."""
        try:
            return await self._open()
        except BaseException:  # nobody leaves what was not entered
            await self.__aexit__(None, None, None)
            raise

    async def _open(self) -> Any:
        client = await _client(self._url, self._headers, self._watch, httpx2.AsyncClient)
        await self._stack.enter_async_context(client)
        events = await self._stack.enter_async_context(
            sse_within_origin(client, self._url, max_event_size=MAX_MESSAGE_BYTES)
        )
        if not events.response.is_success:
            raise OSError(self._watch.refusal or "the server refused the stream")
        incoming, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
        for stream in (incoming, read, write, outgoing):
            self._stack.callback(stream.close)
        endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        receiving = asyncio.create_task(self._receive(events, endpoint, incoming), name="mcp events")
        self._tasks.add(receiving)
        first: set[asyncio.Future[Any]] = {endpoint, receiving}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not endpoint.done():
            raise OSError(self._why or "the stream ended before it named an address to post to")
        sending = self._send(client, endpoint.result(), outgoing, incoming)
        self._tasks.add(asyncio.create_task(sending, name="mcp posts"))
        return read, write

    async def __aexit__(self, *_: object) -> None:
        self.closed.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def last_words(self) -> str:
        return self._why or self._watch.refusal

    def said(self) -> list[str]:
        return []

    async def _receive(self, events: Any, endpoint: asyncio.Future[str], incoming: Any) -> None:
        try:
            async for event in events:
                if event.event == "endpoint" and not endpoint.done():
                    endpoint.set_result(self._same_origin(event.data))
                elif event.event == "message" and event.data:
                    await self._message(event.data, incoming)
            self._why = "the stream of events ended"
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass  # the session has let go
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.SSEError, OSError) as error:
            self._why = str(error) or type(error).__name__
        finally:
            self.closed.set()
            incoming.close()

    async def _message(self, data: str, incoming: Any) -> None:
        try:
            message = mcp_types.jsonrpc_message_adapter.validate_json(data, by_name=False)
        except ValueError:
            ends = (part.encode("utf-8", "replace") for part in (data[:END_BYTES], data[-END_BYTES:]))
            key = id_in(*ends)
            if key in self._asked:  # nobody shall wait for what has come and cannot be read
                await self._answer(int(key) if key.isdecimal() else key, UNREADABLE, incoming)
            return
        if isinstance(message, mcp_types.JSONRPCResponse | mcp_types.JSONRPCError):
            self._asked.pop(str(message.id), None)
        await incoming.send(SessionMessage(message))

    async def _answer(
        self, id: int | str, why: str, incoming: Any, code: int = mcp_types.INTERNAL_ERROR
    ) -> None:
        """Answer one of our own requests with an error, since the server does not."""
        self._asked.pop(str(id), None)
        told = mcp_types.ErrorData(code=code, message=why)
        await incoming.send(SessionMessage(mcp_types.JSONRPCError(jsonrpc="2.0", id=id, error=told)))

    def _same_origin(self, address: str) -> str:
        endpoint = urljoin(self._url, address)
        ours, theirs = urlsplit(self._url), urlsplit(endpoint)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            raise OSError("the server named an address of another origin to post to")
        return endpoint

    async def _send(self, client: httpx2.AsyncClient, endpoint: str, outgoing: Any, incoming: Any) -> None:
        """Post what comes, in its order; a post that the server leaves hanging holds up no other."""
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            async for session_message in outgoing:
                message = session_message.message
                posting = asyncio.create_task(
                    self._post(client, endpoint, message, incoming), name="mcp post"
                )
                self._tasks.add(posting)
                if isinstance(message, mcp_types.JSONRPCRequest):
                    self._asked[str(message.id)] = posting
                posting.add_done_callback(self._tasks.discard)
                await asyncio.wait({posting}, timeout=TAKEN_S)
                if getattr(message, "method", "") == "notifications/cancelled":
                    given_up = self._asked.pop(str((message.params or {}).get("requestId")), None)
                    if given_up is not None:
                        given_up.cancel()

    async def _post(self, client: httpx2.AsyncClient, endpoint: str, message: Any, incoming: Any) -> None:
        body = message.model_dump(by_alias=True, mode="json", exclude_unset=True)
        why = ""
        try:
            answer = await request_within_origin(client, "POST", endpoint, json=body)
            if not answer.is_success:
                why = self._watch.refusal
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            why = str(error) or type(error).__name__
        if why and isinstance(message, mcp_types.JSONRPCRequest):
            with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                await self._answer(message.id, why, incoming, mcp_types.CONNECTION_CLOSED)


class _Watch:
    """Sees every response of a client: remembers whether the last one was a refusal, bounds bodies."""

    def __init__(self) -> None:
        self.refusal = ""

    async def __call__(self, response: httpx2.Response) -> None:
        if response.is_redirect:
            self.refusal = f"it redirects to another address (HTTP {response.status_code})"
        elif response.status_code >= HTTPStatus.BAD_REQUEST:
            self.refusal = f"it answered HTTP {response.status_code} {response.reason_phrase}".rstrip()
        else:
            self.refusal = ""
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            limit = MAX_MESSAGE_BYTES
        else:
            limit = None  # an endless stream: its events are bounded one by one
        packed = response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")
        response.stream = _Bounded(response.stream, limit, packed=packed)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: Any, limit: int | None, *, packed: bool) -> None:
        self._stream = stream
        self._limit = limit
        self._packed = packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._packed:
            raise httpx2.StreamError("The answer is compressed, which was not asked for.")
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if self._limit is not None and size > self._limit:
                raise httpx2.StreamError(
                    f"The answer is longer than {self._limit // 1024**2} MiB, and thrown away. Ask for less."
                )
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _client(url: str, headers: Mapping[str, str], watch: _Watch, kind: type[C]) -> C:
    """Made in a thread: certificates are read from disk. Raises OSError."""
    host = urlsplit(url).hostname or ""
    here = host in ("localhost", "::1") or host.startswith("127.")
    sent = {"Accept-Encoding": "identity", **headers}
    for name, value in sent.items():
        try:
            value.encode("latin-1")
        except UnicodeEncodeError:
            raise OSError(f"the value of the header {name} has characters that no header may have") from None
        if any(ord(c) < 32 and c != "\t" for c in value):
            raise OSError(f"the value of the header {name} has a line break in it")

    def make() -> C:
        return kind(
            headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()],
            timeout=httpx2.Timeout(SEND_S, connect=CONNECT_S, read=SILENCE_S),
            trust_env=not here,
            event_hooks={"request": [handshakes.watched], "response": [watch]},
        )

    await names.reachable(url, proxies=not here)
    return await asyncio.to_thread(make)
