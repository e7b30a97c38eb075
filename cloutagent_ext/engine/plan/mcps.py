"""MCP servers: ones that cannot be started or reached as written, and ones that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from ...schema.project import Definition, McpServer, Problem
from .addresses import has_password, wrong_headers, wrong_url
from .findings import LONGEST_TOOL_NAME, agents, error, mcps, nearest, repeated, warning

_DOWNLOADS = frozenset({"npx", "bunx", "uvx", "pipx"})
"""Programs that fetch a server before they start it."""


def check(definition: Definition) -> Iterator[Problem]:
    known = {server.id for server in definition.mcps}
    used: set[str] = set()
    for node, path, one in agents(definition):
        listed = one.mcps if one.mcps is not None else sorted(known)
        used.update(listed)
        for index, server in enumerate(one.mcps or []):
            if server not in known:
                yield error(
                    "UNKNOWN_MCP",
                    node,
                    f"{path}.mcps.{index}",
                    f"There is no MCP server {server}: make it, or take it off the list."
                    f"{nearest(server, known)}",
                )
        for index, server in repeated(one.mcps or []):
            message = f"{server} is on the list twice: take one away."
            yield warning("LISTED_TWICE", node, f"{path}.mcps.{index}", message)
    for node, path, mcp in mcps(definition):
        yield from _program(mcp, node, path) if mcp.transport == "stdio" else _address(mcp, node, path)
        if mcp.transport == "stdio" and not definition.agent.network:
            yield from _download(mcp, node, path)
        yield from _tools(mcp, node, path)
        if mcp.id not in used:
            message = f"No agent uses {mcp.name}: connect it, or switch it off."
            yield warning("MCP_UNUSED", node, path, message)


def _program(mcp: McpServer, node: str, path: str) -> Iterator[Problem]:
    command = (mcp.command or "").strip()
    if not command:
        yield error(
            "NO_COMMAND",
            node,
            f"{path}.command",
            f"{mcp.name} is started as a program, and none is named: write its program (`command`).",
        )
    elif any(c.isspace() for c in command) and not mcp.args:
        yield warning(
            "COMMAND_NOT_SPLIT",
            node,
            f"{path}.command",
            f"A program called {command!a} is looked for, arguments and all: move them to `args`.",
        )
    if mcp.url:
        message = f"{mcp.name} is started as a program, so its address is not used: clear it, or choose http."
        yield warning("URL_IGNORED", node, f"{path}.url", message)
    if mcp.headers:
        message = f"{mcp.name} is started as a program, which gets no headers: use `env`."
        yield warning("HEADERS_IGNORED", node, f"{path}.headers", message)


def _download(mcp: McpServer, node: str, path: str) -> Iterator[Problem]:
    program = PurePosixPath((mcp.command or "").strip()).name
    if program in _DOWNLOADS:
        yield warning(
            "MCP_NEEDS_NETWORK",
            node,
            f"{path}.command",
            f"{program} downloads {mcp.name} at each start, and in a sandbox it has no network: install "
            "the server and name its program, or switch `network` on.",
        )


def _address(mcp: McpServer, node: str, path: str) -> Iterator[Problem]:
    if not mcp.url:
        message = f"{mcp.name} is reached by an address, and none is given: write its `url`."
        yield error("NO_URL", node, f"{path}.url", message)
    elif (reason := wrong_url(mcp.url)) is not None:
        message = f"The address of {mcp.name} cannot be reached, because {reason}: correct it."
        yield error("BAD_URL", node, f"{path}.url", message)
    elif has_password(mcp.url):
        yield warning(
            "PASSWORD_IN_URL",
            node,
            f"{path}.url",
            "Whoever reads the project reads the password in this address: use `credentials`.",
        )
    for name, reason in wrong_headers(mcp.headers).items():
        message = f"The header {name!a} cannot be sent, because {reason}: correct it."
        yield error("BAD_HEADER", node, f"{path}.headers.{name}", message)
    if mcp.command:
        message = f"{mcp.name} is reached by its address, so no program is started: clear `command`."
        yield warning("COMMAND_IGNORED", node, f"{path}.command", message)
    if mcp.env:
        message = f"{mcp.name} is reached by its address, so its `env` goes nowhere: use `headers`."
        yield warning("ENV_IGNORED", node, f"{path}.env", message)


def _tools(mcp: McpServer, node: str, path: str) -> Iterator[Problem]:
    if len(f"mcp__{mcp.id}__") >= LONGEST_TOOL_NAME:
        yield error(
            "ID_TOO_LONG",
            node,
            f"{path}.id",
            f"Its tools are called mcp__{mcp.id}__…, and a tool's name has at most {LONGEST_TOOL_NAME} "
            "characters: shorten the id.",
        )
    if mcp.enabled_tools == []:
        message = f"None of the tools of {mcp.name} may be called: tick some, or switch it off."
        yield warning("NO_TOOLS", node, f"{path}.enabled_tools", message)
    for index, name in repeated(mcp.enabled_tools or []):
        message = f"{name} is on the list twice: take one away."
        yield warning("LISTED_TWICE", node, f"{path}.enabled_tools.{index}", message)
