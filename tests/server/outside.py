"""What programs outside have: projects with keys, real `curl`, scenarios whose processes can be found."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.support.live_server import LiveServer, live_server

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


@contextmanager
def open_to_keys(folder: Path) -> Iterator[LiveServer]:
    """A server as `make demo` starts it: calls with a key may be answered by the simulated model."""
    options = (
        "--CloutAgent.simulated_pace=0",
        "--CloutAgent.allow_simulated_api=True",
        "--CloutAgent.rate_limit=1000",
    )
    with live_server(folder, *options) as running:
        yield running


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


def until(condition: Callable[[], Any], within_s: float = 90) -> Any:
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
