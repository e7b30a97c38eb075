"""What `pip install` brings: built here, installed where there is no Node.js, both extensions enabled."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

from ..support.front_end import MOST_AT_START_KB, compressed, files_at_start
from ..support.live_server import bare_environment
from .conftest import Built
from .hub import REPOSITORY

pytestmark = pytest.mark.timeout(300)


def without_node(folder: Path, venv: Path) -> dict[str, str]:
    """An environment with the programs of `venv` and none of this machine: no Node.js, no source tree."""
    env = bare_environment(folder)
    for name in [name for name in env if name.startswith("JUPYTER")] + ["PYTHONPATH", "VIRTUAL_ENV"]:
        env.pop(name, None)
    env["PATH"] = str(venv / "bin")
    return env


def run(command: list[str], env: dict[str, str], within_s: int = 60) -> str:
    """Standard output and error of a command that has to succeed, outside the source tree."""
    done = subprocess.run(command, env=env, cwd=env["HOME"], capture_output=True, text=True, timeout=within_s)
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    assert done.returncode == 0, said
    return said


def assert_both_are_enabled(python: Path, env: dict[str, str]) -> None:
    server = run([str(python), "-m", "jupyter_server.extension.serverextension", "list"], env)
    assert "cloutagent_ext enabled" in server, server
    assert re.search(r"cloutagent_ext \S+ OK", server), server
    panel = run([str(python), "-m", "jupyterlab.labextensions", "list"], env)
    line = next(line for line in panel.splitlines() if line.strip().startswith("cloutagent "))
    assert "enabled" in line, panel
    assert "OK" in line, panel
    for said in (server, panel):
        lowered = said.lower()
        assert not any(word in lowered for word in ("error", "warning", "not compatible", "disabled")), said
        assert " X " not in said, said


def test_the_wheel_brings_the_panel_the_server_configuration_and_nothing_to_build_with(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
        data = next(name for name in names if ".data/" in name).split("/")[0] + "/data/"
        panel = f"{data}share/jupyter/labextensions/cloutagent/"
        config = json.loads(wheel.read(f"{data}etc/jupyter/jupyter_server_config.d/cloutagent_ext.json"))
        package = json.loads(wheel.read(f"{panel}package.json"))
        told = Parser().parsestr(
            wheel.read(next(name for name in names if name.endswith("METADATA"))).decode()
        )
        entry_points = wheel.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert config["ServerApp"]["jpserver_extensions"] == {"cloutagent_ext": True}
    assert {
        f"{panel}install.json",
        f"{panel}static/style.js",
        f"{panel}schemas/cloutagent/package.json.orig",
    } <= names
    assert package["jupyterlab"]["_build"]["load"].removeprefix("static/") in {
        name.removeprefix(f"{panel}static/") for name in names
    }
    assert package["version"] == told["Version"], "panel and server say different versions"
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (told["Version"], told["License-Expression"])
    assert told["License-Expression"] == "BSD-3-Clause"
    assert told["Requires-Python"] == ">=3.11"
    assert told["Description-Content-Type"] == "text/markdown"
    assert "jupyter-cloutagent = cloutagent_ext.cli:main" in entry_points
    for starter in (
        "sales-analyst",
        "literature-scout",
        "code-reviewer",
        "data-cleaner",
        "experiment-runner",
    ):
        assert any(name.startswith(f"cloutagent_ext/templates/{starter}/") for name in names), starter
    assert "cloutagent_ext/py.typed" in names
    for name in names:
        assert not name.startswith(("tests/", "docs/", "labextension/", "scripts/")), name
        assert "node_modules" not in name, name
        assert not name.endswith((".ts", ".tsx", ".pyc", ".tsbuildinfo")), name


def test_lab_s_start_loads_no_more_of_the_panel_than_was_promised(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        panel = next(
            name for name in wheel.namelist() if name.endswith("labextensions/cloutagent/package.json")
        )
        folder = panel.removesuffix("package.json")
        names = [name.removeprefix(folder) for name in wheel.namelist() if name.startswith(folder)]
        found = files_at_start(lambda name: wheel.read(folder + name), names)
        weights = {name: compressed([wheel.read(folder + name)]) for name in found}
    assert len(found) >= 3, f"an entry, plugins and styles were to be found: {found}"
    assert sum(weights.values()) <= MOST_AT_START_KB, f"kilobytes after gzip: {weights}"


def test_the_sdist_holds_what_a_build_and_its_checks_need(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {
        "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "Makefile", "Dockerfile",
        "labextension/package.json", "labextension/yarn.lock", "labextension/src/index.ts",
        "cloutagent_ext/labextension/package.json", "jupyter-config/server-config/cloutagent_ext.json",
        "tests/deploy/test_wheel.py", "docs/index.md", "binder/postBuild",
    } <= names  # fmt: skip
    assert not any("node_modules" in name or name.startswith((".venv", ".demo")) for name in names)


def test_installed_without_node_both_extensions_are_enabled(built: Built, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    env = without_node(tmp_path, venv)
    run([sys.executable, "-m", "venv", "--without-pip", str(venv)], env)
    python = venv / "bin/python"
    # Its dependencies are this environment's, found behind its own packages; the package itself is the wheel.
    packages = next((venv / "lib").glob("python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    only = ["--no-deps", "--no-index", "--ignore-installed"]
    run([*pip, "install", *only, str(built.wheel)], {**env, "PATH": os.environ["PATH"]})
    where = run([str(python), "-c", "import cloutagent_ext; print(cloutagent_ext.__file__)"], env)
    assert where.strip().startswith(str(packages)), where
    assert_both_are_enabled(python, env)


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_in_a_fresh_environment_the_sdist_installs_without_node_and_an_example_runs(
    built: Built, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    env = without_node(tmp_path, venv)
    # Where packages come from is this machine's business, as it is for `make test`.
    env |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_CERT_"))}
    run([sys.executable, "-m", "venv", str(venv)], env)
    python = venv / "bin/python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, f"{built.sdist}[demo]"], env, 900)
    assert_both_are_enabled(python, env)
    run([str(python), "-m", "pip", "check"], env)
    cloutagent = [str(venv / "bin/jupyter"), "cloutagent"]
    run([*cloutagent, "projects", "create", "Sales", "--template", "sales-analyst"], env)
    said = run([*cloutagent, "run", "Sales", "--json", "--quiet"], env, 180)
    state = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert state["status"] == "completed", state
