"""The MCP servers of `standalone`, where a project has any."""

import asyncio
import os
import re
import threading
from contextlib import AsyncExitStack
from typing import Any

from .standalone_limits import Stop

# ---------------------------------------------------------------- MCP servers


def secret(text: str) -> str:
    """`text` with each {{secret:NAME}} taken from this program's environment."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise Stop(f"The environment variable {match[1]} is not set; an MCP server needs it.")
        return os.environ[match[1]]

    return re.sub(r"\{\{\s*secret:\s*([^{}\s]*)\s*\}\}", value, text)


class Servers:
    """The MCP servers, on an event loop of their own; calls come from any thread."""

    def __init__(self, servers: list[dict[str, Any]]) -> None:
        self.tools: dict[str, list[dict[str, Any]]] = {}
        self.clients: dict[str, Any] = {}
        self.loop, self.ready = asyncio.new_event_loop(), threading.Event()
        self.over, self.failed = asyncio.Event(), ""
        threading.Thread(
            target=self.loop.run_until_complete, args=(self.serve(servers),), daemon=True
        ).start()
        self.ready.wait()
        if self.failed:
            raise Stop(self.failed)

    async def serve(self, servers: list[dict[str, Any]]) -> None:
        from mcp import Client, StdioServerParameters

        try:
            async with AsyncExitStack() as stack:
                for server in servers:
                    env = {name: secret(value) for name, value in server["env"].items()}
                    env |= {
                        name: secret("{{secret:" + key + "}}") for name, key in server["credentials"].items()
                    }
                    where: Any = StdioServerParameters(
                        command=server["command"], args=server["args"], env=env
                    )
                    if server["url"]:
                        where = server["url"]
                    client = await stack.enter_async_context(Client(where))
                    self.clients[server["id"]] = client
                    listed = (await client.list_tools()).tools
                    wanted = server["enabled_tools"]
                    self.tools[server["id"]] = [
                        {
                            "name": f"mcp__{server['id']}__{tool.name}",
                            "description": tool.description or "",
                            "input_schema": tool.input_schema,
                        }
                        for tool in listed
                        if wanted is None or tool.name in wanted
                    ]
                self.ready.set()
                await self.over.wait()
        except Exception as error:
            self.failed = f"MCP_CONNECTION_FAILED: {error!r}"
        finally:
            self.ready.set()

    def call(self, server: str, name: str, arguments: dict[str, Any]) -> str:
        asked = self.clients[server].call_tool(name.split("__", 2)[2], arguments)
        result = asyncio.run_coroutine_threadsafe(asked, self.loop).result()
        text = "\n".join(getattr(part, "text", f"[{part.type}]") for part in result.content)
        if result.is_error:
            raise ValueError(text)
        return text or "[no output]"

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.over.set)
