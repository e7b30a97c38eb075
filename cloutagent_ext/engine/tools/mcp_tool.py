"""One tool of an MCP server as the engine's `Tool`.

Trust model. A server is a program or an address that a person has agreed to run; what it
answers is other people's text. Confined: the environment or headers it gets, the time of
a call, the size of an answer, every process it starts. Not confined here: what a tool
does at its other end. `readOnlyHint` is the server's own word; it decides only whether a
call asks first, and rules of the project win over it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from ...schema.base import JsonObject
from ...schema.events import OutputPart
from ..arguments import describe, validator_for
from ..ports import EndExecution, ToolContext, ToolError
from .mcp_listing import Offer
from .text import clean

if TYPE_CHECKING:
    from .mcp_connection import Connection


class McpTool:
    """See `ports.Tool`. Frozen: what the conversation began with, whatever the server says later."""

    def __init__(self, connection: Connection, offer: Offer) -> None:
        self.name = offer.called
        self.description = offer.description
        self.input_schema = offer.input_schema
        self.checked_schema = offer.checked_schema
        self.read_only = offer.read_only
        self.default_permission: Literal["allow", "ask"] = "allow" if offer.read_only else "ask"
        self.source = f"mcp:{connection.server.id}"
        self.touches = f"What the MCP server {connection.server.name} may touch."
        self._connection = connection
        self._offer = offer

    def lock(self, arguments: JsonObject) -> str | None:
        """See `ports.Tool.lock`."""
        return None

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """See `ports.Tool.run`. Raises `EndExecution` where an essential server is lost."""
        from . import mcp_results
        from .mcp_connection import CallFailed

        connection, server = self._connection, self._connection.server
        if not connection.offers(self._offer):
            raise ToolError(f"{server.name} no longer has the tool {self._offer.name}. Do without it.")
        try:
            result = await connection.call(self._offer.name, arguments, server.timeout_s, alive=context.alive)
        except CallFailed as failed:
            if server.essential and connection.lost is not None:
                raise lost(connection) from None
            raise ToolError(context.mask(str(failed))) from None
        content, structured = result.content, result.structured_content
        if mcp_results.is_small(content, structured):  # nothing to write, and a thread costs more than it
            parts = mcp_results.parts(content, structured, context)
        else:
            parts = await asyncio.to_thread(mcp_results.parts, content, structured, context)
        if result.is_error:
            text = "\n".join(part.text for part in parts if part.type == "text")
            raise ToolError(text or f"{server.name} says that the call failed, and not why.", parts=parts)
        if self._offer.output_schema is None:
            return parts
        if (problem := await asyncio.to_thread(self._misfit, structured)) is not None:
            raise ToolError(
                f"{server.name} answered with a result that does not fit the tool's own output schema: "
                f"{clean(context.mask(problem))}",
            )
        return parts

    def _misfit(self, structured: object) -> str | None:
        if structured is None:
            return "there is no structured content in it"
        return describe(validator_for(self._offer.output_schema or {}), structured)


def lost(connection: Connection) -> EndExecution:
    """The ending of an execution that cannot do without this server."""
    server = connection.server
    return EndExecution(
        "MCP_CONNECTION_FAILED",
        f"The MCP server {server.name} is essential and cannot be reached: {connection.lost}. "
        "Test it, or let the project go on without it (`essential: false`).",
        server=server.id,
        stderr=list(connection.said),
    )
