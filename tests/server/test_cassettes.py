"""Recordings over HTTP, with a key, and from a shell."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_server import bare_environment
from tests.support.messages_api import Call, MessagesApi, Say

from .caller import Caller, code

KEY = "test-key"


@pytest.fixture
async def api() -> AsyncIterator[MessagesApi]:
    async with MessagesApi(
        [Call("bash", {"command": "echo $((6*7))"}), Say("It is 42.")], api_key=KEY
    ) as api:
        yield api


class _WithModel:
    @pytest.fixture
    def settings(self, api: MessagesApi) -> dict[str, Any]:
        return {"base_url": api.url, "api_key": KEY, "allow_simulated_api": False}


AGENT = {"agent": {"task": "What is it?", "tools": ["bash"], "permissions": {"bash": "allow"}}}


class TestWithAModel(_WithModel):
    async def test_a_cassette_is_made_listed_downloaded_uploaded_played_and_deleted(
        self, server: Caller, api: MessagesApi
    ) -> None:
        project = await server.create(**AGENT)
        execution = await server.execute(project["id"])
        assert (await server.ended(execution))["status"] == "completed"
        made = await server.call("POST", f"executions/{execution}/cassette", json={"tools": True})
        assert made.status_code == 201, made.text
        cassette = made.json()["cassette_id"]
        assert made.headers["Location"].endswith(f"/projects/{project['id']}/cassettes/{cassette}")
        listed = await server.get(f"projects/{project['id']}/cassettes")
        row = listed["items"][0]
        assert (row["id"], row["replies"], row["tool_results"]) == (cassette, 2, 1)
        file = await server.call("GET", f"projects/{project['id']}/cassettes/{cassette}")
        assert file.headers["Content-Disposition"].startswith("attachment")
        other = await server.create("Another", **AGENT)
        taken = await server.call("POST", f"projects/{other['id']}/cassettes", content=file.content)
        assert taken.status_code == 201, taken.text
        # A key may play it: nothing is invented.
        replay = await server.execute(other["id"], key=other["api_key"], replay=taken.json()["id"])
        state = await server.ended(replay)
        assert (state["status"], state["result"]["text"]) == ("completed", "It is 42.")
        assert (state["total_cost_usd"], state["replay"]) == (0, taken.json()["id"])
        assert len(api.requests) == 2
        response = await server.call("DELETE", f"projects/{project['id']}/cassettes/{cassette}")
        assert response.status_code == 204
        gone = await server.call("GET", f"projects/{project['id']}/cassettes/{cassette}")
        assert (gone.status_code, code(gone)) == (404, "NOT_FOUND")

    async def test_a_cassette_that_is_not_there_is_a_bad_request(self, server: Caller) -> None:
        project = await server.create(**AGENT)
        body = {"prompt": "Go.", "replay": "0123456789abcdef"}
        response = await server.call("POST", f"projects/{project['id']}/execute", json=body)
        assert (response.status_code, code(response)) == (400, "INVALID_REQUEST")
        bad = await server.call("POST", f"projects/{project['id']}/cassettes", content=b"no cassette")
        assert (bad.status_code, code(bad)) == (422, "BAD_ARCHIVE")


def shell(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cloutagent_ext", *arguments, "--data-dir", str(folder / "data")],
        env=bare_environment(folder), capture_output=True, text=True, timeout=110,
    )  # fmt: skip


def test_recordings_from_a_shell(tmp_path: Path) -> None:
    def out(*arguments: str) -> Any:
        done = shell(tmp_path, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    out("projects", "create", "Sales", "--template", "sales-analyst")
    first = out("run", "Sales", "--quiet")
    cassette = out("cassette", "save", first["execution_id"], "--tools")["cassette_id"]
    again = out("run", "Sales", "--quiet", "--replay", cassette)
    assert (again["status"], again["replay"], again["total_cost_usd"]) == ("completed", cassette, 0)
    assert again["result"] == first["result"]
    file = tmp_path / "tape.jsonl.gz"
    out("cassette", "download", "Sales", cassette, str(file))
    taken = out("cassette", "upload", "Sales", str(file))["id"]
    assert {row["id"] for row in out("cassette", "list", "Sales")} == {cassette, taken}
    out("cassette", "delete", "Sales", cassette)
    assert [row["id"] for row in out("cassette", "list", "Sales")] == [taken]
    missing = shell(tmp_path, "run", "Sales", "--replay", cassette)
    assert missing.returncode == 2
    assert "no cassette" in missing.stderr
