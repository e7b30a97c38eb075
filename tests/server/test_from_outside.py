"""From outside: real `curl` with a key and no Jupyter token, against a real server.

Nothing here is in the server's process: what passes works from any program on any machine.
The command line is in `test_command_line`.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from cloutagent_ext.client import connect
from tests.support.live_server import LiveServer, free_port, live_server
from tests.support.patience import Promised

from .outside import (
    SLOW,
    Project,
    curl,
    endless,
    execute,
    frames,
    make,
    sleepers,
    until,
    with_key,
)


def test_a_program_with_only_a_key_executes_and_waits_for_the_answer(analyst: Project) -> None:
    status, body = execute(analyst, body={"wait": True, "variables": {"file": "sales.csv"}})
    state = json.loads(body)
    assert (status, state["status"], state["origin"]) == (200, "completed", "key")
    assert state["simulated"] is True
    assert "leads" in state["result"]["text"]

    status, body = with_key(
        analyst, f"{analyst.server.api}/executions/{state['execution_id']}/files/report.md"
    )
    assert status == 200
    assert body.startswith("# Sales report")


def test_by_default_it_is_accepted_at_once_and_can_be_asked_about(slow: Project) -> None:
    status, body = execute(slow)
    accepted = json.loads(body)
    assert status == 202
    assert accepted["status"] in ("running", "queued")
    url = f"{slow.server.api}/executions/{accepted['execution_id']}"
    until(lambda: json.loads(with_key(slow, url)[1])["status"] == "completed")


def test_events_stream_as_they_happen_each_once_and_in_order(slow: Project) -> None:
    status, body = execute(slow, "-H", "Accept: text/event-stream")
    events = frames(body)
    assert status == 200
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "queued"
    assert events[-1]["type"] == "complete"
    assert "two" in events[-1]["result"]["text"]


def test_a_cut_stream_goes_on_after_the_last_id_and_loses_nothing(slow: Project) -> None:
    # curl goes away in the middle; the execution does not notice.
    _, cut = execute(slow, "-H", "Accept: text/event-stream", "--max-time", "1")
    before = frames(cut.rpartition("\n\n")[0])
    assert before
    assert before[-1]["type"] not in ("complete", "error", "cancelled")
    execution_id = before[0]["execution_id"]
    stream = f"{slow.server.api}/executions/{execution_id}/stream"

    status, rest = with_key(slow, "-H", f"Last-Event-ID: {before[-1]['id']}", stream)
    after = frames(rest)

    assert status == 200
    together = before + after
    assert [event["id"] for event in together] == list(range(1, len(together) + 1))
    assert after[-1]["type"] == "complete"
    _, page = with_key(slow, f"{slow.server.api}/executions/{execution_id}/events")
    assert json.loads(page)["items"] == together
    # Who has seen the last event is told that there is nothing more.
    assert with_key(slow, "-H", f"Last-Event-ID: {together[-1]['id']}", stream)[0] == 204
    assert frames(with_key(slow, f"{stream}?from_event=3")[1]) == together[2:]


def test_cancel_ends_the_execution_and_every_process_it_started(
    outside: LiveServer, promised: Promised
) -> None:
    project = make(outside, "Endless", endless(86_111))
    execution_id = json.loads(execute(project)[1])["execution_id"]
    until(lambda: len(sleepers(86_111)) == 2)
    url = f"{outside.api}/executions/{execution_id}"

    status, body = with_key(project, "-X", "POST", f"{url}/cancel")

    assert status == 200
    assert json.loads(body)["cancelling"] or json.loads(body)["status"] == "cancelled"
    with promised(5):
        until(lambda: json.loads(with_key(project, url)[1])["status"] == "cancelled")
    assert sleepers(86_111) == []
    events = frames(with_key(project, f"{url}/stream")[1])
    assert [event["type"] for event in events if event["type"] in ("complete", "error", "cancelled")] == [
        "cancelled"
    ]
    assert with_key(project, "-X", "POST", f"{url}/cancel")[0] == 409


def test_without_a_key_or_with_a_wrong_one_nothing_is_executed(slow: Project) -> None:
    url = f"{slow.server.api}/projects/{slow.id}/execute"
    assert (curl("-X", "POST", url)[0], curl("-X", "POST", "-H", "X-API-Key: ca_x_y", url)[0]) == (401, 401)
    assert json.loads(curl("-X", "POST", url)[1])["error"]["code"] == "MISSING_API_KEY"


def test_a_key_reaches_its_own_project_only_and_makes_no_keys(slow: Project, analyst: Project) -> None:
    other = f"{slow.server.api}/projects/{analyst.id}"
    missing = f"{slow.server.api}/projects/00000000-0000-4000-8000-000000000000"
    assert with_key(slow, other)[0] == 403
    assert with_key(slow, other)[1].split('"details"')[0] == with_key(slow, missing)[1].split('"details"')[0]
    assert with_key(slow, f"{slow.server.api}/projects/{slow.id}/keys")[0] == 403
    rows = json.loads(with_key(slow, f"{slow.server.api}/projects")[1])["items"]
    assert [row["id"] for row in rows] == [slow.id]


def test_the_same_idempotency_key_starts_one_execution(slow: Project) -> None:
    same = ("-H", "Idempotency-Key: once-only")
    first, second = (json.loads(execute(slow, *same)[1])["execution_id"] for _ in range(2))
    assert first == second


def test_where_simulation_is_not_allowed_a_key_gets_no_invented_answer(tmp_path: Path) -> None:
    with live_server(tmp_path, "--CloutAgent.simulated_pace=0") as server:
        project = make(server, "Strict", SLOW)
        status, body = execute(project)
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (502, "MODEL_UNAVAILABLE")
        assert "ANTHROPIC_API_KEY" in error["message"]
        assert json.loads(with_key(project, f"{server.api}/executions")[1])["items"] == []
        # A Jupyter user may simulate, and is told.
        status, accepted = server.request("POST", f"projects/{project.id}/execute", {})
        assert status == 202
        state = server.request("GET", f"executions/{accepted['execution_id']}")[1]
        assert state["simulated"] is True


def test_a_client_follows_across_the_death_of_its_server(tmp_path: Path) -> None:
    """SIGKILL in the middle, a new server on the same folder: no event lost, none twice, no endless wait."""
    data, port = tmp_path / "data", free_port()
    seen: list[Any] = []
    with live_server(tmp_path / "first", data_dir=data, port=port, token="same") as first:
        make(first, "Endless 3", endless(86_444))
        client = connect(first.url, token="same")
        run = client["Endless 3"].run()
        watching = threading.Thread(target=lambda: seen.extend(run), daemon=True)
        watching.start()
        until(lambda: len(sleepers(86_444)) == 2)
        first.process.kill()
        first.process.wait()
    with live_server(tmp_path / "second", data_dir=data, port=port, token="same"), client:
        watching.join(30)
        assert not watching.is_alive()
        assert [event.id for event in seen] == list(range(1, len(seen) + 1))
        types = [event.type for event in seen]
        assert types.count("tool_call") == 1, "what had started was started again"
        assert types.index("interrupted") < types.index("resumed") < types.index("tool_result")
        told = next(event for event in seen if event.type == "tool_result")
        assert told.is_error
        assert "outcome unknown" in told.output[0].text
        assert seen[-1].type == "complete"
        assert run.wait(10).status == "completed"
        until(lambda: sleepers(86_444) == [])
