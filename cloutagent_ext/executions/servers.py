"""How a project's MCP servers are reached: definitions with their secrets and folders filled in.

A server's environment is its own: the allow-list of all children, what the definition
says, and its credentials; not `agent.env`, which is for commands. Not here: starting and
speaking to them (`engine.tools.mcp`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..engine.tools.environment import child_environment
from ..engine.tools.mcp import Reach
from ..schema.project import McpServer
from .propagation import beside

if TYPE_CHECKING:
    from .vault import ProjectSecrets
    from .workspace import Workspace

LOGS = "servers"
"""Folder beside the workspace for what servers write to their standard error."""


async def reaches(
    servers: Iterable[McpServer],
    secrets: ProjectSecrets,
    workspace: Workspace,
    execution_id: str,
    trace: Mapping[str, str] = MappingProxyType({}),
) -> list[Reach]:
    """How each of `servers` is reached. Raises `EndExecution` where a secret is missing or locked.

    `trace`: headers for those at an address, besides their own.
    """
    return [await _reach(server, secrets, workspace, execution_id, trace) for server in servers]


async def _reach(
    server: McpServer,
    secrets: ProjectSecrets,
    workspace: Workspace,
    execution_id: str,
    trace: Mapping[str, str],
) -> Reach:
    credentials = {name: await secrets.get(secret) for name, secret in server.credentials.items()}
    if server.transport != "stdio":
        filled = await secrets.filled(server.headers)
        # A secret is often pasted with the line feed behind it, which no header can carry.
        own = {**filled, **{name: value.strip() for name, value in credentials.items()}}
        return Reach(server, headers=beside(own, trace))
    own = {**await secrets.filled(server.env), **credentials}
    return Reach(
        server,
        env=child_environment(execution_id, own, home=workspace.home),
        cwd=workspace.path,
        home=workspace.home,
        log=workspace.root / LOGS / f"{server.id}.log",
    )
