"""Row F1 on a real Jupyter server: the kernel kills it, or fails it, at one system call of a save."""

from __future__ import annotations

import contextlib
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.support.live_server import LiveServer, live_server
from tests.support.tracing import traced

KILLS = [
    ("write", 1),
    ("write", 5),
    ("fsync", 1),
    ("fsync", 4),
    ("/^rename", 1),
    ("/^rename", 3),
    ("/^unlink", 1),
]
ERRORS = [("write", "ENOSPC", 2), ("fsync", "EIO", 1), ("fsync", "EIO", 4)]

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(300)]


def definition(text: str) -> dict[str, object]:
    """A project that says `text` in each of several files."""
    return {
        "name": "Project",
        "description": text,
        "agent": {"system_prompt": text, "task": text},
        "subagents": [{"id": f"helper-{n}", "name": text, "prompt": text} for n in range(2)],
    }


def text_of(server: LiveServer, project: str) -> str:
    """What all its files agree on."""
    status, found = server.request("GET", f"projects/{project}")
    assert status == 200, found
    said = {found["description"], found["agent"]["system_prompt"], found["agent"]["task"]}
    said |= {each[field] for each in found["subagents"] for field in ("name", "prompt")}
    assert len(said) == 1, f"mixed: {said}"
    return str(said.pop())


def begin(server: LiveServer) -> str:
    status, made = server.request("POST", "projects", {"name": "Project"})
    assert status == 201, made
    status, saved = server.request("PUT", f"projects/{made['id']}", definition("old"))
    assert status == 200, saved
    return str(made["id"])


@pytest.mark.parametrize(("call", "when"), KILLS)
def test_killed_at_any_system_call_of_a_save_a_server_leaves_the_old_or_the_new(
    tmp_path: Path, call: str, when: int
) -> None:
    with live_server(tmp_path) as server:
        project = begin(server)
        with traced(server.process.pid, f"{call}:signal=SIGKILL:when={when}", tmp_path / "trace"):
            status = 0
            with contextlib.suppress(OSError, HTTPException):
                status, _ = server.request("PUT", f"projects/{project}", definition("new"))
            if status != 200:  # after an answer it may live on: nothing more was called
                server.process.wait(30)
        assert server.process.poll() == -9, "it was not killed: a save does not get that far"
    with live_server(tmp_path) as server:
        found = text_of(server, project)
        assert found in ({"new"} if status == 200 else {"old", "new"})
        assert server.request("PUT", f"projects/{project}", definition("newer"))[0] == 200
        assert text_of(server, project) == "newer"
    folder = tmp_path / "cloutagent"
    assert [path for path in folder.rglob("*") if ".tmp" in path.name or ".staging" in path.name] == []


@pytest.mark.parametrize(("call", "error", "when"), ERRORS)
def test_failed_at_any_system_call_of_a_save_a_server_says_so_and_keeps_what_it_acknowledged(
    tmp_path: Path, call: str, error: str, when: int
) -> None:
    broken = call == "fsync"
    with live_server(tmp_path) as server:
        project = begin(server)
        with traced(server.process.pid, f"{call}:error={error}:when={when}", tmp_path / "trace"):
            status, said = server.request("PUT", f"projects/{project}", definition("new"))
        assert (status, said["error"]["code"]) == ((503, "READ_ONLY") if broken else (507, "DISK_FULL")), said
        assert "(INJECTED)" in (tmp_path / "trace").read_text()
        again, said = server.request("PUT", f"projects/{project}", definition("newer"))
        assert again == (503 if broken else 200), "a retry must not succeed over lost data"
        assert text_of(server, project) in ({"old", "new"} if broken else {"newer"})
    with live_server(tmp_path) as server:
        assert text_of(server, project) in ({"old", "new"} if broken else {"newer"})
        assert server.request("PUT", f"projects/{project}", definition("newest"))[0] == 200
        assert text_of(server, project) == "newest"
