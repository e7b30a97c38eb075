"""Functions of a notebook as tools: called in its kernel, once, whatever dies; tables stay there."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from cloutagent_ext.client import Client, Project, aconnect
from cloutagent_ext.errors import InvalidRequest
from tests.support.live_server import LiveServer
from tests.support.notebook_kernel import execute
from tests.support.patience import Promised

from .scripted import results, said, script, turn

SALES = pd.DataFrame({"region": ["South", "North"] * 500, "value": range(1000), "secret": "hush-hush"})


@pytest.fixture
def project(server: LiveServer, client: Client, request: pytest.FixtureRequest) -> Project:
    """A project that makes the calls its test is marked with, each in a turn of its own."""
    marker = request.node.get_closest_marker("parametrize")
    assert marker is None
    name = request.node.name
    calls = CALLS[name]
    script(server, name, *(turn(*each) for each in calls), turn(text="{{result.r0}} — done."))
    return client[name]


CALLS: dict[str, list[list[tuple[str, dict[str, Any]]]]] = {
    "test_tables_travel_by_handle_and_their_rows_stay_in_the_kernel": [
        [("of_region", {"region": "South", "since": "2026-01-31"})],
        [("total", {"frame": "df#1"})],
    ],
    "test_what_goes_wrong_in_a_function_is_a_result_that_the_model_reads": [
        [("divide", {"by": 0}), ("total", {"frame": "df#9"}), ("divide", {"by": "no"})],
    ],
    "test_a_function_that_takes_too_long_is_given_up": [[("slow", {})]],
    "test_cancelling_does_not_wait_for_a_function": [[("slow", {})]],
    "test_a_fork_calls_the_same_functions": [[("count", {})]],
    "test_pictures_and_several_values_come_back_as_such": [[("draw", {})]],
    "test_async_functions_and_questions_work": [[("count", {})]],
    "test_an_answer_that_is_too_large_is_said_to_be": [[("large", {})]],
}


def test_tables_travel_by_handle_and_their_rows_stay_in_the_kernel(project: Project) -> None:
    seen: list[Any] = []

    @project.tool
    def of_region(region: str, since: date) -> pd.DataFrame:
        """Sales of a region."""
        seen.append((since, threading.current_thread().name))
        return SALES[SALES["region"] == region]

    @project.tool
    def total(frame: pd.DataFrame) -> dict[str, Any]:
        """Sum of the values of a table."""
        return {"total": frame["value"].sum(), "rows": len(frame)}

    run = project.run(f"Study {project.share(SALES, 'sales')}")
    state = run.wait(60)
    first, second = results(run)
    assert state.client_tools == ["of_region", "total"]
    assert seen[0][0] == date(2026, 1, 31)
    assert seen[0][1] != threading.main_thread().name
    assert "`df#1`: a DataFrame of 500 rows and 3 columns" in said(first)
    assert json.loads(said(second)) == {"total": sum(range(0, 1000, 2)), "rows": 500}
    assert len(project.values["df#1"]) == 500
    prompt = next(event.prompt for event in run if event.type == "agent_start")
    assert "`sales`: a DataFrame of 1,000 rows" in prompt
    assert "- value: int64" in prompt
    log = json.dumps([event for page in run.event_pages() for event in page])
    assert log.count("hush-hush") <= 4 * 5, "samples of a few rows, in the prompt and one result"
    assert "998" not in said(first), "the table's last row went nowhere"


def test_what_goes_wrong_in_a_function_is_a_result_that_the_model_reads(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    @project.tool
    def divide(by: int) -> float:
        """Divide."""
        return 1 / by

    @project.tool
    def total(frame: pd.DataFrame) -> float:
        """Sum."""
        return 0.0

    run = project.run("Go")
    assert run.wait(60).status == "completed"
    zero, unknown, unfit = sorted(results(run), key=lambda event: ["0", "1", "2"].index(event.call_id[-1]))
    assert (zero.is_error, unknown.is_error, unfit.is_error) == (True, True, True)
    assert said(zero) == "ZeroDivisionError: division by zero"
    assert "no value with the handle 'df#9'" in said(unknown)
    assert "'no' is not of type 'integer'" in said(unfit), "refused by the server, before it went out"
    assert "return 1 / by" in capfd.readouterr().err, "the notebook sees the whole traceback"


def test_a_function_that_takes_too_long_is_given_up(project: Project) -> None:
    release = threading.Event()

    @project.tool(timeout_s=1.0)
    def slow() -> str:
        """Wait."""
        release.wait(30)
        return "too late"

    run = project.run("Go")
    assert run.wait(60).status == "completed"
    [result] = results(run)
    assert "did not answer within 1 s" in said(result)
    release.set()


def test_cancelling_does_not_wait_for_a_function(project: Project, promised: Promised) -> None:
    release, begun = threading.Event(), threading.Event()

    @project.tool
    def slow() -> str:
        """Wait."""
        begun.set()
        release.wait(60)
        return "too late"

    run = project.run("Go")
    assert begun.wait(30)
    with promised(5):
        run.cancel()
        assert run.wait(30).status == "cancelled"
    release.set()


def test_a_fork_calls_the_same_functions(project: Project) -> None:
    calls: list[int] = []

    @project.tool
    def count() -> int:
        """Count."""
        calls.append(1)
        return len(calls)

    run = project.run("Go")
    run.wait(60)
    fork = run.fork(next(event.id for event in run if event.type == "tool_call"))
    assert fork.wait(60).status == "completed"
    assert said(results(fork)[0]).strip() == "2"
    with pytest.raises(InvalidRequest, match="has no tool 'other'"):

        @run.tool
        def other() -> None:
            """Another."""


def test_pictures_and_several_values_come_back_as_such(project: Project) -> None:
    @project.tool
    def draw() -> Any:
        """A figure and its data."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([1, 2])
        return figure, SALES.head(2), "as asked"

    run = project.run("Go")
    run.wait(60)
    [result] = results(run)
    image = next(part for part in result.output if part.type == "image")
    assert run.download(image.path).startswith(b"\x89PNG")
    assert "as asked" in said(result)
    assert "`df#1`" in said(result)


