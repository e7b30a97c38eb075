"""Row F29: while a disk takes its time, or a huge body or page is handled, the event loop goes on.

How long an answer takes says nothing on a busy machine. That one was asked for and given while a sync was
under way does: an event loop that waits itself answers nobody in that time.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cloutagent_ext.executions import logfile
from cloutagent_ext.executions.encode import line
from tests.support.live_server import LiveServer, live_server
from tests.support.tracing import needs_strace, traced

SYNC_S = 2.0
AT_ONCE = 3
"""Executions of the long form, side by side."""


@contextlib.contextmanager
def slowable(folder: Path, *options: str) -> Iterator[tuple[LiveServer, Path]]:
    """A server whose disk is slow while the file that is given exists."""
    also = {"ServerApp": {"jpserver_extensions": {"tests.support.slow_disk": True}}}
    (folder / "config/jupyter_server_config.d").mkdir(parents=True)
    (folder / "config/jupyter_server_config.d/slow.json").write_text(json.dumps(also))
    switch = folder / "slow"
    env = {"SLOW_DISK": str(switch), "SLOW_DISK_S": str(SYNC_S)}
    with live_server(folder, "--CloutAgent.simulated_pace=0", *options, env=env) as server:
        yield server, switch


Answers = dict[str, list[tuple[float, float]]]
"""Of each path, when an answer was asked for and when it was there."""


def answered_beside(server: LiveServer, slow: list[Future[Any]], paths: tuple[str, ...]) -> Answers:
    """Asked one after another until one of `slow` is done."""
    answers: Answers = {path: [] for path in paths}
    while not any(each.done() for each in slow):
        for path in paths:
            began = time.monotonic()
            assert get(server, path) == 200, path
            answers[path].append((began, time.monotonic()))
    return answers


def get(server: LiveServer, path: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.request("GET", path, headers={"Authorization": f"token {server.token}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


CHEAP = (
    "/cloutagent/api/health",
    "/cloutagent/api/v1/projects",
    "/cloutagent/api/v1/executions",
    "/api/status",
)


def warm(server: LiveServer) -> str:
    """A project that has run once: everything is loaded."""
    project = str(server.create_project("Slow", None)["id"])
    _, first = server.request("POST", f"projects/{project}/execute", {"prompt": "Go.", "wait": True})
    assert first["status"] == "completed", first
    return project


def runs(server: LiveServer, pool: ThreadPoolExecutor, project: str, at_once: int) -> list[Future[Any]]:
    """Whole runs, each of several syncs: before it is accepted, while it goes on and at its end."""
    path, body = f"projects/{project}/execute", {"prompt": "Go.", "wait": True}
    return [pool.submit(server.request, "POST", path, body) for _ in range(at_once)]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, Path]]:
    """One server for both of what `make test` asks of it."""
    with slowable(tmp_path_factory.mktemp("slow"), "--CloutAgent.max_body_mb=64") as both:
        yield both


@pytest.mark.timeout(180)
def test_while_a_sync_takes_two_seconds_health_and_lists_are_answered(slow: tuple[LiveServer, Path]) -> None:
    server, switch = slow
    with ThreadPoolExecutor(1) as pool:
        project = warm(server)
        switch.touch()
        running = runs(server, pool, project, 1)
        answers = answered_beside(server, running, CHEAP)
        switch.unlink()
        assert {each.result()[0] for each in running} == {200}
    syncs = [tuple(map(float, each.split())) for each in Path(f"{switch}.syncs").read_text().splitlines()]
    whole = [each for each in syncs if each[1] <= max(ended for _, ended in answers[CHEAP[0]])]
    assert len(whole) >= 2, "the disk was slow"
    everything = [each for of_one in answers.values() for each in of_one]
    for begin, end in whole:
        assert any(begin <= asked and given <= end for asked, given in everything), "a sync held up everybody"


@needs_strace
@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_on_a_disk_whose_every_sync_takes_two_seconds_health_is_answered_in_time(tmp_path: Path) -> None:
    """The system's own calls, those of SQLite too, held up by strace."""
    options = ("--CloutAgent.simulated_pace=0",)
    with live_server(tmp_path, *options) as server, ThreadPoolExecutor(AT_ONCE) as pool:
        project = warm(server)
        fault = f"fsync,fdatasync:delay_enter={int(SYNC_S * 1e6)}"
        with traced(server.process.pid, fault, tmp_path / "trace"):
            slow = runs(server, pool, project, AT_ONCE)
            answers = answered_beside(server, slow, CHEAP)
            assert {each.result()[0] for each in slow} == {200}
    for path, times in answers.items():
        took = sorted(given - asked for asked, given in times)
        assert took[int(len(took) * 0.9)] < 1.0, (path, took)


HUGE = 50 * 2**20


def _fill(path: Path) -> None:
    """A log whose first page is 50 MB."""
    common = {"ts": "2026-11-22T08:00:00.000Z", "agent": "main", "span": "main"}
    with path.open("wb") as file:
        for number in range(1, 1000):
            event = {"id": number, "type": "text", **common, "content": "word " * (HUGE // 5000)}
            file.write(logfile.sealed(line(event)[:-1]))
        end = {"id": 1000, "type": "complete", **common, "usage": {}, "total_cost_usd": 0.0}
        file.write(logfile.sealed(line(end | {"duration_ms": 1, "result": None})[:-1]))


@pytest.mark.timeout(180)
def test_while_fifty_megabytes_are_sent_parsed_or_paged_health_is_answered(
    slow: tuple[LiveServer, Path],
) -> None:
    server, _ = slow
    with ThreadPoolExecutor(2) as pool:
        project = server.create_project("Huge", None)["id"]
        _, state = server.request("POST", f"projects/{project}/execute", {"prompt": "Go.", "wait": True})
        execution = state["execution_id"]
        [folder] = server.data_dir.glob(f"projects/*/executions/{execution}")
        _fill(folder / "events.jsonl")
        parts = json.dumps({"prompt": ["word " * 10] * (HUGE // 60)}).encode()
        text = json.dumps({"prompt": "x" * HUGE}).encode()
        handled: list[Callable[[], tuple[int, int]]] = [
            lambda: fetched(server, "POST", f"projects/{project}/execute", parts),
            lambda: fetched(server, "POST", f"projects/{project}/execute", text),
            lambda: fetched(server, "GET", f"executions/{execution}/events", None),
        ]
        for number, act in enumerate(handled):
            handling = pool.submit(act)
            answers = answered_beside(server, [handling], CHEAP[:2])
            status, size = handling.result()
            assert status == (400, 400, 200)[number]
            assert min(len(each) for each in answers.values()) >= 1, (number, answers)
        assert size > HUGE
        page = json.loads(read(server, f"executions/{execution}/events?limit=3"))
        assert [event["id"] for event in page["items"]] == [1, 2, 3]
        assert page["next_cursor"] == "4"


def fetched(server: LiveServer, method: str, path: str, body: bytes | None) -> tuple[int, int]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
    try:
        connection.request(
            method, f"/cloutagent/api/v1/{path}", body=body,
            headers={"Authorization": f"token {server.token}", "Content-Type": "application/json"},
        )  # fmt: skip
        answer = connection.getresponse()
        return answer.status, len(answer.read())
    finally:
        connection.close()


def read(server: LiveServer, path: str) -> str:
    done = subprocess.run(
        ["curl", "-sf", "-H", f"Authorization: token {server.token}", f"{server.api}/{path}"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout
