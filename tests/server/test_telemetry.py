"""Telemetry of a real server: to a real OTLP receiver, at `/metrics`, in its log, on Jupyter's event bus."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.otlp_receiver import Receiver, receiver
from tests.support.patience import SLACK, Promised

from .caller import DEADLINE_S, Caller
from .test_executions import BASH, SLEEPS, until_running

SECRET = "a-canary-of-telemetry-5f1c"


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


async def until(what: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not what():
            await asyncio.sleep(0.02)


def lines(tmp_path: Path, name: str = "cloutagent") -> list[dict[str, Any]]:
    """The log of the server under test, as far as it is written."""
    found: list[dict[str, Any]] = []
    for path in sorted((tmp_path / "cloutagent" / "logs").glob(f"{name}-*.jsonl")):
        found += [json.loads(line) for line in path.read_bytes().splitlines()]
    return found


# ------------------------------------------------------------ OpenTelemetry


class TestWithACollector:
    @pytest.fixture
    def settings(self, collector: Receiver, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.setenv("OTEL_ENDPOINT", collector.url)  # the alias
        return {}

    async def test_the_spans_of_a_run_are_those_of_its_trace_each_once(
        self, server: Caller, collector: Receiver
    ) -> None:
        time_server = {"id": "time", "name": "Time", "command": "mcp-server-time"}
        hook = {
            "id": "watch", "name": "Watch", "event": "PreToolUse", "on_failure": "continue",
            "action": {"type": "command", "command": ["true"]},
        }  # fmt: skip
        project = await server.create(
            agent={
                "task": "Go.", "tools": ["bash"], "env": {"CANARY": "{{secret:CANARY}}"},
                "permissions": {"bash": "allow", "mcp__time__get_current_time": "allow"},
            },
            subagents=[
                {"id": "helper", "name": "Helper", "description": "helps", "prompt": "Help.", "mcps": []}
            ],
            mcps=[time_server], hooks=[hook],
        )  # fmt: skip
        added = {"name": "CANARY", "value": SECRET}
        assert (await server.call("POST", f"projects/{project['id']}/secrets", json=added)).status_code == 201
        await server.script(
            project["id"],
            {"text": "One.", "tools": [
                {"name": "bash", "as": "a", "input": {"command": "echo $CANARY; exit 1"}},
                {"name": "mcp__time__get_current_time", "as": "b", "input": {"timezone": "UTC"}},
                {"name": "agent__helper", "as": "c", "input": {"prompt": "Do."}},
            ]},
            {"text": "Two."},
            helper=[{"text": "Helped."}],
        )  # fmt: skip
        confirmed = await server.call("GET", f"projects/{project['id']}")
        assert confirmed.json()["trusted"], "what a user saves is trusted"
        execution = await server.execute(project["id"])
        state = await server.ended(execution)
        assert state["status"] == "completed", state["error"]
        trace = (await server.get(f"executions/{execution}/trace"))["items"]
        kinds = {span["kind"] for span in trace}
        assert kinds == {"execution", "agent", "model", "tool", "subagent", "hook", "mcp"}
        await until(lambda: len(collector.spans) >= len(trace))
        await asyncio.sleep(0.3)
        sent = sorted(collector.spans, key=lambda span: str(span["span_id"]))
        assert [(span["span_id"], span["parent_id"], span["name"]) for span in sent] == sorted(
            (span["span_id"], span["parent_id"], span["name"]) for span in trace
        )
        assert {span["trace_id"] for span in sent} == {execution.replace("-", "")}
        assert {span["scope"] for span in sent} == {"cloutagent"}
        chat = next(span for span in sent if span["attributes"]["cloutagent.span.kind"] == "model")
        shown = next(span for span in trace if span["span_id"] == chat["span_id"])
        assert chat["attributes"]["gen_ai.operation.name"] == "chat"
        assert chat["attributes"]["gen_ai.usage.output_tokens"] == shown["usage"]["output_tokens"]
        assert chat["end"] - chat["start"] == shown["duration_ms"] * 1_000_000
        failed = next(span for span in sent if span["name"] == "execute_tool bash")
        assert (failed["status"], failed["attributes"]["error.type"]) == (2, "tool_error")
        assert collector.resource["service.name"] == "cloutagent"
        # Metrics and log records of the same run; the last ones when the server ends.
        await server.extension.stop_extension()
        points = collector.metrics["gen_ai.client.token.usage"]
        assert {p["attributes"]["gen_ai.token.type"] for p in points} >= {"input", "output"}
        [ended] = collector.metrics["cloutagent.executions"]
        assert (ended["attributes"]["status"], ended["value"]) == ("completed", 1)
        assert collector.metrics["cloutagent.executions.running"][0]["value"] == 0
        routes = {p["attributes"]["http.route"] for p in collector.metrics["http.server.request.duration"]}
        assert "v1/projects/{project_id}/execute" in routes
        assert not any(execution in route or project["id"] in route for route in routes)
        of_run = [record for record in collector.logs if record["trace_id"] == execution.replace("-", "")]
        assert [record["attributes"]["event"] for record in of_run if "event" in record["attributes"]] == [
            "queued", "start", "complete",
        ]  # fmt: skip
        everything = b"".join(collector.raw)
        for secret in (SECRET, server.app.identity_provider.token, project["api_key"].split("_", 2)[2]):
            assert secret.encode() not in everything
        assert {path for path, _ in collector.requests} == {"/v1/traces", "/v1/metrics", "/v1/logs"}

    async def test_a_run_that_was_cancelled_ends_every_span_that_it_had_begun(
        self, server: Caller, collector: Receiver
    ) -> None:
        project = await server.create(**BASH)
        await server.script(project["id"], SLEEPS)
        execution = await server.execute(project["id"])
        await until_running(server, execution)
        await until(lambda: [span["name"] for span in collector.spans if "chat" in span["name"]])
        assert all("execution" not in span["name"] for span in collector.spans), "it has not ended"
        await server.call("POST", f"executions/{execution}/cancel")
        await server.ended(execution)
        await until(lambda: any("execution " in span["name"] for span in collector.spans))
        names = {span["name"].split()[0] for span in collector.spans}
        assert names == {"execution", "invoke_agent", "chat", "execute_tool"}

    async def test_a_callers_own_span_is_linked_and_a_header_that_is_none_is_not(
        self, server: Caller, collector: Receiver
    ) -> None:
        project = await server.create("Odd \x1b[2Jname")
        caller = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
        for header in (f"00-{'-'.join(caller)}-01", f"00-{'0' * 32}-{'0' * 16}-01", "x", "ff-1-2-3"):
            answer = await server.call(
                "POST", f"projects/{project['id']}/execute", json={"prompt": "Go."},
                headers={"traceparent": header},
            )  # fmt: skip
            assert answer.status_code == 202, answer.text
            await server.ended(answer.json()["execution_id"])
        await until(lambda: len([each for each in collector.spans if each["parent_id"] is None]) == 4)
        roots = [each for each in collector.spans if each["parent_id"] is None]
        assert [each["links"] for each in roots] == [[caller], [], [], []]
        assert {each["name"] for each in roots} == {"execution Odd  [2Jname"}

    async def test_a_collector_that_never_answers_holds_nothing_up(
        self, server: Caller, collector: Receiver, promised: Promised
    ) -> None:
        collector.silent.set()
        project = await server.create()
        late: list[float] = []

        async def watch() -> None:
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.01)
                late.append(time.monotonic() - before - 0.01)

        watching = asyncio.create_task(watch())
        for _ in range(3):
            state = await server.ended(await server.execute(project["id"]))
            assert state["status"] == "completed"
        watching.cancel()
        with promised(8, "The end of the server does not wait for it."):
            await server.extension.stop_extension()
        assert sorted(late)[len(late) // 2] < SLACK * 0.05
        collector.silent.clear()

    async def test_a_collector_that_refuses_costs_spans_and_one_warning(
        self, server: Caller, collector: Receiver, tmp_path: Path
    ) -> None:
        collector.refuse = 400
        project = await server.create()
        for _ in range(3):
            assert (await server.ended(await server.execute(project["id"])))["status"] == "completed"
        dropped = server.extension.services.telemetry.meters
        await until(lambda: dropped.read("cloutagent.telemetry.dropped"))
        await server.extension.stop_extension()
        said = [line for line in lines(tmp_path) if "did not take" in line["message"]]
        assert len(said) == 1
        assert said[0]["level"] == "WARNING"
        assert not [line for line in lines(tmp_path) if "Traceback" in line.get("exception", "")]


class TestWithADeadCollector:
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return {"otlp_endpoint": f"http://user:{SECRET}@127.0.0.1:{port}"}

    async def test_runs_go_on_and_the_password_in_its_address_is_not_shown(
        self, server: Caller, tmp_path: Path, caplog: pytest.LogCaptureFixture, promised: Promised
    ) -> None:
        project = await server.create()
        assert (await server.ended(await server.execute(project["id"])))["status"] == "completed"
        meters = server.extension.services.telemetry.meters
        await until(lambda: meters.read("cloutagent.telemetry.dropped"))
        with promised(8):
            await server.extension.stop_extension()
        assert [line for line in lines(tmp_path) if "did not take" in line["message"]]
        assert SECRET not in json.dumps(lines(tmp_path)) + caplog.text


# ------------------------------------------------------------ Prometheus


async def test_jupyters_metrics_page_has_ours_and_loses_them_with_the_server(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(
        project["id"], {"text": "A.", "tools": [{"name": "bash", "as": "x", "input": {"command": "true"}}]},
        {"text": "B."},
    )  # fmt: skip
    await server.ended(await server.execute(project["id"]))
    async with server.stream(f"executions/{await server.execute(project['id'])}/stream") as (_, found):
        await anext(found)
        page = (await server.call("GET", "/metrics")).text
        shown = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("cloutagent_"))
        assert float(shown["cloutagent_streams"]) == 1
    ended = 'cloutagent_executions_total{origin="api",simulated="true",status="completed"}'
    assert float(shown[ended]) >= 1
    assert float(shown['cloutagent_tool_duration_seconds_count{status="ok",tool="bash"}']) >= 1
    assert "cloutagent_executions_queued" in shown
    calls = 'cloutagent_http_server_request_duration_seconds_count{http_request_method="POST",'
    assert any(name.startswith(calls) for name in shown)
    assert not any(project["id"] in name for name in shown)
    assert not any(name.startswith("cloutagent_cost_usd_total{") for name in shown), "simulated money is none"
    await server.extension.stop_extension()
    from prometheus_client import REGISTRY

    assert not [metric for metric in REGISTRY.collect() if metric.name.startswith("cloutagent_")]


# ------------------------------------------------------------ logs and audit


async def test_lines_of_a_run_carry_its_ids_and_those_of_requests_theirs(
    server: Caller, tmp_path: Path
) -> None:
    project = await server.create()
    answer = await server.call("POST", f"projects/{project['id']}/execute", json={"prompt": "x\n{}\x1b[2J"})
    execution = answer.json()["execution_id"]
    await server.ended(execution)
    await server.extension.stop_extension()
    found = lines(tmp_path)
    of_run = [line for line in found if line.get("execution_id") == execution]
    assert [line["event"] for line in of_run if "event" in line] == ["queued", "start", "complete"]
    assert {line["trace_id"] for line in of_run if "event" in line} == {execution.replace("-", "")}
    assert of_run[0]["request_id"] == answer.headers["X-Request-Id"], "which call set it off"
    [request] = [line for line in found if line.get("route") == "v1/projects/{project_id}/execute"]
    assert request["request_id"] == answer.headers["X-Request-Id"]
    assert (request["status"], request["method"]) == (202, "POST")


async def test_keys_secrets_trust_and_copies_leave_audit_lines_without_a_value(
    server: Caller, tmp_path: Path
) -> None:
    project = await server.create()
    at, key = f"projects/{project['id']}", project["api_key"]
    made = (await server.call("POST", f"{at}/keys", json={"name": "CI"})).json()
    await server.call("POST", f"{at}/secrets", json={"name": "TOKEN", "value": SECRET})
    await server.call("DELETE", f"{at}/secrets/TOKEN")
    for _ in range(3):
        await server.call("GET", at, key=made["api_key"])
    await server.execute(project["id"], key=made["api_key"])
    await server.call("GET", at, key=key[:-4] + "nope")
    await server.call("GET", at, key="no key at all")
    await server.call("DELETE", f"{at}/keys/{made['id']}")
    await server.call("POST", f"{at}/trust", json={"hash": "0" * 64})
    await server.call("POST", f"{at}/versions/1/restore")
    backup = (await server.call("POST", "backups")).json()
    await server.call("POST", f"backups/{backup['name']}/restore", json={"project": project["id"]})
    await server.extension.stop_extension()
    found = lines(tmp_path, "audit")
    told = [line["action"] for line in found]
    assert told.count("key.use") == 2, "two routes; looking three times is told once"
    used = next(line for line in found if line["action"] == "key.use")
    assert used["who"] == {"kind": "key", "key_id": made["id"], "name": "CI"}
    assert used["address"] == "127.0.0.1"
    assert told.count("key.refused") == 2
    refused = next(line for line in found if line["action"] == "key.refused")
    assert (refused["outcome"], refused["who"]["key_id"]) == ("INVALID_API_KEY", key.split("_")[1])
    by_action = {line["action"]: line for line in found}
    assert by_action["key.create"]["key_id"] == by_action["key.revoke"]["key_id"] == made["id"]
    assert by_action["secret.set"]["name"] == by_action["secret.delete"]["name"] == "TOKEN"
    assert by_action["secret.set"]["who"]["kind"] == "user"
    assert by_action["trust.confirm"]["outcome"] != "ok"
    assert by_action["version.restore"]["version"] == "1"
    assert by_action["backup.restore"]["project_id"] == project["id"]
    for line in found:
        assert line["stream"] == "audit"
        assert line["request_id"]
        assert datetime.fromisoformat(line["ts"]) > datetime.now(UTC) - timedelta(minutes=5)
    text = json.dumps(found) + json.dumps(lines(tmp_path))
    for secret in (SECRET, key.split("_", 2)[2], made["api_key"].split("_", 2)[2]):
        assert secret not in text


# ------------------------------------------------------------ Jupyter's event bus, and activity


async def test_the_end_of_a_run_and_a_question_are_jupyter_events(server: Caller) -> None:
    from cloutagent_ext.jupyter.events import APPROVAL, FINISHED

    heard: list[tuple[str, dict[str, Any]]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        heard.append((schema_id, data))

    for schema in (FINISHED, APPROVAL):
        server.app.event_logger.add_listener(schema_id=schema, listener=listen)
    project = await server.create(agent={"tools": ["bash"], "permissions": {"bash": "ask"}, "task": "Go."})
    await server.script(
        project["id"],
        {"text": "A.", "tools": [{"name": "bash", "as": "x", "input": {"command": f"echo {SECRET}"}}]},
        {"text": "B."},
    )  # fmt: skip
    execution = await server.execute(project["id"], attended=True)
    await until(lambda: heard)
    [(schema, asked)] = heard
    assert (schema, asked["execution_id"], asked["tool"]) == (APPROVAL, execution, "bash")
    answer = await server.call(
        "POST", f"executions/{execution}/approvals/{asked['call_id']}", json={"decision": "allow"}
    )
    assert answer.status_code == 200, answer.text
    await server.ended(execution)
    await until(lambda: len(heard) == 2)
    schema, ended = heard[1]
    assert (schema, ended["status"], ended["code"], ended["simulated"]) == (FINISHED, "completed", None, True)
    assert SECRET not in json.dumps(heard)


async def test_a_hubs_culler_sees_runs_as_activity_and_who_watches_as_none(server: Caller) -> None:
    async def last() -> datetime:
        status = await server.call("GET", "/api/status")
        return datetime.fromisoformat(status.json()["last_activity"])

    project = await server.create(**BASH)
    await server.script(project["id"], SLEEPS)
    times = server.app.web_app.settings["last_activity_times"]
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    started = times["cloutagent"]
    assert await last() >= started
    long_ago = datetime.now(UTC) - timedelta(hours=3)

    def a_while_ago() -> None:
        """As if that were how long nobody has done anything: people, kernels and runs alike."""
        for name in [*times]:
            times[name] = long_ago
        settings = server.app.web_app.settings
        for name in [each for each in settings if each.endswith("_last_activity")]:
            settings[name] = long_ago
        settings["started"] = server.app.kernel_manager.last_kernel_activity = long_ago

    a_while_ago()
    async with server.stream(f"executions/{execution}/stream") as (_, found):
        await anext(found)
        await server.get(f"executions/{execution}/trace")
        assert times["cloutagent"] == long_ago, "a stream and a monitor are nobody at work"
    await server.call("GET", f"executions/{execution}")
    stopped: list[bool] = []
    server.app.stop = lambda *_: stopped.append(True)
    server.app.shutdown_no_activity_timeout = 60
    server.app.shutdown_no_activity()
    assert not stopped, "what runs keeps the server"
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)
    assert times["cloutagent"] > long_ago, "its end is the newest activity"
    a_while_ago()
    async with server.stream(f"executions/{execution}/stream") as (_, found):
        await anext(found)
        await until(lambda: server.extension.current_activity() is None)
        server.app.shutdown_no_activity()
    assert stopped == [True], "nothing runs: an open stream keeps nobody alive"
