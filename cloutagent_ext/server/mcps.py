"""A project's MCP servers, for Jupyter users. Not here: their definition (`projects`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .reply import Reply
from .route import Nothing

if TYPE_CHECKING:
    from .handler import Endpoint


async def test_mcp(call: Endpoint, project_id: str, mcp: str, body: Nothing) -> Reply:
    """Connect to the server, list its tools, and let it go."""
    return Reply(await (await call.services.trials.get()).test(project_id, mcp))
