"""One session with an MCP server, through the SDK: how it is opened, listed, and how it fails.

Imports the SDK: load this module in a thread. Not here: who owns it and for how long
(`mcp_connection`), what is made of a listing (`mcp_listing`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import mcp_types
from mcp import Client, MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from ..._version import __version__
from ...schema.project import McpServer
from ..masking import Mask
from ..ports import EndExecution
from . import mcp_listing
from .mcp_listing import Listing
from .mcp_sieve import Sieve

_LISTEN_S = 5.0
_MOST_PAGES = 100
_MOST_LISTED = 20_000

EXPECTED = (
    OSError, TimeoutError, MCPError, ValidationError, RuntimeError, httpx2.HTTPError, httpx2.StreamError,
    httpx2.InvalidURL, EndExecution, anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream,
)  # fmt: skip
"""How connections end; anything else is a bug, and the server's log gets it."""


@dataclass(frozen=True)
class About:
    """What a connected server says of itself."""

    name: str = ""
    version: str = ""
    protocol_version: str = ""
    instructions: str = ""


def client(link: Sieve, changed: Callable[[], None]) -> Client:
    """A client over `link`, to be entered; `changed` is told when the server says that its tools have."""

    async def notified(message: Any) -> None:
        if isinstance(message, mcp_types.ToolListChangedNotification):
            changed()
        await anyio.lowlevel.checkpoint()

    # No callbacks for sampling, elicitation and roots: so none is declared, and each is refused.
    return Client(
        link,
        message_handler=notified,
        client_info=mcp_types.Implementation(name="cloutagent", version=__version__),
        cache=None,
    )


@contextlib.asynccontextmanager
async def listening(client: Client) -> AsyncIterator[None]:
    """Since 2026 changes of the tools come only to who asks for them."""
    tools = client.server_capabilities.tools
    async with contextlib.AsyncExitStack() as stack:
        if client.protocol_version in MODERN_PROTOCOL_VERSIONS and tools and tools.list_changed:
            with contextlib.suppress(MCPError, TimeoutError, RuntimeError):
                async with asyncio.timeout(_LISTEN_S):
                    await stack.enter_async_context(client.listen(tools_list_changed=True))
        yield


async def tools(client: Client, sieve: Sieve, server: McpServer, mask: Mask) -> Listing:
    """All its tools, page by page, as offers; those that the protocol forbids are left out."""
    found: list[Any] = []
    sieve.refused.clear()
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        try:
            page = await client.list_tools(cursor=cursor)
        except ValidationError:
            if sieve.version is not None:
                raise
            sieve.version = client.protocol_version
            page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None or len(found) > _MOST_LISTED:
            break
    return await asyncio.to_thread(
        mcp_listing.listing, server.id, found, server.enabled_tools, mask, dict(sieve.refused)
    )


def leaf(failure: BaseException) -> BaseException:
    """What really happened: the SDK's task groups wrap it."""
    while isinstance(failure, BaseExceptionGroup) and failure.exceptions:
        failure = failure.exceptions[0]
    return failure
