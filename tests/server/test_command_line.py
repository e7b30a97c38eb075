"""Runs from the command line: at a running server and without one, Ctrl-C, exit codes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.client import connect
from tests.support.live_server import LiveServer, bare_environment, live_server

from .outside import Project, endless, make, sleepers, until, with_key


def command(
    *arguments: str, env: dict[str, str], cwd: Path, timeout: float = 90
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloutagent_ext", *arguments],
        env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.fixture
def shell(outside: LiveServer, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line as the server's user has it: it finds the server by itself."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command(*arguments, env=outside.env, cwd=tmp_path)

    return run


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    """Environment and folder of a user without any server, with two projects."""
    folder = tmp_path_factory.mktemp("alone")
    env = bare_environment(folder)
    made = command("projects", "create", "Sales analyst", "--template", "sales-analyst", env=env, cwd=folder)
    assert made.returncode == 0, made.stderr
    return env, folder


def test_a_run_from_the_shell_uses_the_running_server(analyst: Project, shell: Any) -> None:
    done = shell("run", "Sales analyst", "--var", "file=sales.csv")
    assert done.returncode == 0, done.stderr
    assert "leads" in done.stdout
    assert "→ python" in done.stderr
    assert "Statistician │" in done.stderr
    assert "simulated" in done.stderr
    assert "\x1b" not in done.stderr
    newest = analyst.server.request("GET", "executions?limit=1")[1]["items"][0]
    assert (newest["origin"], newest["status"]) == ("cli", "completed")


def test_json_is_one_object_on_standard_output(slow: Project, shell: Any) -> None:
    done = shell("run", "Slow", "--json", "--quiet")
    state = json.loads(done.stdout)
    assert (done.returncode, state["status"], done.stderr) == (0, "completed", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "Sales analyst", "--var", "fil=x"), "'fil'"),
        (("run", "Sales analyst", "--var", "nonsense"), "NAME=VALUE"),
        (("run", "Sales analyst", "--max-cost", "-1"), "max_cost_usd"),
        (("run", "No such project"), "“Sales analyst”"),
        (("run",), "project"),
        (("keys", "revoke", "Slow", "nope"), ""),
    ],
)
def test_what_cannot_be_done_as_written_exits_2_and_says_what(
    analyst: Project, slow: Project, shell: Any, arguments: tuple[str, ...], said: str
) -> None:
    done = shell(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_run_exits_1_with_its_code(analyst: Project, shell: Any) -> None:
    done = shell("run", "Sales analyst", "--max-cost", "0.001")
    assert done.returncode == 1
    assert "COST_LIMIT_EXCEEDED" in done.stderr
    assert done.stdout == ""


def test_a_server_that_is_not_there_exits_3(shell: Any) -> None:
    done = shell("projects", "--url", "http://127.0.0.1:9")
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr


def test_who_types_no_value_or_reads_no_answer_gets_no_traceback(alone: tuple[dict[str, str], Path]) -> None:
    env, folder = alone
    asks = [sys.executable, "-m", "cloutagent_ext", "secrets", "set", "Sales analyst", "TOKEN"]
    for how, code in (("Ctrl-D", 2), ("Ctrl-C", 130)):
        ours, theirs = pty.openpty()
        asked = subprocess.Popen(
            asks, env=env, cwd=folder, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        assert asked.stderr is not None
        with asked.stderr as errors:
            said = b""
            while not said.endswith(b": "):  # with the terminal's own echo off, as for a password
                said += errors.read(1)
            if how == "Ctrl-D":
                os.write(ours, b"\x04")
            else:
                asked.send_signal(signal.SIGINT)
            assert asked.wait(60) == code, how
            rest = errors.read().decode()
        assert "Traceback" not in rest
        assert ("nothing was kept" in rest) == (how == "Ctrl-D")
        os.close(theirs)
        os.close(ours)
    assert command("secrets", "list", "Sales analyst", env=env, cwd=folder).stdout == ""
    read, written = os.pipe()
    os.close(read)  # as `| head` does once it has what it wanted
    done = subprocess.run(
        [sys.executable, "-m", "cloutagent_ext", "projects"], env=env, cwd=folder, stdout=written,
        stderr=subprocess.PIPE, text=True, timeout=90, check=False,
    )  # fmt: skip
    os.close(written)
    assert (done.returncode, done.stderr) == (141, "")


def test_validate_says_whether_it_would_run(analyst: Project, shell: Any) -> None:
    done = shell("validate", "Sales analyst")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("It would run") or "\nIt would run" in done.stdout


def test_keys_are_made_listed_and_revoked_at_once(slow: Project, shell: Any) -> None:
    text = shell("keys", "create", "Slow", "for curl").stdout.strip()
    other = Project(slow.server, slow.id, slow.name, text)
    url = f"{slow.server.api}/projects/{slow.id}"
    assert with_key(other, url)[0] == 200
    listed = shell("keys", "list", "Slow").stdout
    assert "for curl" in listed
    assert text not in listed
    key_id = text.removeprefix("ca_").partition("_")[0]
    assert shell("keys", "revoke", "Slow", key_id).returncode == 0
    assert with_key(other, url)[0] == 401


def interrupted(arguments: list[str], env: dict[str, str], cwd: Path, seconds: int) -> tuple[int, str]:
    """Exit code and standard error of a run that gets Ctrl-C while its tool works."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cloutagent_ext", *arguments],
        env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until(lambda: len(sleepers(seconds)) == 2, within_s=120)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode, told


