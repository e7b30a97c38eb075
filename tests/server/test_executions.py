"""Executions over HTTP, played by the simulated model through the real engine, tools and log."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from .caller import DEADLINE_S, Caller, code

SLEEPS = {"text": "Now I wait.", "tools": [{"name": "bash", "as": "nap", "input": {"command": "sleep 60"}}]}
BASH = {"agent": {"tools": ["bash"], "permissions": {"bash": "allow"}, "task": "Do it."}}


async def until_running(server: Caller, execution_id: str) -> dict[str, Any]:
    """The state once a tool runs."""
    log = await server.extension.services.executions.log(execution_id)
    async with asyncio.timeout(DEADLINE_S):
        async for line in log.cursor():
            if b'"type": "tool_call"' in line or b'"type":"tool_call"' in line:
                break
    return dict(await server.get(f"executions/{execution_id}"))


async def test_the_default_answer_is_202_at_once_and_the_run_ends_by_itself(server: Caller) -> None:
    project = await server.create()
    await server.script(project["id"], {"text": "Done: {{prompt}}"})
    response = await server.call(
        "POST", f"projects/{project['id']}/execute", json={"prompt": "Count."}, key=project["api_key"]
    )
    assert response.status_code == 202
    accepted = response.json()
    assert accepted["status"] in ("running", "queued")
    assert accepted["stream_url"] == f"/a%40b/cloutagent/api/v1/executions/{accepted['execution_id']}/stream"
    assert response.headers["X-Execution-Id"] == accepted["execution_id"]
    assert response.headers["Location"].endswith(f"/executions/{accepted['execution_id']}")
    state = await server.ended(accepted["execution_id"])
    assert (state["status"], state["origin"], state["simulated"]) == ("completed", "key", True)
    assert state["result"]["text"] == "Done: Count."


async def test_the_sales_analyst_runs_as_it_is_and_its_figures_come_from_its_tools(server: Caller) -> None:
    response = await server.call("POST", "projects", json={"name": "Sales", "template": "sales-analyst"})
    project = response.json()
    response = await server.call(
        "POST", f"projects/{project['id']}/execute", json={"wait": True}, key=project["api_key"], timeout=120
    )
    assert response.status_code == 200, response.text
    state = response.json()
    assert state["status"] == "completed", state["error"]
    files = await server.get(f"executions/{state['execution_id']}/files", key=project["api_key"])
    assert state["files"] == len(files["items"]) > 0
    for row in files["items"]:
        read = await server.call(
            "GET", f"executions/{state['execution_id']}/files/{row['path']}", key=project["api_key"]
        )
        assert (read.status_code, len(read.content)) == (200, row["size"]), row
        assert read.headers["Content-Disposition"].startswith("attachment")


async def test_a_waiting_call_answers_with_the_final_state_even_of_a_failure(server: Caller) -> None:
    project = await server.create(limits={"max_turns": 1}, **BASH)
    await server.script(
        project["id"], {"text": "One.", "tools": [{"name": "bash", "as": "a", "input": {"command": "true"}}]},
        {"text": "Two."},
    )  # fmt: skip
    response = await server.call("POST", f"projects/{project['id']}/execute", json={"wait": True})
    assert response.status_code == 200
    assert response.json()["error"]["code"] == "TURN_LIMIT_EXCEEDED"


async def test_a_waiting_call_hears_of_a_timeout_as_504_with_the_state(server: Caller) -> None:
    project = await server.create(limits={"timeout_s": 1}, **BASH)
    await server.script(project["id"], SLEEPS)
    response = await server.call("POST", f"projects/{project['id']}/execute", json={"wait": True})
    assert (response.status_code, code(response)) == (504, "TIMEOUT")
    details = response.json()["error"]["details"]
    assert details["state"]["status"] == "failed"
    assert details["state"]["execution_id"] == details["execution_id"]


async def test_a_waiting_call_whose_turn_does_not_come_hears_504_and_those_behind_it_their_places(
    server: Caller,
) -> None:
    project = await server.create(queue={"max_concurrent": 1, "queue_timeout_s": 1}, **BASH)
    await server.script(project["id"], SLEEPS)
    path = f"projects/{project['id']}/execute"
    running = await server.execute(project["id"])
    await until_running(server, running)
    first = asyncio.create_task(server.call("POST", path, json={"prompt": "Go.", "wait": True}))
    async with asyncio.timeout(DEADLINE_S):
        while server.extension.services.executions.count("queued") < 1:
            await asyncio.sleep(0.02)
    second = await server.execute(project["id"])
    response = await first
    assert (response.status_code, code(response)) == (504, "QUEUE_TIMEOUT")
    assert response.json()["error"]["details"]["state"]["started_at"] is None
    assert (await server.ended(second))["error"]["code"] == "QUEUE_TIMEOUT"
    places = [event["position"] for event in await server.events(second) if event["type"] == "queued"]
    assert places == sorted(places, reverse=True)
    assert places[0] == 2
    await server.call("POST", f"executions/{running}/cancel")
    assert (await server.ended(running))["status"] == "cancelled"


async def test_a_full_queue_says_when_to_come_back_keeps_nothing_and_knows_what_was_asked_before(
    server: Caller,
) -> None:
    """Row F23, as a program sees it."""
    project = await server.create(**BASH, queue={"max_concurrent": 1, "max_queue": 1})
    await server.script(project["id"], SLEEPS)
    path = f"projects/{project['id']}/execute"
    taken = []
    for number in range(2):
        headers = {"Idempotency-Key": f"order-{number}"}
        taken.append((await server.call("POST", path, json={"prompt": "Go."}, headers=headers)).json())
    assert [each["status"] for each in taken] == ["running", "queued"]
    for more in ({}, {"wait": True}, {"stream": True}):
        refused = await server.call("POST", path, json={"prompt": "Go."} | more)
        assert (refused.status_code, code(refused)) == (503, "QUEUE_FULL"), refused.text
        assert int(refused.headers["Retry-After"]) > 0
    again = await server.call("POST", path, json={"prompt": "Go."}, headers={"Idempotency-Key": "order-1"})
    assert (again.status_code, again.json()["execution_id"]) == (202, taken[1]["execution_id"])
    kept = (await server.get("executions"))["items"]
    assert {each["execution_id"] for each in kept} == {each["execution_id"] for each in taken}
    assert server.extension.context.streams.open == 0
    for each in reversed(taken):
        await server.call("POST", f"executions/{each['execution_id']}/cancel")
        assert (await server.ended(each["execution_id"]))["status"] == "cancelled"


async def test_cancel_stops_it_and_cancelling_what_has_ended_is_a_conflict(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    assert (await until_running(server, execution))["status"] == "running"
    for _ in range(2):
        response = await server.call(
            "POST", f"executions/{execution}/cancel", key=project["api_key"], json={}
        )
        assert response.status_code == 200, response.text
        assert response.json()["status"] == "cancelled" or response.json()["cancelling"]
    state = await server.ended(execution)
    assert state["status"] == "cancelled"
    late = await server.call("POST", f"executions/{execution}/cancel")
    assert (late.status_code, code(late)) == (409, "CONFLICT")


async def test_a_resume_right_behind_a_cancel_waits_for_its_end_and_goes_on(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS, SLEEPS)  # what goes on must not end before it is cancelled
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    assert (await server.call("POST", f"executions/{execution}/resume", json={})).status_code == 409
    cancelled = await server.call("POST", f"executions/{execution}/cancel")
    assert cancelled.json()["cancelling"], "it has not ended yet"
    resumed = await server.call("POST", f"executions/{execution}/resume", json={})
    assert resumed.status_code == 202, resumed.text
    assert (await server.get(f"executions/{execution}"))["status"] == "cancelled"
    other = resumed.json()["execution_id"]
    assert (await server.get(f"executions/{other}"))["resumed_from"] == execution
    await server.call("POST", f"executions/{other}/cancel")
    assert (await server.ended(other))["status"] == "cancelled"


async def test_a_list_takes_times_as_people_and_programs_write_them(server: Caller) -> None:
    project = await server.create()
    first, second = [await server.execute(project["id"]) for _ in range(2)]
    made = datetime.fromisoformat((await server.get(f"executions/{second}"))["created_at"])
    begun = datetime.fromisoformat((await server.get(f"executions/{first}"))["created_at"])

    async def listed(**query: str) -> set[str]:
        return {row["execution_id"] for row in (await server.get("executions", params=query))["items"]}

    east = timezone(timedelta(hours=5, minutes=30))
    for text in (
        made.isoformat(), made.astimezone(east).isoformat(), made.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        made.strftime("%Y-%m-%d %H:%M:%S,%f+00"), made.astimezone(east).isoformat().replace("+", " "),
    ):  # fmt: skip
        assert await listed(since=text) == ({first, second} if begun == made else {second}), text
        assert await listed(until=text) == ({first} if begun < made else set()), text
    for text in ("2020-01-01T00:00Z", "2020-01-01T00:00:00Z", "0001-01-02T00:00:00Z"):
        assert (await listed(since=text), await listed(until=text)) == ({first, second}, set()), text
    assert await listed(since="9999-12-31T23:59:59Z") == set()
    for text, said in (
        ("2026-11-22T08:00:00", "needs its zone"), ("yesterday", "ISO 8601"), ("1764000000", "ISO 8601"),
        ("2026-13-01T00:00Z", "ISO 8601"), ("2026-11-22", "ISO 8601"), ("", "ISO 8601"),
    ):  # fmt: skip
        for name in ("since", "until"):
            refused = await server.call("GET", "executions", params={name: text})
            assert (refused.status_code, code(refused)) == (400, "INVALID_REQUEST"), text
            assert said in refused.text, refused.text


async def test_what_runs_protects_its_project_and_itself_from_deletion(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    for path in (f"projects/{project['id']}", f"executions/{execution}"):
        response = await server.call("DELETE", path)
        assert (response.status_code, code(response)) == (409, "CONFLICT"), path
    assert server.extension.current_activity() == {"executions": 1}
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)
    assert (await server.call("DELETE", f"executions/{execution}")).status_code == 204
    gone = await server.call("GET", f"executions/{execution}")
    assert (gone.status_code, code(gone)) == (404, "NOT_FOUND")


async def test_variables_are_judged_before_anything_starts(server: Caller) -> None:
    project = await server.create(variables={"topic": {"required": True}}, agent={"task": "Study {{topic}}."})
    path = f"projects/{project['id']}/execute"
    missing = await server.call("POST", path, json={})
    assert (missing.status_code, code(missing)) == (400, "MISSING_VARIABLE")
    assert "topic" in missing.json()["error"]["message"]
    unknown = await server.call("POST", path, json={"variables": {"topic": "a", "tpoic": "b"}})
    assert (unknown.status_code, code(unknown)) == (400, "UNKNOWN_VARIABLE")
    assert (await server.get("executions"))["items"] == []


async def test_the_same_idempotency_key_is_the_same_execution(server: Caller) -> None:
    project = await server.create()
    ids = set()
    for _ in range(3):
        response = await server.call(
            "POST",
            f"projects/{project['id']}/execute",
            json={"prompt": "Go."},
            headers={"Idempotency-Key": "order-7"},
        )
        ids.add(response.json()["execution_id"])
    assert len(ids) == 1
    await server.ended(ids.pop())
    bad = await server.call(
        "POST",
        f"projects/{project['id']}/execute",
        json={"prompt": "Go."},
        headers={"Idempotency-Key": "a b"},
    )
    assert (bad.status_code, code(bad)) == (400, "INVALID_REQUEST")


async def test_where_a_run_came_from_is_told_by_jupyter_callers_only(server: Caller) -> None:
    project = await server.create()
    for header, key, origin in (
        ("panel", None, "panel"),
        (None, None, "api"),
        ("panel", project["api_key"], "key"),
    ):
        response = await server.call(
            "POST", f"projects/{project['id']}/execute", json={"prompt": "Go.", "wait": True}, key=key,
            headers={"X-CloutAgent-Origin": header} if header else {},
        )  # fmt: skip
        assert response.json()["origin"] == origin
    bad = await server.call(
        "POST",
        f"projects/{project['id']}/execute",
        json={"prompt": "Go."},
        headers={"X-CloutAgent-Origin": "key"},
    )
    assert (bad.status_code, code(bad)) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize("settings", [{"allow_simulated_api": False}])
async def test_a_key_never_gets_an_invented_answer(server: Caller) -> None:
    project = await server.create()
    refused = await server.call(
        "POST", f"projects/{project['id']}/execute", json={"prompt": "Go."}, key=project["api_key"]
    )
    assert (refused.status_code, code(refused)) == (502, "MODEL_UNAVAILABLE")
    by_user = await server.call(
        "POST", f"projects/{project['id']}/execute", json={"prompt": "Go.", "wait": True}
    )
    assert by_user.json()["simulated"] is True


async def test_events_come_a_page_at_a_time_without_gap_or_repeat(server: Caller) -> None:
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    whole = (await server.get(f"executions/{execution}/events"))["items"]
    assert [event["id"] for event in whole] == list(range(1, len(whole) + 1))
    pieces, cursor = [], ""
    while True:
        page = await server.get(f"executions/{execution}/events?limit=2{cursor}")
        pieces += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert pieces == whole
    tail = await server.get(f"executions/{execution}/events?from_event={len(whole)}")
    assert tail["items"] == whole[-1:]


async def test_a_failed_execution_is_resumed_and_a_completed_one_forked_over_http(server: Caller) -> None:
    project = await server.create(**{**BASH, "limits": {"max_turns": 1}})
    await server.script(
        project["id"],
        {"text": "", "tools": [{"name": "bash", "as": "one", "input": {"command": "echo once >> made"}}]},
        {"text": "Made: {{result.one}}."},
    )
    run = await server.call("POST", f"projects/{project['id']}/execute", json={"wait": True})
    failed = run.json()
    assert failed["error"]["code"] == "TURN_LIMIT_EXCEEDED"
    path = f"executions/{failed['execution_id']}"
    refused = await server.call("POST", f"{path}/resume", json={})
    assert (refused.status_code, code(refused)) == (400, "INVALID_REQUEST")
    assert "max_turns" in refused.json()["error"]["message"]
    definition = await server.get(f"projects/{project['id']}")
    definition["limits"]["max_turns"] = 5
    saved = await server.call("PUT", f"projects/{project['id']}", json=definition)
    assert saved.status_code == 200, saved.text
    resumed = await server.call("POST", f"{path}/resume", json={"limits": {"max_turns": 5}})
    assert resumed.status_code == 202, resumed.text
    state = await server.ended(resumed.json()["execution_id"])
    assert (state["status"], state["resumed_from"]) == ("completed", failed["execution_id"])
    again = await server.call("POST", f"executions/{state['execution_id']}/resume", json={})
    assert (again.status_code, code(again)) == (409, "CONFLICT")
    body = {"from_event": state["last_event_id"], "prompt": "And now?"}
    forked = await server.call("POST", f"executions/{state['execution_id']}/fork", json=body)
    assert forked.status_code == 202, forked.text
    assert forked.headers["Location"].endswith(forked.json()["execution_id"])
    fork = await server.ended(forked.json()["execution_id"])
    assert (fork["status"], fork["forked_from"]) == ("completed", state["execution_id"])
    made = await server.call("GET", f"executions/{fork['execution_id']}/files/made")
    assert made.text == "once\n", "the command ran once in all"
    body = {"prompt": "And then?", "continue_from": fork["execution_id"], "wait": True}
    continued = await server.call(
        "POST", f"projects/{project['id']}/execute", json=body, key=project["api_key"]
    )
    assert continued.json()["continued_from"] == fork["execution_id"]
    for verb, asked in (("resume", {}), ("fork", {"from_event": 1})):
        denied = await server.call("POST", f"{path}/{verb}", json=asked, key=project["api_key"])
        assert (denied.status_code, code(denied)) == (403, "FORBIDDEN")
