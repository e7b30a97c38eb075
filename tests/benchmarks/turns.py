"""CPU of a tool turn and of text deltas, beside the bare SDK and a hand-written client.

All three talk to the same scripted Messages API, which runs in this process; each is a
process of its own whose CPU time counts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tests.support.messages_api import Call, MessagesApi, Reply, Say

from .table import Row, median, show

ROUNDS = 3
TURNS = 20
DELTAS = 2000


def tool_turns(body: dict[str, Any], number: int) -> Reply:
    """19 turns that say a paragraph (40 deltas) and call `view`, then an answer."""
    asked = sum(1 for message in body["messages"] if message["role"] == "assistant")
    if asked < TURNS - 1:
        said = "I look again at the note. " * 12
        return Call("view", {"path": "note.txt"}, id=f"toolu_{number}", text=said)
    return Say("That is all.")


def deltas(body: dict[str, Any], number: int) -> Reply:
    return Say("word " * DELTAS, pieces=5)


async def measure(kind: str, url: str, conversations: int, parallel: int = 1) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.runner", kind, url, str(conversations), str(parallel),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    return json.loads(out.splitlines()[-1])


async def compare(script: Any, conversations: int, per: int) -> dict[str, float]:
    """Median CPU milliseconds per `per`-th of a conversation, for each kind; kinds take turns."""
    found: dict[str, list[float]] = {"asyncio": [], "sdk": [], "product": []}
    for _ in range(ROUNDS):
        for kind, values in found.items():
            async with MessagesApi(script) as api:
                measured = await measure(kind, api.url, conversations)
            values.append(measured["cpu"] * 1000 / conversations / per)
    return {kind: median(values) for kind, values in found.items()}


def rows(title: str, cpu: dict[str, float], limit: float) -> list[Row]:
    sdk = cpu["sdk"]
    ratio = cpu["product"] / sdk
    return [
        Row(
            f"{title}: hand-written asyncio",
            f"{cpu['asyncio']:.2f} ms CPU",
            f"{cpu['asyncio'] / sdk:.2f} × SDK",
        ),
        Row(f"{title}: bare SDK streaming loop", f"{sdk:.2f} ms CPU", "1"),
        Row(
            f"{title}: CloutAgent with budgets, journal, log and a stream",
            f"{cpu['product']:.2f} ms CPU",
            f"{ratio:.2f} × SDK",
            f"≤ {limit} × SDK",
            ratio <= limit,
        ),
    ]


async def _main() -> None:
    turns = await compare(tool_turns, 10, TURNS)
    text = await compare(deltas, 10, 1)
    show("CPU", [*rows("a tool turn of 40 deltas", turns, 0.6), *rows(f"{DELTAS} text deltas", text, 0.6)])


def main() -> None:
    asyncio.run(_main())
