"""Addresses of names, looked up where a hanging lookup hurts nobody.

The system's lookup cannot be cancelled, and hangs for as long as a dead name server is waited for.
On the event loop's own threads a few of those would hold up every file that is written, and then
the end of the process. Here each name has a thread of its own that nobody waits for: cancelling
returns at once, and whoever asks for the same name meanwhile waits for the same answer.
Not here: which addresses may be reached (`reach`).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
import time
from concurrent.futures import Future
from urllib.parse import urlsplit

MOST = 64
"""Names that are looked up at once; more are refused, since those hang."""
FRESH_S = 60.0
"""How long `reachable` goes by an answer that was good."""

_Name = tuple[str, int]
_asked: dict[_Name, Future[list[str]]] = {}
_good: dict[_Name, float] = {}
"""When names were last found, in monotonic seconds."""


async def addresses(host: str, port: int) -> list[str]:
    """Addresses of `host`, each once, in the system's order. Raises OSError where it has none."""
    name, fresh = (host, port), Future[list[str]]()
    asked = _asked.setdefault(name, fresh)
    if asked is fresh:
        if len(_asked) > MOST:
            del _asked[name]
            raise OSError("too many names are being looked up, and get no answer")
        thread = threading.Thread(target=_ask, args=(name, fresh), name=f"address of {host}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            del _asked[name]
            raise OSError(f"the name cannot be looked up: {error}") from error
    loop = asyncio.get_running_loop()
    mine: asyncio.Future[list[str]] = loop.create_future()

    def told(_: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_hand_over, asked, mine)

    asked.add_done_callback(told)
    return await mine


async def reachable(url: str, *, proxies: bool = False) -> None:
    """Return when the host of `url` has an address, for a library that looks it up itself afterwards.

    `proxies`: that library uses the machine's, which look up names in its place. Raises OSError.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    name = (host, parts.port or (443 if parts.scheme == "https" else 80))
    if not host or _is_address(host) or time.monotonic() - _good.get(name, -FRESH_S) < FRESH_S:
        return
    if proxies and _by_proxy(parts.scheme, host):
        return
    await addresses(*name)
    _good[name] = time.monotonic()


def _by_proxy(scheme: str, host: str) -> bool:
    from urllib.request import getproxies, proxy_bypass

    return not {scheme, "all"}.isdisjoint(getproxies()) and not proxy_bypass(host)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ask(name: _Name, answer: Future[list[str]]) -> None:
    """In the name's thread."""
    try:
        rows = socket.getaddrinfo(*name, type=socket.SOCK_STREAM)
        found, error = list(dict.fromkeys(str(row[4][0]) for row in rows)), None
    except (OSError, UnicodeError) as failure:
        found, error = [], failure if isinstance(failure, OSError) else OSError("the host is no name")
    _asked.pop(name, None)
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(found)


def _hand_over(answer: Future[list[str]], mine: asyncio.Future[list[str]]) -> None:
    if mine.done():
        return
    if (error := answer.exception()) is not None:
        mine.set_exception(error)
    else:
        mine.set_result(answer.result())
