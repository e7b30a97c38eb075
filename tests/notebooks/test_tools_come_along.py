"""Functions of a notebook come along with experiments and with the magic, tables by handle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from cloutagent_ext.client import Client, Project, connect
from cloutagent_ext.errors import InvalidRequest
from tests.support.live_server import LiveServer
from tests.support.notebook_kernel import execute

from .scripted import script, turn

SALES = pd.DataFrame({"region": ["South", "North"] * 500, "value": range(1000)})
TOTALS = {"South": "249500", "North": "250000"}
TURNS = (
    turn(("of_region", {"region": "{{region}}"})),
    {**turn(("total", {"frame": "df#1"})), "text": "Of df#1."},
    turn(text="{{result.r0}}"),
)


def totals(server: LiveServer, name: str) -> str:
    """A project that asks for a region's table, and then for its total."""
    id = script(server, name, *TURNS)
    definition = server.request("GET", f"projects/{id}")[1]
    definition["agent"]["task"] = "Total of {{region}}"
    definition["variables"] = {"region": {}}
    status, answer = server.request("PUT", f"projects/{id}", definition)
    assert status == 200, answer
    return id


def decorate(project: Project, before: Callable[[], Any] = lambda: None) -> Project:
    """Two functions as its tools; the first does `before` first."""

    @project.tool
    def of_region(region: str) -> pd.DataFrame:
        """Sales of a region."""
        before()
        return SALES[SALES["region"] == region]

    @project.tool(into="last")
    def total(frame: pd.DataFrame) -> int:
        """Sum of a table's values."""
        return int(frame["value"].sum())

    return project


@pytest.fixture
def project(server: LiveServer, client: Client, request: pytest.FixtureRequest) -> Project:
    return decorate(client[totals(server, request.node.name)])


def test_each_trial_calls_the_notebooks_functions_over_values_of_its_own(project: Project) -> None:
    made = project.experiment(
        [{"region": "South"}, {"region": "North"}],
        {"both": {}, "none": {"tools": ()}},
        repeats=2,
        scores={"right": lambda output, row: output.strip() == TOTALS[row["region"]]},
        id="with-tools",
    )
    table = made.run(progress=False).table()
    assert len(table) == 8
    both = table[table["variant"] == "both"]
    assert set(both["output"].str.strip()) == {"249500", "250000"}
    assert both["right"].all()
    assert not table.loc[table["variant"] == "none", "right"].any(), "it had no functions to call"
    for trial in made.trials:
        if trial.variant == "both":
            assert list(trial.values) == ["df#1"], "another trial's table has no part in it"
            assert len(trial.values["df#1"]) == 500
            assert trial.state is not None
            assert trial.state.client_tools == ["of_region", "total"]
    assert list(project.values) == []
    again = project.experiment(
        [{"region": "South"}, {"region": "North"}], {"both": {}, "none": {"tools": ()}}, repeats=2, id=made.id
    )
    assert again.find() == 8, "the same experiment, its functions included"


def test_a_trial_that_another_kernel_began_finds_its_functions_in_the_next(
    server: LiveServer, client: Client
) -> None:
    """It waits in the queue while its kernel goes away."""
    name, rows = "Left", [{"region": "South"}]
    totals(server, name)
    begun, gate = threading.Event(), threading.Event()
    project = decorate(client[name], lambda: (begun.set(), gate.wait(60)))
    definition = project.definition()
    definition.queue.max_concurrent = 1
    project.save(definition)
    before = project.run(region="North")
    assert begun.wait(30)
    with connect(server.url, token=server.token) as first:
        steps = decorate(first[name]).experiment(rows, id="left").advance(every_s=0.01)
        while len(project.executions()) < 2:
            next(steps)
        steps.close()  # type: ignore[attr-defined]
    gate.set()
    again = project.experiment(rows, id="left")
    assert again.find() == 1
    assert again.run(progress=False).table()["output"].str.strip().tolist() == ["249500"]
    assert before.wait(30).status == "completed"


