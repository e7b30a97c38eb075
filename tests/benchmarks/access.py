"""Two hundred wrong keys a second: what a caller with a good key notices.

Once with a limit that lets bcrypt be busy all the time: the worst that an operator can set.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from tests.support.live_server import LiveServer, live_server

from .table import Row, median, quantile, show

A_SECOND = 200
SECONDS = 10.0
CONNECTIONS = 100


class Connection:
    """HTTP as plainly as it goes: two hundred calls a second must not be what is measured."""

    def __init__(self, server: LiveServer) -> None:
        self._port = int(server.url.rsplit(":", 1)[1].strip("/"))

    async def open(self) -> Connection:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def call(self, key: str) -> int:
        """Status of one call."""
        path = "/cloutagent/api/v1/templates"
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        await self._reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        return int(head.split()[1])

    def close(self) -> None:
        self._writer.close()


async def storm(server: LiveServer) -> tuple[list[float], list[float], Counter[int], float]:
    """Seconds of good calls alone, and in the storm; what the wrong ones were answered, and what one cost.

    The last: seconds of the server's processor for each call of the storm, good ones among them.
    """
    process = psutil.Process(server.process.pid)
    key = server.create_project("A", None)["api_key"]
    wrong = (f"{key.rpartition('_')[0]}_{number:043d}" for number in itertools.count())
    answers: Counter[int] = Counter()
    good = await Connection(server).open()
    over = time.perf_counter() + 3600

    async def call() -> float:
        began = time.perf_counter()
        assert await good.call(key) == 200
        return time.perf_counter() - began

    async def miss(first: float) -> None:
        connection, due = await Connection(server).open(), first
        while (now := time.perf_counter()) < over:
            if due > now:
                await asyncio.sleep(due - now)
            due += CONNECTIONS / A_SECOND
            answers[await connection.call(next(wrong))] += 1
        connection.close()

    await call()
    alone = [await call() for _ in range(200)]
    used = process.cpu_times()
    began = time.perf_counter()
    over = began + SECONDS
    storming = [asyncio.create_task(miss(began + number / A_SECOND)) for number in range(CONNECTIONS)]
    beside = []
    while time.perf_counter() < over:
        beside.append(await call())
        await asyncio.sleep(0.01)
    await asyncio.gather(*storming)
    good.close()
    now = process.cpu_times()
    cost = (now.user + now.system - used.user - used.system) / (len(beside) + answers.total())
    return alone, beside, answers, cost


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for limit, what in ((20, "the limit of 20"), (100, "a limit of 100")):
            options = ("--CloutAgent.rate_limit=1000000", f"--CloutAgent.failed_auth_limit={limit}")
            with live_server(Path(name) / what, *options, "--ServerApp.log_level=ERROR") as server:
                alone, beside, answers, cost = asyncio.run(storm(server))
            p99 = quantile(beside, 0.99) * 1000
            told = ", ".join(f"{count} × {status}" for status, count in sorted(answers.items()))
            rows.append(Row(f"a good call alone, {what}", f"p50 {median(alone) * 1000:.1f} ms", "1"))
            rows.append(
                Row(
                    f"in a storm of {A_SECOND} wrong keys a second ({told})",
                    f"p50 {median(beside) * 1000:.1f} ms, p99 {p99:.0f} ms",
                    f"{median(beside) / median(alone):.1f} × alone", "p99 ≤ 500 ms", p99 <= 500,
                )
            )  # fmt: skip
            rows.append(Row("processor of the server for each of them", f"{cost * 1000:.2f} ms"))
    show("Wrong keys", rows)
