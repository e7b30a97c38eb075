"""The HTTP client of a streamable HTTP link: what a server does to one message holds up no other.

The SDK posts notifications one after the other and waits for each; keeps the post of a call that was
given up open until the server ends it; opens an event stream again as fast as the server orders; and
takes its leave for as long as that likes. Here each of these has its bounds. Not here: what may come
back (`mcp_http`), what is said (`mcp_connection`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx2

TAKEN_S = 1.0
"""How long a message waits for the one before it to be taken: servers may count on the order."""
LEAVE_S = 1.0
"""How long a server may take to hear that its session is over."""
STREAMS, STREAMS_S = 10, 10.0
"""How many event streams are opened in how many seconds, however often the server ends them."""

_OVER = "the call was given up"


class PatientClient(httpx2.AsyncClient):
    """As its base, with bounds. `let_go` of it before it is closed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._asked: dict[str, _Asked] = {}
        """Requests that wait for their answers, by JSON-RPC id."""
        self._late: set[asyncio.Task[None]] = set()
        """Posts that the server is slow to take."""
        self._opened: deque[float] = deque(maxlen=STREAMS)

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """See `AsyncClient.send`. Where the server does not take a message in time, as if it had."""
        if request.method == "GET":
            await self._pace()
            return await super().send(request, **options)
        if request.method == "DELETE":
            try:
                async with asyncio.timeout(LEAVE_S):
                    return await super().send(request, **options)
            except TimeoutError:
                return _taken(request)
        message = json.loads(request.content)
        if "id" in message and "method" in message:
            return await self._ask(_key(message["id"]), request, options)
        response = await self._tell(request, options)
        if message.get("method") == "notifications/cancelled":
            asked = self._asked.get(_key((message.get("params") or {}).get("requestId")))
            if asked is not None:
                asked.give_up()
        return response

    async def let_go(self) -> None:
        """End what still waits to be taken."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def _pace(self) -> None:
        now = asyncio.get_running_loop().time()
        at = max(now, self._opened[0] + STREAMS_S) if len(self._opened) == STREAMS else now
        self._opened.append(at)
        await asyncio.sleep(at - now)

    async def _tell(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        """Send what has no answer. That it did not arrive is found out by the next request."""
        telling = asyncio.create_task(super().send(request, **options), name="mcp notification")
        try:
            await asyncio.wait({telling}, timeout=TAKEN_S)
        except asyncio.CancelledError:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            raise
        if not telling.done():
            late = asyncio.create_task(_finish(telling), name="late mcp notification")
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            return _taken(request)
        try:
            return telling.result()
        except (httpx2.HTTPError, httpx2.StreamError, OSError):
            return _taken(request)

    async def _ask(self, key: str, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        asked = self._asked[key] = _Asked(lambda: self._asked.pop(key, None))
        try:
            with asked.scope() as scope:
                response = await super().send(request, **options)
            if scope.cancelled_caught:
                asked.forget()
                return _taken(request)
        except BaseException:
            asked.forget()
            raise
        streamed = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        response.stream = _Answer(response.stream, asked, streamed=streamed)
        return response


class _Asked:
    """One request: it can be given up, whatever of the answer is there."""

    def __init__(self, forget: Callable[[], object]) -> None:
        self.forget = forget
        self.over = False
        self._scope: anyio.CancelScope | None = None

    def scope(self) -> anyio.CancelScope:
        """What is left when it is given up."""
        self._scope = anyio.CancelScope()
        if self.over:
            self._scope.cancel()
        return self._scope

    def give_up(self) -> None:
        self.over = True
        if self._scope is not None:
            self._scope.cancel()


class _Answer(httpx2.AsyncByteStream):
    """The bytes of an answer, as long as somebody waits for it."""

    def __init__(self, stream: Any, asked: _Asked, *, streamed: bool) -> None:
        self._stream = stream
        self._asked = asked
        self._streamed = streamed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._stream)
        while True:
            chunk: bytes | None = None
            with self._asked.scope() as scope:
                chunk = await anext(chunks, None)
            if scope.cancelled_caught:
                # The SDK opens a stream again that just ends, and reads neither behind these.
                raise httpx2.SSEError(_OVER) if self._streamed else httpx2.StreamError(_OVER)
            if chunk is None:
                return
            yield chunk

    async def aclose(self) -> None:
        self._asked.forget()
        await self._stream.aclose()


async def _finish(telling: asyncio.Task[httpx2.Response]) -> None:
    with contextlib.suppress(httpx2.HTTPError, httpx2.StreamError, OSError):
        await (await telling).aclose()


def _taken(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(202, request=request)


def _key(message_id: object) -> str:
    """Ids are told apart as they are written: "1" is not 1."""
    return json.dumps(message_id)
