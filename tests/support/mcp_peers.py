"""MCP servers that others wrote, or that stand on the SDK's own server: real peers, on loopback.

`server-everything` is a development dependency of the panel, installed with it and never by
a test. Not here: servers that misbehave (`hostile_mcp`).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .live_server import bare_environment, free_port

EVERYTHING = Path(__file__).parents[2] / "labextension/node_modules/.bin/mcp-server-everything"
SDK = Path(__file__).with_name("sdk_mcp.py")
START_S = 90


class MemoryLink:
    """A link (`engine.tools.mcp_link.Link`) to a server object of the SDK in this process."""

    def __init__(self, server: Any) -> None:
        from mcp.client._memory import InMemoryTransport

        self.closed = asyncio.Event()
        self.hurried = False
        self._transport = InMemoryTransport(server)

    async def __aenter__(self) -> Any:
        return await self._transport.__aenter__()

    async def __aexit__(self, *failure: Any) -> None:
        await self._transport.__aexit__(*failure)
        self.closed.set()

    async def last_words(self) -> str:
        return ""

    def said(self) -> list[str]:
        return []


@asynccontextmanager
async def everything_over_http(folder: Path, wanted: bool = True) -> AsyncIterator[str | None]:
    """server-everything at an address, which is given; None where it is not wanted."""
    if not wanted:
        yield None
        return
    port = free_port()
    async with _process(folder / "everything", [str(EVERYTHING), "streamableHttp"], port):
        yield f"http://127.0.0.1:{port}/mcp"


@asynccontextmanager
async def sdk_server(folder: Path, transport: str, port: int | None = None) -> AsyncIterator[str]:
    """A server of ours on the SDK: `sse`, `streamable-http`, or `json` (the same without streams)."""
    port = port or free_port()
    async with _process(folder, [sys.executable, str(SDK), transport, str(port)], port):
        yield f"http://127.0.0.1:{port}/{'sse' if transport == 'sse' else 'mcp'}"


@asynccontextmanager
async def _process(folder: Path, command: list[str], port: int) -> AsyncIterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    env = {**bare_environment(folder), "PORT": str(port)}
    log = (folder / "server.log").open("ab")
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = (folder / "server.log").read_text(errors="replace")
                    raise AssertionError(f"{os.path.basename(command[0])}: {said[-2000:]}") from error
                await asyncio.sleep(0.05)
        yield
    finally:
        log.close()
        process.kill()  # it would wait for connections that are kept open
        await asyncio.to_thread(process.wait)
