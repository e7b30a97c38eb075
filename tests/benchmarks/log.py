"""The event log of an execution that went on for days: a million events, opened, searched and followed."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path

from cloutagent_ext.executions import logfile
from cloutagent_ext.executions.log import EventLog

from .table import Row, median, quantile, show

EVENTS = 1_000_000
SEEKS = 300
NAME = logfile.NAME


async def write(folder: Path) -> float:
    log = await EventLog.create(folder)
    began = time.perf_counter()
    for number in range(EVENTS):
        log.write("text", content=f"piece {number} of what the model says")
    took = time.perf_counter() - began
    log.write("complete", usage={}, total_cost_usd=0.0, duration_ms=1, result=None)
    await log.close()
    return took


async def _main() -> None:
    dice = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = await write(folder)
        size = (folder / NAME).stat().st_size / 2**20
        opened, sought = [], []
        for _ in range(20):
            began = time.perf_counter()
            log = await EventLog.reader(folder)
            opened.append(time.perf_counter() - began)
        for _ in range(SEEKS):
            wanted = dice.randrange(1, EVENTS)
            began = time.perf_counter()
            events, _ = await log.page(wanted, 1)
            sought.append(time.perf_counter() - began)
            assert events[0]["id"] == wanted
        began = time.perf_counter()
        seen = 0
        async for lines in log.batches(EVENTS - 100_000):
            seen += len(lines)
        followed = time.perf_counter() - began
        began = time.perf_counter()
        await asyncio.to_thread(logfile.repair, folder / NAME)
        mended = time.perf_counter() - began
    assert seen == 100_002
    p50, p99 = median(sought) * 1000, quantile(sought, 0.99) * 1000
    show(
        f"A log of {EVENTS:,} events, {size:.0f} MB",
        [
            Row("written, each with its checksum", f"{written / EVENTS * 1e6:.0f} µs an event"),
            Row("opened", f"{median(opened) * 1000:.1f} ms", "", "≤ 1 s", median(opened) <= 1),
            Row(
                "opened by its owner, its end looked at", f"{mended * 1000:.1f} ms", "", "≤ 1 s", mended <= 1
            ),
            Row("an event found by its id", f"p50 {p50:.1f} ms, p99 {p99:.1f}", "", "p99 ≤ 50 ms", p99 <= 50),
            Row(
                "100,000 events followed and checked", f"{followed:.1f} s, {100_000 / followed:,.0f} a second"
            ),
        ],
    )


def main() -> None:
    asyncio.run(_main())
