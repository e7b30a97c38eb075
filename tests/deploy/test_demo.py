"""`make demo`, the first of the two commands: what it opens, prints and leaves, from a folder of its own.

Its script is run as the Makefile runs it; installing and building are the Makefile's, and not here.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..support.live_server import bare_environment, free_port
from .hub import REPOSITORY

pytestmark = pytest.mark.timeout(240)


@dataclass
class Demo:
    folder: Path
    env: dict[str, str]
    said: str
    process: subprocess.Popen[str]

    def get(self, path: str) -> Any:
        base, token = re.search(r"Open +(http\S+?)lab\S*\?token=(\w+)", self.said).groups()
        request = urllib.request.Request(base + path, headers={"Authorization": f"token {token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def command(self, begins: str) -> str:
        """One of the two that it prints, its lines joined."""
        [found] = re.findall(rf"^ +(?:Call +)?({begins}.*?[^\\])$", self.said, re.MULTILINE | re.DOTALL)
        return re.sub(r"\s*\\\n\s*", " ", found)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("scripts", "notebooks"):
        shutil.copytree(REPOSITORY / name, folder / name)
    config = folder / ".demo/config"
    config.mkdir(parents=True)
    at_once = {"CloutAgent": {"simulated_pace": 0}}  # a person is to see it at work, a test is not
    (config / "jupyter_server_config.json").write_text(json.dumps(at_once))
    env = bare_environment(tmp_path_factory.mktemp("home"))
    for name in [name for name in env if name.startswith("JUPYTER") and name != "JUPYTER_RUNTIME_DIR"]:
        del env[name]
    env["ANTHROPIC_API_KEY"] = "sk-of-the-person"  # which the demo must not use
    command = [sys.executable, str(folder / "scripts/demo.py"), "--no-browser", f"--port={free_port()}"]
    process = subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C ends it" in line:
                break
        try:
            yield Demo(folder, env, said, process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def test_it_opens_the_example_on_the_canvas_beside_a_notebook(demo: Demo) -> None:
    [project] = demo.get("cloutagent/api/v1/projects")["items"]
    assert project["name"] == "Sales analyst"
    main = demo.get("lab/api/workspaces/demo")["data"]["layout-restorer:data"]["main"]
    shown = [area["widgets"] for area in main["dock"]["children"]]
    assert shown == [[f"cloutagent:{project['id']}"], ["notebook:01_first_agent.ipynb"]]
    there = {row["name"] for row in demo.get("api/contents")["content"]}
    assert {path.name for path in (REPOSITORY / "notebooks").glob("*.ipynb")} <= there


def test_both_commands_that_it_prints_run_the_agent_and_no_account_is_used(demo: Demo) -> None:
    curl = subprocess.run(
        shlex.split(demo.command("curl")), env=demo.env, capture_output=True, text=True, timeout=120
    )
    assert '"type":"complete"' in curl.stdout.replace(": ", ":"), curl.stdout[-500:] + curl.stderr
    program, *words = shlex.split(demo.command(r"\.venv/bin/jupyter"))
    assert program == ".venv/bin/jupyter"
    shell = subprocess.run(
        [str(Path(sys.executable).parent / "jupyter"), *words], env=demo.env, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert shell.returncode == 0, shell.stderr
    runs = demo.get("cloutagent/api/v1/executions")["items"]
    assert {(run["status"], run["simulated"], run["origin"]) for run in runs} == {
        ("completed", True, "key"), ("completed", True, "cli"),
    }  # fmt: skip


def test_ctrl_c_ends_it_and_what_it_made_lies_in_one_folder(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(60) == 0
    assert {path.name for path in demo.folder.iterdir()} == {"scripts", "notebooks", ".demo"}
    assert not any((Path(demo.env["HOME"]) / ".local/share/jupyter").glob("cloutagent*"))
