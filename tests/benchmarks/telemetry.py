"""What telemetry costs a run: CPU of the event loop and of the process, without a collector and with one.

Each kind is a process of its own that runs the same simulated executions (20 turns with a tool call each);
logs, metrics and the trace route's events are on in both, spans and OTLP only with the collector.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from tests.support.otlp_receiver import receiver

from .table import Row, median, show

ROUNDS, RUNS, TURNS = 3, 8, 20
LIMIT = 1.15


async def measured(folder: Path, endpoint: str) -> dict[str, float]:
    """Milliseconds of CPU per run, of the loop's thread and of the whole process."""
    from tests.unit.executions.conftest import Office, agent

    office = Office(folder, **({"otlp_endpoint": endpoint} if endpoint else {}))
    await office.services.start()
    path = ["./" * (number % 5) + "note.txt" for number in range(TURNS)]
    turns = [
        {"text": "I look. " * 10, "tools": [{"name": "view", "as": f"c{n}", "input": {"path": path[n]}}]}
        for n in range(TURNS)
    ]
    project = await office.project(*turns, files={"note.txt": b"hello"}, agent=agent(tools=["view"]))
    await office.run(project)  # imports
    await asyncio.sleep(3 if endpoint else 0)
    loop, whole = time.thread_time(), time.process_time()
    for _ in range(RUNS):
        state = await office.run(project)
        assert state.status == "completed", state.error
    found = {"loop": time.thread_time() - loop, "process": time.process_time() - whole}
    await office.services.stop()
    return {name: value * 1000 / RUNS for name, value in found.items()}


def once(*, on: bool) -> dict[str, float]:
    collector: AbstractContextManager[Any] = receiver() if on else nullcontext()
    with collector as taken, tempfile.TemporaryDirectory() as folder:
        endpoint = taken.url if on else ""
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.telemetry", folder, endpoint],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        if on:
            # The run, its agent, its model calls and its tools, and nothing twice.
            each = 2 + 2 * TURNS + 1
            assert len(taken.spans) == (RUNS + 1) * each, len(taken.spans)
        return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for on, values in found.items():
            values.append(once(on=on))
    rows = []
    for name, what in (("loop", "event loop"), ("process", "whole process")):
        off, on = (median([value[name] for value in found[kind]]) for kind in (False, True))
        rows.append(Row(f"{what}, no collector", f"{off:.1f} ms", "1"))
        within = on / off <= LIMIT if name == "loop" else None
        target = f"≤ {LIMIT:g} ×" if name == "loop" else ""
        rows.append(
            Row(f"{what}, spans, metrics and logs by OTLP", f"{on:.1f} ms", f"{on / off:.2f}", target, within)
        )
    show(f"CPU of a run of {TURNS} tool turns with telemetry", rows)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measured(Path(sys.argv[1]), sys.argv[2]))))
