"""The image itself: built from the Dockerfile as it stands, without a container engine, and started.

Buildah runs the Dockerfile's instructions (`--isolation chroot`: no daemon, no namespaces of its own). The
two base images cannot be had without a registry of images: in their place stand one of Debian's own packages
(the same Debian, the same Python) and one that holds this machine's Node.js. What is not tried here: the
registry's own base images, networks of a container engine, `docker compose up`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from ..support.live_server import LiveServer, free_port, until
from .hub import REPOSITORY
from .test_containers import DOCKERFILE, composed, project_with_a_secret, reads_its_secret

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        os.getuid() != 0 or not (shutil.which("buildah") and shutil.which("debootstrap")),
        reason="needs buildah and debootstrap, and root",
    ),
]

PYTHON_BASE = "docker.io/library/python:3.11-slim-bookworm"
NODE_BASE = "docker.io/library/node:20-bookworm-slim"
MIRROR = "http://deb.debian.org/debian"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
USER = 1000


@dataclass
class Buildah:
    """One store of images and containers, below a folder of the test's."""

    folder: Path

    @property
    def command(self) -> list[str]:
        return [
            "buildah", "--storage-driver", "vfs",
            "--root", str(self.folder / "store"), "--runroot", str(self.folder / "run"),
        ]  # fmt: skip

    def __call__(self, *arguments: str, within_s: int = 300, cwd: Path = REPOSITORY) -> str:
        done = subprocess.run(
            [*self.command, *arguments], cwd=cwd, capture_output=True, text=True, timeout=within_s,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments[:2]}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def image(self, name: str, *steps: tuple[str, ...], environment: Mapping[str, str] | None = None) -> None:
        """An image of nothing and what `copy` steps put there."""
        made = self("from", "scratch")
        for step in steps:
            self("copy", "--quiet", made, *step)
        for key, value in (environment or {}).items():
            self("config", "--env", f"{key}={value}", made)
        self("commit", "--quiet", "--format", "docker", made, name)
        self("rm", made)

    def config(self, image: str) -> dict[str, Any]:
        """What a container engine would go by: user, command, health check, volumes, variables."""
        found: dict[str, Any] = json.loads(self("inspect", "--type", "image", image))["Docker"]["config"]
        return found


def registries() -> dict[str, str]:
    """Where packages come from, and who vouches for it, is this machine's business, as in `make test`."""
    names = ("PIP_", "NPM_", "npm_", "YARN_", "NODE_EXTRA_CA_CERTS", "SSL_CERT_")
    found = {name: value for name, value in os.environ.items() if name.startswith(names)}
    found.pop("PIP_FIND_LINKS", None)  # a folder of this machine
    return found


def debian_with_python(folder: Path) -> Path:
    """What `python:3.11-slim-bookworm` is made of, with `python` and `pip` where it has them."""
    root = folder / "debian"
    packages = "--include=ca-certificates,python3,python3-pip,python3-venv"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", packages, "bookworm", str(root), MIRROR],
        capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    for marker in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    for name, target in (("python", "python3"), ("pip", "pip3")):
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{target}")
    if CERTIFICATES.is_file():
        shutil.copy(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    return root


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """A store that holds the image `cloutagent`, built from a clone as `docker compose build` sees it."""
    folder = tmp_path_factory.mktemp("image")
    buildah = Buildah(folder)
    try:
        base = debian_with_python(folder)
        path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        buildah.image(PYTHON_BASE, (str(base), "/"), environment={"PATH": path, **registries()})
        shutil.rmtree(base)
        node = shutil.which("node")
        assert node, "Node.js is needed, as for `make demo`"
        buildah.image(NODE_BASE, (str(Path(node).resolve()), "/usr/local/bin/node"))
        wanted = {line.split()[1] for line in DOCKERFILE.read_text().splitlines() if line.startswith("FROM")}
        assert {f"docker.io/library/{name}" for name in wanted} == {PYTHON_BASE, NODE_BASE}
        clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True, timeout=120)
        buildah(
            "bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--tag", "cloutagent", ".",
            cwd=clone, within_s=2400,
        )  # fmt: skip
        yield buildah
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # some gigabytes


