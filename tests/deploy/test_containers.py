"""Dockerfile and compose file: linted, as the documentation says, and their settings at a real server.

There is no container engine here (`test_image` builds the image itself, at night). What the image
would be told (its variables, its command, its health check, Jupyter's configuration) is taken from the
Dockerfile word by word and run here, with folders below the test's own in the place of the volumes.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..support.live_server import LiveServer, bare_environment, free_port, stop, until
from .hub import REPOSITORY

pytestmark = pytest.mark.timeout(240)

DOCKERFILE = REPOSITORY / "Dockerfile"
COMPOSE = REPOSITORY / "docker-compose.yml"
CONTAINER = REPOSITORY / "jupyter-config" / "container"
KEY = "5f" * 32
SECRET = "canary-of-the-volume-test"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, continuation lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest) for name, rest in found]


def last(name: str) -> str:
    return [rest for kind, rest in instructions() if kind == name][-1]


def variables() -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(last("ENV")))


def composed(**environment: str) -> dict[str, Any]:
    """`docker compose config`: the file as Docker understands it, variables filled in."""
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment}
    done = subprocess.run(
        [str(Path(sys.executable).parent / "docker-compose"), "--env-file", os.devnull, "-f", str(COMPOSE),
         "config", "--format", "json"],
        env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    project: dict[str, Any] = json.loads(done.stdout)
    return project


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([str(program), str(DOCKERFILE)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_image_runs_as_nobody_special_without_node_and_is_asked_for_its_health() -> None:
    stages = [rest for kind, rest in instructions() if kind == "FROM"]
    assert len(stages) == 3
    assert "node" not in stages[-1]
    here = [i for i, (kind, _) in enumerate(instructions()) if kind == "FROM"][-1]
    run_time = instructions()[here:]
    assert not any("node" in rest for kind, rest in run_time if kind in {"RUN", "COPY"})
    assert last("USER") == "1000:1000"
    assert last("EXPOSE") == "3000"
    health = last("HEALTHCHECK")
    assert "--interval=30s --timeout=10s" in health
    assert "--retries=3" in health
    assert json.loads(last("VOLUME")) == ["/data", "/keys", "/work"]
    given = variables()
    assert given["PORT"] == "3000"
    assert given["CLOUTAGENT_DATA_DIR"].startswith("/data/")
    assert given["CLOUTAGENT_ENCRYPTION_KEY_FILE"].startswith("/keys/")


def test_the_image_takes_what_the_package_and_binder_take() -> None:
    """Extras that exist, a Python that the package runs on, and one Node.js for every build."""
    package = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    runs = " ".join(rest for kind, rest in instructions() if kind == "RUN")
    [extras] = re.findall(r"\$\{wheel\}\[([\w,]+)\]", runs)
    assert set(extras.split(",")) <= set(package["optional-dependencies"])
    bases = [rest for kind, rest in instructions() if kind == "FROM"]
    pythons = {found for base in bases for found in re.findall(r"^python:(\d+\.\d+)", base)}
    assert pythons == {package["requires-python"].removeprefix(">=")}
    binder = (REPOSITORY / "binder" / "environment.yml").read_text()
    assert f"python={pythons.pop()}\n" in binder
    assert re.findall(r"^node:(\d+)", bases[0]) == re.findall(r"nodejs>=(\d+)", binder)


def test_compose_keeps_data_and_keys_apart_and_listens_to_this_machine_only() -> None:
    service = composed()["services"]["cloutagent"]
    assert service["restart"] == "unless-stopped"
    assert service["ports"] == [
        {"mode": "ingress", "host_ip": "127.0.0.1", "target": 3000, "published": "3000", "protocol": "tcp"}
    ]
    assert {row["target"]: row["source"] for row in service["volumes"]} == {
        "/data": "data", "/keys": "keys", "/work": "work",
    }  # fmt: skip
    check = service["healthcheck"]
    assert (check["interval"], check["timeout"], check["retries"]) == ("30s", "10s", 3)
    assert check["test"][1:] == json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
    assert service["cap_drop"] == ["ALL"]
    assert service["environment"]["ENCRYPTION_KEY"] == ""


def test_compose_passes_on_what_is_set() -> None:
    service = composed(PORT="8088", BIND_ADDRESS="0.0.0.0", ENCRYPTION_KEY=KEY, BASE_URL="/agents/")[
        "services"
    ]
    service = service["cloutagent"]
    assert service["environment"] | {"PORT": "8088", "ENCRYPTION_KEY": KEY} == service["environment"]
    assert service["environment"]["BASE_URL"] == "/agents/"
    port = service["ports"][0]
    assert (port["host_ip"], port["published"], port["target"]) == ("0.0.0.0", "8088", 8088)


def test_every_variable_of_the_compose_file_is_one_that_something_reads() -> None:
    from cloutagent_ext.settings import Settings

    read = {row.env for row in Settings.rows() if row.env} | {"JUPYTER_TOKEN", "PORT", "BASE_URL"}
    assert set(composed()["services"]["cloutagent"]["environment"]) <= read


def test_nothing_of_the_tree_but_sources_goes_to_the_builder() -> None:
    ignored = set((REPOSITORY / ".dockerignore").read_text().splitlines())
    assert {".git", ".venv", ".demo", "**/node_modules", "cloutagent_ext/labextension"} <= ignored
    for needed in (
        "README.md",
        "LICENSE",
        "pyproject.toml",
        "labextension",
        "jupyter-config",
        "cloutagent_ext",
    ):
        assert needed not in ignored


# ---------------------------------------------------------------- the image's settings at a real server


@dataclass
class Volumes:
    """Folders in the place of the three volumes; `empty()` is what removing one does."""

    folder: Path

    def path(self, inside: str) -> str:
        """A path of the container as one of this test."""
        return re.sub(r"^/(data|keys|work)\b", lambda found: str(self.folder / found.group(1)), inside)

    def make(self) -> None:
        for name in ("data", "keys", "work"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def empty(self, name: str) -> None:
        shutil.rmtree(self.folder / name)


@contextmanager
def container(volumes: Volumes, given: Mapping[str, str] | None = None) -> Iterator[LiveServer]:
    """What `docker run` would start, with the volumes' folders; `given` as compose passes it on."""
    volumes.make()
    port, token = free_port(), "token-of-the-container"
    env = bare_environment(volumes.folder / "layer")
    for name in [name for name in env if name.startswith("JUPYTER")]:
        del env[name]
    service = composed(PORT=str(port), JUPYTER_TOKEN=token, **(given or {}))["services"]["cloutagent"]
    env |= {name: volumes.path(value) for name, value in variables().items()} | service["environment"]
    env["JUPYTER_CONFIG_PATH"] = str(CONTAINER)  # the image has it in /etc/jupyter
    log = volumes.folder / "server.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [*json.loads(last("CMD")), "--allow-root", "--ServerApp.ip=127.0.0.1"],  # no port for the network
            env=env, cwd=volumes.path(last("WORKDIR")), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}{env['BASE_URL'].rstrip('/')}/"
    server = LiveServer(url, token, volumes.folder, Path(env["CLOUTAGENT_DATA_DIR"]), Path(), env, process)
    try:
        yield server
    finally:
        stop(process)


