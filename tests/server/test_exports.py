"""Exports over HTTP: a project as a program, a run as a notebook."""

from __future__ import annotations

import ast
import json

from .caller import Caller, code


async def test_a_project_is_handed_out_as_a_program_to_jupyter_users_only(server: Caller) -> None:
    project = await server.create("Été & Co.", agent={"task": "Go.", "tools": ["view"]})
    path = f"projects/{project['id']}/export?format=python"
    response = await server.call("GET", path)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/x-python")
    assert response.headers["Content-Disposition"] == "attachment; filename*=utf-8''%C3%89t%C3%A9-Co.py"
    head = ast.get_docstring(ast.parse(response.text))
    assert head is not None
    assert head.startswith("Été & Co., version ")
    refused = await server.call("GET", path, key=project["api_key"])
    assert (refused.status_code, code(refused)) == (403, "FORBIDDEN")


async def test_a_run_is_handed_out_as_a_notebook_also_while_it_runs(server: Caller) -> None:
    project = await server.create(agent={"task": "Go.", "tools": ["bash"], "permissions": {"bash": "allow"}})
    turn = {"text": "I wait.", "tools": [{"name": "bash", "input": {"command": "sleep 86437"}}]}
    await server.script(project["id"], turn)
    execution = await server.execute(project["id"])
    async with server.stream(f"executions/{execution}/stream") as (_, frames):
        async for frame in frames:
            if frame.data["type"] == "tool_call":
                break
    response = await server.call("GET", f"executions/{execution}/notebook", key=project["api_key"])
    assert response.status_code == 200
    cells = json.loads(response.content)["cells"]
    assert cells[-1]["source"].startswith("## It was running")
    assert any(cell["source"] == "%%bash\nsleep 86437" and not cell["outputs"] for cell in cells)
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)
