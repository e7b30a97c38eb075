"""The live path through the whole product: a real server, a model service behind real HTTP, a key.

Two services play the model: `aimock`, which others wrote, and our own scripted Messages API,
which accounts for caching, checks what comes back to it, and breaks on demand. Callers prove
themselves with a key only. How each single fault is classified is the engine's own tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cloutagent_ext.engine.models.scenario import next_step
from tests.support.aimock import aimock
from tests.support.live_server import LiveServer, live_server
from tests.support.messages_api import Call, Failure, Json, MessagesApi, Raw, Reply, Say, Scripted
from tests.support.messages_thread import messages_api

TEMPLATE = Path(__file__).parents[2] / "cloutagent_ext/templates/sales-analyst"
KEY, OTHER_KEY = "sk-test-right-5f1c", "sk-test-other-9e2d"
WAIT_S = 90


class Program:
    """Somebody outside with the API key of one project, and nothing else."""

    def __init__(self, server: LiveServer, project: Json) -> None:
        self.server, self.project = server, project

    def get(self, path: str) -> httpx2.Response:
        answer = self._send("GET", f"{self.server.api}/{path}")
        assert answer.status_code == 200, answer.text
        return answer

    def execute(self, **body: Any) -> Json:
        """Execute and wait; the final state."""
        url = f"{self.server.api}/projects/{self.project['id']}/execute"
        answer = self._send("POST", url, json={"wait": True, **body})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def events(self, state: Json) -> list[Json]:
        """All events of the execution, every page."""
        events: list[Json] = []
        while len(events) < state["last_event_id"]:
            page = self.get(f"executions/{state['execution_id']}/events?from_event={len(events) + 1}").json()
            assert page["items"]
            events += page["items"]
        return events

    def file(self, state: Json, path: str) -> str:
        return self.get(f"executions/{state['execution_id']}/files/{path}").text

    def _send(self, method: str, url: str, **options: Any) -> httpx2.Response:
        with httpx2.Client(trust_env=False, timeout=WAIT_S) as http:
            return http.request(method, url, headers={"X-API-Key": self.project["api_key"]}, **options)


def worker(server: LiveServer, name: str) -> Program:
    """A project whose agent has `bash`, made by the server's owner."""
    made = server.create_project(name, None)
    agent = made["agent"] | {"tools": ["bash"], "permissions": {"bash": "allow"}}
    body = {field: value for field, value in made.items() if field != "api_key"} | {"agent": agent}
    status, answer = server.request("PUT", f"projects/{made['id']}", body)
    assert status == 200, answer
    return Program(server, made)


def environment(url: str, key: str = KEY) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": url}


def configured(folder: Path, **settings: str) -> Path:
    """`folder`, with `settings` in the configuration file of the server that will live there."""
    (folder / "config").mkdir(parents=True)
    file = folder / "config/jupyter_server_config.json"
    file.write_text(json.dumps({"CloutAgent": settings}))
    return folder


def price(server: LiveServer, model: str) -> Json:
    """List price in US dollars a million tokens."""
    rows = server.request("GET", "models")[1]["items"]
    return dict(next(row["price"] for row in rows if row["id"] == model))


def never_simulated(state: Json, events: list[Json]) -> bool:
    said = [event["simulated"] for event in events if "simulated" in event]
    warned = any(event.get("code") == "SIMULATED" for event in events)
    return state["simulated"] is False and bool(said) and not any(said) and not warned


# ---------------------------------------------------------------- a service that others wrote


def test_a_program_with_only_a_key_gets_an_answer_that_stands_on_a_tool(tmp_path: Path) -> None:
    fixtures = [
        {
            "match": {"userMessage": "Count the letters", "hasToolResult": False},
            "response": {
                "content": "I count them.",
                "toolCalls": [
                    {"name": "bash", "arguments": {"command": "printf clout | wc -c | tee count.txt"}}
                ],
                "usage": {"input_tokens": 1200, "output_tokens": 40},
            },
        },
        {
            # Answers only a request that brings what the command really printed.
            "match": {"toolResultContains": "5"},
            "response": {
                "content": "The word has 5 letters.",
                "usage": {"input_tokens": 1300, "output_tokens": 10},
            },
        },
    ]
    with (
        aimock(tmp_path, fixtures) as peer,
        live_server(tmp_path / "server", env=environment(peer.url, "dummy")) as server,
    ):
        program = worker(server, "Counter")

        state = program.execute(prompt="Count the letters of clout.")

        events = program.events(state)
        assert (state["status"], state["origin"]) == ("completed", "key")
        assert state["result"]["text"] == "The word has 5 letters."
        assert never_simulated(state, events)
        assert program.file(state, "count.txt").strip() == "5"
        (result,) = [event for event in events if event["type"] == "tool_result"]
        assert (result["tool"], result["is_error"]) == ("bash", False)
        assert [entry["response"]["status"] for entry in peer.journal()] == [200, 200]
        assert {key: count for key, count in state["usage"].items() if count} == {
            "input_tokens": 2500, "output_tokens": 50,
        }  # fmt: skip
        per_million = price(server, state["model"])
        due = (2500 * per_million["input"] + 50 * per_million["output"]) / 1e6
        assert state["total_cost_usd"] == pytest.approx(due, rel=1e-9)


