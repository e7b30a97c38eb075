"""From a cancel to the last process gone, for commands that do not want to go.

Each trial starts an execution whose command leaves a child that ignores TERM in a session of
its own, cancels it over HTTP, and looks at the machine's processes until none bears its mark.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import psutil

from cloutagent_ext.client import connect
from tests.support.live_server import LiveServer, live_server

from .table import Row, median, quantile, show

TRIALS = 30
STUBBORN = (
    "trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' & while :; do sleep 1; done"
)
SCENARIO = {
    "schema_version": 1,
    "agents": {"main": [{"tools": [{"name": "bash", "input": {"command": STUBBORN}}]}, {"text": "never"}]},
}


def of(execution_id: str) -> list[int]:
    """Ids of the processes that bear the execution's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("CLOUTAGENT_EXECUTION") == execution_id:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def trials(server: LiveServer) -> list[float]:
    with connect(server.url, token=server.token) as client:
        project = client.create_project("Stubborn")
        definition = project.definition().model_dump(mode="json")
        definition["agent"] |= {"tools": ["bash"], "permissions": {"bash": "allow"}, "simulate": True}
        server.request("PUT", f"projects/{project.id}", definition)
        project.write_file("scenario.json", json.dumps(SCENARIO))
        found = []
        for _ in range(TRIALS):
            run = project.run("go")
            while len(of(run.id)) < 2:
                time.sleep(0.02)
            began = time.perf_counter()
            run.cancel()
            while of(run.id):
                time.sleep(0.01)
            found.append(time.perf_counter() - began)
            run.wait(10)
    return found


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        live_server(Path(folder), "--CloutAgent.simulated_pace=0") as server,
    ):
        took = trials(server)
    most = quantile(took, 0.99)
    show(
        f"Cancel of a command that ignores TERM, {TRIALS} times",
        [
            Row("cancel → last process gone", f"p50 {median(took):.2f} s", "1"),
            Row("", f"p99 {most:.2f} s", f"{most / median(took):.1f} × p50", "p99 ≤ 5 s", most <= 5),
        ],
    )
