"""JupyterHub on the configuration that the documentation shows: two users, their addresses, the culler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from .hub import Hub, nodes_proxy, running_hub

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub with a server for alice and one for bob."""
    with running_hub(tmp_path_factory.mktemp("hub")) as hub:
        for user in ("alice", "bob"):
            hub.start_server(user)
        yield hub


def make(hub: Hub, user: str, template: str = "sales-analyst") -> dict[str, Any]:
    body = {"name": f"Project of {user}", "template": template}
    made = hub.call("POST", user, "projects", by=user, json=body)
    assert made.status_code == 201, made.text
    project: dict[str, Any] = made.json()
    return project


def test_two_users_work_beside_each_other_each_below_an_address_of_their_own(hub: Hub) -> None:
    for user in ("alice", "bob"):
        made = make(hub, user)
        started = hub.call("POST", user, f"projects/{made['id']}/execute", by=user, json={})
        assert started.status_code == 202, started.text
        stream = started.json()["stream_url"]
        assert stream.startswith(f"/jupyter/user/{user}/cloutagent/api/v1/executions/"), stream
        root = str(httpx2.URL(hub.url).copy_with(path="/"))[:-1]
        headers = {"Authorization": f"token {hub.tokens[user]}"}
        with httpx2.stream("GET", root + stream, headers=headers, trust_env=False, timeout=120) as told:
            assert told.headers["Content-Type"].startswith("text/event-stream")
            events = [json.loads(line[5:]) for line in told.iter_lines() if line.startswith("data:")]
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["type"] == "complete", events[-1]
        names = [row["name"] for row in hub.call("GET", user, "projects", by=user).json()["items"]]
        assert names == [f"Project of {user}"]
        home = hub.folder / "home" / user / ".local/share/jupyter"
        assert (home / "cloutagent/projects" / made["id"]).is_dir()


def test_nobody_reaches_another_users_projects_by_token_or_cookie(hub: Hub) -> None:
    made = make(hub, "alice", "empty")
    path = f"projects/{made['id']}"
    assert hub.call("GET", "alice", path, by="alice").status_code == 200
    for method, where in (("GET", path), ("GET", "projects"), ("POST", "projects"), ("DELETE", path)):
        body = {"name": "mine now"} if method == "POST" else None
        assert hub.call(method, "alice", where, by="bob", json=body).status_code in (401, 403), where
        assert hub.call(method, "alice", where, json=body).status_code in (401, 403), where
    with hub.browser("bob") as bob:
        assert bob.get("user/bob/cloutagent/api/v1/projects").status_code in (200, 401)
        assert bob.get("user/bob/lab").status_code == 200
        assert bob.get("user/bob/cloutagent/api/v1/projects").status_code == 200
        assert bob.get("user/alice/lab").status_code == 403
        assert bob.get("user/alice/cloutagent/api/v1/projects").status_code in (401, 403)
    assert hub.call("GET", "alice", path, by="alice").status_code == 200


