"""Finding the server: which one is taken, and which are passed over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloutagent_ext.client import connect
from cloutagent_ext.client.discovery import from_address, running
from cloutagent_ext.errors import Unreachable
from tests.support.scripted_http import Answer, ScriptedHttp


def write(folder: Path, url: str, pid: int, *, age: float = 0, **more: object) -> None:
    file = folder / f"jpserver-{pid}.json"
    file.write_text(json.dumps({"url": url, "pid": pid, "token": f"t{pid}", "sock": "", **more}))
    stamp = file.stat().st_mtime - age
    os.utime(file, (stamp, stamp))


def gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_kernels_own_server_comes_before_a_newer_one(tmp_path: Path) -> None:
    write(tmp_path, "http://127.0.0.1:1/", os.getpid(), age=100)
    write(tmp_path, "http://127.0.0.1:2/", os.getppid())
    assert [s.pid for s in running(tmp_path, {})] == [os.getppid(), os.getpid()]
    own = running(tmp_path, {"JPY_PARENT_PID": str(os.getpid())})
    assert [s.pid for s in own] == [os.getpid(), os.getppid()]


def test_dead_servers_sockets_and_broken_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "http://127.0.0.1:1/", gone())
    write(tmp_path, "http+unix://x", os.getppid(), sock="/run/x")
    (tmp_path / "jpserver-7.json").write_text("{")
    (tmp_path / "jpserver-8.json").write_text("[]")
    assert running(tmp_path, {}) == []


@pytest.mark.parametrize(
    ("address", "url", "token"),
    [
        ("http://localhost:8888/lab?token=abc", "http://localhost:8888/", "abc"),
        ("http://host/user/ann/lab/tree/a.ipynb", "http://host/user/ann/", None),
        ("https://host:1/base", "https://host:1/base/", None),
        ("127.0.0.1:8888", "http://127.0.0.1:8888/", None),
        (" http://host/edit/notes.txt\n", "http://host/", None),
        ("http://127.0.0.1:8890/lab/workspaces/demo?token=t", "http://127.0.0.1:8890/", "t"),
    ],
)
def test_addresses_are_taken_as_jupyter_prints_them(address: str, url: str, token: str | None) -> None:
    server = from_address(address)
    assert (server.url, server.token) == (url, token)


def test_connect_takes_the_newest_server_that_answers(
    server: ScriptedHttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    # The newest file is of a process that lives but is no server any more (its pid was reused).
    write(tmp_path, "http://127.0.0.1:9/", os.getppid())
    write(tmp_path, server.url, os.getpid(), age=50)
    with connect() as client:
        assert client.url == server.url
        client.projects()
    assert server.requests[-1].headers["authorization"] == f"token t{os.getpid()}"


def test_a_jupyter_without_the_extension_is_passed_over_and_named(
    server: ScriptedHttp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    server.routes["GET /cloutagent/api/health"] = Answer(404, b"404")
    write(tmp_path, server.url, os.getpid())
    with pytest.raises(Unreachable, match="jupyter lab") as caught:
        connect()
    assert server.url in caught.value.details["asked"][0]


def test_importing_the_client_loads_neither_tornado_nor_the_sdk() -> None:
    code = (
        "import sys, cloutagent_ext.client.sync as s, cloutagent_ext.client as c; c.Client; "
        "print([m for m in ('tornado', 'anthropic', 'jupyter_client', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists() -> None:
    import cloutagent_ext
    import cloutagent_ext.client as client

    for name in client.__all__:
        assert getattr(client, name) is not None
    for name in cloutagent_ext.__all__:
        assert getattr(cloutagent_ext, name) is not None
    assert cloutagent_ext.aconnect is client.aconnect
