"""What no tool can be, who may not bring one, who may not answer."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cloutagent_ext.client import Client
from cloutagent_ext.errors import CloutError, InvalidRequest
from tests.support.live_server import LiveServer

from .scripted import call_id, execute, offered, script, turn


@pytest.mark.parametrize(
    ("tool", "why"),
    [
        (offered(name="bash"), "another tool has this name"),
        (offered(name="mcp__x__y"), "another tool has this name"),
        (offered(input_schema={"type": "string"}), "no JSON schema"),
        (offered(input_schema={"type": "object", "properties": 3}), "no JSON schema"),
        (offered(input_schema={"type": "object", "description": "x" * 70_000}), "longer than"),
    ],
)
def test_a_tool_that_cannot_be_is_refused_before_anything_starts(
    server: LiveServer, tool: dict[str, Any], why: str
) -> None:
    project = server.create_project("Refusing", template="empty")["id"]
    body = {"prompt": "Go", "client_tools": [tool]}
    status, answer = server.request("POST", f"projects/{project}/execute", body)
    assert (status, why in answer["error"]["message"]) == (400, True), answer
    assert server.request("GET", f"executions?project={project}")[1]["items"] == []


def test_keys_bring_no_tools_and_answer_none(server: LiveServer, client: Client) -> None:
    project = script(server, "Keyed", turn(("fetch", {})), turn(text="x"))
    key = client["Keyed"].create_key("outside").api_key
    headers = {"X-API-Key": key, "Authorization": ""}
    body = {"prompt": "Go", "client_tools": [offered()]}
    assert server.request("POST", f"projects/{project}/execute", body, **headers)[0] == 403
    run = client.execution(execute(server, project, silence_s=2.0))
    path = f"executions/{run.id}/calls/{call_id(run)}"
    assert server.request("POST", path, {"caller": "k", "status": "working"}, **headers)[0] == 403
    run.cancel()


def test_functions_that_no_tool_can_be_made_of_are_refused_at_once(
    client: Client, server: LiveServer
) -> None:
    script(server, "Strict", turn(text="x"))
    project = client["Strict"]

    def undescribed(a: int) -> int:
        return a

    def spread(*names: str) -> None:
        """Spread."""

    def odd(sock: threading.Event) -> None:
        """Odd."""

    for function, why in ((undescribed, "no docstring"), (spread, "by name"), (odd, "No JSON")):
        with pytest.raises(CloutError, match=why):
            project.tool(function)
    with pytest.raises(InvalidRequest, match="no name for a tool"):
        project.tool(name="two words")(lambda: 1)
