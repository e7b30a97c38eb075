"""MCP servers: what a call costs beside the bare SDK, and how long twenty servers take to start together.

The server is the hostile one at its best behaviour: a small Python program without a library,
so that its own start and answers weigh as little as possible.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests.support.mcp_bench import HOSTILE, McpBench

from .table import Row, median, quantile, show

CALLS = 500
SERVERS = 20
ROUNDS = 3


async def _bare_sdk() -> list[float]:
    """Seconds of each call through the SDK's own client and transport."""
    from mcp import Client, StdioServerParameters

    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    taken = []
    async with Client(StdioServerParameters(command=sys.executable, args=[str(HOSTILE), "well"])) as client:
        await client.list_tools()
        for number in range(CALLS):
            began = time.perf_counter()
            await client.call_tool("echo", {"text": f"n{number}"})
            taken.append(time.perf_counter() - began)
    return taken


async def _ours(folder: Path) -> list[float]:
    """The same through the product: a tool's run, its result as parts."""
    taken = []
    async with McpBench(folder) as bench:
        bench.hostile("well")
        echo = (await bench.tools("well"))["mcp__well__echo"]
        for number in range(CALLS):
            began = time.perf_counter()
            await bench.run(echo, text=f"n{number}")
            taken.append(time.perf_counter() - began)
    return taken


async def _together(folder: Path, servers: int) -> tuple[float, float]:
    """Seconds until `servers` of them have listed their tools, and until all are gone again."""
    async with McpBench(folder) as bench:
        names = [f"s{number}" for number in range(servers)]
        for name in names:
            bench.hostile("well", id=name)
        began = time.perf_counter()
        await bench.tools(*names)
        ready = time.perf_counter() - began
        began = time.perf_counter()
        await bench.servers.close()
        return ready, time.perf_counter() - began


async def _main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await _together(folder / "warm", 1)  # the SDK is imported
        bare: list[float] = []
        ours: list[float] = []
        alone, twenty, gone = [], [], []
        for number in range(ROUNDS):
            bare += await _bare_sdk()
            ours += await _ours(folder / f"calls-{number}")
            alone.append((await _together(folder / f"one-{number}", 1))[0])
            ready, ended = await _together(folder / f"many-{number}", SERVERS)
            twenty.append(ready)
            gone.append(ended)
    ratio = median(ours) / median(bare)
    show(
        "MCP servers",
        [
            Row(f"a call, bare SDK ({CALLS} of them)", f"{median(bare) * 1000:.2f} ms p50", "1"),
            Row(
                "a call, CloutAgent",
                f"{median(ours) * 1000:.2f} ms p50, {quantile(ours, 0.99) * 1000:.2f} p99",
                f"{ratio:.2f} × SDK",
                "≤ 1.5 × SDK",
                ratio <= 1.5,
            ),
            Row("one server started", f"{median(alone) * 1000:.0f} ms", "1"),
            Row(
                f"{SERVERS} servers started side by side",
                f"{median(twenty):.2f} s",
                f"{median(twenty) / median(alone):.1f} × one",
                f"≤ {SERVERS} × one, ≤ 30 s",
                median(twenty) <= min(30, SERVERS * median(alone)),
            ),
            Row(f"{SERVERS} servers stopped", f"{median(gone):.2f} s", "", "≤ 4.5 s", median(gone) <= 4.5),
        ],
    )


def main() -> None:
    asyncio.run(_main())
