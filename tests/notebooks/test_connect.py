"""`connect()` in a notebook means the server that the notebook runs in, also when others run beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cloutagent_ext.client import connect
from tests.support.live_server import LiveServer, live_server


def start_kernel(server: LiveServer) -> Path:
    """A kernel started by the server, as for a notebook; its connection file."""
    request = urllib.request.Request(
        f"{server.url}api/kernels",
        method="POST",
        data=b"{}",
        headers={"Authorization": f"token {server.token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        kernel_id = json.load(answer)["id"]
    return Path(server.env["JUPYTER_RUNTIME_DIR"]) / f"kernel-{kernel_id}.json"


def test_connect_takes_the_kernels_own_server_not_the_newest(server: LiveServer, tmp_path: Path) -> None:
    cell = tmp_path / "cell.py"
    cell.write_text("from cloutagent_ext import connect\nprint(connect().url)\n")
    shared = {"JUPYTER_RUNTIME_DIR": server.env["JUPYTER_RUNTIME_DIR"]}
    with live_server(tmp_path / "newer", env=shared) as newer:
        for own in (server, newer):
            kernel = start_kernel(own)
            done = subprocess.run(
                [sys.executable, "-m", "jupyter_client.runapp", "--existing", str(kernel), str(cell)],
                env=own.env, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.stdout.strip() == own.url, done.stderr


def test_a_server_behind_a_path_is_found_and_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live_server(tmp_path, "--CloutAgent.simulated_pace=0", base_url="/user/ann/") as behind:
        behind.create_project("Plain", template="empty")
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", behind.env["JUPYTER_RUNTIME_DIR"])
        with connect() as found, connect(f"{behind.url}lab/tree/x?token={behind.token}") as named:
            assert found.url == named.url
            run = found["Plain"].run("Say hello")
            assert [event.id for event in named.execution(run.id)] == list(
                range(1, run.state.last_event_id + 1)
            )
            assert "simulation" in run.result.text
