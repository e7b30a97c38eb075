"""What the dashboard is told: counted by a real ledger from real executions, at a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.messages_api import Call, MessagesApi, Say

from .caller import Caller, code
from .test_executions import BASH, SLEEPS, until_running


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    return tmp_path / "cloutagent/ledger/ledger.sqlite"


async def metrics(server: Caller, **query: Any) -> dict[str, Any]:
    return dict(await server.get("metrics", params=query))


async def test_an_empty_server_says_zero_in_every_place(server: Caller) -> None:
    found = await metrics(server, window="7d")
    assert (found["projects"], found["running"], found["queue_length"], found["active_streams"]) == (
        0,
        0,
        0,
        0,
    )
    assert (found["cost_usd"], found["success_rate"], found["duration"]["p95_ms"]) == (0, None, None)
    assert [each["executions"] for each in found["cost_histogram"]] == [0] * 7
    assert (len(found["buckets"]), found["bucket_s"]) == (8, 86_400)
    assert sum(found["executions"].values()) == 0
    assert found["disk"]["free_bytes"] > 0
    assert found["disk"]["used_bytes"] >= found["disk"]["projects_bytes"]


async def test_what_runs_and_waits_is_counted_while_it_does(server: Caller) -> None:
    project = await server.create(queue={"max_concurrent": 1}, **BASH)
    await server.script(project["id"], SLEEPS)
    running, waiting = [await server.execute(project["id"]) for _ in range(2)]
    await until_running(server, running)
    async with server.stream(f"executions/{running}/stream") as (_, frames):
        await anext(frames)
        found = await metrics(server, window="1h", simulated=True)
    assert (found["running"], found["queue_length"], found["active_streams"]) == (1, 1, 1)
    assert (found["executions"]["running"], found["executions"]["queued"]) == (1, 1)
    assert max(each["queue_length"] for each in found["buckets"]) == 1
    [tool] = found["by_tool"]
    assert (tool["tool"], tool["calls"], tool["mean_ms"]) == ("bash", 1, None), "it has not come back"
    for each in (waiting, running):
        await server.call("POST", f"executions/{each}/cancel")
        await server.ended(each)
    found = await metrics(server, window="1h", simulated=True)
    assert (found["running"], found["queue_length"]) == (0, 0)
    assert (found["executions"]["cancelled"], found["executions"]["running"]) == (2, 0)


async def test_simulated_executions_stand_apart_and_never_cost(server: Caller) -> None:
    project = await server.create(**BASH)
    await server.script(
        project["id"],
        {"text": "One.", "tools": [{"name": "bash", "as": "a", "input": {"command": "exit 3"}}]},
        {"text": "Done."},
    )
    await server.ended(await server.execute(project["id"]))
    found = await metrics(server)
    assert sum(found["executions"].values()) == 0
    assert (found["simulated"]["completed"], found["cost_usd"]) == (1, 0)
    assert (found["by_project"], found["by_tool"], found["by_model"]) == ([], [], [])
    apart = await metrics(server, simulated=True)
    assert apart["of_simulated"]
    assert (apart["executions"]["completed"], apart["success_rate"], apart["cost_usd"]) == (1, 1, 0)
    assert apart["duration"]["p50_ms"] == apart["duration"]["mean_ms"] > 0
    [tool] = apart["by_tool"]
    assert (tool["tool"], tool["source"], tool["calls"], tool["errors"]) == ("bash", "builtin", 1, 1)
    assert sum(bucket["executions"]["completed"] for bucket in apart["buckets"]) == 1


async def test_a_projects_figures_are_its_own_and_unknown_ones_are_404(server: Caller) -> None:
    first, second = [await server.create(name) for name in ("One", "Two")]
    await server.ended(await server.execute(first["id"]))
    apart = await metrics(server, project=first["id"], simulated=True)
    assert apart["executions"]["completed"] == 1
    apart = await metrics(server, project=second["id"], simulated=True)
    assert sum(apart["executions"].values()) == 0
    missing = await server.call("GET", "metrics", params={"project": "00000000-0000-4000-8000-000000000000"})
    assert (missing.status_code, code(missing)) == (404, "NOT_FOUND")
    wrong = await server.call("GET", "metrics", params={"window": "2h"})
    assert (wrong.status_code, code(wrong)) == (400, "INVALID_REQUEST")
    key = await server.call("GET", "metrics", key=first["api_key"])
    assert (key.status_code, code(key)) == (403, "FORBIDDEN")


AGENT = {
    "agent": {"tools": ["bash"], "permissions": {"bash": "allow"}},
    "subagents": [{"id": "clerk", "name": "Clerk", "description": "counts", "prompt": "Count."}],
}


class TestWithAModelThatCharges:
    @pytest.fixture
    async def api(self) -> AsyncIterator[MessagesApi]:
        script = [
            Call("agent__clerk", {"prompt": "Count."}), Say("Four."),
            Call("bash", {"command": "true"}), Say("Done."), Say("Again."),
        ]  # fmt: skip
        async with MessagesApi(script, api_key="test-key") as api:
            yield api

    @pytest.fixture
    def settings(self, api: MessagesApi) -> dict[str, Any]:
        return {
            "base_url": api.url, "api_key": "test-key", "allow_simulated_api": False, "retention_h": 0,
        }  # fmt: skip

    async def test_every_sum_is_what_the_executions_cost(self, server: Caller, ledger_file: Path) -> None:
        project = await server.create(**AGENT)
        first = await server.ended(await server.execute(project["id"]))
        second = await server.ended(await server.execute(project["id"]))
        assert first["status"] == second["status"] == "completed", first
        cost = first["total_cost_usd"] + second["total_cost_usd"]
        assert cost > 0
        found = await metrics(server, window="30d")
        assert found["cost_usd"] == pytest.approx(cost)
        page = (await server.call("GET", "/metrics")).text.splitlines()
        told = [line.rsplit(" ", 1)[1] for line in page if line.startswith("cloutagent_cost_usd_total{")]
        assert sum(map(float, told)) == pytest.approx(cost), "Prometheus hears of it, too"
        for sums in ("buckets", "by_project", "by_model", "by_agent"):
            assert sum(each["cost_usd"] for each in found[sums]) == pytest.approx(cost), sums
            for name in first["usage"]:
                tokens = first["usage"][name] + second["usage"][name]
                assert sum(each["usage"][name] for each in found[sums]) == tokens, (sums, name)
        assert {each["agent"]: each["turns"] for each in found["by_agent"]} == {"main": 4, "clerk": 1}
        assert found["by_model"][0]["turns"] == 5
        assert {each["tool"]: each["source"] for each in found["by_tool"]} == {
            "bash": "builtin", "agent__clerk": "subagent",
        }  # fmt: skip
        assert found["simulated"]["completed"] == 0
        assert sum(each["executions"] for each in found["cost_histogram"]) == 2

        # A damaged ledger is set aside, and the logs add up to the same again.
        executions = server.extension.services.executions
        await executions.books.ledger.stop()
        ledger_file.write_bytes(b"no database at all, but long enough to be looked at" * 100)
        executions.books.ledger.start(catch_up=True)
        again = await metrics(server, window="30d")
        while not again["complete"]:
            again = await metrics(server, window="30d")
        for name in ("cost_usd", "usage", "executions", "by_model", "by_agent", "by_tool", "cost_histogram"):
            assert again[name] == found[name], name
        assert [each.name for each in ledger_file.parent.glob("*.corrupt-*")]

    async def test_what_a_deleted_execution_cost_stays_counted(self, server: Caller) -> None:
        project = await server.create(**AGENT)
        state = await server.ended(await server.execute(project["id"]))
        assert (await server.call("DELETE", f"executions/{state['execution_id']}")).status_code == 204
        found = await metrics(server)
        assert found["cost_usd"] == pytest.approx(state["total_cost_usd"])
        assert (await server.call("GET", f"executions/{state['execution_id']}")).status_code == 404
        assert (await server.get("executions", params={"expired": True}))["items"] == []

    async def test_a_replayed_one_costs_nothing(self, server: Caller) -> None:
        project = await server.create(**AGENT)
        state = await server.ended(await server.execute(project["id"]))
        made = await server.call("POST", f"executions/{state['execution_id']}/cassette", json={"tools": True})
        played = await server.ended(await server.execute(project["id"], replay=made.json()["cassette_id"]))
        assert played["status"] == "completed", played
        found = await metrics(server)
        assert found["cost_usd"] == pytest.approx(state["total_cost_usd"])
        assert (found["executions"]["completed"], found["simulated"]["completed"]) == (1, 1)
        apart = await metrics(server, simulated=True)
        assert apart["cost_usd"] == 0
