"""What a server does when the system has no more of something, or takes away what it works on."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.live_server import LiveServer, live_server

from .caller import DEADLINE_S, Caller
from .test_executions import BASH, SLEEPS, until_running


def ask(
    connection: http.client.HTTPConnection, server: LiveServer, method: str, path: str
) -> tuple[int, str]:
    """On a connection that is open already: a new one could not be accepted."""
    connection.request(
        method, f"/cloutagent/api/v1/{path}", body="{}" if method == "POST" else None,
        headers={"Authorization": f"token {server.token}", "Content-Type": "application/json"},
    )  # fmt: skip
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@pytest.mark.timeout(180)
def test_without_free_descriptors_it_says_503_and_is_itself_again_when_there_are_some(tmp_path: Path) -> None:
    with live_server(tmp_path, "--CloutAgent.simulated_pace=0") as server:
        project = server.create_project("A", None)["id"]
        _, first = server.request("POST", f"projects/{project}/execute", {"prompt": "Go.", "wait": True})
        assert first["status"] == "completed", first
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)
        assert ask(connection, server, "GET", "projects")[0] == 200
        process = psutil.Process(server.process.pid)
        most = process.rlimit(psutil.RLIMIT_NOFILE)
        size = (tmp_path / "server.log").stat().st_size
        process.rlimit(
            psutil.RLIMIT_NOFILE, (process.num_fds(), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        )
        statuses = set()
        for _ in range(20):
            status, text = ask(connection, server, "POST", f"projects/{project}/duplicate")
            statuses.add(status)
            assert '"OVERLOADED"' in text
        assert statuses == {503}
        time.sleep(1)
        assert (tmp_path / "server.log").stat().st_size - size < 100_000, "no storm in the log"
        process.rlimit(psutil.RLIMIT_NOFILE, most)
        deadline = time.monotonic() + 90
        while ask(connection, server, "GET", "projects")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        _, again = server.request("POST", f"projects/{project}/execute", {"prompt": "Go.", "wait": True})
        assert again["status"] == "completed", again
        _, listed = server.request("GET", "projects")
        assert [row["name"] for row in listed["items"]] == ["A"], "no half copy is left"
        connection.close()


@contextlib.contextmanager
def starved(server: LiveServer, spare_mb: float) -> Iterator[None]:
    """With this much more address space than it has now: less than the stack of a thread, or a body."""
    process = psutil.Process(server.process.pid)
    before = process.rlimit(psutil.RLIMIT_AS)
    most = process.memory_info().vms + int(spare_mb * 2**20)
    process.rlimit(psutil.RLIMIT_AS, (most, before[1]))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_AS, before)


def scripted(server: LiveServer, name: str, *turns: dict[str, Any]) -> str:
    """A project whose agent may use `bash`."""
    made = server.create_project(name, None)
    made.pop("api_key")
    body = made | {"agent": made["agent"] | BASH["agent"]}
    assert server.request("PUT", f"projects/{made['id']}", body)[0] == 200
    server.put_file(made["id"], "scenario.json", {"schema_version": 1, "agents": {"main": list(turns)}})
    return str(made["id"])


def shell(command: str) -> dict[str, Any]:
    return {"text": "Now.", "tools": [{"name": "bash", "as": "a", "input": {"command": command}}]}


def until_ended(server: LiveServer, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        status, state = server.request("GET", f"executions/{execution}")
        if status == 200 and state["status"] in ("completed", "failed", "cancelled"):
            return dict(state)
        assert time.monotonic() < deadline, state
        time.sleep(0.1)


AT_ONCE = 12
"""Bodies of 9 MB that are sent side by side."""
SPARES = [(1, 4, 12, 20), (1.5, 2, 6, 16), (1, 3, 9, 28), (2, 2.5, 5, 40), (1, 1.7, 7, 14)]
"""Megabytes that are left: by how much is left, another allocation is the one that is refused. With less
than a stack may grow by, the system kills the process: another test's subject."""


@pytest.mark.nightly
@pytest.mark.timeout(240)
@pytest.mark.parametrize("spares", SPARES)
def test_without_memory_calls_are_refused_runs_end_by_name_and_it_recovers(
    tmp_path: Path, spares: tuple[float, ...]
) -> None:
    go = tmp_path / "go"
    waits = f"until [ -e {go} ]; do sleep 0.05; done; head -c 300000 /dev/zero | tr '\\0' x"
    large = json.dumps({"prompt": "x" * (9 * 2**20)})
    with live_server(tmp_path, "--CloutAgent.simulated_pace=0", "--CloutAgent.isolation=off") as server:
        project = scripted(server, "Works", shell(waits), shell("echo more"), {"text": "Done."})
        path = f"projects/{project}/execute"
        go.touch()
        _, first = server.request("POST", path, {"prompt": "Go.", "wait": True})
        assert first["status"] == "completed", "everything is loaded"
        go.unlink()
        for _ in range(2):
            assert server.request("POST", path, {"prompt": "Go."})[0] == 202
        size = (tmp_path / "server.log").stat().st_size
        seen = set()
        for spare_mb in spares:
            with starved(server, spare_mb):
                go.touch()
                for method, where, body in (
                    ("GET", "projects", None), ("POST", f"projects/{project}/duplicate", "{}"),
                    ("POST", path, "{}"),
                ) * 3:  # fmt: skip
                    seen.add(told(server, method, where, body))
                # Side by side they are more than the process may still have in its own hands.
                with ThreadPoolExecutor(AT_ONCE) as callers:
                    bodies = [callers.submit(told, server, "POST", path, large) for _ in range(AT_ONCE)]
                    seen |= {each.result() for each in bodies}
        assert {status for status, _ in seen} <= {200, 201, 202, 400, 503, None}, seen
        assert {code for status, code in seen if status == 503} <= {"OVERLOADED", "QUEUE_FULL"}, seen
        # Where there is no room even to read it, the connection is cut (Tornado); never is it taken half.
        assert seen & {(503, "OVERLOADED"), (None, "")}, "the want was felt"
        assert (tmp_path / "server.log").stat().st_size - size < 300_000, "no storm in the log"
        for row in server.request("GET", "executions")[1]["items"]:
            state = until_ended(server, row["execution_id"])
            assert state["status"] == "completed" or state["error"]["code"] == "OVERLOADED", state
        _, last = server.request("POST", path, {"prompt": "Go.", "wait": True})
        assert last["status"] == "completed", last


