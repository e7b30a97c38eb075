"""From a request to the first event, and whole small runs, over HTTP against a real Jupyter server."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2

from tests.support.live_server import LiveServer, live_server

from .table import Row, median, quantile, show

REQUESTS = 100
CLIENTS = 20


def first_event(client: httpx2.Client, url: str) -> float:
    """Seconds from the request to the first frame that carries an event."""
    started = time.perf_counter()
    with client.stream("POST", url, json={"prompt": "Hello", "stream": True}) as answer:
        taken = None
        for line in answer.iter_lines():
            if taken is None and line.startswith("data:"):
                taken = time.perf_counter() - started
    assert taken is not None, "a stream without an event"
    return taken


def whole_run(client: httpx2.Client, url: str) -> float:
    started = time.perf_counter()
    answer = client.post(url, json={"prompt": "Hello", "wait": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "completed", answer.text
    return time.perf_counter() - started


def measure(server: LiveServer) -> list[Row]:
    project = server.create_project("Small", None)["id"]
    url = f"{server.api}/projects/{project}/execute"
    with httpx2.Client(headers={"Authorization": f"token {server.token}"}, timeout=60) as client:
        whole_run(client, url)
        first = [first_event(client, url) for _ in range(REQUESTS)]
        single = [whole_run(client, url) for _ in range(REQUESTS)]
        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda _: whole_run(client, url), range(REQUESTS * 2)))
        rate = REQUESTS * 2 / (time.perf_counter() - started)
        health = []
        for _ in range(REQUESTS):
            at = time.perf_counter()
            client.get(f"{server.url}cloutagent/api/health")
            health.append(time.perf_counter() - at)
    p50, p99 = median(first) * 1000, quantile(first, 0.99) * 1000
    base = median(health) * 1000
    run = median(single) * 1000
    return [
        Row("GET health (what a request costs here)", f"p50 {base:.1f} ms", "1"),
        Row(
            "accepted execute → first event",
            f"p50 {p50:.1f} ms",
            f"{p50 / base:.1f} × health",
            "p50 ≤ 20 ms",
            p50 <= 20,
        ),
        Row("", f"p99 {p99:.1f} ms", "", "p99 ≤ 100 ms", p99 <= 100),
        Row(
            "simplest run, one after the other",
            f"p50 {run:.1f} ms",
            f"{run / base:.1f} × health",
            "p50 ≤ 30 ms",
            run <= 30,
        ),
        Row(f"simplest run, {CLIENTS} clients", f"{rate:.0f} a second", "", "≥ 60 a second", rate >= 60),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        options = (
            "--CloutAgent.simulated_pace=0",
            "--CloutAgent.max_concurrent=20",
            "--ServerApp.log_level=WARN",
        )
        with live_server(Path(folder), *options) as server:
            rows = measure(server)
    show("Over HTTP, simulated model", rows)
