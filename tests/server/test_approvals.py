"""Approvals over HTTP: who may decide what, and what the caller hears."""

from __future__ import annotations

from typing import Any

import httpx2

from .caller import Caller, code

ASKS = {"agent": {"tools": ["bash", "file_create"], "permissions": {"file_create": "ask"}, "task": "Do it."}}
PANEL = {"X-CloutAgent-Origin": "panel"}


def run(command: str) -> dict[str, Any]:
    return {"text": "I run it.", "tools": [{"name": "bash", "as": "a", "input": {"command": command}}]}


async def waiting(server: Caller, project: dict[str, Any], *turns: dict[str, Any]) -> dict[str, Any]:
    """The state of an execution that waits for a person, as `wait: true` answers it."""
    await server.script(project["id"], *(turns or (run("echo hello"),)), {"text": "Done."})
    response = await server.call(
        "POST", f"projects/{project['id']}/execute", json={"wait": True}, headers=PANEL
    )
    assert response.status_code == 200, response.text
    state: dict[str, Any] = response.json()
    assert state["status"] == "waiting"
    return state


async def decide(
    server: Caller, state: dict[str, Any], decision: str = "allow", **more: Any
) -> httpx2.Response:
    key, call_id = more.pop("key", None), more.pop("call_id", state["approvals"][0]["call_id"])
    path = f"executions/{state['execution_id']}/approvals/{call_id}"
    return await server.call("POST", path, json={"decision": decision, **more}, key=key)


async def key_of(server: Caller, project: dict[str, Any], *scopes: str) -> str:
    made = await server.call(
        "POST", f"projects/{project['id']}/keys", json={"name": "k", "scopes": list(scopes)}
    )
    return str(made.json()["api_key"])


async def test_a_waiting_call_hears_that_it_waits_and_what_for(server: Caller) -> None:
    project = await server.create(**ASKS)
    create = {"name": "file_create", "input": {"path": "notes/a.md", "content": "# Notes\n"}}
    state = await waiting(server, project, {"tools": [create]})
    (approval,) = state["approvals"]
    assert approval["preview"] == {
        "kind": "diff",
        "content": "--- /dev/null\n+++ notes/a.md\n@@ -0,0 +1 @@\n+# Notes\n",
        "where": "notes/a.md",
        "note": "A new file.",
        "truncated": False,
    }
    listed = await server.get("executions?status=waiting")
    assert [row["execution_id"] for row in listed["items"]] == [state["execution_id"]]
    files = await server.get(f"executions/{state['execution_id']}/files")
    assert "notes/a.md" not in [row["path"] for row in files["items"]]
    response = await decide(server, state)
    assert response.status_code == 200
    assert response.json()["approvals"] == []
    ended = await server.ended(state["execution_id"])
    assert (ended["status"], ended["approvals"]) == ("completed", [])


async def test_no_is_a_result_and_changed_arguments_run(server: Caller) -> None:
    project = await server.create(**ASKS)
    state = await waiting(server, project, run("echo one"), run("echo two"))
    assert (await decide(server, state, "deny", message="Leave it.")).status_code == 200
    response = await server.call(
        "POST", f"projects/{project['id']}/execute", json={"wait": True}, headers=PANEL
    )
    other = response.json()
    assert (await decide(server, other, input={"command": "echo changed"})).status_code == 200
    events = {event["type"]: event for event in (await events_of(server, other))}
    assert events["approval"]["input"] == {"command": "echo changed"}
    assert "changed" in events["tool_result"]["output"][0]["text"]
    refused = [event for event in await events_of(server, state) if event["type"] == "tool_result"]
    assert refused[0]["output"][0]["text"] == "Leave it."
    for each in (state, other):
        await server.call("POST", f"executions/{each['execution_id']}/cancel")
        await server.ended(each["execution_id"])


async def events_of(server: Caller, state: dict[str, Any]) -> list[dict[str, Any]]:
    """Its events up to the next question, or its end."""
    await server.extension.services.executions.wait(state["execution_id"], for_people=False)
    found: list[dict[str, Any]] = (await server.get(f"executions/{state['execution_id']}/events"))["items"]
    return found


