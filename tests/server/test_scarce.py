"""What a server does when the system has no more of something, or takes away what it works on."""

from __future__ import annotations

import asyncio
import http.client
import json
import resource
import shutil
import time
from pathlib import Path
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
        deadline = time.monotonic() + 20
        while ask(connection, server, "GET", "projects")[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        _, again = server.request("POST", f"projects/{project}/execute", {"prompt": "Go.", "wait": True})
        assert again["status"] == "completed", again
        _, listed = server.request("GET", "projects")
        assert [row["name"] for row in listed["items"]] == ["A"], "no half copy is left"
        connection.close()


async def test_a_project_that_is_deleted_on_the_disk_under_a_run_hurts_no_other(server: Caller) -> None:
    doomed, other = await server.create("Doomed", **BASH), await server.create("Other", **BASH)
    runs = []
    for project in (doomed, other):
        await server.script(project["id"], SLEEPS)
        runs.append(await server.execute(project["id"]))
        await until_running(server, runs[-1])
    folder = server.extension.services.settings.data_dir / "projects" / doomed["id"]
    async with server.stream(f"executions/{runs[0]}/stream") as (_, found):
        await anext(found)
        await asyncio.to_thread(shutil.rmtree, folder)
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
