"""A hook that is an address: a POST of the event as JSON; its answer is read like a command's output.

Any status of 200 to 299 is an answer, everything else a failure. Redirects are followed only
where they keep method and body (307, 308) and stay at the same origin, so that the headers, which
may hold secrets, go nowhere else. The server's proxies, passwords in `.netrc` and cookies are not used.
The address is the project's, which a person has agreed to: no address is refused here.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from typing import Any

from ... import handshakes
from .. import names
from ..ports import HookReply

MAX_ANSWER_BYTES = 64 * 1024
MAX_REDIRECTS = 3
CONNECT_S = 10
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/plain",
    "Accept-Encoding": "identity",  # unpacked, a small answer could be any size
}
_SAME_AGAIN = frozenset({307, 308})


class Caller:
    """Calls addresses for one execution; connects on the first call."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._client: Any = None

    async def post(self, url: str, headers: Mapping[str, str], body: str, *, timeout_s: float) -> HookReply:
        """The answer to `body`. Never raises but `CancelledError`."""
        httpx2 = await asyncio.to_thread(importlib.import_module, "httpx2")
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(httpx2, url, headers, body.encode("utf-8", "replace"))
        except TimeoutError:
            return HookReply(failed=f"{_shown(url)} had not answered after {timeout_s:g} s")
        except Exception as error:  # a guard must hear of whatever it is, an address of the project above all
            return HookReply(failed=f"{_shown(url)} cannot be called: {str(error) or type(error).__name__}")

    async def _post(self, httpx2: Any, url: str, headers: Mapping[str, str], body: bytes) -> HookReply:
        client = await self._connected(httpx2)
        target = httpx2.URL(url)
        sent = {**_HEADERS, **headers}
        for _ in range(MAX_REDIRECTS + 1):
            client.cookies.clear()
            await names.reachable(str(target))
            async with client.stream("POST", target, content=body, headers=sent) as response:
                if response.is_redirect:
                    following = target.join(response.headers.get("location", ""))
                    if response.status_code not in _SAME_AGAIN or not _same_origin(target, following):
                        where = f"status {response.status_code} to {_shown(str(following))}"
                        return HookReply(failed=f"{_shown(url)} redirects ({where}), which is not followed")
                    target = following
                    continue
                return await _read(response, _shown(url))
        return HookReply(failed=f"{_shown(url)} redirects more than {MAX_REDIRECTS} times")

    async def _connected(self, httpx2: Any) -> Any:
        async with self._lock:
            if self._client is None:
                # In a thread: it reads the machine's certificates.
                self._client = await asyncio.to_thread(
                    httpx2.AsyncClient,
                    trust_env=False,
                    follow_redirects=False,
                    timeout=httpx2.Timeout(None, connect=CONNECT_S),
                    event_hooks={"request": [handshakes.watched]},
                )
            return self._client

    async def close(self) -> None:
        """Close the connections. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


async def _read(response: Any, url: str) -> HookReply:
    if response.headers.get("content-encoding", "identity") != "identity":
        return HookReply(failed=f"{url} answered compressed, which it was asked not to")
    data = b""
    async for piece in response.aiter_raw(16 * 1024):
        data += piece
        if len(data) > MAX_ANSWER_BYTES:
            return HookReply(failed=f"{url} answered with more than {MAX_ANSWER_BYTES:,} bytes")
    text = data.decode("utf-8", "replace")
    if not response.is_success:
        said = text.strip()[:500]
        return HookReply(failed=f"{url} answered {response.status_code}" + (f": {said}" if said else ""))
    return HookReply(text)


def _same_origin(one: Any, other: Any) -> bool:
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def _port(url: Any) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _shown(url: str) -> str:
    """The address for people: without what stands before the `@`, or behind the path."""
    scheme, found, rest = url.partition("://")
    place = rest.partition("?")[0].partition("#")[0]
    host, slash, path = place.partition("/")
    return f"{scheme}{found}{host.rpartition('@')[2]}{slash}{path}"[:200]
