"""50 executions at once, 300 requests, 20 ms a model event: how far from the ideal wall time."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.messages_api import Call, MessagesApi, Reply, Say

from .table import Row, median, show
from .turns import NAMES, measure

TOGETHER = 50
REQUESTS = 6
EVENT_S = 0.02
ROUNDS = 3


def script(body: dict[str, Any], number: int) -> Reply:
    asked = sum(1 for message in body["messages"] if message["role"] == "assistant")
    if asked < REQUESTS - 1:
        path = "./" * (asked % 5) + "note.txt"  # a call that is always the same would be taken for a circle
        return Call("view", {"path": path}, id=f"toolu_{number}", delay_s=EVENT_S, pieces=1000)
    return Say("done", delay_s=EVENT_S, pieces=1000)


async def _main() -> None:
    # message_start, ping, block start, two pieces, stop, delta, message_stop; an answer has one piece less
    ideal = EVENT_S * ((REQUESTS - 1) * 8 + 7)
    walls: dict[str, list[float]] = {kind: [] for kind in NAMES}
    for _ in range(ROUNDS):
        for kind, values in walls.items():
            async with MessagesApi(script) as api:
                values.append((await measure(kind, api.url, TOGETHER, TOGETHER))["wall"])
    result = {kind: median(values) for kind, values in walls.items()}
    show(
        f"{TOGETHER} executions at once, {TOGETHER * REQUESTS} requests, "
        f"{EVENT_S * 1000:.0f} ms a model event",
        [
            Row("ideal", f"{ideal:.2f} s", "1"),
            *(
                Row(
                    NAMES[kind],
                    f"{wall:.2f} s",
                    f"{wall / ideal:.1f} × ideal",
                    "≤ 2 × ideal" if kind == "product" else "",
                    wall <= 2 * ideal if kind == "product" else None,
                )
                for kind, wall in result.items()
            ),
        ],
    )


def main() -> None:
    asyncio.run(_main())
