"""From outside: real `curl` with a key and no Jupyter token, and the command line, against a real server.

Nothing here is in the server's process: what passes works from any program on any machine.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from cloutagent_ext.client import connect
from tests.support.live_server import LiveServer, bare_environment, free_port, live_server

SLOW = {
    "schema_version": 1,
    "agents": {
        "main": [
            {
                "text": "I wait.",
                "tools": [{"name": "bash", "as": "wait", "input": {"command": "sleep 0.7; echo one"}}],
            },
            {
                "text": "Again.",
                "tools": [{"name": "bash", "as": "more", "input": {"command": "sleep 0.7; echo two"}}],
            },
            {"text": "It said {{result.more}}"},
        ]
    },
}


def endless(seconds: int) -> dict[str, Any]:
    """A scenario that waits in a background child too; `seconds` marks its processes."""
    command = f"sleep {seconds} & sleep {seconds}"
    turn = {"text": "I wait.", "tools": [{"name": "bash", "as": "wait", "input": {"command": command}}]}
    return {"schema_version": 1, "agents": {"main": [turn, {"text": "Never said."}]}}


@dataclass
class Project:
    """A project of the server and its first key."""

    server: LiveServer
    id: str
    name: str
    key: str

    def put(self, path: str, content: Any) -> None:
        status, answer = self.server.request("PUT", f"projects/{self.id}/files/{path}", content)
        assert status in (200, 201), answer


def make(server: LiveServer, name: str, scenario: Any = None) -> Project:
    """A project whose agent has `bash`, and plays `scenario`."""
    made = server.create_project(name, "empty" if scenario else "sales-analyst")
    project = Project(server, made["id"], name, made["api_key"])
    if scenario:
        # First the file, then the save that makes both a version: calls with a key run versions.
        project.put("scenario.json", scenario)
        agent = made["agent"] | {"tools": ["bash"], "permissions": {"bash": "allow"}, "task": "Wait."}
        body = {k: v for k, v in made.items() if k != "api_key"} | {"agent": agent}
        status, answer = server.request("PUT", f"projects/{made['id']}", body)
        assert status == 200, answer
    return project


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """As `make demo` starts it: calls with a key may be answered by the simulated model."""
    options = (
        "--CloutAgent.simulated_pace=0",
        "--CloutAgent.allow_simulated_api=True",
        "--CloutAgent.rate_limit=1000",
    )
    with live_server(tmp_path_factory.mktemp("server"), *options) as running:
        yield running


@pytest.fixture(scope="module")
def slow(server: LiveServer) -> Project:
    return make(server, "Slow", SLOW)


@pytest.fixture(scope="module")
def analyst(server: LiveServer) -> Project:
    return make(server, "Sales analyst")


def curl(*arguments: str, timeout: float = 60) -> tuple[int, str]:
    """Status and body of a real curl call; nothing but `arguments` proves the caller."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--no-buffer", "--write-out", "\n%{http_code}", *arguments],
        capture_output=True, text=True, timeout=timeout, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    body, _, status = done.stdout.rpartition("\n")
    return int(status or 0), body


def with_key(project: Project, *arguments: str, **options: Any) -> tuple[int, str]:
    return curl("-H", f"X-API-Key: {project.key}", *arguments, **options)


def execute(
    project: Project, *arguments: str, body: dict[str, Any] | None = None, **options: Any
) -> tuple[int, str]:
    data = ("-H", "Content-Type: application/json", "-d", json.dumps(body or {}))
    return with_key(
        project, *data, *arguments, f"{project.server.api}/projects/{project.id}/execute", **options
    )


def frames(text: str) -> list[dict[str, Any]]:
    """The events of a stream as curl wrote it, each under its own id."""
    found = []
    for frame in text.split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in frame.splitlines() if not line.startswith(":"))
        if "data" in fields:
            event = json.loads(fields["data"])
            assert int(fields["id"]) == event["id"]
            found.append(event)
    return found


def until(condition: Callable[[], Any], within_s: float = 20) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)
    return found