def health(server: LiveServer) -> int:
    """The exit code of the image's health check, run as Docker does."""
    command = json.loads(last("HEALTHCHECK").split("CMD", 1)[1])
    assert command[1] == "/etc/jupyter/healthcheck.py"
    command = [sys.executable, str(CONTAINER / "healthcheck.py")]
    return subprocess.run(command, env=server.env, capture_output=True, timeout=10).returncode


async def healthy(server: LiveServer) -> None:
    await until(lambda: server.process.poll() is not None or health(server) == 0, within_s=90)
    assert server.process.poll() is None, server.log()[-3000:]


def reads_its_secret(server: LiveServer, project: str) -> bool:
    """Whether a command of an execution gets the secret's true value."""
    status, state = server.request("POST", f"projects/{project}/execute", {"wait": True})
    return status == 200 and state["status"] == "completed" and "same: yes" in state["result"]["text"]


def project_with_a_secret(server: LiveServer) -> str:
    made = server.create_project("Keeper", None)
    project = str(made["id"])
    agent = {
        **made["agent"], "task": "Compare.", "tools": ["bash"], "permissions": {"bash": "allow"},
        "env": {"TOKEN": "{{secret:TOKEN}}"},
    }  # fmt: skip
    command = f"test \"$TOKEN\" = {SECRET} && echo 'same: yes' || echo 'same: no'"
    turns = [
        {"text": "I look.", "tools": [{"name": "bash", "as": "seen", "input": {"command": command}}]},
        {"text": "{{result.seen}}"},
    ]
    server.put_file(project, "scenario.json", {"schema_version": 1, "agents": {"main": turns}})
    definition = {name: value for name, value in made.items() if name not in {"api_key", "agent"}}
    assert server.request("PUT", f"projects/{project}", {**definition, "agent": agent})[0] == 200
    assert server.request("POST", f"projects/{project}/secrets", {"name": "TOKEN", "value": SECRET})[0] == 201
    return project


