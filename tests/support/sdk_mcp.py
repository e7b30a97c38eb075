"""A server on the SDK's own server side: `python sdk_mcp.py stdio|sse|streamable-http|json <port>`."""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")

from mcp.server.mcpserver import Context, MCPServer  # noqa: E402
from pydantic import BaseModel  # noqa: E402

server = MCPServer("sdk")


@server.tool()
def headers(context: Context) -> str:
    """The headers that this call came with."""
    return json.dumps(dict(context.headers or {}))


@server.tool()
def large(megabytes: int) -> str:
    """A long text."""
    return "x" * (megabytes * 1_000_000)


@server.tool()
async def slow(seconds: float) -> str:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return "done"


@server.tool()
async def grow(context: Context) -> str:
    """Gives the server one more tool, and says so."""

    def more() -> str:
        return "more"

    server.add_tool(more, name="more", description="Came later.")
    await context.notify_tools_changed()
    return "grown"


class Answer(BaseModel):
    """What a person would fill in."""

    name: str


@server.tool()
async def ask(context: Context) -> str:
    """Asks a person before it answers."""
    return str(await context.elicit("Who are you?", schema=Answer))


if __name__ == "__main__":
    transport, port = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    options: dict[str, Any] = {} if transport == "stdio" else {"host": "127.0.0.1", "port": port}
    if transport == "json":
        transport, options["json_response"] = "streamable-http", True
    server.run(transport, **options)  # type: ignore[call-overload]
