"""The Python client: import, a call against raw HTTP, events as a table, an experiment against its queue."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import httpx2

from cloutagent_ext.client import Client, connect
from cloutagent_ext.executions import logfile
from tests.support.live_server import LiveServer, live_server

from .table import Row, median, show

CALLS = 300
EVENTS = 10_000
TRIALS = 500
ROUNDS = 3
AT_ONCE = 3
"""Executions of the project that run at the same time."""


def imported() -> Row:
    """`import cloutagent_ext.client` in a fresh interpreter, without the interpreter's own start."""
    code = (
        "import time; t = time.perf_counter(); import cloutagent_ext.client; print(time.perf_counter() - t)"
    )
    taken = []
    for _ in range(7):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        taken.append(float(done.stdout))
    found = median(taken) * 1000
    return Row("import cloutagent_ext.client", f"{found:.0f} ms", "", "≤ 150 ms", found <= 150)


def calls(server: LiveServer, client: Client, project: str) -> list[Row]:
    """One GET, alternately with and without the client, so that both meet the same machine."""
    ours, raw = [], []
    handle = client[project]
    url = f"{server.api}/projects/{handle.id}"
    with httpx2.Client(headers={"Authorization": f"token {server.token}"}) as http:
        for _ in range(CALLS):
            began = time.perf_counter()
            assert http.get(url).json()["name"] == project
            raw.append(time.perf_counter() - began)
            began = time.perf_counter()
            assert handle.definition().name == project
            ours.append(time.perf_counter() - began)
    more = (median(ours) - median(raw)) * 1000
    return [
        Row("a call, raw HTTP", f"{median(raw) * 1000:.2f} ms p50", "1"),
        Row(
            "the same through the client, parsed",
            f"{median(ours) * 1000:.2f} ms p50",
            f"+ {more:.2f} ms",
            "≤ 2 ms more",
            more <= 2,
        ),
    ]


def table(server: LiveServer, client: Client, project: str) -> Row:
    """A log of 10,000 events as a DataFrame, its pages fetched."""
    run = client[project].run(wait=True)
    log = server.data_dir / "projects" / client[project].id / "executions" / run.id / logfile.NAME
    # What a run of many turns has: its own events again and again, each line sealed as the server seals it.
    own = [json.loads(line) for line in log.read_bytes().splitlines()]
    assert all(event.pop("crc", None) is not None for event in own), "a log without checksums"
    first, *between, last = own
    longer = [first, *islice(cycle(between), EVENTS - 2), last]
    lines = (
        json.dumps(event | {"id": number}, separators=(",", ":"), ensure_ascii=False).encode()
        for number, event in enumerate(longer, 1)
    )
    log.write_bytes(b"".join(map(logfile.sealed, lines)))
    client.execution(run.id).events_df()  # pandas is imported, the server has seen the log
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        rows = client.execution(run.id).events_df()
        taken.append(time.perf_counter() - began)
        assert len(rows) == EVENTS, len(rows)
    return Row(
        f"{EVENTS:,} events into a DataFrame", f"{median(taken):.2f} s", "", "≤ 1 s", median(taken) <= 1
    )


def experiment(server: LiveServer, client: Client, project: str) -> list[Row]:
    """500 trials; the ideal is the same executions asked for by bare HTTP, as many as the queue runs."""
    handle = client[project]
    url = f"{server.api}/projects/{handle.id}/execute"

    def ideal() -> float:
        with httpx2.Client(headers={"Authorization": f"token {server.token}"}, timeout=120) as http:

            def one(number: int) -> None:
                answer = http.post(url, json={"prompt": f"Ideal {number}", "wait": True})
                assert answer.json()["status"] == "completed", answer.text

            began = time.perf_counter()
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(one, range(TRIALS)))
            return time.perf_counter() - began

    def ours() -> float:
        made = handle.experiment([{"n": n} for n in range(TRIALS)], {"plain": {"prompt": "Trial {{n}}"}})
        began = time.perf_counter()
        made.run(progress=False)
        took = time.perf_counter() - began
        assert sum(trial.ended for trial in made.trials) == TRIALS
        return took

    # In turns: what else this machine does meets both alike.
    rounds = [(ideal(), ours()) for _ in range(ROUNDS)]
    bare, made = (median(each) for each in zip(*rounds, strict=True))
    ratio = median(of_ours / of_ideal for of_ideal, of_ours in rounds)
    return [
        Row(f"{TRIALS} executions through the queue, bare HTTP", f"{bare:.1f} s", "1"),
        Row(
            f"an experiment of {TRIALS} rows",
            f"{made:.1f} s",
            f"{ratio:.2f} × the queue's ideal",
            "≤ 1.3 ×",
            ratio <= 1.3,
        ),
    ]


def main() -> None:
    rows = [imported()]
    options = ("--CloutAgent.simulated_pace=0", "--ServerApp.log_level=WARN")
    with tempfile.TemporaryDirectory() as folder, live_server(Path(folder), *options) as server:
        server.create_project("Small", "empty")
        server.create_project("Sales analyst", "sales-analyst")
        with connect(server.url, token=server.token) as client:
            rows += calls(server, client, "Small")
            rows.append(table(server, client, "Sales analyst"))
            rows += experiment(server, client, "Small")
    show("Python client", rows)
