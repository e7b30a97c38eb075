"""MCP servers bound as an execution binds them, without an execution: real processes, recorded events.

async with McpBench(tmp_path) as bench:
    bench.add("time", command="mcp-server-time")
    tools = await bench.tools("time")
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from cloutagent_ext.engine.masking import Mask
from cloutagent_ext.engine.ports import Tool, ToolContext, ToolError
from cloutagent_ext.engine.tools.environment import MARKER, child_environment
from cloutagent_ext.engine.tools.isolation import Isolation, Mode
from cloutagent_ext.engine.tools.mcp import McpServers, Reach
from cloutagent_ext.engine.tools.mcp_process import Sandbox
from cloutagent_ext.schema.project import McpServer

from .hostile_peer import WAITS_S, HostilePeer

HOSTILE = Path(__file__).with_name("hostile_mcp.py")


class McpBench:
    def __init__(
        self,
        folder: Path,
        *,
        mask: Mask | None = None,
        links: Any = None,
        isolation: Mode = "off",
        program: str = "bwrap",
        **patience: float,
    ) -> None:
        self.execution_id = str(uuid.uuid4())
        self.workspace = folder / "workspace"
        self.home = folder / "home"
        self.logs = folder / "servers"
        for each in (self.workspace, self.home):
            each.mkdir(parents=True, exist_ok=True)
        self.events: list[dict[str, Any]] = []
        self._changed = asyncio.Event()
        self._reaches: list[Reach] = []
        self._mask = mask or Mask(())
        self.told_bare = 0
        """How often it was said that a server is not isolated."""
        sandbox = Sandbox(Isolation(isolation, program=program), bare=self._bare)
        self._options: dict[str, Any] = {"links": links, "sandbox": sandbox, **patience}
        self._servers: McpServers | None = None
        self._calls = 0
        self.signs_of_life = 0
        """How often a call gave one."""

    def add(
        self, id: str, *, env: Mapping[str, str] | None = None, headers: Any = None, **fields: Any
    ) -> None:
        server = McpServer(id=id, name=fields.pop("name", id.title()), **fields)
        self._reaches.append(
            Reach(
                server,
                env=child_environment(self.execution_id, env or {}, home=self.home),
                headers=headers or {},
                cwd=self.workspace,
                home=self.home,
                log=self.logs / f"{id}.log",
            )
        )

    def hostile(self, how: str, argument: str = "", *, id: str | None = None, **fields: Any) -> None:
        """Add the hostile server; its id is its vice."""
        self.add(id or how, command=sys.executable, args=[str(HOSTILE), how, argument], **fields)

    async def _bare(self) -> None:
        self.told_bare += 1

    @property
    def servers(self) -> McpServers:
        if self._servers is None:
            self._servers = McpServers(self._reaches, events=self, mask=self._mask, **self._options)
        return self._servers

    async def emit(self, type: str, **fields: Any) -> int:
        self.events.append({"type": type, **fields})
        self._changed.set()
        return len(self.events)

    def warnings(self, code: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["code"] == code]

    async def hears_of_changes(self, server: str, *, gone: str) -> None:
        """Call a server that then changes its tools: that is told once, and this conversation keeps its own.

        Its `echo` is another one then, the tool `gone` is no more, and there is a `new` one.
        """
        tools = await self.tools(server)
        echo = tools[f"mcp__{server}__echo"]
        assert await self.text(echo, text="changed") == "changed"
        await self.until(lambda: bool(self.warnings("MCP_TOOLS_CHANGED")))
        (warning,) = self.warnings("MCP_TOOLS_CHANGED")
        assert warning["details"]["changes"] == [
            f"added: mcp__{server}__new",
            f"removed: mcp__{server}__{gone}",
            f"changed: mcp__{server}__echo",
        ]
        assert echo.description == "Says it again."
        assert f"no longer has the tool {gone}" in await self.error(tools[f"mcp__{server}__{gone}"])

    async def cancels_one_of_two(self, peer: HostilePeer, *, hangs: str, most: int | None) -> None:
        """Cancel a call whose text is `hangs` beside another: `peer` is told, and goes on answering.

        `most`: connections that are kept then; None where it does not matter.
        """
        self.add("peer", transport="http" if peer.path == "/mcp" else "sse", url=peer.url)
        echo = (await self.tools("peer"))["mcp__peer__echo"]
        hung = asyncio.create_task(self.run(echo, text=hangs))
        async with asyncio.timeout(WAITS_S):
            while peer.methods()[-1] != "tools/call":
                await asyncio.sleep(0.01)
            assert await self.text(echo, text="beside it") == "beside it"
            number = next(each["id"] for each in peer.sent if each.get("method") == "tools/call")
            hung.cancel()
            await asyncio.wait({hung})
            while "notifications/cancelled" not in peer.methods():
                await asyncio.sleep(0.01)
            told = next(each for each in peer.sent if each.get("method") == "notifications/cancelled")
            assert told["params"]["requestId"] == number
            assert await self.text(echo, text="after it") == "after it"
        if most is not None:
            await peer.left(most=most)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait (at most 60 s) until `condition` holds; looked at after each event."""
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def tools(self, *ids: str) -> dict[str, Tool]:
        return {tool.name: tool for tool in await self.servers.tools(ids)}

    def context(self) -> ToolContext:
        self._calls += 1

        async def warn(code: str, message: str) -> None:
            raise AssertionError(f"{code}: {message}")

        return ToolContext(
            execution_id=self.execution_id,
            agent="main",
            call_id=f"call_{self._calls}",
            span="main/1",
            workspace=self.workspace,
            env={},
            warn=warn,
            mask=self._mask,
            alive=self._alive,
        )

    def _alive(self) -> None:
        self.signs_of_life += 1

    async def run(self, tool: Tool, **arguments: Any) -> list[Any]:
        return await tool.run(arguments, self.context())

    async def text(self, tool: Tool, **arguments: Any) -> str:
        return "".join(part.text for part in await self.run(tool, **arguments) if part.type == "text")

    async def error(self, tool: Tool, **arguments: Any) -> str:
        try:
            parts = await self.run(tool, **arguments)
        except ToolError as failed:
            return str(failed)
        raise AssertionError(f"no error, but {parts}")

    def processes(self) -> list[psutil.Process]:
        """Living processes that carry this execution's marker."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get(MARKER) == self.execution_id
                if marked and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    async def __aenter__(self) -> McpBench:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._servers is not None:
            await self._servers.close()
        assert self.processes() == []