# ---------------------------------------------------------------- the starter project, unchanged


class Analyst:
    """The model of the starter project: its scenario's steps, read from each request's messages."""

    def __init__(self) -> None:
        self.scenario = json.loads((TEMPLATE / "files/scenario.json").read_text())
        declared = json.loads((TEMPLATE / "template.json").read_text())["variables"]
        self.variables = {name: variable["default"] for name, variable in declared.items()}
        self.said: list[int] = []
        """Output tokens of each reply."""
        self.speakers: list[str] = []

    def __call__(self, request: Json, number: int) -> Scripted:
        delegates = any(tool["name"].startswith("agent__") for tool in request["tools"])
        agent = "main" if delegates else "statistician"
        step = next_step(request, agent, self.scenario, self.variables)
        blocks: list[Json] = []
        if step.thinking:
            blocks.append({"type": "thinking", "thinking": step.thinking, "signature": f"signed-{number}"})
        if step.text:
            blocks.append({"type": "text", "text": step.text})
        blocks += [{"type": "tool_use", "id": "", "name": name, "input": given} for name, given in step.tools]
        self.said.append(100 + number)
        self.speakers.append(agent)
        return Reply(
            blocks,
            stop_reason="tool_use" if step.tools else "end_turn",
            final_usage={"output_tokens": self.said[-1]},
            pieces=64,
        )


