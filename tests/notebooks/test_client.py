"""The client against a real server: tables with real types, files of this machine, a model for one run."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cloutagent_ext.client import Client, Project, Run, aconnect
from cloutagent_ext.client.tables import EVENTS, EXECUTIONS
from cloutagent_ext.errors import Forbidden, InvalidRequest
from tests.support.live_server import LiveServer


@pytest.fixture(scope="module")
def project(server: LiveServer, client: Client) -> Project:
    server.create_project("Plain", template="empty")
    return client["Plain"]


@pytest.fixture(scope="module")
def run(project: Project) -> Run:
    return project.run("Say hello", wait=True, metadata={"who": "a test"})


def test_events_come_as_a_table_whose_columns_need_no_conversion(run: Run) -> None:
    table = run.events_df()
    assert {name: str(kind) for name, kind in table.dtypes.items()} == EVENTS
    assert list(table["id"]) == [event.id for event in run]
    assert list(table["type"]) == [event.type for event in run]
    paid = table[table["type"] == "cost_update"]
    assert paid["turn_cost_usd"].sum() == pytest.approx(run.state.total_cost_usd)
    assert paid["input_tokens"].sum() + paid["cache_creation_input_tokens"].sum() > 0
    assert (table["ts"].diff().dropna() >= pd.Timedelta(0)).all()
    assert "Say hello" in table.loc[table["type"] == "complete", "content"].iloc[0]
    assert run.events_df(from_event=3)["id"].iloc[0] == 3


def test_executions_come_as_a_table_of_all_pages(project: Project, client: Client, run: Run) -> None:
    project.run("Again", wait=True)
    table = project.executions_df()
    assert {name: str(kind) for name, kind in table.dtypes.items()} == EXECUTIONS
    mine = table.set_index("execution_id").loc[run.id]
    assert mine["status"] == "completed"
    assert mine["metadata"] == {"who": "a test"}
    assert mine["total_cost_usd"] == run.state.total_cost_usd
    assert mine["duration_s"] == run.state.duration_ms / 1000  # type: ignore[operator]
    assert mine["ended_at"] >= mine["started_at"] >= mine["created_at"]
    assert len(client.executions_df(project=project.id, limit=1)) == 1
    newest = table["created_at"].max()
    assert list(project.executions_df(since=newest.to_pydatetime())["created_at"]) == [newest]
    assert project.executions_df(status="failed").empty


def test_files_of_this_machine_go_into_the_workspace(
    server: LiveServer, project: Project, tmp_path: Path
) -> None:
    (tmp_path / "here.txt").write_text("from a path")
    run = project.run("Look", wait=True, files={"a.txt": b"from bytes", "b/c.txt": tmp_path / "here.txt"})
    workspace = server.data_dir / "temp" / run.id / "workspace"
    assert (workspace / "a.txt").read_bytes() == b"from bytes"
    assert (workspace / "b/c.txt").read_bytes() == b"from a path"


def test_a_model_can_be_chosen_for_one_run_but_not_with_a_key(
    server: LiveServer, project: Project, run: Run
) -> None:
    chosen = project.run("Say hello", model="claude-haiku-4-5", wait=True).state
    assert chosen.model == "claude-haiku-4-5" != run.state.model
    assert project.definition().agent.model == run.state.model
    with pytest.raises(InvalidRequest):
        project.run("Say hello", model="")

    async def with_a_key() -> None:
        key = project.create_key("models").api_key
        async with await aconnect(server.url, api_key=key) as other:
            with pytest.raises(Forbidden, match="Jupyter users"):
                await (await other.project()).run("Say hello", model="claude-haiku-4-5")

    asyncio.run(with_a_key())


def test_the_same_idempotency_key_is_the_same_run(project: Project) -> None:
    first = project.run("Once", idempotency_key="row-7")
    assert project.run("Once", idempotency_key="row-7").id == first.id
    first.wait()
    first.delete()
    assert first.id not in set(project.executions_df()["execution_id"])


def test_metrics_count_what_ran_and_a_pinned_run_stays_pinned(client: Client, run: Run) -> None:
    project = run.state.project_id
    assert client.metrics("1h", project=project, simulated=True).executions.completed >= 1
    assert client.metrics("1h", project=project).executions.completed == 0
    run.pin()
    run.pin()
    assert client.execution(run.id).state.pinned
    run.unpin()
    assert not client.execution(run.id).state.pinned


def test_without_pandas_a_sentence_says_what_to_install(server: LiveServer, run: Run) -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "from cloutagent_ext import connect\n"
        f"run = connect({server.url!r}, token={server.token!r}).execution({run.id!r})\n"
        "try: run.events_df()\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=server.env, check=True
    )
    assert "A table of events needs pandas" in done.stdout
    assert "pip install pandas" in done.stdout


def test_the_client_brings_neither_server_nor_model_sdk() -> None:
    code = (
        "import sys\n"
        "from cloutagent_ext.client import AsyncClient, AsyncRun, Client, Project, Run\n"
        "print([m for m in ('tornado', 'anthropic', 'pandas', 'IPython', 'mcp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