def told(server: LiveServer, method: str, path: str, body: str | None) -> tuple[int | None, str]:
    """Status and code; None where the connection was closed without a word, as without memory it may be."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    try:
        connection.request(
            method, f"/cloutagent/api/v1/{path}", body=body,
            headers={"Authorization": f"token {server.token}", "Content-Type": "application/json"},
        )  # fmt: skip
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text)["error"]["code"] if answer.status >= 400 else ""
    except (OSError, http.client.HTTPException):
        return None, ""
    finally:
        connection.close()


def _deleted(folder: Path) -> None:
    for _ in range(100):  # what the run has written meanwhile keeps `rm -r` from its last step
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    raise AssertionError(f"{folder} comes back again and again")


def _renamed(folder: Path) -> None:
    folder.rename(folder.with_name("old-doomed"))


@pytest.mark.parametrize("taken", [_deleted, _renamed])
async def test_a_project_that_is_taken_from_the_disk_under_a_run_hurts_no_other(
    server: Caller, taken: Callable[[Path], None]
) -> None:
    doomed, other = await server.create("Doomed", **BASH), await server.create("Other", **BASH)
    runs = []
    for project in (doomed, other):
        await server.script(project["id"], SLEEPS)
        runs.append(await server.execute(project["id"]))
        await until_running(server, runs[-1])
    folder = server.extension.services.settings.data_dir / "projects" / doomed["id"]
    async with server.stream(f"executions/{runs[0]}/stream") as (_, found):
        await anext(found)
        await asyncio.to_thread(taken, folder)
        cancelled = await server.call("POST", f"executions/{runs[0]}/cancel")
        assert cancelled.status_code in (200, 404), cancelled.text
        async with asyncio.timeout(DEADLINE_S):
            async for _ in found:
                pass
    async with asyncio.timeout(DEADLINE_S):
        while server.extension.services.executions.running > 1:
            await asyncio.sleep(0.05)
    assert not folder.exists(), "what somebody removed does not come back"
    assert (await server.call("GET", f"projects/{doomed['id']}")).status_code == 404
    assert (await server.get(f"executions/{runs[1]}"))["status"] == "running"
    await server.call("POST", f"executions/{runs[1]}/cancel")
    assert (await server.ended(runs[1]))["status"] == "cancelled"
    listed = await server.get("executions")
    assert [row["execution_id"] for row in listed["items"]] == [runs[1]]
    assert json.dumps(await server.get("projects")).count("Other") == 1


async def test_a_data_folder_that_is_taken_away_is_not_made_anew_and_all_is_there_when_it_is_back(
    server: Caller,
) -> None:
    """A mount that goes and comes back: row F30."""
    project = await server.create(**BASH)
    await server.script(project["id"], shell("touch started; sleep 60"))
    run = await server.execute(project["id"])
    async with asyncio.timeout(DEADLINE_S):  # a command that found no folder would only be a failed call
        while not (await server.get(f"executions/{run}/files"))["items"]:
            await asyncio.sleep(0.05)
    folder = server.extension.services.settings.data_dir
    aside = folder.with_name("aside")
    await asyncio.to_thread(folder.rename, aside)
    for method, path in (
        ("GET", "/cloutagent/api/health"), ("GET", "projects"), ("GET", f"projects/{project['id']}"),
        ("GET", "executions"), ("GET", f"executions/{run}"), ("GET", f"executions/{run}/files"),
        ("POST", f"projects/{project['id']}/execute"), ("POST", "projects"), ("POST", "backups"),
        ("POST", f"projects/{project['id']}/duplicate"), ("GET", "metrics?window=1h"),
    ):  # fmt: skip
        body = {"name": "New"} if path == "projects" else {"prompt": "Go."} if "execute" in path else {}
        answer = await server.call(method, path, **({"json": body} if method == "POST" else {}))
        assert answer.status_code in (200, 404, 409, 503), (path, answer.text)
        if path == "/cloutagent/api/health":
            assert answer.status_code == 503, "it says that it can take no work"
    cancelled = await server.call("POST", f"executions/{run}/cancel")
    assert cancelled.status_code in (200, 404, 503), cancelled.text
    async with asyncio.timeout(DEADLINE_S):
        while server.extension.services.executions.running:
            await asyncio.sleep(0.05)
    made = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    assert made == [], "nothing is begun beside what was there"
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    await asyncio.to_thread(aside.rename, folder)
    state = await server.get(f"executions/{run}")
    assert state["status"] in ("cancelled", "failed", "interrupted"), state
    assert [row["id"] for row in (await server.get("projects"))["items"]] == [project["id"]]
    await server.script(project["id"], {"text": "Done."})
    assert (await server.ended(await server.execute(project["id"])))["status"] == "completed"