class Played:
    """One live run of the starter project, and what the service saw of it."""

    def __init__(self, program: Program, api: MessagesApi, model: Analyst) -> None:
        self.program, self.api, self.model = program, api, model
        self.state = program.execute()
        self.events = program.events(self.state)

    def tool_json(self, tool: str, number: int) -> Json:
        """Last line of JSON in what the main agent's `number`th call of `tool` gave the model."""
        last = [
            request
            for request, speaker in zip(self.api.requests, self.model.speakers, strict=True)
            if speaker == "main"
        ][-1]
        blocks = [block for message in last["messages"][1:] for block in message["content"]]
        calls = [block["id"] for block in blocks if block["type"] == "tool_use" and block["name"] == tool]
        (result,) = [block for block in blocks if block.get("tool_use_id") == calls[number]]
        text = "\n".join(part["text"] for part in result["content"] if part["type"] == "text")
        return dict(json.loads([line for line in text.splitlines() if line.startswith("{")][-1]))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The setting's key and address are right, the environment's lead nowhere: the setting wins."""
    folder = tmp_path_factory.mktemp("analyst")
    model = Analyst()
    with (
        messages_api(model, api_key=KEY) as api,
        live_server(
            configured(folder / "server", api_key=KEY, base_url=api.url),
            env=environment("http://127.0.0.1:9", OTHER_KEY),
        ) as server,
    ):
        made = server.create_project()
        yield Played(Program(server, made), api, model)


def test_the_starter_project_runs_unchanged_on_a_live_model(played: Played) -> None:
    assert played.state["status"] == "completed", played.state["error"]
    assert played.api.refused == []
    assert never_simulated(played.state, played.events)
    assert {"main", "statistician"} == set(played.model.speakers)
    failed = [event for event in played.events if event["type"] == "tool_result" and event["is_error"]]
    assert failed == []


def test_its_report_holds_the_figures_that_the_tools_gave(played: Played) -> None:
    report = played.program.file(played.state, "report.md")
    figures = played.tool_json("python", 0)
    certainty = played.tool_json("agent__statistician", 0)
    for name in ("net", "gross", "returned", "leader_net", "best_month_net", "used", "table"):
        assert figures[name] in report, name
    assert certainty["verdict"] in report
    assert "no value" not in report
    assert figures["net"] in played.state["result"]["text"]


def test_no_prompt_is_paid_for_twice(played: Played) -> None:
    """All that a conversation has sent before is read from the cache; only what is new is written.

    No run can read more. The share of the run that this makes depends on its length alone:
    three quarters here, with eight turns and a chart that the service counts by its bytes.
    """
    before: dict[str, int] = {}
    for usage, speaker in zip(played.api.usages, played.model.speakers, strict=True):
        assert usage["input_tokens"] == 0, "the whole prompt lies before a cache breakpoint"
        read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
        assert read == before.get(speaker, 0)
        before[speaker] = read + written


def test_cost_and_tokens_are_exactly_what_the_wire_said(played: Played) -> None:
    wire = {
        name: sum(usage[name] for usage in played.api.usages)
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    } | {"output_tokens": sum(played.model.said)}
    assert len(played.api.usages) == len(played.model.said)
    assert played.state["usage"] == wire

    per_million = price(played.program.server, played.state["model"])
    due = (
        wire["input_tokens"] * per_million["input"]
        + wire["cache_read_input_tokens"] * per_million["cache_read"]
        + wire["cache_creation_input_tokens"] * per_million["cache_write_5m"]
        + wire["output_tokens"] * per_million["output"]
    ) / 1e6
    assert played.state["total_cost_usd"] == pytest.approx(due, rel=1e-9)
    updates = [event for event in played.events if event["type"] == "cost_update"]
    assert sum(update["turn_cost_usd"] for update in updates) == pytest.approx(due, rel=1e-9)


# ---------------------------------------------------------------- whose key


def test_the_key_of_the_settings_goes_before_that_of_the_environment(played: Played) -> None:
    assert {headers.get("authorization") for headers in played.api.headers} == {f"Bearer {KEY}"}
    listed = played.program.server.request("GET", "models")[1]
    assert (listed["credentials"], listed["base_url"]) == ("setting", played.api.url)
    assert KEY not in json.dumps(listed)


def test_a_refused_key_is_said_with_what_to_do_and_shown_nowhere(tmp_path: Path) -> None:
    """Even where the service quotes it, as some gateways do, at once or when its reply has begun."""
    refusal = {"type": "authentication_error", "message": f"Incorrect API key provided: {OTHER_KEY}."}
    midway = f"event: error\ndata: {json.dumps({'type': 'error', 'error': refusal})}\n\n"
    script: list[Scripted] = [Failure(401, refusal["type"], refusal["message"]), Raw(midway.encode())]
    with (
        messages_api(script, api_key=None) as api,
        live_server(tmp_path, env=environment(api.url, OTHER_KEY)) as server,
    ):
        program = worker(server, "Refused")
        states = [program.execute(prompt="Go.") for _ in range(2)]
        events = [program.events(state) for state in states]
        listed = server.request("GET", "models")[1]

    assert [(state["status"], state["error"]["code"]) for state in states] == [("failed", "MODEL_ERROR")] * 2
    assert "ANTHROPIC_API_KEY" in states[0]["error"]["message"]
    assert "CloutAgent.api_key" in states[0]["error"]["message"]
    assert all("Incorrect API key" in state["error"]["message"] for state in states)
    assert len(api.requests) == 2, "a refused key is not tried again"
    assert listed["credentials"] == "environment"
    assert OTHER_KEY not in json.dumps([states, events, listed])
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {"state.json", "error.json", "events.jsonl", "server.log"} <= {file.name for file in kept}
    assert [str(file) for file in kept if OTHER_KEY.encode() in file.read_bytes()] == []


# ---------------------------------------------------------------- a service that fails in the middle


def test_a_run_outlives_a_service_that_is_busy_overloaded_and_cut_off(tmp_path: Path) -> None:
    script: list[Scripted] = [
        Failure(429, "rate_limit_error", "slow down", headers={"retry-after": "0.3"}),
        Call("bash", {"command": "echo one >> ran.txt"}, text="First."),
        Call("bash", {"command": "echo never >> ran.txt"}, text="Void.", error_after=(6, "overloaded_error")),
        Call("bash", {"command": "echo two >> ran.txt"}, text="Second."),
        Say("This is cut off before its end.", cut_after=4),
        Say("Both are done."),
    ]
    with (
        messages_api(script, api_key=KEY) as api,
        live_server(tmp_path, env=environment(api.url)) as server,
    ):
        program = worker(server, "Steadfast")
        state = program.execute(prompt="Do both.")
        events = program.events(state)
        ran = program.file(state, "ran.txt")

    assert (state["status"], state["result"]["text"]) == ("completed", "Both are done.")
    assert ran == "one\ntwo\n", "each call ran once, and the one that was broken off did not"
    assert api.refused == []
    assert never_simulated(state, events)
    retried = [event for event in events if event["type"] == "warning" and event["code"] == "RETRYING"]
    kinds = [event["details"]["kind"] for event in retried]
    assert kinds == ["rate_limit_error", "overloaded_error", "connection"]
    assert retried[0]["details"]["wait_s"] >= 0.3
    assert all("Trying again in" in event["message"] for event in retried)
