"""Ten thousand short executions through one server: what it holds on to.

Memory is followed over the later half, once caches are full: what grows there grows for ever. In
`make test` a few hundred, for descriptors, children and the log; in `make nightly` all of them
(CLOUTAGENT_RUNS).
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from statistics import linear_regression
from typing import Any

import httpx2
import psutil
import pytest

from tests.support.live_server import LiveServer, live_server, until

RUNS = int(os.environ.get("CLOUTAGENT_RUNS", 10_000))
FEW = 60
AT_ONCE = 6
SAMPLES = 100
MOST_KB_A_RUN = 2.4
"""1 MB an hour in a day of 10,000 runs."""


def scripted(server: LiveServer) -> str:
    """A project whose runs have a command, a subagent's answer, and an end."""
    made = server.create_project("Soak", None)
    made.pop("api_key")
    made["agent"] |= {"tools": ["bash"], "permissions": {"bash": "allow"}, "task": "Go."}
    made["subagents"] = [{"id": "helper", "name": "Helper", "description": "h", "prompt": "Help."}]
    assert server.request("PUT", f"projects/{made['id']}", made)[0] == 200
    turns: list[dict[str, Any]] = [
        {"text": "I look.", "tools": [
            {"name": "bash", "as": "b", "input": {"command": "echo hello"}},
            {"name": "agent__helper", "as": "h", "input": {"prompt": "Say it."}},
        ]},
        {"text": "Done. " + "It took a while to say. " * 20},
    ]  # fmt: skip
    agents = {"main": turns, "helper": [{"text": "Helped."}]}
    server.put_file(made["id"], "scenario.json", {"schema_version": 1, "agents": agents})
    return str(made["id"])


async def soak(server: LiveServer, project: str, runs: int) -> list[tuple[int, int]]:
    """Number of runs and resident bytes, from time to time."""
    process, samples, done = psutil.Process(server.process.pid), [], 0
    headers = {"Authorization": f"token {server.token}"}
    ahead = iter(range(runs))
    async with httpx2.AsyncClient(headers=headers, timeout=300, trust_env=False) as http:

        async def call() -> None:
            nonlocal done
            for number in ahead:
                answer = await http.post(f"{server.api}/projects/{project}/execute", json={"wait": True})
                assert answer.status_code == 200, answer.text
                state = answer.json()
                assert state["status"] == "completed", state
                if number % 7 == 0:  # somebody looks on
                    stream = await http.get(f"{server.api}/executions/{state['execution_id']}/stream")
                    assert stream.text.count("data: ") == state["last_event_id"]
                if number % 50 == 0:
                    for path in ("executions?limit=20", "metrics?window=24h", "projects"):
                        assert (await http.get(f"{server.api}/{path}")).status_code == 200
                done += 1
                if done % max(1, runs // SAMPLES) == 0:
                    samples.append((done, process.memory_info().rss))

        await asyncio.gather(*(call() for _ in range(AT_ONCE)))
    return samples


def soaked(folder: Path, runs: int) -> list[tuple[int, int]]:
    options = (
        "--CloutAgent.simulated_pace=0", f"--CloutAgent.max_concurrent={AT_ONCE}",
        "--CloutAgent.isolation=off", "--ServerApp.log_level=WARN",
    )  # fmt: skip
    with live_server(folder, *options) as server:
        project = scripted(server)
        process = psutil.Process(server.process.pid)
        asyncio.run(soak(server, project, AT_ONCE * 2))  # everything is loaded, every thread is there
        files, threads = process.num_fds(), process.num_threads()
        samples = asyncio.run(soak(server, project, runs))

        def let_go() -> bool:
            return process.num_fds() <= files + 2 and process.children(recursive=True) == []

        asyncio.run(until(let_go))
        assert process.num_threads() <= threads + 2
        assert "Traceback" not in server.log(), server.log()[-3000:]
        lines = [
            line for file in (server.data_dir / "logs").glob("cloutagent-*.jsonl")
            for line in file.read_text().splitlines() if '"level":"ERROR"' in line
        ]  # fmt: skip
        assert lines == []
        assert server.request("GET", "metrics?window=24h")[1]["simulated"]["completed"] == runs + AT_ONCE * 2
    return samples


@pytest.mark.timeout(180)
def test_executions_leave_no_file_no_thread_and_no_child_behind(tmp_path: Path) -> None:
    soaked(tmp_path, FEW)


@pytest.mark.nightly
@pytest.mark.timeout(4 * 3600)
def test_memory_does_not_grow_with_the_number_of_executions(tmp_path: Path) -> None:
    samples = soaked(tmp_path, RUNS)
    late = samples[len(samples) // 2 :]
    slope = linear_regression([run for run, _ in late], [rss / 1024 for _, rss in late]).slope
    shown = ", ".join(f"{run}: {rss / 2**20:.1f}" for run, rss in samples[:: max(1, len(samples) // 20)])
    print(f"{RUNS} runs, {slope:.2f} KB a run over the later half; MB: {shown}")
    assert slope <= MOST_KB_A_RUN, f"{slope:.2f} KB a run; MB by number of runs: {shown}"
