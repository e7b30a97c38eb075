"""A project's secrets at a real server: what goes in, what comes out, and who is given a value."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from .caller import Caller

ENV = {"TOKEN": "{{secret:TOKEN}}", "HEADER": "Bearer {{secret:TOKEN}}"}


def bash(command: str) -> dict[str, Any]:
    return {"text": "I run it.", "tools": [{"name": "bash", "as": "ran", "input": {"command": command}}]}


async def put(server: Caller, project: str, name: str, value: str) -> Any:
    return await server.call("POST", f"projects/{project}/secrets", json={"name": name, "value": value})


async def project_with_bash(server: Caller, **agent: Any) -> str:
    created = await server.create(
        agent={"task": "Go.", "tools": ["bash"], "permissions": {"bash": "allow"}, **agent}
    )
    return str(created["id"])


async def test_names_and_dates_come_out_and_a_value_never(server: Caller) -> None:
    project = (await server.create())["id"]
    assert await server.get(f"projects/{project}/secrets") == {"items": [], "next_cursor": None}
    answers = [await put(server, project, "TOKEN", value) for value in ("first-value", "second-value")]
    assert [answer.status_code for answer in answers] == [201, 200]
    answers.append(await server.call("GET", f"projects/{project}/secrets"))
    answers.append(await server.call("GET", f"projects/{project}"))
    rows = answers[2].json()["items"]
    assert [(row["name"], row["locked"]) for row in rows] == [("TOKEN", False)]
    assert set(rows[0]) == {"name", "created_at", "updated_at", "locked"}
    assert not any("-value" in answer.text for answer in answers)
    assert (await server.call("DELETE", f"projects/{project}/secrets/TOKEN")).status_code == 204
    gone = await server.call("DELETE", f"projects/{project}/secrets/TOKEN")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_refused_value_is_not_echoed(server: Caller) -> None:
    project = (await server.create())["id"]
    for body in (
        b'{"name": "A B", "value": "hush-hush"}',
        b'{"name": "A", "value": "hush-hush\\u0000"}',
        b'{"name": "A", "value": ["hush-hush"]}',
        b'{"name": "A", "value": "hush-hush", "more": "hush-hush"}',
        b'{"name": "A", "value": "hush-hush"',
    ):
        answer = await server.call("POST", f"projects/{project}/secrets", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_REQUEST")
        assert "hush" not in answer.text


async def test_a_key_of_the_project_reaches_none_of_it(server: Caller) -> None:
    created = await server.create()
    for method, path in (("GET", "secrets"), ("POST", "secrets"), ("DELETE", "secrets/A")):
        body = {"json": {"name": "A", "value": "a value"}} if method == "POST" else {}
        answer = await server.call(method, f"projects/{created['id']}/{path}", key=created["api_key"], **body)
        assert answer.status_code == 403


async def test_with_a_lost_key_names_are_shown_locked_and_the_project_works(
    server: Caller, tmp_path: Path
) -> None:
    project = await project_with_bash(server)
    await put(server, project, "TOKEN", "some-value")
    file = tmp_path / "cloutagent" / "projects" / project / ".secrets" / "secrets.enc"
    before = file.read_bytes()
    (tmp_path / "cloutagent.keys").unlink()
    rows = (await server.get(f"projects/{project}/secrets"))["items"]
    assert [(row["name"], row["locked"]) for row in rows] == [("TOKEN", True)]
    answer = await put(server, project, "TOKEN", "new-value")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SECRETS_LOCKED")
    assert (await server.call("DELETE", f"projects/{project}/secrets/TOKEN")).status_code == 409
    assert file.read_bytes() == before
    assert not (tmp_path / "cloutagent.keys").exists()
    assert (await server.ended(await server.execute(project)))["status"] == "completed"


async def test_what_needs_a_locked_or_missing_secret_is_not_begun(server: Caller, tmp_path: Path) -> None:
    project = await project_with_bash(server, env=ENV)
    checked = (await server.call("POST", f"projects/{project}/validate", json={})).json()
    assert not checked["ok"]
    answer = await server.call("POST", f"projects/{project}/execute", json={"prompt": "Go."})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_PROJECT")
    await put(server, project, "TOKEN", "some-value")
    assert (await server.call("POST", f"projects/{project}/validate", json={})).json()["ok"]
    (tmp_path / "cloutagent.keys").unlink()
    checked = (await server.call("POST", f"projects/{project}/validate", json={})).json()
    assert "SECRETS_LOCKED" in [problem["code"] for problem in checked["problems"]]
    answer = await server.call("POST", f"projects/{project}/execute", json={"prompt": "Go."})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SECRETS_LOCKED")


async def test_a_command_is_given_the_value_and_the_model_and_the_log_are_not(server: Caller) -> None:
    project = await project_with_bash(server, env=ENV)
    await put(server, project, "TOKEN", "abc-secret-xyz")
    await server.script(
        project,
        bash('echo "len ${#TOKEN} $HEADER"; printf %s "$TOKEN" | base64; false'),
        {"text": "It said: {{result.ran}}"},
    )
    execution = await server.execute(project)
    state = await server.ended(execution)
    events = json.dumps(await server.events(execution))
    assert "len 14 Bearer [masked]" in state["result"]["text"]
    for spelling in ("abc-secret-xyz", base64.b64encode(b"abc-secret-xyz").decode()):
        assert spelling not in events + json.dumps(state)


# ---------------------------------------------------------------- which key a model call is made with


class TestOrder:
    """Setting, then the project's own secret, then the environment."""

    @pytest.fixture
    def settings(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        given = request.node.callspec.params["given"]
        if "environment" in given:
            monkeypatch.setenv("ANTHROPIC_API_KEY", "of-the-environment")
        return {"api_key": "of-the-setting"} if "setting" in given else {}

    @pytest.mark.parametrize(
        ("given", "source"),
        [
            (("setting", "secret", "environment"), "setting"),
            (("secret", "environment"), "secret"),
            (("environment",), "environment"),
            (("secret",), "secret"),
            ((), "none"),
        ],
    )
    async def test_validate_says_whose_key_it_is(
        self, server: Caller, given: tuple[str, ...], source: str, tmp_path: Path
    ) -> None:
        project = await project_with_bash(server)
        if "secret" in given:
            await put(server, project, "ANTHROPIC_API_KEY", "of-the-project")
        checked = (await server.call("POST", f"projects/{project}/validate", json={})).json()
        assert checked["credentials"] == source
        chosen = await server.extension.services.executions._acceptance._vault.model_settings(project)
        assert chosen.api_key == (
            None if source == "none" else f"of-the-{source.replace('secret', 'project')}"
        )
        if given == ("secret", "environment"):
            # Another key is never taken instead of one that cannot be read.
            (tmp_path / "cloutagent.keys").unlink()
            answer = await server.call("POST", f"projects/{project}/execute", json={"prompt": "Go."})
            assert answer.json()["error"]["code"] == "SECRETS_LOCKED"