def test_async_functions_and_questions_work(project: Project) -> None:
    @project.tool(ask=True)
    async def count() -> str:
        """Count."""
        return "counted"

    run = project.run("Go", attended=True)
    assert run.wait(60).status == "waiting"
    run.allow(run.approvals()[0])
    assert run.wait(60).status == "completed"
    assert said(results(run)[0]).strip() == "counted"


def test_an_answer_that_is_too_large_is_said_to_be(project: Project) -> None:
    @project.tool
    def large() -> str:
        """Too much."""
        return "x" * 11_000_000

    run = project.run("Go")
    assert run.wait(60).status == "completed"
    [result] = results(run)
    assert result.is_error
    assert "could not be sent" in said(result)


def test_a_client_that_closes_leaves_no_task_behind(server: LiveServer) -> None:
    script(server, "Closing", turn(("fetch", {})), turn(text="x"))

    async def main() -> set[asyncio.Task[Any]]:
        async with await aconnect(server.url, token=server.token) as client:
            project = await client.project("Closing")

            @project.tool
            async def fetch() -> str:
                """Fetch."""
                return "fetched"

            run = await project.run("Go", step=True, attended=True)
            async for event in run:
                if event.type == "approval_required":
                    break
            await run.cancel()
        # Python closes the generator that `break` left in a task of its own, a moment later.
        deadline = time.monotonic() + 90
        while left := asyncio.all_tasks() - {asyncio.current_task()}:  # type: ignore[arg-type]
            if time.monotonic() > deadline:
                return left
            await asyncio.sleep(0.01)
        return set()

    assert asyncio.run(main()) == set()


def test_a_notebook_calls_back_into_its_own_kernel_while_the_cell_waits(
    server: LiveServer, tmp_path: Path
) -> None:
    script(server, "Own kernel", turn(("double", {"n": 21})), turn(text="{{result.r0}}"))
    cells = [
        "from cloutagent_ext import connect\nproject = connect()['Own kernel']\nfactor = 2",
        "@project.tool(into='last')\ndef double(n: int) -> int:\n    'Double it.'\n    return n * factor",
        "project.run('Go').result.text.strip(), last",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    execute(book, tmp_path, env=server.env)
    assert book.cells[2].outputs[0]["data"]["text/plain"] == "('42', 42)"