def sleepers(seconds: int) -> list[psutil.Process]:
    """Processes that a scenario of `endless(seconds)` started and that still live."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if (
            process.info["cmdline"] == ["sleep", str(seconds)]
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ):
            found.append(process)
    return found


# ---------------------------------------------------------------- curl


def test_a_program_with_only_a_key_executes_and_waits_for_the_answer(analyst: Project) -> None:
    status, body = execute(analyst, body={"wait": True, "variables": {"file": "sales.csv"}})
    state = json.loads(body)
    assert (status, state["status"], state["origin"]) == (200, "completed", "key")
    assert state["simulated"] is True
    assert "leads" in state["result"]["text"]

    status, body = with_key(
        analyst, f"{analyst.server.api}/executions/{state['execution_id']}/files/report.md"
    )
    assert status == 200
    assert body.startswith("# Sales report")


def test_by_default_it_is_accepted_at_once_and_can_be_asked_about(slow: Project) -> None:
    status, body = execute(slow)
    accepted = json.loads(body)
    assert status == 202
    assert accepted["status"] in ("running", "queued")
    url = f"{slow.server.api}/executions/{accepted['execution_id']}"
    until(lambda: json.loads(with_key(slow, url)[1])["status"] == "completed")


def test_events_stream_as_they_happen_each_once_and_in_order(slow: Project) -> None:
    status, body = execute(slow, "-H", "Accept: text/event-stream")
    events = frames(body)
    assert status == 200
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "queued"
    assert events[-1]["type"] == "complete"
    assert "two" in events[-1]["result"]["text"]


def test_a_cut_stream_goes_on_after_the_last_id_and_loses_nothing(slow: Project) -> None:
    # curl goes away in the middle; the execution does not notice.
    _, cut = execute(slow, "-H", "Accept: text/event-stream", "--max-time", "1")
    before = frames(cut.rpartition("\n\n")[0])
    assert before
    assert before[-1]["type"] not in ("complete", "error", "cancelled")
    execution_id = before[0]["execution_id"]
    stream = f"{slow.server.api}/executions/{execution_id}/stream"

    status, rest = with_key(slow, "-H", f"Last-Event-ID: {before[-1]['id']}", stream)
    after = frames(rest)

    assert status == 200
    together = before + after
    assert [event["id"] for event in together] == list(range(1, len(together) + 1))
    assert after[-1]["type"] == "complete"
    _, page = with_key(slow, f"{slow.server.api}/executions/{execution_id}/events")
    assert json.loads(page)["items"] == together
    # Who has seen the last event is told that there is nothing more.
    assert with_key(slow, "-H", f"Last-Event-ID: {together[-1]['id']}", stream)[0] == 204
    assert frames(with_key(slow, f"{stream}?from_event=3")[1]) == together[2:]


def test_cancel_ends_the_execution_and_every_process_it_started(server: LiveServer) -> None:
    project = make(server, "Endless", endless(86_111))
    execution_id = json.loads(execute(project)[1])["execution_id"]
    until(lambda: len(sleepers(86_111)) == 2)
    url = f"{server.api}/executions/{execution_id}"

    status, body = with_key(project, "-X", "POST", f"{url}/cancel")

    assert status == 200
    assert json.loads(body)["cancelling"] or json.loads(body)["status"] == "cancelled"
    until(lambda: json.loads(with_key(project, url)[1])["status"] == "cancelled", within_s=5)
    assert sleepers(86_111) == []
    events = frames(with_key(project, f"{url}/stream")[1])
    assert [event["type"] for event in events if event["type"] in ("complete", "error", "cancelled")] == [
        "cancelled"
    ]
    assert with_key(project, "-X", "POST", f"{url}/cancel")[0] == 409


def test_without_a_key_or_with_a_wrong_one_nothing_is_executed(slow: Project) -> None:
    url = f"{slow.server.api}/projects/{slow.id}/execute"
    assert (curl("-X", "POST", url)[0], curl("-X", "POST", "-H", "X-API-Key: ca_x_y", url)[0]) == (401, 401)
    assert json.loads(curl("-X", "POST", url)[1])["error"]["code"] == "MISSING_API_KEY"


def test_a_key_reaches_its_own_project_only_and_makes_no_keys(slow: Project, analyst: Project) -> None:
    other = f"{slow.server.api}/projects/{analyst.id}"
    missing = f"{slow.server.api}/projects/00000000-0000-4000-8000-000000000000"
    assert with_key(slow, other)[0] == 403
    assert with_key(slow, other)[1].split('"details"')[0] == with_key(slow, missing)[1].split('"details"')[0]
    assert with_key(slow, f"{slow.server.api}/projects/{slow.id}/keys")[0] == 403
    rows = json.loads(with_key(slow, f"{slow.server.api}/projects")[1])["items"]
    assert [row["id"] for row in rows] == [slow.id]


def test_the_same_idempotency_key_starts_one_execution(slow: Project) -> None:
    same = ("-H", "Idempotency-Key: once-only")
    first, second = (json.loads(execute(slow, *same)[1])["execution_id"] for _ in range(2))
    assert first == second


def test_where_simulation_is_not_allowed_a_key_gets_no_invented_answer(tmp_path: Path) -> None:
    with live_server(tmp_path, "--CloutAgent.simulated_pace=0") as server:
        project = make(server, "Strict", SLOW)
        status, body = execute(project)
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (502, "MODEL_UNAVAILABLE")
        assert "ANTHROPIC_API_KEY" in error["message"]
        assert json.loads(with_key(project, f"{server.api}/executions")[1])["items"] == []
        # A Jupyter user may simulate, and is told.
        status, accepted = server.request("POST", f"projects/{project.id}/execute", {})
        assert status == 202
        state = server.request("GET", f"executions/{accepted['execution_id']}")[1]
        assert state["simulated"] is True


def test_a_client_follows_across_the_death_of_its_server(tmp_path: Path) -> None:
    """SIGKILL in the middle, a new server on the same folder: no event lost, none twice, no endless wait."""
    data, port = tmp_path / "data", free_port()
    seen: list[Any] = []
    with live_server(tmp_path / "first", data_dir=data, port=port, token="same") as first:
        make(first, "Endless 3", endless(86_444))
        client = connect(first.url, token="same")
        run = client["Endless 3"].run()
        watching = threading.Thread(target=lambda: seen.extend(run), daemon=True)
        watching.start()
        until(lambda: len(sleepers(86_444)) == 2)
        first.process.kill()
        first.process.wait()
    with live_server(tmp_path / "second", data_dir=data, port=port, token="same"), client:
        watching.join(30)
        assert not watching.is_alive()
        assert [event.id for event in seen] == list(range(1, len(seen) + 1))
        types = [event.type for event in seen]
        assert types.count("tool_call") == 1, "what had started was started again"
        assert types.index("interrupted") < types.index("resumed") < types.index("tool_result")
        told = next(event for event in seen if event.type == "tool_result")
        assert told.is_error
        assert "outcome unknown" in told.output[0].text
        assert seen[-1].type == "complete"
        assert run.wait(10).status == "completed"
        until(lambda: sleepers(86_444) == [])


def test_a_finished_conversation_goes_on_from_client_and_shell(server: LiveServer, shell: Any) -> None:
    with connect(server.url, token=server.token) as client:
        project = client.create_project("Talk")
        first = project.run("Hello.")
        assert first.wait(30).status == "completed"
        second = project.run("And then?", continue_from=first)
        assert second.wait(30).continued_from == first.id
    told = shell("run", "Talk", "--prompt", "And then?", "--continue", second.id, "--json", "--quiet")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["continued_from"] == second.id


# ---------------------------------------------------------------- command line


def command(
    *arguments: str, env: dict[str, str], cwd: Path, timeout: float = 90
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloutagent_ext", *arguments],
        env=env, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


@pytest.fixture
def shell(server: LiveServer, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line as the server's user has it: it finds the server by itself."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return command(*arguments, env=server.env, cwd=tmp_path)

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
        until(lambda: len(sleepers(seconds)) == 2, within_s=40)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode, told


def test_ctrl_c_cancels_the_execution_on_the_server(server: LiveServer, tmp_path: Path) -> None:
    make(server, "Endless 2", endless(86_222))
    code, told = interrupted(["run", "Endless 2"], server.env, tmp_path, 86_222)
    assert code == 130
    assert "cancelling" in told
    assert "cancelled" in told
    assert sleepers(86_222) == []
    assert server.request("GET", "executions?limit=1")[1]["items"][0]["status"] == "cancelled"


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
