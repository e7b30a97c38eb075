"""CPU of a tool turn and of text deltas, beside a hand-written client, the bare SDK and two frameworks.

All talk to the same scripted Messages API, which runs in this process; each is a process of
its own whose CPU time counts. How many deltas a turn has decides who looks good (what we
cost is mostly per turn, what the SDK costs mostly per delta), so a short and a long turn are
measured.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from typing import Any

from tests.support.messages_api import Call, MessagesApi, Reply, Say

from .table import Row, median, show

ROUNDS = 3
TURNS = 20
DELTAS = 2000
SHORT, LONG = 13, 40
"""Text deltas of a turn: one sentence before a call, or a paragraph."""
LIMIT = 0.6
NAMES = {
    "asyncio": "hand-written asyncio",
    "sdk": "bare SDK streaming loop",
    "pydantic-ai": "pydantic-ai",
    "langchain": "LangChain",
    "product": "CloutAgent with budgets, journal, log and a stream",
}


def tool_turns(body: dict[str, Any], number: int, *, pieces: int) -> Reply:
    """19 turns that say something in `pieces` deltas of 8 characters and call `view`, then an answer."""
    asked = sum(1 for message in body["messages"] if message["role"] == "assistant")
    if asked < TURNS - 1:
        path = "./" * (asked % 5) + "note.txt"  # a call that is always the same would be taken for a circle
        return Call("view", {"path": path}, id=f"toolu_{number}", text="I look. " * pieces)
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
    found: dict[str, list[float]] = {kind: [] for kind in NAMES}
    for _ in range(ROUNDS):
        for kind, values in found.items():
            async with MessagesApi(script) as api:
                measured = await measure(kind, api.url, conversations)
                assert api.refused == [], (kind, api.refused[0])
            values.append(measured["cpu"] * 1000 / conversations / per)
    return {kind: median(values) for kind, values in found.items()}


def rows(title: str, cpu: dict[str, float]) -> list[Row]:
    sdk = cpu["sdk"]
    found = []
    for kind, name in NAMES.items():
        ratio = cpu[kind] / sdk
        aim = (f"≤ {LIMIT} × SDK", ratio <= LIMIT) if kind == "product" else ("", None)
        found.append(Row(f"{title}: {name}", f"{cpu[kind]:.2f} ms CPU", f"{ratio:.2f} × SDK", *aim))
    return found


async def cached() -> Row:
    """What the input of the tool run costs with the cache, as a part of what it costs without.

    Of a starter project: what has fewer tokens than the cache takes is cached by nobody.
    """
    async with MessagesApi(partial(tool_turns, pieces=LONG)) as api:
        await measure("analyst", api.url, 1)
        # claude-opus-5-5: writing costs 1.25 of an uncached token, reading 0.05.
        paid = sum(
            usage.get("input_tokens", 0)
            + 1.25 * usage.get("cache_creation_input_tokens", 0)
            + 0.05 * usage.get("cache_read_input_tokens", 0)
            for usage in api.usages
        )
        read = sum(usage.get("cache_read_input_tokens", 0) for usage in api.usages)
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        whole = sum(usage.get(name, 0) for usage in api.usages for name in names)
    return Row(
        f"input of {len(api.usages)} requests of {TURNS}-turn runs, by its price",
        f"{whole:,} tokens, {read / whole:.0%} from the cache",
        f"{paid / whole:.2f} × without caching",
        "≥ 90 % from the cache",
        read / whole >= 0.9,
    )


async def _main() -> None:
    short = await compare(partial(tool_turns, pieces=SHORT), 10, TURNS)
    long = await compare(partial(tool_turns, pieces=LONG), 10, TURNS)
    text = await compare(deltas, 10, 1)
    show(
        "CPU",
        [
            *rows(f"a tool turn of {SHORT} deltas", short),
            *rows(f"a tool turn of {LONG} deltas", long),
            *rows(f"{DELTAS} text deltas", text),
        ],
    )
    show("Prompt caching", [await cached()])


def main() -> None:
    asyncio.run(_main())
