"""Functions of a notebook as tools, when somebody dies: the kernel, the client, the server."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.client import Client, connect
from tests.support.live_server import LiveServer, free_port, live_server

from .scripted import call_id, execute, results, said, script, turn


@pytest.mark.parametrize("taken", [False, True])
def test_a_caller_that_is_gone_is_a_named_error_and_the_run_goes_on(
    server: LiveServer, client: Client, taken: bool
) -> None:
    project = script(server, f"Gone {taken}", turn(("fetch", {})), turn(text="Without it."))
    run = client.execution(execute(server, project, silence_s=1.0))
    if taken:
        path = f"executions/{run.id}/calls/{call_id(run)}"
        status, answer = server.request("POST", path, {"caller": "a", "status": "working"})
        assert (status, answer["call_id"]) == (200, call_id(run))
        status, answer = server.request("POST", path, {"caller": "b", "status": "working"})
        assert (status, answer["error"]["code"]) == (409, "CONFLICT")
    assert run.wait(60).status == "completed"
    text = said(results(run)[0])
    assert ("outcome unknown" in text) is taken
    assert ("It was not run" in text) is not taken
    late = {"caller": "a", "status": "done", "outputs": [{"text/plain": "late"}]}
    status, _ = server.request("POST", f"executions/{run.id}/calls/{call_id(run)}", late)
    assert status == 409


def test_another_kernel_takes_over_what_a_killed_one_had_offered(server: LiveServer, client: Client) -> None:
    script(server, "Handed on", turn(("fetch", {})), turn(text="{{result.r0}}"))
    code = (
        "import time\nfrom cloutagent_ext import connect\np = connect()['Handed on']\n"
        "@p.tool(ask=True)\ndef fetch() -> str:\n    'Fetch.'\n    return 'from the dead'\n"
        "run = p.run('Go', attended=True)\nrun.wait(60)\nprint(run.id, flush=True)\ntime.sleep(60)\n"
    )
    kernel = subprocess.Popen([sys.executable, "-c", code], env=server.env, stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    with kernel.stdout:
        run = client.execution(kernel.stdout.readline().strip())
        kernel.send_signal(signal.SIGKILL)
        kernel.wait()

    @run.tool
    def fetch() -> str:
        """Fetch."""
        return "from the living"

    run.allow(run.approvals()[0])
    assert run.wait(60).status == "completed"
    assert run.result.text.strip() == "from the living"


@pytest.fixture
def mortal(tmp_path: Path) -> tuple[Any, str]:
    """Starts a server on the same folder, port and token each time it is called."""
    port, token = free_port(), "mortal"

    def start() -> Any:
        options = ("--CloutAgent.simulated_pace=0",)
        return live_server(tmp_path / "server", *options, port=port, token=token)

    return start, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("read_only", [False, True])
def test_after_a_servers_death_a_function_is_not_called_again_unless_it_only_reads(
    mortal: tuple[Any, str], read_only: bool
) -> None:
    start, url = mortal
    calls: list[float] = []
    begun, release = threading.Event(), threading.Event()
    with start() as server:
        script(server, "Mortal", turn(("fetch", {})), turn(text="{{result.r0}}"))
        client = connect(url, token="mortal")
        project = client["Mortal"]

        @project.tool(read_only=read_only)
        def fetch() -> str:
            """Fetch."""
            calls.append(time.monotonic())
            begun.set()
            release.wait(60)
            return "fetched"

        run = project.run("Go")
        assert begun.wait(30)
        server.process.kill()
        server.process.wait()
    release.set()
    with start():
        assert run.wait(90).status == "completed", "interrupted only until the new server took over"
        [result] = results(run)
        if read_only:
            assert said(result).strip() == "fetched"
        else:
            assert "outcome unknown" in said(result)
        assert len(calls) == 1, "the answer that was made is given, the function is not called again"
        client.close()
