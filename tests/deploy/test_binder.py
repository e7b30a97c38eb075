"""What Binder builds and opens: its files, their Dockerfile, the same steps in a fresh environment."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ..support.live_server import bare_environment, live_server, until
from .hub import REPOSITORY

pytestmark = pytest.mark.timeout(240)

BINDER = REPOSITORY / "binder"


def home(folder: Path) -> dict[str, str]:
    """The environment of a user whose home folder is `folder`, with no settings of Jupyter's."""
    env = bare_environment(folder)
    for name in [name for name in env if name.startswith(("JUPYTER", "IPYTHON", "MPL"))]:
        del env[name]
    return env


def test_the_files_are_what_repo2docker_takes() -> None:
    for name in ("postBuild", "start"):
        file = BINDER / name
        assert os.access(file, os.X_OK), f"binder/{name} is not executable"
        assert file.read_text().startswith("#!/usr/bin/env bash\n")
        subprocess.run(["bash", "-n", str(file)], check=True, timeout=30)
    said = (BINDER / "postBuild").read_text().strip().splitlines()
    assert "jupyter server extension list" in said[-2]
    assert "jupyter labextension list" in said[-1]
    environment = yaml.safe_load((BINDER / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    assert set(conda_pins()) == {"python", "nodejs", "pip"}, "names as conda-forge has them, and no others"


def conda_pins() -> dict[str, SpecifierSet]:
    """What Conda is asked for, as Python's own specifiers: there `=3.11` means `==3.11.*`."""
    environment = yaml.safe_load((BINDER / "environment.yml").read_text())
    found = {}
    for row in environment["dependencies"]:
        name, asked = re.fullmatch(r"([a-z0-9-]+)(.*)", row).groups()
        found[name] = SpecifierSet(re.sub(r"^=([\d.]+)$", r"==\1.*", asked))
    return found


def package() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return project


def test_what_conda_brings_is_what_the_package_and_its_panel_need() -> None:
    pins, project = conda_pins(), package()
    python = [Version(f"3.{minor}") for minor in range(8, 30) if pins["python"].contains(f"3.{minor}.5")]
    assert len(python) == 1, "one line of Python, so that tomorrow's build is today's"
    assert SpecifierSet(str(project["requires-python"])).contains(python[0])
    assert f"Programming Language :: Python :: {python[0]}" in str(project["classifiers"]), (
        "one that is tested"
    )
    builds = runpy.run_path(str(REPOSITORY / "scripts/prerequisites.py"))["builds_the_panel"]
    lines = [(major, minor) for major in range(16, 40) for minor in range(30)]
    nodes = [node for node in lines if pins["nodejs"].contains(f"{node[0]}.{node[1]}.0")]
    assert nodes
    assert [node for node in nodes if not builds(node)] == []
    assert len({major for major, _ in nodes}) == 1


def test_what_pip_adds_is_named_and_pinned_as_the_registry_has_it() -> None:
    """Names and versions of `pip install .[demo]`: each is installed here, in a version that is asked for."""
    project = package()
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    told = re.search(r'pip install [^\n]*"\.\[(.+)\]"', (BINDER / "postBuild").read_text())
    assert told
    waiting = [Requirement(f"cloutagent-ext[{told[1]}]")]
    seen: dict[str, SpecifierSet] = {}
    rows = [Requirement(row) for row in project["dependencies"]]  # type: ignore[attr-defined]
    while waiting:
        for extra in waiting.pop().extras:
            for row in extras[extra]:
                asked = Requirement(row)
                (waiting if asked.name == "cloutagent-ext" else rows).append(asked)
    for asked in rows:
        seen[asked.name] = asked.specifier
    installed = {name: importlib.metadata.version(name) for name in seen}
    assert len(seen) > 20
    assert [f"{name} {installed[name]}" for name in seen if installed[name] not in seen[name]] == []


def test_extras_that_are_named_anywhere_exist() -> None:
    extras = package()["optional-dependencies"]
    assert isinstance(extras, dict)
    places = ("*.md", "docs/*.md", "notebooks/*.ipynb", "binder/*", "cloutagent_ext/**/*.py", "Dockerfile")
    files = [file for place in places for file in REPOSITORY.glob(place)]
    named = {
        extra.strip(): file.name
        for file in files
        for found in re.findall(r"(?:cloutagent-ext|\"\.|\{wheel\})\[([a-z, ]+)\]", file.read_text())
        for extra in found.split(",")
    }
    assert {"demo", "notebook", "telemetry"} <= set(named)
    assert set(named) <= set(extras), named


def test_repo2docker_makes_a_dockerfile_that_runs_them(tmp_path: Path) -> None:
    """As far as this goes without a container engine: the build pack chosen, and its Dockerfile."""
    code = (
        "from repo2docker.app import Repo2Docker\n"
        "from repo2docker.buildpacks import CondaBuildPack\n"
        "pack = CondaBuildPack(Repo2Docker().base_image)\n"
        "pack.platform = 'linux/amd64'\n"
        "assert pack.detect()\n"
        "print(pack.render())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=home(tmp_path), capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(done.stdout)
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert any(re.search(r"env update .*--file .binder/environment\.yml", line) for line in lines), (
        done.stdout
    )
    assert "RUN ./binder/postBuild" in lines
    start = 'ENV R2D_ENTRYPOINT "${REPO_DIR}/binder/start"'
    assert any("R2D_ENTRYPOINT" in line and "binder/start" in line for line in lines), start
    hadolint = Path(sys.executable).parent / "hadolint"
    # Style is repo2docker's business; what a builder would refuse is ours.
    told = subprocess.run(
        [str(hadolint), "--failure-threshold", "error", "--ignore", "DL3020", "--ignore", "DL3061",
         "--ignore", "DL3004", str(dockerfile)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout


async def test_it_opens_on_the_example_with_one_recorded_run_beside_a_notebook(tmp_path: Path) -> None:
    env = home(tmp_path)
    command = [sys.executable, str(BINDER / "prepare.py")]
    first = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=180)
    assert first.returncode == 0, first.stderr
    again = subprocess.run(command, env=env, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout, "a second time makes something else"
    data = Path(env["HOME"]) / ".local/share/jupyter/cloutagent"
    # No cap on folders of Jupyter's: as in Binder, all are the user's own.
    own = {"HOME": env["HOME"]} | {
        name: str(Path(env["HOME"]) / place)
        for name, place in (
            ("JUPYTER_CONFIG_DIR", ".jupyter"), ("JUPYTER_DATA_DIR", ".local/share/jupyter"),
            ("JUPYTERLAB_WORKSPACES_DIR", ".jupyter/lab/workspaces"),
        )
    }  # fmt: skip
    with live_server(tmp_path / "binder", app="lab", data_dir=data, env=own) as server:
        rows = server.request("GET", "projects")[1]["items"]
        assert [row["name"] for row in rows] == ["Sales analyst"]
        runs = server.request("GET", "executions")[1]["items"]
        assert [(run["status"], run["simulated"]) for run in runs] == [("completed", True)]
        cassettes = server.request("GET", f"projects/{rows[0]['id']}/cassettes")[1]["items"]
        assert len(cassettes) == 1
        status, replayed = server.request(
            "POST", f"projects/{rows[0]['id']}/execute", {"replay": cassettes[0]["id"], "wait": True}
        )
        assert (status, replayed["status"], replayed["total_cost_usd"]) == (200, "completed", 0)
        workspace = await until(lambda: _workspace(server.url, server.token))
        restored = workspace["data"]["layout-restorer:data"]["main"]["dock"]["children"]
        assert [child["widgets"] for child in restored] == [
            [f"cloutagent:{rows[0]['id']}"], ["notebook:notebooks/01_first_agent.ipynb"],
        ]  # fmt: skip
    assert (REPOSITORY / "notebooks/01_first_agent.ipynb").is_file()


def _workspace(url: str, token: str) -> dict[str, dict[str, object]]:
    import urllib.request

    request = urllib.request.Request(
        f"{url}lab/api/workspaces/demo", headers={"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, dict[str, object]] = json.loads(answer.read())
    return found


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_its_steps_succeed_in_a_fresh_environment(tmp_path: Path) -> None:
    """A clone, a new virtual environment in the place of Conda's, Node.js from this machine."""
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, timeout=30).stdout.strip(
        "v\n"
    )
    here = {"python": ".".join(map(str, sys.version_info[:3])), "nodejs": node}
    for name, version in here.items():
        if not conda_pins()[name].contains(version):
            pytest.skip(f"{name} {version} is not what Conda would bring")
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(checkout)], check=True, timeout=120)
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=120)
    env = home(tmp_path)
    env.pop("PYTHONPATH", None)
    # Where packages come from, and who vouches for it, is this machine's business.
    registries = ("PIP_", "NPM_", "npm_", "YARN_", "NODE_EXTRA_CA_CERTS", "SSL_CERT_")
    env |= {name: value for name, value in os.environ.items() if name.startswith(registries)}
    env["PATH"] = f"{venv / 'bin'}:{env['PATH'].split(os.pathsep, 1)[1]}"
    built = subprocess.run(
        ["./binder/postBuild"], cwd=checkout, env=env, capture_output=True, text=True, timeout=1500
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    said = re.sub(r"\x1b\[[0-9;]*m", "", built.stdout)
    assert "cloutagent_ext enabled" in said
    assert re.search(r"cloutagent v\S+ enabled OK", said)
    assert "with one recorded run" in built.stdout
    told = subprocess.run(
        ["./binder/start", "printenv", "CLOUTAGENT_ALLOW_SIMULATED_API"], cwd=checkout, env=env,
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert told.stdout.strip() == "true"
