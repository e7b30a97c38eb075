"""Projects whose simulated model calls functions of a notebook, and what was said to it."""

from __future__ import annotations

from typing import Any

from cloutagent_ext.client import Run
from tests.support.live_server import LiveServer


def turn(*calls: tuple[str, dict[str, Any]], text: str = "I use it.") -> dict[str, Any]:
    tools = [{"name": name, "as": f"r{n}", "input": given} for n, (name, given) in enumerate(calls)]
    return {"text": text, "tools": tools} if tools else {"text": text}


def script(server: LiveServer, name: str, *turns: dict[str, Any]) -> str:
    """A project whose simulated model takes these turns; its id."""
    made = server.create_project(name, template="empty")
    scenario = {"schema_version": 1, "agents": {"main": list(turns)}}
    server.put_file(made["id"], "scenario.json", scenario)
    return str(made["id"])


def results(run: Run) -> list[Any]:
    return [event for event in run if event.type == "tool_result"]


def said(result: Any) -> str:
    return "\n".join(part.text for part in result.output if part.type == "text")


def offered(**more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {}}
    return {"name": "fetch", "description": "Fetch.", "input_schema": schema, **more}


def execute(server: LiveServer, project: str, **tool: Any) -> str:
    status, answer = server.request(
        "POST", f"projects/{project}/execute", {"prompt": "Go", "client_tools": [offered(**tool)]}
    )
    assert status == 202, answer
    return str(answer["execution_id"])


def call_id(run: Run) -> str:
    return str(next(event.call_id for event in run if event.type == "client_call"))