@pytest.mark.parametrize("kept", ["the key file's volume", "ENCRYPTION_KEY"])
async def test_a_recreated_data_root_reads_its_secrets_with_the_key(tmp_path: Path, kept: str) -> None:
    given = {"ENCRYPTION_KEY": KEY} if kept == "ENCRYPTION_KEY" else {}
    given["BASE_URL"] = "/agents/"
    volumes = Volumes(tmp_path)
    with container(volumes, given) as server:
        await healthy(server)
        project = project_with_a_secret(server)
        assert reads_its_secret(server, project)
        status, backup = server.request("POST", "backups", {})
        assert status == 201, backup
        copy = tmp_path / backup["name"]
        shutil.copy(server.data_dir / "backups" / backup["name"], copy)
    assert health(server) != 0, "the health check does not notice a server that is gone"
    file = tmp_path / "keys/cloutagent.keys"
    assert file.exists() == (kept != "ENCRYPTION_KEY")
    key = re.findall(r"[0-9a-f]{64}", file.read_text())[0] if file.exists() else KEY
    for lies in (tmp_path / "data").rglob("*"):
        assert not lies.is_file() or key.encode() not in lies.read_bytes(), f"the key lies in {lies}"
    # The volume of the data is lost; a new one gets the backup, and nothing else.
    volumes.empty("data")
    with container(volumes, given) as server:
        await healthy(server)
        shutil.copy(copy, server.data_dir / "backups" / copy.name)
        status, answer = server.request("POST", f"backups/{copy.name}/restore", {"project": project})
        assert status == 200, answer
        rows = server.request("GET", f"projects/{project}/secrets")[1]["items"]
        assert [(row["name"], row["locked"]) for row in rows] == [("TOKEN", False)]
        assert reads_its_secret(server, project)
    # And without the key nobody reads them, but nothing is lost either.
    volumes.empty("keys")
    with container(volumes, {"BASE_URL": "/agents/"}) as server:
        await healthy(server)
        rows = server.request("GET", f"projects/{project}/secrets")[1]["items"]
        assert [(row["name"], row["locked"]) for row in rows] == [("TOKEN", True)]
        assert not reads_its_secret(server, project)


async def test_a_container_that_is_stopped_ends_within_compose_s_grace_and_with_code_0(
    tmp_path: Path,
) -> None:
    grace = composed()["services"]["cloutagent"]["stop_grace_period"]
    with container(Volumes(tmp_path)) as server:
        await healthy(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(int(grace.removesuffix("s"))) == 0
