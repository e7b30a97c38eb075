"""What an MCP connection goes through: a link, whatever the transport.

A link is entered once, by the task that owns the connection, and left by the same task.
Here: what all links have in common, and keeping the SDK's own log records out of the
server's log, where what a server says (its secrets included) would end up. Not here:
pipes (`mcp_stdio`), addresses (`mcp_http`), what is said (`mcp_connection`).
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Longest single message of a server; what is longer is thrown away, and its call fails."""


UNREADABLE = "The answer cannot be read."
END_BYTES = 400
"""Bytes of either end of a message that is not read as a whole, in which its id is looked for."""
_ID = rb'"id"\s*:\s*("[^"\\]{1,100}"|-?\d{1,18})\s*'
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"\s*'
_ID_FIRST = re.compile(rb"\s*\{\s*(?:" + _VERSION + rb",\s*)?" + _ID + rb"[,}]")
_ID_LAST = re.compile(rb",\s*" + _ID + rb"(?:,\s*" + _VERSION + rb")?\}\s*\Z")
"""Where the id of a message stands that is not read as a whole: other ids may be inside of it."""


def id_in(head: bytes, tail: bytes) -> str:
    """The id of a message of which only both ends are known, as text; empty where there is none.

    Some servers name the id first and some last.
    """
    found = _ID_FIRST.match(head) or _ID_LAST.search(tail)
    return found[1].decode("utf-8", "replace").strip('"') if found else ""


class Link(Protocol):
    """One connection's way to its server; `mcp.Client` takes it as a transport."""

    closed: asyncio.Event
    """Set when the server is gone for good on this link."""
    hurried: bool
    """Leaving it must be over within 2.5 s instead of 4.5."""

    async def __aenter__(self) -> Any:
        """Connect: a read stream and a write stream. Raises OSError."""
        ...

    async def __aexit__(self, *_: object) -> None:
        """Let go; nothing of it is left when this returns."""
        ...

    async def last_words(self) -> str:
        """Why it is gone, as far as can be told: an exit code, a refusal. Waits a moment for it."""
        ...

    def said(self) -> list[str]:
        """The last lines that the server wrote for people."""
        ...


_ours: contextvars.ContextVar[bool] = contextvars.ContextVar("_ours", default=False)


class _Quiet(logging.Filter):
    """Drops the SDK's records about our own connections, and nobody else's."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _ours.get()


_QUIET = _Quiet()


def quieten() -> None:
    """Attach the filter to the SDK's loggers, once they exist; harmless to repeat."""
    for name in list(logging.root.manager.loggerDict):
        if name == "client" or name == "mcp" or name.startswith("mcp."):
            logging.getLogger(name).addFilter(_QUIET)


@contextmanager
def quiet() -> Iterator[None]:
    """What runs inside, and every task it starts, is one of our connections."""
    token = _ours.set(True)
    try:
        yield
    finally:
        _ours.reset(token)
