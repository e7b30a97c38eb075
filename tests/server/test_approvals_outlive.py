"""A question outlives its server: a real one is killed while it waits, and another takes the answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_server import LiveServer, live_server

ASKS = {"task": "Do it.", "tools": ["bash"], "permissions": {"bash": "ask"}}


def asking_project(server: LiveServer) -> dict[str, Any]:
    """A project whose one command leaves a mark for each time it runs."""
    made: dict[str, Any] = server.create_project("Careful", "empty")
    definition = made | {"agent": made["agent"] | ASKS}
    definition.pop("api_key")
    status, _ = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200
    command = {"name": "bash", "as": "ran", "input": {"command": "echo mark >> marks; cat marks"}}
    turns = [{"text": "May I?", "tools": [command]}, {"text": "It said {{result.ran}}"}]
    server.put_file(made["id"], "scenario.json", {"schema_version": 1, "agents": {"main": turns}})
    return made


def until(server: LiveServer, execution: str, *statuses: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        status, state = server.request("GET", f"executions/{execution}")
        if status == 200 and state["status"] in statuses:
            return dict(state)
        time.sleep(0.05)
    raise AssertionError(f"it did not become {statuses}: {state}")


def test_a_killed_server_leaves_the_question_and_the_next_one_takes_the_answer(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with live_server(tmp_path / "first", "--CloutAgent.simulated_pace=0", data_dir=data) as server:
        project = asking_project(server)
        body = {"prompt": "Go.", "wait": True, "attended": True}
        status, state = server.request("POST", f"projects/{project['id']}/execute", body)
        assert (status, state["status"]) == (200, "waiting")
        execution, asked = state["execution_id"], state["approvals"]
        server.process.kill()
        server.process.wait()
    for folder in ("second", "third"):  # the second is killed too, before anybody has answered
        with live_server(tmp_path / folder, "--CloutAgent.simulated_pace=0", data_dir=data) as server:
            state = until(server, execution, "waiting")
            assert state["approvals"] == asked
            if folder == "second":
                server.process.kill()
                server.process.wait()
                continue
            path = f"executions/{execution}/approvals/{asked[0]['call_id']}"
            status, wrong = server.request("POST", path, {"decision": "allow", "input": {"comand": "x"}})
            assert (status, wrong["error"]["code"]) == (400, "INVALID_REQUEST")
            status, _ = server.request("POST", path, {"decision": "allow"})
            assert status == 200
            state = until(server, execution, "completed", "failed")
            assert state["result"]["text"].split() == ["It", "said", "mark"], state
            status, _ = server.request("POST", path, {"decision": "deny"})
            assert status == 409


def guarded_project(server: LiveServer, command: str, times: int) -> str:
    """A project that runs `command` so many times, which nobody has to allow, and whose guard is quick."""
    made: dict[str, Any] = server.create_project("Guarded", "empty")
    agent = {"task": "Do it.", "tools": ["bash"], "permissions": {"bash": "allow"}, "stall_s": 10}
    definition = made | {"agent": made["agent"] | agent}
    definition.pop("api_key")
    status, _ = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200
    call = {"name": "bash", "as": "ran", "input": {"command": command}}
    turns = [{"text": "Again.", "tools": [call]}] * times + [{"text": "It said {{result.ran}}"}]
    server.put_file(made["id"], "scenario.json", {"schema_version": 1, "agents": {"main": turns}})
    return str(made["id"])


def asked_by_the_guard(server: LiveServer, project: str) -> dict[str, Any]:
    """The state of a new execution of `project`, once its guard has asked whether it may go on."""
    body = {"prompt": "Go.", "wait": True, "attended": True}
    status, state = server.request("POST", f"projects/{project}/execute", body)
    assert (status, state["status"]) == (200, "waiting"), state
    return dict(state)


def decide(server: LiveServer, state: dict[str, Any], decision: str) -> dict[str, Any]:
    """`decision` about what `state` asks; how it then ends."""
    execution, [asked] = state["execution_id"], state["approvals"]
    status, told = server.request(
        "POST", f"executions/{execution}/approvals/{asked['call_id']}", {"decision": decision}
    )
    assert status == 200, told
    return until(server, execution, "completed", "failed")


def test_a_killed_server_leaves_the_question_of_the_guard_for_circles(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with live_server(tmp_path / "first", "--CloutAgent.simulated_pace=0", data_dir=data) as server:
        before = asked_by_the_guard(server, guarded_project(server, "echo mark >> marks; cat marks", 4))
        assert "4 times in a row" in before["approvals"][0]["reason"]
        server.process.kill()
        server.process.wait()
    with live_server(tmp_path / "second", "--CloutAgent.simulated_pace=0", data_dir=data) as server:
        state = until(server, before["execution_id"], "waiting")
        assert state["approvals"] == before["approvals"]
        ended = decide(server, state, "allow")
        assert ended["result"]["text"].split() == ["It", "said", *["mark"] * 4], ended


@pytest.mark.nightly  # its guard waits ten seconds before it asks
@pytest.mark.timeout(180)
def test_a_killed_server_takes_the_question_about_a_silent_call_along_with_the_call(tmp_path: Path) -> None:
    """Nobody can let go on what died: the question is withdrawn, and the outcome unknown; both are said."""
    data = tmp_path / "data"
    with live_server(tmp_path / "first", "--CloutAgent.simulated_pace=0", data_dir=data) as server:
        project = guarded_project(server, "echo mark >> marks; sleep 300", 1)
        status, accepted = server.request(
            "POST", f"projects/{project}/execute", {"prompt": "Go.", "wait": True, "attended": True}
        )
        assert (status, accepted["status"]) == (200, "running"), accepted
        path = f"executions/{accepted['execution_id']}"
        assert "no sign of life" in accepted["approvals"][0]["reason"]
        server.process.kill()
        server.process.wait()
    with live_server(tmp_path / "second", "--CloutAgent.simulated_pace=0", data_dir=data) as server:
        ended = until(server, accepted["execution_id"], "completed", "failed")
        assert (ended["status"], ended["approvals"]) == ("completed", []), ended
        assert "outcome unknown" in ended["result"]["text"]
        [answer] = [e for e in server.request("GET", f"{path}/events")[1]["items"] if e["type"] == "approval"]
        assert (answer["decision"], answer["by"]) == ("deny", "policy")
        assert answer["message"].startswith("Withdrawn")
