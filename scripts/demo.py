"""`make demo`: JupyterLab with the Sales analyst open on the canvas, beside a notebook.

Everything it makes lies in `.demo/` (delete it to start over): the server's root folder
with the notebook, the product's data folder, and Jupyter's settings and workspaces, so
that a person's own JupyterLab stays as it is. The simulated model plays; API keys may
use it too here, which no other server allows by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
DEMO = HERE / ".demo"
PROJECT = "Sales analyst"
NOTEBOOK = "01_first_agent.ipynb"
START_TIMEOUT_S = 90


def free_port(wanted: int) -> int:
    """`wanted`, or the next free port on loopback."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise SystemExit(f"No free port from {wanted} to {wanted + 49}; give one with DEMO_ARGS='--port N'.")


async def prepare_project() -> tuple[str, str]:
    """The example project and a key for calls from outside; made once, then found again."""
    from cloutagent_ext.auth.keys import Keys
    from cloutagent_ext.errors import NotFound
    from cloutagent_ext.store.projects import ProjectStore
    from cloutagent_ext.store.templates import Templates

    data = DEMO / "cloutagent"
    store = ProjectStore(data)
    await store.open()
    keys = Keys(data / "projects")
    key_file = DEMO / "api-key"
    try:
        project_id = await store.resolve(PROJECT)
    except NotFound:
        definition, files = await Templates().load("sales-analyst")
        project_id = str((await store.create(definition, files=files)).project.id)
        key_file.unlink(missing_ok=True)
    if not key_file.exists():
        created = await keys.create(project_id, "demo")
        key_file.touch(mode=0o600)
        key_file.write_text(created.api_key)
    return project_id, key_file.read_text()


def prepare_folder() -> None:
    """The server's root: the notebook, copied once so that a person's edits stay."""
    root = DEMO / "root"
    root.mkdir(parents=True, exist_ok=True)
    for notebook in (HERE / "notebooks").glob("*.ipynb"):
        if not (root / notebook.name).exists():
            shutil.copy(notebook, root / notebook.name)
    quiet(DEMO / "config")


def quiet(config: Path) -> None:
    """No pop-up about news over the canvas, by the Jupyter settings in `config`; nothing else is changed."""
    overrides = config / "labconfig"
    overrides.mkdir(parents=True, exist_ok=True)
    (overrides / "page_config.json").write_text(
        json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
    )


def layout(project_id: str, notebook: str) -> dict[str, object]:
    """JupyterLab's workspace `demo`: the project on the canvas left, the notebook right."""
    canvas = f"cloutagent:{project_id}"
    page = f"notebook:{notebook}"
    return {
        "data": {
            "layout-restorer:data": {
                "main": {
                    "dock": {
                        "type": "split-area",
                        "orientation": "horizontal",
                        "sizes": [0.58, 0.42],
                        "children": [
                            {"type": "tab-area", "currentIndex": 0, "widgets": [canvas]},
                            {"type": "tab-area", "currentIndex": 0, "widgets": [page]},
                        ],
                    },
                    "current": canvas,
                },
                "left": {"collapsed": True, "visible": True, "widgets": []},
                "right": {"collapsed": True, "visible": True, "widgets": []},
                "relativeSizes": [0, 1, 0],
            },
            canvas: {"data": {"id": project_id}},
            page: {"data": {"path": notebook, "factory": "Notebook"}},
        },
        "metadata": {"id": "demo"},
    }


def prepare_workspace(project_id: str) -> None:
    """The layout that JupyterLab opens with: canvas left, notebook right. Made once; then a person's own."""
    if (DEMO / "workspaces").exists():
        return
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    folder = DEMO / "workspaces"
    folder.mkdir(exist_ok=True)
    WorkspacesManager(str(folder)).save("demo", json.dumps(layout(project_id, NOTEBOOK)))


def environment() -> dict[str, str]:
    """The demo's environment: no account of any kind, and Jupyter's files below `.demo/`."""
    from jupyter_core.paths import jupyter_runtime_dir

    env = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC_", "CLAUDE_", "OPENAI_"))}
    # The runtime folder stays the usual one: that is where clients and the command line look for servers.
    env["JUPYTER_RUNTIME_DIR"] = jupyter_runtime_dir()
    env["JUPYTER_CONFIG_DIR"] = str(DEMO / "config")
    env["JUPYTER_DATA_DIR"] = str(DEMO / "data")
    env["JUPYTERLAB_WORKSPACES_DIR"] = str(DEMO / "workspaces")
    env["JUPYTERLAB_SETTINGS_DIR"] = str(DEMO / "settings")
    return env


def start_server(port: int, token: str) -> subprocess.Popen[bytes]:
    log = (DEMO / "server.log").open("ab")
    return subprocess.Popen(
        [
            sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
            # In a container one is often root; the demo listens on loopback only.
            "--port-retries=0", "--allow-root",
            f"--ServerApp.root_dir={DEMO / 'root'}", f"--IdentityProvider.token={token}",
            f"--CloutAgent.data_dir={DEMO / 'cloutagent'}", "--CloutAgent.allow_simulated_api=True",
        ],
        env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=DEMO / "root",
        # Ctrl-C is for this script, which then ends the server; Jupyter itself would ask a question first.
        start_new_session=True,
    )  # fmt: skip


def wait_until_up(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/cloutagent/api/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    if server.poll() is None:
        server.terminate()
    tail = "\n".join((DEMO / "server.log").read_text(errors="replace").splitlines()[-15:])
    raise SystemExit(f"JupyterLab did not start. The end of .demo/server.log:\n{tail}")


def what_to_click(base: str, address: str, project_id: str, key: str) -> str:
    return f"""
  CloutAgent demo

  Open      {address}

  Click     1  Run, above the canvas: the simulated model plays, no account is used
            2  a card or a line of the monitor, to see what it did and what it cost
            3  Files in the monitor: report.md and chart.png
            4  in the notebook beside it: Run > Run All Cells

  Call      curl -N -H "X-API-Key: {key}" -H "Accept: text/event-stream" \\
                 -X POST {base}/cloutagent/api/v1/projects/{project_id}/execute
            .venv/bin/jupyter cloutagent run "{PROJECT}"

  Ctrl-C ends it. Everything it made lies in .demo/.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8890)
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    arguments = parser.parse_args()
    DEMO.mkdir(exist_ok=True)
    prepare_folder()
    project_id, key = asyncio.run(prepare_project())
    prepare_workspace(project_id)
    port, token = free_port(arguments.port), secrets.token_hex(16)
    # Also where a script has put it into the background: there a shell has SIGINT ignored.
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.default_int_handler)
    server = start_server(port, token)
    try:
        wait_until_up(server, port)
        base = f"http://127.0.0.1:{port}"
        address = f"{base}/lab/workspaces/demo?token={token}"
        print(what_to_click(base, address, project_id, key), flush=True)
        if not arguments.no_browser:
            webbrowser.open(address)
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if server.poll() is None:
            server.terminate()
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                server.kill()


if __name__ == "__main__":
    sys.exit(main())
