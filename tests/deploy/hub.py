"""A real JupyterHub on `docs/jupyterhub_config.py`, with a dummy authenticator and its proxy, on loopback.

Only what a test machine cannot have is exchanged: who may log in, how servers are started
(as this user, each in a home folder of its own), ports and files. Everything is ended by
its pid; single-user servers are asked to stop by the hub.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil

from ..support.live_server import bare_environment, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG = REPOSITORY / "docs" / "jupyterhub_config.py"
PREFIX = "/jupyter/"
"""The hub does not lie at the root of its host: base URLs must hold all the way down."""
START_S = 90

_OVERRIDES = """
load_subconfig({config!r})
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r} + "/{{username}}"
c.JupyterHub.bind_url = "http://127.0.0.1:{port}{prefix}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.JupyterHub.db_url = "sqlite:///" + {folder!r} + "/hub.sqlite"
c.JupyterHub.cookie_secret_file = {folder!r} + "/cookie_secret"
c.ConfigurableHTTPProxy.pid_file = {folder!r} + "/proxy.pid"
c.Spawner.args += ["--allow-root", "--CloutAgent.simulated_pace=0"]
c.Spawner.environment.update({environment!r})
c.Spawner.http_timeout = c.Spawner.start_timeout = {start_s}
c.JupyterHub.services += [{{"name": "tests", "api_token": {token!r}}}]
c.JupyterHub.load_roles += [{{"name": "tests", "services": ["tests"],
    "scopes": ["admin:users", "admin:servers", "tokens", "access:servers", "read:hub"]}}]
c.JupyterHub.services[0]["command"][-2:] = {culling!r}
c.ConfigurableHTTPProxy.command = {proxy!r}
"""

PYTHONS_PROXY = str(Path(sys.executable).parent / "configurable-http-proxy")
"""The hub's proxy as pip brings it. It hands an answer on when it is whole: no place to watch a stream."""
NODES_PROXY = "configurable-http-proxy@5.3.0"
"""The one that hubs really run, from npm."""


def nodes_proxy(folder: Path) -> str:
    """Node's proxy, installed below `folder`, or where CLOUTAGENT_HUB_PROXY says that it is."""
    if named := os.environ.get("CLOUTAGENT_HUB_PROXY"):
        return named
    done = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), NODES_PROXY],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return str(folder / "node_modules/.bin/configurable-http-proxy")


@dataclass
class Hub:
    url: str
    """Address with the hub's prefix, ending in a slash."""
    token: str
    folder: Path
    process: subprocess.Popen[bytes]
    tokens: dict[str, str] = field(default_factory=dict)

    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    def admin(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """A call of the hub's own API, by the service that the tests have there."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx2.request(
            method, f"{self.url}hub/api/{path}", json=body, headers=headers, trust_env=False, timeout=30
        )

    def start_server(self, user: str) -> None:
        """A server for `user`, who is made on the way; waits until it answers."""
        self.admin("POST", f"users/{user}")
        made = self.admin("POST", f"users/{user}/tokens", {"note": "test"})
        assert made.status_code == 201, made.text
        self.tokens[user] = made.json()["token"]
        started = self.admin("POST", f"users/{user}/server")
        assert started.status_code in (201, 202), started.text
        self.until(lambda: self.server(user).get("ready"), f"the server of {user} did not come up")

    def server(self, user: str) -> dict[str, Any]:
        """What the hub knows of `user`'s server; empty where there is none."""
        servers = self.admin("GET", f"users/{user}").json()["servers"]
        found: dict[str, Any] = servers.get("", {})
        return found

    def address(self, user: str) -> str:
        return f"{self.url}user/{user}/"

    def call(self, method: str, user: str, path: str, *, by: str | None = None, **options: Any) -> Any:
        """`path` below `cloutagent/api/v1/` of `user`'s server, through the proxy; proved by `by`'s token."""
        headers = dict(options.pop("headers", {}))
        if by is not None:
            headers["Authorization"] = f"token {self.tokens[by]}"
        address = f"{self.address(user)}cloutagent/api/v1/{path}"
        return httpx2.request(method, address, headers=headers, trust_env=False, timeout=60, **options)

    @contextmanager
    def browser(self, user: str) -> Iterator[httpx2.Client]:
        """Somebody who has logged in by the form, as a browser does; a cookie jar and nothing else."""
        with httpx2.Client(base_url=self.url, trust_env=False, timeout=30, follow_redirects=True) as browser:
            form = browser.get("hub/login").text
            hidden = re.search(r'name="_xsrf"\s+value="([^"]+)"', form)
            assert hidden, form
            proof = {"username": user, "password": "any", "_xsrf": hidden.group(1)}
            page = browser.post("hub/login", data=proof)
            assert page.status_code == 200, page.text
            yield browser

    def pid_of(self, user: str) -> int:
        """The process of `user`'s server."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            if child.environ().get("JUPYTERHUB_USER") == user and "jupyterhub-singleuser" in " ".join(
                child.cmdline()
            ):
                return child.pid
        raise AssertionError(f"no server of {user}:\n{self.log()[-3000:]}")

    def until(self, condition: Any, why: str, within_s: float = START_S) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"{why}:\n{self.log()[-4000:]}"
            time.sleep(0.2)


@contextmanager
def running_hub(
    folder: Path,
    *,
    culling: tuple[str, str] = ("--timeout=3600", "--cull-every=300"),
    environment: Mapping[str, str] | None = None,
    proxy: str = PYTHONS_PROXY,
) -> Iterator[Hub]:
    """Start it, wait until it answers, and end it with all its servers."""
    folder.mkdir(parents=True, exist_ok=True)
    port, token = free_port(), secrets.token_hex(16)
    config = folder / "jupyterhub_config.py"
    config.write_text(
        _OVERRIDES.format(
            config=str(CONFIG), homes=str(folder / "home"), folder=str(folder), port=port, prefix=PREFIX,
            hub_port=free_port(), api_port=free_port(), token=token, start_s=START_S,
            culling=list(culling), proxy=[proxy], environment=dict(environment or {}),
        )
    )  # fmt: skip
    env = bare_environment(folder)
    # Each single-user server has its folders below its own home, as its hub gives it one.
    for name in [name for name in env if name.startswith(("JUPYTER", "IPYTHON", "MPL"))]:
        del env[name]
    with (folder / "hub.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(config)],
            env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    hub = Hub(f"http://127.0.0.1:{port}{PREFIX}", token, folder, process)
    try:
        hub.until(lambda: process.poll() is not None or _answers(hub), "the hub did not come up")
        assert process.poll() is None, hub.log()[-4000:]
        yield hub
    finally:
        _stop(process)


def _answers(hub: Hub) -> bool:
    try:
        return hub.admin("GET", "info").status_code == 200
    except httpx2.TransportError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """The hub ends its proxy, its services and its users' servers; what is left after that goes by force."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _, left = psutil.wait_procs(children, timeout=5)
    for child in left:
        child.kill()
