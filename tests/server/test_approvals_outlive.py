"""A question outlives its server: a real one is killed while it waits, and another takes the answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

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
