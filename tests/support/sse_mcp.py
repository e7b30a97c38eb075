"""A server on the older SSE transport, on the SDK's own server side: `python sse_mcp.py <port>`."""

from __future__ import annotations

import json
import sys
import warnings

warnings.simplefilter("ignore")

from mcp.server.mcpserver import Context, MCPServer  # noqa: E402

server = MCPServer("sse")


@server.tool()
def headers(context: Context) -> str:
    """The headers that this call came with."""
    return json.dumps(dict(context.headers or {}))


@server.tool()
def large(megabytes: int) -> str:
    """A long text."""
    return "x" * (megabytes * 1_000_000)


if __name__ == "__main__":
    server.run(transport="sse", host="127.0.0.1", port=int(sys.argv[1]))
