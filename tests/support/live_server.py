"""A real `jupyter server` (or `jupyter lab`) of its own: own folders, own token, no account, loopback only.

    with live_server(tmp_path) as server: ...

Its environment is built from nothing but what finds programs; every file it writes lies
below the folder it is given. It is ended by its pid.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.answered import unanswered

START_S = 100
STOP_S = 60
OTHERS = ("jupyterlab", "jupyter_lsp", "jupyter_server_terminals", "notebook_shim")
"""Extensions that are installed with ours. A server without a window does without them: loading them takes
longer than all the rest of its start."""


@dataclass
class LiveServer:
    url: str
    """Address with base URL, ending in a slash."""
    token: str
    folder: Path
    data_dir: Path
    root_dir: Path
    env: dict[str, str]
    """Environment of the server; also fit for programs that should find it."""
    process: subprocess.Popen[bytes]

    @property
    def api(self) -> str:
        return f"{self.url}cloutagent/api/v1"

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """A plain HTTP request proved by Jupyter's token; status and JSON."""
        request = urllib.request.Request(
            f"{self.api}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read() or b"null")

    def create_project(self, name: str = "Sales analyst", template: str | None = "sales-analyst") -> Any:
        """The created project's JSON, its first key in `api_key`."""
        body = {"name": name} | ({"template": template} if template else {})
        status, made = self.request("POST", "projects", body)
        assert status == 201, made
        return made

    def put_file(self, project: str, path: str, content: Any) -> None:
        """A file of the project: text as it is, anything else as JSON."""
        data = content if isinstance(content, str) else json.dumps(content)
        request = urllib.request.Request(
            f"{self.api}/projects/{project}/files/{path}",
            method="PUT",
            data=data.encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status in (200, 201), answer.status

    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")


def bare_environment(folder: Path) -> dict[str, str]:
    """What finds programs and the code under test, and homes of its own; no account of this machine."""
    kept = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SYSTEMROOT")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    for name, sub in {
        "HOME": "home",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "jupyter-data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "matplotlib",
    }.items():
        (folder / sub).mkdir(parents=True, exist_ok=True)
        env[name] = str(folder / sub)
    env["NO_PROXY"] = env["no_proxy"] = "127.0.0.1,localhost"
    return env


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def arguments(
    *,
    port: int,
    token: str,
    root: Path,
    data: Path,
    options: Iterable[str] = (),
    base_url: str = "/",
    others: bool = False,
) -> list[str]:
    """The command line of such a server, without the program. `others`: with the other extensions."""
    extensions = {"cloutagent_ext": True} | dict.fromkeys(() if others else OTHERS, False)
    return [
        "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
        f"--ServerApp.base_url={base_url}", f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={token}", f"--CloutAgent.data_dir={data}", "--allow-root",
        f"--ServerApp.jpserver_extensions={extensions}", *options,
    ]  # fmt: skip


@contextmanager
def live_server(
    folder: Path,
    *options: str,
    app: str = "server",
    base_url: str = "/",
    data_dir: Path | None = None,
    env: Mapping[str, str] | None = None,
    port: int | None = None,
    token: str | None = None,
    interpreter: tuple[str, ...] = (),
    before: tuple[str, ...] = (),
) -> Iterator[LiveServer]:
    """Start, wait until it answers, and end it again; `options` go to its command line.

    `interpreter`: options of Python itself. `before`: a program that becomes the server, as `strace -D` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "root"
    root.mkdir(exist_ok=True)
    data = data_dir or folder / "cloutagent"
    port, token = port or free_port(), token or secrets.token_hex(16)
    environment = {**bare_environment(folder), **(env or {})}
    program = {"server": "jupyter_server", "lab": "jupyterlab"}[app]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [
                *before, sys.executable, *interpreter, "-m", program,
                *arguments(
                    port=port, token=token, root=root, data=data, options=options, base_url=base_url,
                    others=app == "lab",
                ),
            ],
            env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=root,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}{base_url.rstrip('/')}/"
    server = LiveServer(url, token, folder, data, root, environment, process)
    try:
        _wait_until_up(server)
        yield server
    finally:
        stop(process)
    assert unanswered(data) == []


def _wait_until_up(server: LiveServer) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{server.url}cloutagent/api/health", timeout=2):
                break
        except urllib.error.HTTPError as answer:
            with answer:
                break  # it is up, and says that it can take no work
        except OSError:
            time.sleep(0.05)
    else:
        raise AssertionError(f"the server did not come up:\n{server.log()[-3000:]}")
    # The runtime file, by which clients find it, is written a moment after the port is open.
    file = Path(server.env["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{server.process.pid}.json"
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it as an operator would; by force where that takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def until(condition: Any, *, within_s: float = 90) -> Any:
    """What `condition()` gives as soon as it is true; fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.02)
    return found