def test_tables_of_rows_and_variants_travel_by_handle_and_one_row_has_its_own(project: Project) -> None:
    halves = {name: SALES[SALES["region"] == name] for name in ("South", "North")}
    made = project.experiment(
        {name: {"region": name, "half": half} for name, half in halves.items()},
        {"told": {"prompt": "Study {{half}}", "tools": ["total"]}},
    )
    made.run(progress=False)
    for trial in made.trials:
        assert trial.values["df#1"] is halves[trial.row]
        assert trial.state is not None
        run = project._client.execution(trial.state.execution_id)
        prompt = next(event.prompt for event in run if event.type == "agent_start")
        assert prompt.startswith("Study `df#1`: a DataFrame of 500 rows and 2 columns.")
        assert len(prompt) < 400, "not the table itself"


def test_names_that_no_function_has_are_refused_before_anything_starts(project: Project) -> None:
    with pytest.raises(InvalidRequest, match=r"no tool 'fetch' here\. There are: of_region, total"):
        project.run("Go", tools=["fetch"])
    with pytest.raises(InvalidRequest, match="no name for a tool"):
        project.experiment([{"region": "South"}], tools=[lambda: 1])
    assert project.executions() == []


def notebook(server: LiveServer, folder: Path, *cells: str) -> list[Any]:
    """What each cell gave or raised, in a kernel that finds the server as in life."""
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    book = nbformat.v4.new_notebook(cells=made)
    execute(book, folder, env=server.env, allow_errors=True)
    return [_last(cell.outputs) for cell in book.cells]


def _last(outputs: list[Any]) -> str:
    found = [each for each in outputs if each.output_type in ("execute_result", "error")]
    if not found:
        return ""
    last = found[-1]
    return last["evalue"] if last.output_type == "error" else last["data"]["text/plain"]


def test_the_magic_brings_decorated_functions_and_those_it_names(server: LiveServer, tmp_path: Path) -> None:
    totals(server, "Magic")
    _, _, own, last, prompt, named, none, unknown, two = notebook(
        server,
        tmp_path,
        "%load_ext cloutagent_ext\nimport pandas as pd\nfrom cloutagent_ext import connect\n"
        "sales = pd.DataFrame({'region': ['South', 'North'] * 500, 'value': range(1000)})\nregion = 'South'",
        "mine = connect()['Magic']\n"
        "@mine.tool\ndef of_region(region: str) -> pd.DataFrame:\n    'Sales of a region.'\n"
        "    return sales[sales['region'] == region]\n"
        "@mine.tool(into='leader')\ndef total(frame: pd.DataFrame) -> int:\n    'Sum of its values.'\n"
        "    return int(frame['value'].sum())\n"
        "def other() -> str:\n    'Another.'\n    return 'x'",
        "%%cloutagent Magic --quiet\nStudy {{sales}}",
        "run.wait(60); leader, len(mine.values['df#1']), list(mine.values)",
        "next(e.prompt for e in run if e.type == 'agent_start')",
        "r = get_ipython().run_line_magic('cloutagent', 'Magic --quiet --tools other,total')\n"
        "r.wait(60).client_tools",
        "r = get_ipython().run_line_magic('cloutagent', 'Magic --quiet --no-tools')\nr.wait(60).client_tools",
        "%cloutagent Magic --tools nothing",
        "other_handle = connect()['Magic']\nother_handle.tool(other)\n"
        "get_ipython().run_line_magic('cloutagent', 'Magic --quiet')",
    )
    assert own.startswith("<Run 'Magic'")
    assert last == "(249500, 500, ['sales', 'df#1'])"
    assert prompt.startswith("'Study `sales`: a DataFrame of 1,000 rows")
    assert "999" not in prompt
    assert named == "['other', 'total']"
    assert none == "[]"
    assert "'nothing' is none. Decorated for this project: of_region, total" in unknown
    assert "Several handles of Magic have tools here: mine, other_handle" in two
