"""`scripts/prerequisites.py`: a machine that lacks something is told what, and how to get it.

Each test is a machine: a PATH with exactly the programs it has, and nothing of this one's.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/prerequisites.py"


class Machine:
    """`programs`: name → what it prints; None: not there, though every machine here has it."""

    def __init__(self, folder: Path, **programs: str | None) -> None:
        self.bin = folder / "bin"
        self.modules = folder / "modules"
        self.bin.mkdir()
        self.modules.mkdir()
        for name, said in {"bwrap": "", **programs}.items():
            if said is None:
                continue
            program = self.bin / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\necho '{said}'\n")
            program.chmod(0o755)

    def module(self, name: str, source: str) -> None:
        """What Python imports under `name` there."""
        (self.modules / f"{name}.py").write_text(source)

    def check(self, goal: str, **env: str) -> tuple[int, str]:
        """Exit code and all that was said."""
        done = subprocess.run(
            [sys.executable, str(SCRIPT), goal],
            env={"PATH": str(self.bin), "PYTHONPATH": str(self.modules), **env},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout


NODE = "v22.12.0"


def test_a_machine_with_everything_is_told_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, node=NODE, chromium="", curl="")
    assert machine.check("demo") == (0, "")
    assert machine.check("test") == (0, "")


@pytest.mark.parametrize("goal", ["demo", "test"])
def test_without_node_it_says_which_and_three_ways_to_get_it(tmp_path: Path, goal: str) -> None:
    code, said = Machine(tmp_path, chromium="", curl="").check(goal)
    assert code == 1
    assert f"make {goal} needs, and did not find:" in said
    assert "Node.js 22.12 or newer, or 20.19 (not found)" in said
    for way in ("nodejs.org", "apt-get install nodejs", "conda-forge nodejs"):
        assert way in said


@pytest.mark.parametrize("version", ["v18.20.4", "v8.0.0", "v20.18.3", "v21.7.3", "v22.11.0"])
def test_a_node_that_is_too_old_is_named_with_its_version(tmp_path: Path, version: str) -> None:
    code, said = Machine(tmp_path, node=version, chromium="").check("demo")
    assert code == 1
    assert f"this is {version[1:].rpartition('.')[0]}" in said


@pytest.mark.parametrize("version", ["v20.19.0", "v20.20.2", "v22.12.0", "v23.0.0", "v24.1.0", "v100.0.0"])
def test_a_node_that_is_new_enough_is_taken(tmp_path: Path, version: str) -> None:
    assert Machine(tmp_path, node=version, chromium="").check("demo") == (0, "")


def test_what_is_asked_of_node_is_what_the_bundler_asks() -> None:
    """Node.js 22.11 passed once, and the build died in the bundler's first line."""
    package = SCRIPT.parents[1] / "labextension/node_modules/@rspack/core/package.json"
    asked = re.search(r'^NODE = "(.+)"$', SCRIPT.read_text(), re.MULTILINE)
    assert asked
    assert asked[1] == json.loads(package.read_text())["engines"]["node"]


def test_a_node_that_does_not_start_counts_as_none(tmp_path: Path) -> None:
    machine = Machine(tmp_path, chromium="")
    (machine.bin / "node").write_bytes(b"\x7fELF of another processor")
    (machine.bin / "node").chmod(0o755)
    code, said = machine.check("demo")
    assert code == 1
    assert "Node.js 22.12 or newer" in said
    assert "Traceback" not in said


def test_the_demo_without_a_browser_goes_on_with_a_note(tmp_path: Path) -> None:
    code, said = Machine(tmp_path, node=NODE).check("demo")
    assert code == 0
    assert said.startswith("note: No web browser was found")
    assert "another window or machine" in said
    assert "apt-get install chromium" in said


@pytest.mark.parametrize("browser", ["firefox", "google_chrome", "xdg_open", "wslview"])
def test_any_browser_will_do_for_the_demo(tmp_path: Path, browser: str) -> None:
    assert Machine(tmp_path, node=NODE, **{browser: ""}).check("demo") == (0, "")


def test_the_tests_need_chromium_and_no_other_browser_will_do(tmp_path: Path) -> None:
    code, said = Machine(tmp_path, node=NODE, curl="", firefox="").check("test")
    assert code == 1
    assert "Chromium" in said
    assert "apt-get install chromium" in said
    assert "Node" not in said


def test_a_chromium_elsewhere_may_be_named(tmp_path: Path) -> None:
    machine = Machine(tmp_path, node=NODE, curl="", chromium="")
    elsewhere = (machine.bin / "chromium").rename(tmp_path / "my-chromium")
    assert machine.check("test", CLOUTAGENT_CHROMIUM=str(elsewhere)) == (0, "")


def test_a_named_chromium_that_is_not_there_is_said_now(tmp_path: Path) -> None:
    machine = Machine(tmp_path, node=NODE, curl="", chromium="")
    code, said = machine.check("test", CLOUTAGENT_CHROMIUM=str(tmp_path / "nowhere"))
    assert code == 1
    assert "CLOUTAGENT_CHROMIUM" in said
    assert str(tmp_path / "nowhere") in said


def test_the_tests_need_curl(tmp_path: Path) -> None:
    code, said = Machine(tmp_path, node=NODE, chromium="").check("test")
    assert code == 1
    assert "apt-get install curl" in said


def test_a_python_without_venv_is_told_its_package(tmp_path: Path) -> None:
    machine = Machine(tmp_path, node=NODE, chromium="")
    machine.module("ensurepip", "raise ImportError('Debian ships it in a package of its own')\n")
    code, said = machine.check("demo")
    assert code == 1
    assert "apt-get install python3-venv" in said
    assert "Node" not in said


def test_a_python_that_is_too_old_is_told_how_to_name_another(tmp_path: Path) -> None:
    machine = Machine(tmp_path, node=NODE, chromium="")
    machine.module("sitecustomize", "import sys\nsys.version_info = (3, 9, 2, 'final', 0)\n")
    code, said = machine.check("demo")
    assert code == 1
    assert "Python 3.11 or newer (this is 3.9)" in said
    assert "make demo PYTHON=" in said


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.module("ensurepip", "raise ImportError\n")
    code, said = machine.check("test")
    assert code == 1
    for thing in ("Node.js", "python3-venv", "curl", "Chromium"):
        assert thing in said
    assert said.count("  - ") == 4


@pytest.mark.parametrize("goal", ["demo", "test"])
def test_without_bubblewrap_it_goes_on_and_says_what_is_missing(tmp_path: Path, goal: str) -> None:
    code, said = Machine(tmp_path, node=NODE, chromium="", curl="", bwrap=None).check(goal)
    assert code == 0
    assert "note: bubblewrap was not found" in said
    assert "apt-get install bubblewrap" in said
