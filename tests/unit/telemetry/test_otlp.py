"""OpenTelemetry: loaded only where it is wanted, said when it is missing, never in the way, nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.masking import Mask
from cloutagent_ext.schema.trace import Moment, Span
from cloutagent_ext.telemetry.meters import METRICS, OTHER, Meters
from cloutagent_ext.telemetry.otlp import _MAX_WAITING, Exporter, shown
from tests.support.children import with_tree
from tests.support.otlp_receiver import receiver
from tests.support.patience import Promised

ROOT = Path(__file__).parents[3]
TRACE = "019ab000000070008000000000000001"

RUN = """
import asyncio, json, sys
from pathlib import Path
from tests.unit.executions.conftest import Office, bash

async def main():
    office = Office(Path(sys.argv[1]), **json.loads(sys.argv[2]))
    await office.services.start()
    state = await office.run(await office.project(bash("true")))
    await office.services.stop()
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "requests")
    print(json.dumps([state.status, sorted(name for name in heavy if name in sys.modules)]))

BEFORE
asyncio.run(main())
"""


def run(folder: Path, before: str = "", **settings: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    """One execution in a process of its own: how it ended with what was imported, and the log."""
    done = subprocess.run(
        [sys.executable, "-c", RUN.replace("BEFORE", before), str(folder), json.dumps(settings)],
        capture_output=True, text=True, timeout=100, cwd=ROOT, env=with_tree(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    log = b"".join(path.read_bytes() for path in (folder / "logs").glob("cloutagent-*.jsonl"))
    return json.loads(done.stdout.splitlines()[-1]), [json.loads(line) for line in log.splitlines()]


def test_without_a_collector_nothing_of_opentelemetry_is_loaded(tmp_path: Path) -> None:
    assert run(tmp_path)[0] == ["completed", []]


def test_with_one_that_is_not_installed_the_log_says_what_to_install_and_runs_go_on(tmp_path: Path) -> None:
    with receiver() as collector:
        missing = "sys.modules['opentelemetry.sdk'] = None"
        ended, log = run(tmp_path, missing, otlp_endpoint=collector.url)
    assert ended[0] == "completed"
    [said] = [line["message"] for line in log if "not installed" in line["message"]]
    assert "pip install 'cloutagent-ext[telemetry]'" in said
    assert collector.url in said
    assert collector.requests == []


def test_a_process_that_ends_at_once_still_sends_what_it_did(tmp_path: Path) -> None:
    with receiver() as collector:
        ended, _ = run(tmp_path, otlp_endpoint=f"{collector.url}/")
        assert ended[0] == "completed"
        assert "execution Sales" in [span["name"] for span in collector.spans]
        assert collector.metrics["cloutagent.executions"][0]["value"] == 1


LIVE = """
import asyncio, contextlib, json, sys
from pathlib import Path
from cloutagent_ext.engine.models.anthropic import build_connection
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.messages_api import MessagesApi, Say
from tests.unit.executions.conftest import Office

async def main():
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)  # as an operator's own instrumentation does
    async with MessagesApi([Say("Hello.")], api_key="right-key") as api:
        office = Office(Path(sys.argv[1]), base_url=api.url, api_key="right-key", otlp_endpoint=sys.argv[2])
        await office.services.start()
        project = await office.project()
        state = await office.run(project, prompt="Hi.")
        assert state.status == "completed" and not state.simulated, state
        await office.services.stop()
        client = build_connection("right-key", api.url).client  # whatever of the SDK we may come to call
        with contextlib.suppress(Exception):
            await client.messages.count_tokens(model="m", messages=[{"role": "user", "content": "x"}])
        await client.close()
    print(json.dumps([span.name for span in kept.get_finished_spans()]))

