"""The MCP servers of one execution, with one owner and one end.

A server is started when an agent that uses it begins, all of them side by side. One that
cannot be reached is told in a warning and its tools are absent; an essential one ends the
execution. The SDK is imported at the first start, in a thread. Not here: one connection
(`mcp_connection`), what is in a listing (`mcp_listing`).
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...schema.base import JsonObject
from ...schema.project import McpServer
from ..masking import NOTHING, Mask
from ..ports import Events, Tool
from .mcp_process import Launch, Sandbox

if TYPE_CHECKING:
    from .mcp_connection import Connection
    from .mcp_link import Link


@dataclass(frozen=True)
class Reach:
    """How one server is reached: its definition, with everything filled in."""

    server: McpServer
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment of a program."""
    headers: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    home: Path | None = None
    log: Path = Path("/dev/null")
    """Where a program's errors go."""


class McpServers:
    """See `ports.Servers`. `async with` it, or `close` it."""

    def __init__(
        self,
        reaches: Sequence[Reach],
        *,
        events: Events,
        mask: Mask = NOTHING,
        sandbox: Sandbox | None = None,
        links: Callable[[Reach], Link] | None = None,
        **patience: float,
    ) -> None:
        """`links`: makes a link in place of the real one; `patience`: see `Connection`."""
        self._reaches = {reach.server.id: reach for reach in reaches}
        self._events = events
        self._mask = mask
        self._sandbox = sandbox or Sandbox()
        self._links = links
        self._patience: dict[str, Any] = patience
        self._connections: dict[str, Connection] = {}
        self._told: set[str] = set()
        self._closed = False

    @property
    def started(self) -> bool:
        """Whether any program was ever started here."""
        return any(each.server.transport == "stdio" for each in self._connections.values())

    async def tools(self, servers: Sequence[str]) -> list[Tool]:
        """See `ports.Servers.tools`."""
        from . import mcp_tool

        wanted = [self._reaches[each] for each in servers if each in self._reaches]
        if not wanted:
            return []
        connections = await self.connections(wanted)
        await asyncio.gather(*(connection.ready() for connection in connections))
        found: list[Tool] = []
        for connection in connections:
            if connection.lost is not None:
                if connection.server.essential:
                    raise mcp_tool.lost(connection)
                await self._tell_absent(connection)
                continue
            await self._tell_left_out(connection)
            found += [mcp_tool.McpTool(connection, offer) for offer in connection.listing.offers.values()]
        return found

    def check(self) -> None:
        """See `ports.Servers.check`."""
        for connection in self._connections.values():
            if connection.lost is not None and connection.server.essential:
                from . import mcp_tool

                raise mcp_tool.lost(connection)

    async def connections(self, reaches: Sequence[Reach]) -> list[Connection]:
        """The connections of `reaches`, each started; not waited for."""
        module = await asyncio.to_thread(importlib.import_module, ".mcp_connection", __package__)
        if self._closed:
            raise asyncio.CancelledError("the execution is over")
        for reach in reaches:
            if reach.server.id not in self._connections:
                self._connections[reach.server.id] = module.Connection(
                    reach.server,
                    partial(self._links or self._link, reach),
                    mask=self._mask,
                    report=self._report,
                    **self._patience,
                )
            self._connections[reach.server.id].start()
        return [self._connections[reach.server.id] for reach in reaches]

    async def close(self, *, hurried: bool = False) -> None:
        """Stop them all, side by side. Safe to call twice."""
        self._closed = True
        connections = list(self._connections.values())
        await asyncio.gather(*(each.close(hurried=hurried) for each in connections))

    async def __aenter__(self) -> McpServers:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self.close(hurried=kind is not None and issubclass(kind, asyncio.CancelledError))

    def _link(self, reach: Reach) -> Link:
        server = reach.server
        if server.transport == "stdio":
            from .mcp_stdio import StdioLink

            argv = [server.command or "", *server.args]
            return StdioLink(
                Launch(argv, reach.cwd, reach.env, reach.log, self._mask, reach.home, self._sandbox)
            )
        from .mcp_http import HttpLink, SseLink

        kind = HttpLink if server.transport == "http" else SseLink
        return kind(server.url or "", reach.headers)

    # ------------------------------------------------------------ warnings

    async def _report(self, code: str, message: str, details: JsonObject) -> None:
        await self._events.emit("warning", code=code, message=message, details=details)

    async def _tell_absent(self, connection: Connection) -> None:
        server = connection.server
        if server.id in self._told:
            return
        self._told.add(server.id)
        if connection.listing.offers:
            return  # it was there, and its loss was told when it went
        message = (
            f"The MCP server {server.name} cannot be reached, so its tools are absent: {connection.lost}."
        )
        await self._report("MCP_FAILED", message, {"server": server.id, "stderr": list(connection.said)})

    async def _tell_left_out(self, connection: Connection) -> None:
        server = connection.server
        if server.id in self._told or not connection.listing.left_out:
            return
        self._told.add(server.id)
        left_out = list(connection.listing.left_out)
        message = f"Not all tools of the MCP server {server.name} are offered: {'; '.join(left_out)}."
        await self._report("MCP_TOOLS_LEFT_OUT", message, {"server": server.id, "left_out": left_out})