def test_the_image_holds_both_extensions_and_nothing_to_build_with(buildah: Buildah) -> None:
    config = buildah.config("cloutagent")
    assert config["User"] == "1000:1000"
    assert config["Entrypoint"] + config["Cmd"] == ["tini", "--", "jupyter", "lab"]
    assert set(config["Volumes"]) == {"/data", "/keys", "/work"}
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "/etc/jupyter/healthcheck.py"]
    assert (config["Healthcheck"]["Interval"], config["Healthcheck"]["Retries"]) == (30 * 10**9, 3)
    made = buildah("from", "--pull-never", "cloutagent")
    script = (
        "id -u; stat -c '%U %a' /data /work /keys; command -v node; command -v npm; ls /src /dist /tmp/dist; "
        "jupyter server extension list; jupyter labextension list; pip check"
    )
    said = buildah("run", "--isolation", "chroot", made, "--", "sh", "-c", f"({script}) 2>&1; true")
    lines = said.splitlines()
    assert lines[:4] == ["1000", "clout 755", "clout 755", "clout 700"], said
    assert "/node" not in said
    assert said.count("No such file") == 3, "what the image was built with is left in it"
    plain = said.replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert "cloutagent_ext enabled" in plain, said
    assert "cloutagent v" in plain, said
    assert "No broken requirements found." in plain, said
    buildah("rm", made)


@contextmanager
def container(buildah: Buildah, volumes: Path) -> Iterator[tuple[LiveServer, psutil.Process, Any]]:
    """A new container on these volumes, with compose's variables, its command and no other port than
    loopback's; the server, its first process, and the exit code of the image's own health check."""
    config = buildah.config("cloutagent")
    made = buildah("from", "--pull-never", "cloutagent")
    port, token = free_port(), "token-of-the-image"
    service = composed(PORT=str(port), JUPYTER_TOKEN=token, BASE_URL="/agents/")["services"]["cloutagent"]
    words = ["run", "--isolation", "chroot"]
    for name in ("data", "keys", "work"):
        buildah("config", "--volume", f"/{name}-", made)  # Buildah 1.28 mounts one of its own over ours
        (volumes / name).mkdir(parents=True, exist_ok=True)
        os.chown(volumes / name, USER, USER)
        words += ["--volume", f"{volumes / name}:/{name}"]
    for name, value in service["environment"].items():
        words += ["--env", f"{name}={value}"]
    start = [
        *config["Entrypoint"],
        *config["Cmd"],
        "--ServerApp.ip=127.0.0.1",
        "--CloutAgent.simulated_pace=0",
    ]

    def health() -> int:
        asked = [*buildah.command, *words, made, "--", *config["Healthcheck"]["Test"][1:]]
        return subprocess.run(asked, capture_output=True, timeout=60).returncode

    with (volumes / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [*buildah.command, *words, made, "--", *start], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}/agents/"
    server = LiveServer(url, token, volumes, volumes / "data/cloutagent", Path(), {}, process)

    def first() -> list[psutil.Process]:
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if child.name() == "tini"]

    try:
        yield server, first, health
    finally:
        for left in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
            left.kill()
        process.wait(60)
        buildah("rm", made)


async def test_a_container_serves_stops_in_time_and_a_new_one_finds_everything(
    buildah: Buildah, tmp_path: Path
) -> None:
    volumes = tmp_path / "volumes"
    with container(buildah, volumes) as (server, first, health):
        assert health() != 0, "healthy before it has begun"
        await until(lambda: server.process.poll() is not None or health() == 0, within_s=180)
        assert server.process.poll() is None, server.log()[-3000:]
        project = project_with_a_secret(server)
        assert reads_its_secret(server, project)
        [tini] = first()
        assert set(tini.uids()) == {USER}
        tini.send_signal(signal.SIGTERM)  # `docker stop`
        assert server.process.wait(30) == 0, server.log()[-3000:]
    key = (volumes / "keys/cloutagent.keys").stat()
    assert (key.st_uid, key.st_mode & 0o777) == (USER, 0o600)
    with container(buildah, volumes) as (server, first, health):
        await until(lambda: server.process.poll() is not None or health() == 0, within_s=180)
        assert reads_its_secret(server, project)
        starter = server.create_project("Sales analyst")
        status, state = server.request("POST", f"projects/{starter['id']}/execute", {"wait": True})
        assert (status, state["status"]) == (200, "completed"), state
        first()[0].send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
