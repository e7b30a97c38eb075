"""A run as a notebook: it is one, it says what happened, and its cells do the same again."""

from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from cloutagent_ext.client import Client, Run
from tests.support.live_server import LiveServer
from tests.support.notebook_kernel import execute

FILES = Path(__file__).parents[2] / "cloutagent_ext/templates/sales-analyst/files"


@pytest.fixture(scope="module")
def run(client: Client) -> Run:
    started = client["Sales analyst"].run()
    assert started.wait(90).status == "completed"
    return started


@pytest.fixture(scope="module")
def notebook(run: Run) -> Any:
    found = nbformat.reads(run.notebook().decode(), as_version=4)
    nbformat.validate(found)
    return found


def text_of(cell: Any) -> str:
    return "".join(each.get("text", "") for each in cell.outputs)


def test_it_says_what_ran_and_ends_with_the_answer(run: Run, notebook: Any) -> None:
    about = notebook.metadata.cloutagent
    assert about.execution_id == run.id
    assert (about.model, about.version, about.status) == ("claude-opus-5-5", 1, "completed")
    assert about.total_cost_usd == run.state.total_cost_usd
    assert run.id in notebook.cells[0].source
    assert notebook.cells[-1].source == f"## Answer\n\n{run.result.text}"
    said = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert "## Task" in "\n".join(said)
    assert any(cell.startswith("**Thinking**") for cell in said)
    order = [i for i, cell in enumerate(said) if cell.startswith("### Statistician (statistician#1)")]
    assert order
    assert order[0] < len(said) - 2


def test_every_call_is_a_cell_with_the_output_it_had(run: Run, notebook: Any) -> None:
    calls = {e.call_id: e for e in run if e.type == "tool_call" and e.source != "subagent"}
    results = {e.call_id: e for e in run if e.type == "tool_result"}
    cells = {c.metadata.cloutagent.call_id: c for c in notebook.cells if "cloutagent" in c.metadata}
    assert cells.keys() == calls.keys()
    for call_id, call in calls.items():
        cell = cells[call_id]
        if call.tool == "python":
            assert cell.source == call.input["code"]
        if call.tool == "bash":
            assert cell.source == f"%%bash\n{call.input['command']}"
            assert text_of(cell) == results[call_id].output[0].text
    pictures = [o for c in cells.values() for o in c.outputs if "image/png" in o.get("data", {})]
    assert pictures
    tables = [o for c in cells.values() for o in c.outputs if "text/html" in o.get("data", {})]
    assert tables


@pytest.mark.timeout(240)
def test_its_cells_do_the_same_again_in_a_real_kernel(run: Run, notebook: Any, tmp_path: Path) -> None:
    shutil.copy(FILES / "sales.csv", tmp_path)
    again = copy.deepcopy(notebook)
    for cell in again.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    execute(again, tmp_path, timeout_s=120)
    for name in ("clean.csv", "report.md"):
        assert (tmp_path / name).read_bytes() == run.download(name), name
    assert (tmp_path / "chart.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    compared = 0
    for before, after in zip(notebook.cells, again.cells, strict=True):
        if before.cell_type == "code" and "cloutagent" in before.metadata:
            tool = before.metadata.cloutagent.tool
            if tool in ("view", "grep", "file_create") or '"net"' in text_of(before):
                assert _settled(text_of(after)) == _settled(text_of(before)), before.source
                compared += 1
    assert compared >= 5


def _settled(text: str) -> str:
    """Without what is another file's time or place; `Created` becomes what it was."""
    return re.sub(r"\s+\Z", "", text.replace("Replaced", "Created"))


def test_the_route_hands_it_out_as_a_file_also_to_a_key(server: LiveServer, run: Run, client: Client) -> None:
    import urllib.request

    key = client["Sales analyst"].create_key("notebook").api_key
    request = urllib.request.Request(f"{server.api}/executions/{run.id}/notebook", headers={"X-API-Key": key})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["Content-Type"] == "application/x-ipynb+json"
        assert answer.headers["Content-Disposition"] == f"attachment; filename*=utf-8''{run.id}.ipynb"
        assert answer.read() == run.notebook()
