"""Requests to one server: credentials, retries of what is safe to send twice, errors as exceptions.

Not here: what is asked (`handles`, `runs`) and how an event stream goes on after a cut
(`stream`). Redirects are not followed, so credentials never leave for another origin.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from .. import handshakes
from ..errors import CloutError, Forbidden, Internal, Unauthorized, Unreachable

TRIES = 4
"""How often a request that may be repeated is sent in all."""
LONGEST_PAUSE_S = 10.0
"""A server that asks for a longer pause gets its error raised instead."""
READ_TIMEOUT_S = 60.0
"""Silence after which a connection counts as dead; streams carry a sign of life every 15 s."""
HELD_S = 60.0
"""How long no stream is tried after one was held back."""
LARGEST_EVENT = 64 * 1024 * 1024
"""Bytes of one event; a tool call's input may be large."""

# Nothing of the request has reached the server.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# Refusals before anything was done, that pass by themselves. A full queue is not among them:
# whether to wait for a place is the caller's decision.
_PASSING = frozenset({"RATE_LIMITED", "SHUTTING_DOWN", "TOO_MANY_STREAMS"})


def segment(value: str) -> str:
    """`value` as one segment of a path: an id like `../x` stays an id."""
    return quote(value, safe="").replace(".", "%2E") if value in {".", ".."} else quote(value, safe="")


def file_path(path: str) -> str:
    """A relative file path as segments."""
    return "/".join(segment(part) for part in path.split("/"))


class Transport:
    """One server, one identity. Belongs to the event loop that first used it."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self.url = url
        self._client = client
        self.background: set[asyncio.Task[None]] = set()
        """What works for its caller as long as it is open; `close` ends it."""
        self.held_until = 0.0
        """Until when (monotonic) streams count as held back on the way, because one was."""
        self._held = 0

    def held_back(self) -> None:
        """A stream was opened and nothing came: for a while none is tried, the longer the more often."""
        self.held_until = time.monotonic() + HELD_S * 2 ** min(self._held, 4)
        self._held += 1

    def passes(self) -> None:
        """A stream has come through."""
        self.held_until, self._held = 0.0, 0

    @classmethod
    async def open(
        cls, url: str, *, token: str | None = None, api_key: str | None = None, origin: str = "notebook"
    ) -> Transport:
        """To the server at `url` (ending in a slash), proved by `api_key`, else by Jupyter's `token`."""
        headers = {"X-CloutAgent-Origin": origin, "Accept": "application/json"}
        if api_key is not None:
            headers["X-API-Key"] = api_key
        elif token:
            headers["Authorization"] = f"token {token}"

        def client() -> httpx2.AsyncClient:
            return httpx2.AsyncClient(
                base_url=f"{url}cloutagent/api/",
                headers=headers,
                timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=5.0),
                # A proxy of the environment has no business between a notebook and its own machine.
                trust_env=not _on_loopback(url),
                event_hooks={"request": [handshakes.watched]} if url.startswith("https:") else {},
                # Without TLS no certificates are needed, and reading them takes longer than a request.
                verify=True if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )

        return cls(url, await asyncio.to_thread(client))

    async def close(self) -> None:
        left = list(self.background)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        tries: int = TRIES,
        silence_s: float = READ_TIMEOUT_S,
    ) -> httpx2.Response:
        """Send and answer the response of a success; raises the server's error as its own class.

        `repeatable` says that sending it twice does what sending it once does (GET by itself).
        Other requests are sent again only when nothing of them had reached the server. `silence_s`:
        how long the answer may take.
        """
        repeatable = method == "GET" if repeatable is None else repeatable
        for attempt in range(1, tries + 1):
            try:
                response = await self._client.request(
                    method,
                    path,
                    json=body,
                    content=content,
                    params=_given(params),
                    headers=headers,
                    timeout=httpx2.Timeout(silence_s, connect=5.0),
                )
            except httpx2.TransportError as failure:
                again = repeatable or isinstance(failure, _NOT_SENT)
                if not again or attempt == tries:
                    raise self.unreachable(failure) from failure
                await pause(attempt)
                continue
            if response.is_success:
                return response
            error = error_of(response)
            asked = _seconds(response)
            if error.error_code not in _PASSING or attempt == tries or asked > LONGEST_PAUSE_S:
                raise error
            await pause(attempt, at_least=asked)
        raise AssertionError("the last attempt returns or raises")

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """Like `request`; the answer's JSON."""
        response = await self.request(method, path, **options)
        try:
            return response.json() if response.content else None
        except ValueError:
            raise Internal(f"{self.url} answered with something that is not JSON.") from None

    @asynccontextmanager
    async def events(self, path: str, *, after: int) -> AsyncIterator[httpx2.EventSource | None]:
        """The event stream at `path` after event `after`; None when the server says that was the last one."""
        async with self._client.sse(
            path, headers={"Last-Event-ID": str(after)} if after else {}, max_event_size=LARGEST_EVENT
        ) as source:
            if source.response.status_code == httpx2.codes.NO_CONTENT:
                yield None
                return
            if not source.response.is_success:
                await source.response.aread()
                raise error_of(source.response)
            yield source

    def unreachable(self, failure: Exception) -> Unreachable:
        """`failure` as a sentence that says where nobody answered."""
        why = str(failure) or type(failure).__name__
        return Unreachable(
            f"No answer from {self.url} ({why}). Is the Jupyter server still running?", url=self.url
        )