def test_a_cookie_alone_changes_nothing(hub: Hub) -> None:
    with hub.browser("alice") as alice:
        assert alice.get("user/alice/lab").status_code == 200
        project = {"name": "By a browser"}
        refused = alice.post("user/alice/cloutagent/api/v1/projects", json=project)
        assert refused.status_code == 403, refused.text
        token = next(
            cookie.value for cookie in alice.cookies.jar if cookie.name == "_xsrf" and "/user/" in cookie.path
        )
        headers = {"X-XSRFToken": token or "", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
        taken = alice.post("user/alice/cloutagent/api/v1/projects", json=project, headers=headers)
        assert taken.status_code == 201, taken.text


def test_a_projects_key_opens_its_project_from_outside_the_hub_and_nothing_of_anybody_else(hub: Hub) -> None:
    made = make(hub, "alice", "empty")
    theirs = make(hub, "bob", "empty")
    key = {"X-API-Key": made["api_key"]}
    path = f"projects/{made['id']}"
    assert hub.call("GET", "alice", path, headers=key).status_code == 200
    assert hub.call("GET", "bob", path, headers=key).status_code == 401
    assert hub.call("GET", "bob", f"projects/{theirs['id']}", headers=key).status_code == 401
    # A Jupyter token beside it makes it neither more nor less.
    assert hub.call("GET", "bob", "projects", by="bob", headers=key).status_code == 401


def test_connect_in_a_notebook_on_the_hub_finds_the_users_own_server(hub: Hub) -> None:
    for user in ("alice", "bob"):
        server = psutil.Process(hub.pid_of(user))
        # A kernel is a child of the server and has its environment, and the server's pid.
        environment = {**server.environ(), "JPY_PARENT_PID": str(server.pid)}
        code = (
            "from cloutagent_ext import connect\n"
            "print(sorted(project.name for project in connect().projects()))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert f"Project of {user}" in done.stdout
        assert f"Project of {'bob' if user == 'alice' else 'alice'}" not in done.stdout


def start_waiting(hub: Hub, user: str, command: str) -> str:
    """An execution of `user` whose agent runs `command` and is done then; its id."""
    made = make(hub, user, "empty")
    path = f"projects/{made['id']}"
    agent = {**made["agent"], "task": "wait", "tools": ["bash"], "permissions": {"bash": "allow"}}
    turns = [{"text": "Wait.", "tools": [{"name": "bash", "input": {"command": command}}]}, {"text": "Done."}]
    scenario = {"schema_version": 1, "agents": {"main": turns}}
    put = hub.call("PUT", user, f"{path}/files/scenario.json", by=user, json=scenario)
    assert put.status_code in (200, 201), put.text
    definition = {name: value for name, value in made.items() if name not in {"api_key", "agent"}}
    saved = hub.call("PUT", user, path, by=user, json={**definition, "agent": agent})
    assert saved.status_code == 200, saved.text
    started = hub.call("POST", user, f"{path}/execute", by=user, json={})
    assert started.status_code == 202, started.text
    return str(started.json()["execution_id"])


@pytest.fixture(scope="module")
def nodes_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub behind the proxy that hubs really run, with a server for alice."""
    folder = tmp_path_factory.mktemp("nodes-hub")
    with running_hub(folder, proxy=nodes_proxy(folder / "proxy")) as hub:
        hub.start_server("alice")
        yield hub


@pytest.mark.nightly
def test_events_come_through_the_proxy_as_they_happen(nodes_hub: Hub) -> None:
    execution = start_waiting(nodes_hub, "alice", "sleep 6")
    headers = {"Authorization": f"token {nodes_hub.tokens['alice']}"}
    address = f"{nodes_hub.address('alice')}cloutagent/api/v1/executions/{execution}/stream"
    came: dict[str, float] = {}
    with httpx2.stream("GET", address, headers=headers, trust_env=False, timeout=60) as told:
        for line in told.iter_lines():
            if line.startswith("data:"):
                came[json.loads(line[5:])["type"]] = time.monotonic()
    assert came["complete"] - came["tool_call"] > 4, "the proxy kept events back"


@pytest.mark.nightly
def test_the_panel_works_through_the_hub_in_a_browser(nodes_hub: Hub) -> None:
    """Login, calls with the hub's cookie and XSRF token, and the panel's stream through the proxy."""
    hub = nodes_hub
    from playwright.sync_api import expect, sync_playwright

    made = make(hub, "alice")
    with sync_playwright() as playwright:
        program = os.environ.get("CLOUTAGENT_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(90_000)
        page.goto(f"{hub.url}hub/login")
        page.get_by_label("Username").fill("alice")
        page.get_by_label("Password").fill("any")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/user/alice/**")
        page.goto(f"{hub.address('alice')}lab?cloutagent={made['id']}")
        page.locator(".react-flow__node[data-id='agent']").wait_for()
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.get_by_text("completed", exact=True).first).to_be_visible(timeout=120_000)
        browser.close()
    runs = hub.call("GET", "alice", f"executions?project={made['id']}", by="alice").json()["items"]
    assert [(run["status"], run["origin"]) for run in runs] == [("completed", "panel")]


def when(hub: Hub, user: str) -> datetime:
    return datetime.fromisoformat(hub.server(user)["last_activity"])


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_the_culler_takes_an_idle_server_and_leaves_one_that_works_though_nobody_looks(
    tmp_path: Path,
) -> None:
    culling = ("--timeout=60", "--cull-every=5")
    with running_hub(tmp_path, culling=culling, environment={"JUPYTERHUB_ACTIVITY_INTERVAL": "2"}) as hub:
        for user in ("alice", "bob"):
            hub.start_server(user)
        execution = start_waiting(hub, "alice", "sleep 120")
        begun = time.monotonic()
        # From here on nobody calls her server, not even this test: the hub alone is asked.
        hub.until(lambda: not hub.server("bob"), "bob's idle server was not culled", 150)
        while time.monotonic() < begun + 100:
            assert hub.server("alice").get("ready"), "a server was culled in the middle of an execution"
            time.sleep(1)
        assert (datetime.now(UTC) - when(hub, "alice")).total_seconds() < 50
        # Once it is over, hers goes as well.
        hub.until(lambda: not hub.server("alice"), "alice's server was never culled", 180)
        kept = hub.folder / "home/alice/.local/share/jupyter/cloutagent/projects"
        state = json.loads(next(kept.glob(f"*/executions/{execution}/state.json")).read_text())
        assert state["status"] == "completed"