async def test_every_wrong_decision_has_its_answer(server: Caller) -> None:
    project = await server.create(**ASKS)
    state = await waiting(server, project)
    for body in ({"decision": "maybe"}, {}, {"decision": "deny", "input": {"command": "x"}}, {"input": 3}):
        path = f"executions/{state['execution_id']}/approvals/{state['approvals'][0]['call_id']}"
        response = await server.call("POST", path, json=body)
        assert (response.status_code, code(response)) == (400, "INVALID_REQUEST"), body
    wrong = await decide(server, state, input={"comand": "echo"})
    assert (wrong.status_code, code(wrong)) == (400, "INVALID_REQUEST")
    assert wrong.json()["error"]["details"]["fields"][0]["path"] == "input"
    unknown = await decide(server, state, call_id="toolu_nobody")
    assert (unknown.status_code, code(unknown)) == (404, "NOT_FOUND")
    assert (await decide(server, state, "deny", message="No.")).status_code == 200
    await server.ended(state["execution_id"])
    late = await decide(server, state)
    assert (late.status_code, code(late)) == (409, "CONFLICT")


async def test_the_first_decision_stands(server: Caller) -> None:
    project = await server.create(**ASKS)
    both = {"tools": [*run("echo one")["tools"], {"name": "bash", "input": {"command": "echo two"}}]}
    state = await waiting(server, project, both)
    assert (await decide(server, state)).status_code == 200
    assert (await decide(server, state)).status_code == 200
    other = await decide(server, state, "deny")
    assert (other.status_code, code(other)) == (409, "CONFLICT")
    assert other.json()["error"]["details"]["decision"] == "allow"
    second = state["approvals"][1]["call_id"]
    assert (await decide(server, state, "deny", call_id=second)).status_code == 200
    assert (await server.ended(state["execution_id"]))["status"] == "completed"


async def test_a_key_decides_only_with_its_scope_on_its_own_project_and_changes_nothing(
    server: Caller,
) -> None:
    project, other = await server.create("Mine", **ASKS), await server.create("Other", **ASKS)
    state = await waiting(server, project)
    foreign = await decide(server, state, key=await key_of(server, other, "read", "approve"))
    assert (foreign.status_code, code(foreign)) == (403, "FORBIDDEN")
    scopeless = await decide(server, state, key=project["api_key"])
    assert (scopeless.status_code, code(scopeless)) == (403, "FORBIDDEN")
    assert "approve" in scopeless.json()["error"]["message"]
    approver = await key_of(server, project, "read", "execute", "approve")
    edited = await decide(server, state, key=approver, input={"command": "echo other"})
    assert (edited.status_code, code(edited)) == (403, "FORBIDDEN")
    assert (await server.get(f"executions/{state['execution_id']}"))["status"] == "waiting"
    assert (await decide(server, state, key=approver)).status_code == 200
    assert (await server.ended(state["execution_id"]))["status"] == "completed"


async def test_a_program_hears_that_nobody_can_answer_unless_the_project_lets_it_wait(server: Caller) -> None:
    project = await server.create(**ASKS)
    await server.script(project["id"], run("echo hello"), {"text": "Done: {{result.a}}"})
    path = f"projects/{project['id']}/execute"
    response = await server.call("POST", path, json={"wait": True}, key=project["api_key"])
    assert response.json()["status"] == "completed"
    assert "needs a person's approval" in response.json()["result"]["text"]
    for refused in ({"step": True}, {"attended": True}):
        response = await server.call("POST", path, json=refused, key=project["api_key"])
        assert (response.status_code, code(response)) == (403, "FORBIDDEN")
    definition = await server.get(f"projects/{project['id']}")
    definition["agent"]["on_ask_unattended"] = "wait"
    assert (await server.call("PUT", f"projects/{project['id']}", json=definition)).status_code == 200
    response = await server.call("POST", path, json={"wait": True}, key=project["api_key"])
    assert (response.status_code, response.json()["status"]) == (200, "waiting")
    await server.call("POST", f"executions/{response.json()['execution_id']}/cancel")


async def test_step_asks_for_a_call_that_the_project_allows(server: Caller) -> None:
    project = await server.create(agent={"tools": ["bash"], "permissions": {"bash": "allow"}})
    await server.script(project["id"], run("echo hello"), {"text": "Done."})
    body = {"prompt": "Go.", "wait": True, "step": True}
    response = await server.call("POST", f"projects/{project['id']}/execute", json=body, headers=PANEL)
    assert response.json()["status"] == "waiting"
    assert (await decide(server, response.json())).status_code == 200
    assert (await server.ended(response.json()["execution_id"]))["status"] == "completed"
