"""The examples of `docs/extending.md`, installed or saved as a reader would, at a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.live_server import LiveServer, live_server
from .hub import REPOSITORY

pytestmark = pytest.mark.timeout(240)

EXAMPLES = REPOSITORY / "docs" / "examples"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server beside which both packages are installed."""
    folder = tmp_path_factory.mktemp("examples")
    site = folder / "site"
    for name in ("tool", "model"):
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--no-build-isolation", "--target", str(site), str(EXAMPLES / name)],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    with live_server(folder, env={"PYTHONPATH": path}) as server:
        yield server


def project(server: LiveServer, name: str, *, scenario: Any = None, **more: Any) -> str:
    """A project with `more` in its agent or beside it."""
    made = server.create_project(name, None)
    agent = made["agent"] | more.pop("agent", {})
    definition = {key: value for key, value in made.items() if key != "api_key"} | {"agent": agent} | more
    if scenario is not None:
        server.put_file(made["id"], "scenario.json", scenario)
    status, answer = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200, answer
    return str(made["id"])


def run(server: LiveServer, project: str) -> Any:
    status, state = server.request("POST", f"projects/{project}/execute", {"wait": True})
    assert (status, state.get("status")) == (200, "completed"), state
    return state


def test_the_tools_of_the_example_package_are_listed_and_called(server: LiveServer) -> None:
    rows = {row["name"]: row for row in server.request("GET", "tools")[1]["items"]}
    assert {"word_count", "word_count_file"} <= set(rows)
    assert "cloutagent-wordcount" in rows["word_count"]["source"]
    turns = [
        {
            "text": "I count.",
            "tools": [
                {"name": "word_count", "as": "said", "input": {"text": "one two two", "unique": True}},
                {"name": "word_count_file", "as": "read", "input": {"path": "poem.txt"}},
                {"name": "word_count_file", "as": "outside", "input": {"path": "../../trust.key"}},
            ],
        },
        {"text": "{{result.said}} and {{result.read}}; outside: {{result.outside}}"},
    ]
    tools = ["word_count", "word_count_file"]
    made = project(
        server, "Counter", scenario={"schema_version": 1, "agents": {"main": turns}},
        agent={"task": "Count.", "tools": tools, "permissions": {"word_count": "allow"}},
    )  # fmt: skip
    server.put_file(made, "poem.txt", "the fog comes on little cat feet")
    text = run(server, made)["result"]["text"]
    assert text == "2 and 7 words; outside: Only files of the workspace can be counted."


def test_the_example_model_answers_and_is_paid_for(server: LiveServer) -> None:
    models = {row["id"] for row in server.request("GET", "models")[1]["items"]}
    assert "parrot/grey" in models
    made = project(server, "Bird", agent={"model": "parrot/grey", "task": "Say that again"})
    state = run(server, made)
    assert state["simulated"] is False
    assert state["result"]["text"].strip() == "Say that again"
    assert state["total_cost_usd"] == pytest.approx(3 * 1.0e-6 + 3 * 2.0e-6)


def test_the_example_hook_refuses_a_deletion_and_lets_the_rest_pass(server: LiveServer) -> None:
    folder = EXAMPLES / "hook"
    made = project(
        server, "Guarded", scenario=json.loads((folder / "scenario.json").read_text()),
        agent={"task": "Tidy up.", "tools": ["bash"], "permissions": {"bash": "allow"}},
    )  # fmt: skip
    server.put_file(made, "guard.py", (folder / "guard.py").read_text())
    server.put_file(made, "data/keep.txt", "still here")
    definition = server.request("GET", f"projects/{made}")[1]
    definition["hooks"] = [json.loads((folder / "hook.json").read_text())]
    status, answer = server.request("PUT", f"projects/{made}", definition)
    assert status == 200, answer
    text = run(server, made)["result"]["text"]
    assert "Deleting is a person's business here." in text
    assert "keep.txt" in text


def test_every_example_is_named_in_the_page() -> None:
    page = (EXAMPLES.parent / "extending.md").read_text()
    for example in EXAMPLES.iterdir():
        assert f"examples/{example.name}" in page, f"docs/extending.md does not name {example.name}"
    assert Path(EXAMPLES / "hook/guard.py").is_file()
