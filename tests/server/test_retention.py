"""What happens to executions when their time is over: at a real server, with the clock of the machine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from .caller import Caller, code
from .test_executions import BASH, SLEEPS, until_running
from .test_metrics import metrics

_MOMENT_H = 0.001 / 3600
"""A millisecond: whatever has ended is old."""


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"retention_h": _MOMENT_H}


async def sweep(server: Caller) -> int:
    await asyncio.sleep(0.01)  # so that what has ended is older than that millisecond
    return int(await server.extension.services.executions.books.retention.sweep())


async def ended(server: Caller, project: str, **request: Any) -> str:
    execution = await server.execute(project, **request)
    await server.ended(execution)
    return execution


async def test_an_old_execution_answers_its_row_and_410_for_everything_that_is_gone(
    server: Caller, tmp_path: Path
) -> None:
    project, other = await server.create(**BASH), await server.create("Other")
    await server.script(project["id"], {"text": "A secret answer."})
    execution = await server.execute(project["id"], metadata={"run": 7})
    before = await server.ended(execution)
    data = tmp_path / "cloutagent"
    assert (data / "temp" / execution).is_dir()
    counted = await metrics(server, simulated=True)

    assert await sweep(server) == 1

    state = await server.get(f"executions/{execution}")
    assert (state["expired"], state["status"], state["result"]) == (True, "completed", None)
    for name in ("created_at", "ended_at", "usage", "total_cost_usd", "duration_ms", "turns", "model"):
        assert state[name] == before[name], name
    for method, path in (
        ("GET", "stream"), ("GET", "events"), ("GET", "files"), ("GET", "files/a.txt"), ("GET", "notebook"),
        ("POST", "fork"), ("POST", "resume"), ("POST", "pin"), ("POST", "cassette"), ("POST", "cancel"),
    ):  # fmt: skip
        body = {"from_event": 1} if path == "fork" else {} if method == "POST" else None
        gone = await server.call(method, f"executions/{execution}/{path}", json=body)
        assert (gone.status_code, code(gone)) == (410, "EXPIRED"), (method, path)
    body = {"prompt": "Go on.", "continue_from": execution}
    gone = await server.call("POST", f"projects/{project['id']}/execute", json=body)
    assert (gone.status_code, code(gone)) == (410, "EXPIRED")

    # A key learns the same about its own, and nothing about others'.
    own = await server.call("GET", f"executions/{execution}", key=project["api_key"])
    assert (own.status_code, own.json()["expired"]) == (200, True)
    gone = await server.call("GET", f"executions/{execution}/events", key=project["api_key"])
    assert (gone.status_code, code(gone)) == (410, "EXPIRED")
    foreign = await server.call("GET", f"executions/{execution}", key=other["api_key"])
    assert (foreign.status_code, code(foreign)) == (403, "FORBIDDEN")

    assert not (data / "temp" / execution).exists()
    assert not (data / "projects" / project["id"] / "executions" / execution).exists()
    kept = b"".join(file.read_bytes() for file in (data / "ledger").iterdir())
    assert b"A secret answer." not in kept
    assert (await metrics(server, simulated=True))["executions"] == counted["executions"]

    assert (await server.get("executions"))["items"] == []
    listed = await server.get("executions", params={"expired": True, "status": "completed"})
    assert [each["execution_id"] for each in listed["items"]] == [execution]
    assert (await server.get("executions", params={"expired": True, "status": "failed"}))["items"] == []

    assert (await server.call("DELETE", f"executions/{execution}")).status_code == 204
    assert (await server.call("GET", f"executions/{execution}")).status_code == 404
    assert (await metrics(server, simulated=True))["executions"] == counted["executions"]


async def test_pinned_ones_stay_until_they_are_unpinned(server: Caller) -> None:
    project = await server.create()
    execution = await ended(server, project["id"])
    pinned = await server.call("POST", f"executions/{execution}/pin")
    assert (pinned.status_code, pinned.json()["pinned"]) == (200, True)
    assert await sweep(server) == 0
    assert (await server.get(f"executions/{execution}"))["pinned"]
    assert (await server.get("executions"))["items"][0]["pinned"]
    unpinned = await server.call("DELETE", f"executions/{execution}/pin")
    assert (unpinned.status_code, unpinned.json()["pinned"]) == (200, False)
    assert await sweep(server) == 1
    assert (await server.get(f"executions/{execution}"))["expired"]
    missing = await server.call("POST", "executions/00000000-0000-7000-8000-000000000000/pin")
    assert (missing.status_code, code(missing)) == (404, "NOT_FOUND")


async def test_one_can_be_pinned_while_it_runs(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    assert (await server.call("POST", f"executions/{execution}/pin")).json()["pinned"]
    await server.call("POST", f"executions/{execution}/cancel")
    assert (await server.ended(execution))["pinned"]
    assert await sweep(server) == 0


async def test_what_has_not_ended_never_expires(server: Caller) -> None:
    project = await server.create(
        queue={"max_concurrent": 1}, agent={"tools": ["bash"], "permissions": {"bash": "ask"}}
    )
    await server.script(project["id"], SLEEPS)
    asks = await server.execute(project["id"], attended=True)
    await server.extension.services.executions.wait(asks, for_people=False)
    executions = [asks]
    await server.script(project["id"], {"text": "Done."})
    slow = await server.create("Slow", queue={"max_concurrent": 1}, **BASH)
    await server.script(slow["id"], SLEEPS)
    executions += [await server.execute(slow["id"]) for _ in range(2)]
    await until_running(server, executions[1])
    assert await sweep(server) == 0
    statuses = [(await server.get(f"executions/{each}"))["status"] for each in executions]
    assert statuses == ["waiting", "running", "queued"]


async def test_those_of_an_experiment_and_those_that_a_caller_may_ask_for_again_stay(server: Caller) -> None:
    project = await server.create(agent={"simulate": True})
    part = await ended(server, project["id"], batch={"id": "trial", "max_cost_usd": 1})
    body, headers = {"prompt": "Go."}, {"Idempotency-Key": "once"}
    path = f"projects/{project['id']}/execute"
    first = (await server.call("POST", path, json=body, headers=headers)).json()["execution_id"]
    await server.ended(first)
    plain = await ended(server, project["id"])
    assert await sweep(server) == 1
    kept = {each["execution_id"] for each in (await server.get("executions"))["items"]}
    assert kept == {part, first}
    assert (await server.get(f"executions/{plain}"))["expired"]
    again = await server.call("POST", path, json=body, headers=headers)
    assert again.json()["execution_id"] == first


async def test_the_ledger_may_be_lost_and_what_has_expired_is_still_known(
    server: Caller, tmp_path: Path
) -> None:
    project = await server.create()
    gone = await ended(server, project["id"])
    assert await sweep(server) == 1
    ledger = server.extension.services.executions.books.ledger
    await ledger.stop()
    for file in (tmp_path / "cloutagent/ledger").glob("ledger.sqlite*"):
        file.unlink()
    ledger.start(catch_up=True)
    while not (await metrics(server, simulated=True))["complete"]:
        await asyncio.sleep(0)
    assert (await server.get(f"executions/{gone}"))["expired"]
    assert (await metrics(server, simulated=True))["executions"]["completed"] == 1


async def test_pages_of_many_go_on_over_what_has_expired(server: Caller) -> None:
    project = await server.create()
    old = [await ended(server, project["id"]) for _ in range(3)]
    assert await sweep(server) == 3
    new = [await ended(server, project["id"]) for _ in range(2)]
    found: list[str] = []
    query: dict[str, Any] = {"expired": True, "limit": 2, "status": "completed"}
    while True:
        page = await server.get("executions", params=query)
        found += [each["execution_id"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == [*reversed(new), *reversed(old)]