async def pause(attempt: int, *, at_least: float = 0.0, longest: float = LONGEST_PAUSE_S) -> None:
    """Wait before another attempt: doubling, with jitter, so that many clients do not come back together."""
    backoff = min(longest, 0.2 * 2**attempt)
    await asyncio.sleep(max(at_least, backoff * random.uniform(0.5, 1.0)))  # noqa: S311 - not a secret


def error_of(response: httpx2.Response) -> CloutError:
    """The exception that says what the server said."""
    body = _json(response)
    told = body.get("error") if isinstance(body, dict) else None
    if isinstance(told, dict) and isinstance(told.get("code"), str):
        code, message = told["code"], str(told.get("message", ""))
        error = _class_of(code, response.status_code)(message, code=code)
        error.details = told.get("details") or {}
        return error
    return _foreign_error(response)


def _foreign_error(response: httpx2.Response) -> CloutError:
    """Not in our shape: Jupyter's own login, a proxy, or another program at this address."""
    status = response.status_code
    where = f"{response.url.scheme}://{response.url.netloc.decode()}{response.url.path}"
    if status in (301, 302, 303, 307, 308, 401, 403):
        refused = Forbidden if status == httpx2.codes.FORBIDDEN else Unauthorized
        return refused(
            f"{where} refuses without a valid login: hand in `token` (Jupyter's) or `api_key` (a project's)."
        )
    if status == httpx2.codes.NOT_FOUND:
        return _class_of("NOT_FOUND", status)(
            f"Nothing of CloutAgent at {where}. Is the address right, and the extension enabled there?"
        )
    return _class_of("", status)(
        f"{where} answered {status} {response.reason_phrase}, which is not CloutAgent's."
    )


def _class_of(code: str, status: int) -> type[CloutError]:
    """The class that carries `code`, else the most general one with this HTTP status."""
    by_status: type[CloutError] = CloutError
    for cls in _tree(CloutError):
        if cls.code == code:
            return cls
        if cls.status == status and by_status is CloutError:
            by_status = cls
    return by_status


def _tree(cls: type[CloutError]) -> list[type[CloutError]]:
    """All classes below `cls`, parents before children; those that only a client raises stay out."""
    found = []
    for child in cls.__subclasses__():
        if child.__name__ not in {"Unreachable", "ApprovalNeeded", "ExecutionFailed"}:
            found += [child, *_tree(child)]
    return found


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _seconds(response: httpx2.Response) -> float:
    """What `Retry-After` asks for."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 10 else 0.0


def _given(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: value for name, value in params.items() if value is not None} if params else None


def _on_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