asyncio.run(main())
"""


def test_the_sdks_own_spans_do_not_double_ours(tmp_path: Path) -> None:
    with receiver() as collector:
        done = subprocess.run(
            [sys.executable, "-c", LIVE, str(tmp_path), collector.url],
            capture_output=True, text=True, timeout=100, cwd=ROOT,
            env=with_tree(os.environ),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == [], "nothing by a provider of somebody else"
        names = [span["name"].split()[0] for span in collector.spans]
        assert sorted(names) == ["chat", "execution", "invoke_agent"]
        [chat] = [span for span in collector.spans if span["name"].startswith("chat")]
        assert chat["attributes"]["gen_ai.provider.name"] == "anthropic"
        assert chat["attributes"]["cloutagent.cost_usd"] > 0


def span(number: int, **more: Any) -> Span:
    at = "2026-11-25T08:00:00.000Z"
    fields = {
        "kind": "tool",
        "name": "n",
        "path": "main",
        "from_event": 1,
        "start": at,
        "end": at,
        "status": "ok",
    }
    return Span(**{"span_id": f"{number:016x}", **fields, **more})


def exporter(url: str, **more: Any) -> tuple[Exporter, Meters]:
    meters = Meters()
    return Exporter(url, meters, **{"hide": Mask(["the-secret-here"]), "version": "1", **more}), meters


def test_secrets_are_taken_out_of_names_attributes_moments_and_messages() -> None:
    with receiver() as collector:
        sends, _ = exporter(collector.url)
        sends.start()
        moment = Moment(name="warning", ts="2026-11-25T08:00:00.000Z", attributes={"a": "the-secret-here"})
        sends.span(
            TRACE,
            span(
                1, name="call the-secret-here", status="error", message="no the-secret-here",
                attributes={"x": "the-secret-here", "y": ["the-secret-here"], "z": {"w": "the-secret-here"}},
                moments=[moment],
            ),
        )  # fmt: skip
        sends.span(TRACE, span(2, name="odd \ud800 \x00", attributes={"n": None, "f": 1.5, "b": True}))
        sends.stop()
        assert [each["span_id"][-1] for each in collector.spans] == ["1", "2"]
        assert b"the-secret-here" not in b"".join(collector.raw)
        assert collector.spans[1]["attributes"]["f"] == 1.5
        assert "n" not in collector.spans[1]["attributes"]


def test_a_collector_that_hangs_costs_what_finds_no_room_and_no_time(promised: Promised) -> None:
    with receiver() as collector:
        collector.silent.set()
        sends, meters = exporter(collector.url)
        sends.start()
        sends.span(TRACE, span(0))
        with promised(5):
            for number in range(_MAX_WAITING + 3000):
                sends.span(TRACE, span(number + 1))
        [(labels, dropped)] = meters.read("cloutagent.telemetry.dropped")
        assert labels == ("spans",)
        assert dropped.sum >= 1000
        with promised(4):
            sends.stop()
        collector.silent.clear()


def test_a_collector_that_was_away_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with receiver() as collector:
        collector.refuse = 400
        sends, meters = exporter(collector.url)
        sends.start()
        sends.span(TRACE, span(1))
        deadline = time.monotonic() + 90
        while not meters.read("cloutagent.telemetry.dropped") and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        collector.refuse = None
        sends.span(TRACE, span(2))
        sends.stop()
        assert [each["span_id"][-1] for each in collector.spans] == ["2"]


def test_headers_and_names_of_opentelemetrys_own_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "desk-7")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # a proxy is for the internet, not for loopback
    with receiver() as collector:
        sends, _ = exporter(collector.url)
        sends.start()
        sends.span(TRACE, span(1))
        sends.stop()
        assert collector.resource["service.name"] == "desk-7"
        assert {headers["x-tenant"] for _, headers in collector.requests} == {"blue"}


def test_switched_off_by_opentelemetrys_own_variable_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with receiver() as collector:
        sends, _ = exporter(collector.url)
        sends.start()
        sends.span(TRACE, span(1))
        sends.stop()
        assert collector.requests == []


def test_an_address_is_shown_without_what_may_be_a_password() -> None:
    assert shown("https://user:pw@host:4318/otlp?token=x") == "https://host:4318/otlp"


def test_names_that_a_model_makes_up_do_not_grow_the_metrics() -> None:
    meters = Meters()
    for number in range(2000):
        meters.observe("cloutagent.tool.duration", 0.1, f"tool-{number}", "error")
    series = dict(meters.read("cloutagent.tool.duration"))
    assert len(series) <= 501
    assert series[OTHER, OTHER].count == 1500


def test_a_histogram_counts_each_value_in_the_first_bucket_that_holds_it() -> None:
    meters = Meters()
    for value in (0.001, 0.005, 0.006, 99_999):
        meters.observe("cloutagent.execution.duration", value, "completed")
    [(_, series)] = meters.read("cloutagent.execution.duration")
    assert (series.count, series.buckets[0], series.buckets[1], series.buckets[-1]) == (4, 2, 1, 1)


def test_no_two_metrics_have_one_name_for_prometheus() -> None:
    names = [metric.prometheus_name for metric in METRICS]
    assert len({*names}) == len(names)