def test_ctrl_c_cancels_the_execution_on_the_server(outside: LiveServer, tmp_path: Path) -> None:
    make(outside, "Endless 2", endless(86_222))
    code, told = interrupted(["run", "Endless 2"], outside.env, tmp_path, 86_222)
    assert code == 130
    assert "cancelling" in told
    assert "cancelled" in told
    assert sleepers(86_222) == []
    assert outside.request("GET", "executions?limit=1")[1]["items"][0]["status"] == "cancelled"


def test_without_a_server_it_runs_in_process_on_the_same_folder(alone: tuple[dict[str, str], Path]) -> None:
    env, folder = alone
    done = command("run", "Sales analyst", "--save", "out", env=env, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "leads" in done.stdout
    assert (folder / "out/report.md").read_text().startswith("# Sales report")
    assert (folder / "out/chart.png").read_bytes().startswith(b"\x89PNG")
    data = Path(env["JUPYTER_DATA_DIR"]) / "cloutagent"
    assert len(list(data.glob("projects/*/executions/*/events.jsonl"))) == 1
    listed = command("projects", "--json", env=env, cwd=folder)
    assert [row["name"] for row in json.loads(listed.stdout)] == ["Sales analyst"]


def test_ctrl_c_in_process_leaves_no_process_and_a_log_that_has_ended(
    alone: tuple[dict[str, str], Path],
) -> None:
    env, folder = alone
    data = Path(env["JUPYTER_DATA_DIR"]) / "cloutagent"
    made = json.loads(command("projects", "create", "Endless", "--json", env=env, cwd=folder).stdout)
    project = data / "projects" / made["id"]
    # Edited by hand on disk, as people do who have no server running.
    config = json.loads((project / "agent.config.json").read_text())
    config |= {"tools": ["bash"], "permissions": {"bash": "allow"}, "task": "Wait."}
    (project / "agent.config.json").write_text(json.dumps(config))
    (project / "files").mkdir(exist_ok=True)
    (project / "files/scenario.json").write_text(json.dumps(endless(86_333)))

    code, told = interrupted(["run", "Endless", "--in-process"], env, folder, 86_333)

    assert code == 130, told
    assert sleepers(86_333) == []
    (log,) = project.glob("executions/*/events.jsonl")
    assert json.loads(log.read_text().splitlines()[-1])["type"] == "cancelled"


def test_a_server_started_later_shows_what_ran_without_it(
    alone: tuple[dict[str, str], Path], tmp_path: Path
) -> None:
    env, _ = alone
    data = Path(env["JUPYTER_DATA_DIR"]) / "cloutagent"
    with live_server(tmp_path, data_dir=data) as server:
        items = server.request("GET", "executions")[1]["items"]
        assert {"completed", "cancelled"} <= {item["status"] for item in items}
        assert {item["origin"] for item in items} == {"cli"}


def test_a_finished_conversation_goes_on_from_client_and_shell(outside: LiveServer, shell: Any) -> None:
    with connect(outside.url, token=outside.token) as client:
        project = client.create_project("Talk")
        first = project.run("Hello.")
        assert first.wait(30).status == "completed"
        second = project.run("And then?", continue_from=first)
        assert second.wait(30).continued_from == first.id
    told = shell("run", "Talk", "--prompt", "And then?", "--continue", second.id, "--json", "--quiet")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["continued_from"] == second.id
