"""The notebooks we ship run from top to bottom in a real kernel, on a real server, and hold their word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from cloutagent_ext.client import Client
from scripts.make_notebooks import NAMES, TARGET, book, played
from tests.support.live_server import LiveServer

_OF_A_MACHINE = re.compile(
    r"/(work|home|root|tmp|Users)/|site-packages|ca_[0-9a-f]{6,}_\\w{20,}|Traceback|Warning:"
)


def outputs(notebook: Any, cell_id: str) -> list[Any]:
    return next(cell for cell in notebook.cells if cell["id"] == cell_id)["outputs"]


def text(notebook: Any, cell_id: str) -> str:
    """All that the cell says, as plain text."""
    said = outputs(notebook, cell_id)
    return "".join(part.get("text") or part.get("data", {}).get("text/plain", "") for part in said)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_what_its_text_says_and_is_stored_with_outputs(name: str) -> None:
    stored = nbformat.read(TARGET / f"{name}.ipynb", as_version=4)
    nbformat.validate(stored)
    made = book(name)
    assert [(c["id"], c.source) for c in stored.cells] == [(c["id"], c.source) for c in made.cells], (
        "run scripts/make_notebooks.py"
    )
    assert any(cell.outputs for cell in stored.cells if cell.cell_type == "code")
    shown = "\n".join(str(cell.get("outputs", "")) for cell in stored.cells)
    assert not (found := _OF_A_MACHINE.search(shown)), found
    assert "widget-view" not in shown
    pictures = re.findall(r"!\[[^]]*\]\((?!attachment:)[^)]*\)", shown)
    assert pictures == [], "a file that is there only once the notebook has run"
    assert all(o.output_type != "error" for c in stored.cells for o in c.get("outputs", []))


def test_every_notebook_has_a_text() -> None:
    assert sorted(path.stem for path in TARGET.glob("*.ipynb")) == NAMES
    assert len(NAMES) >= 7


def test_the_first_notebook_shows_events_result_figure_and_table(server: LiveServer, tmp_path: Path) -> None:
    done = played("01_first_agent", server.env, tmp_path)
    watched = text(done, "watch")
    assert "→ main: agent__statistician" in watched
    assert "→ statistician#1: python" in watched
    assert "✕" not in watched
    assert "USD of 2," in outputs(done, "result")[0]["data"]["text/markdown"]
    assert "completed in" in text(done, "state")
    assert "image/png" in outputs(done, "figure")[0]["data"]
    assert "Standing desk" in outputs(done, "table")[0]["data"]["text/html"]
    assert "[no value" not in outputs(done, "report")[0]["data"]["text/markdown"]
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    assert text(done, "stop") == "'cancelled'"


def test_subagents_and_an_mcp_server_are_seen_at_work(server: LiveServer, tmp_path: Path) -> None:
    done = played("02_subagents_and_mcp", server.env, tmp_path)
    assert "(True, [])" in text(done, "validate")
    assert "get_current_time" in text(done, "tools")
    assert "mcp__time__get_current_time" in text(done, "table")
    assert "reader#3" in text(done, "cost")
    assert "reader#1" in outputs(done, "run")[0]["data"]["text/html"]


def test_budgets_approvals_and_stop_hold(server: LiveServer, client: Client, tmp_path: Path) -> None:
    done = played("03_budgets_approvals_and_stop", server.env, tmp_path)
    assert text(done, "ask") == "'waiting'"
    assert "rm -rf reports" in text(done, "question")
    assert "I was told not to" in text(done, "deny")
    assert "COST_LIMIT_EXCEEDED" in text(done, "budget")
    assert "cancelled after" in text(done, "stop")
    assert "Careful agent" not in [row.name for row in client.projects()]


def test_the_kernel_is_a_tool_and_its_table_stays_there(server: LiveServer, tmp_path: Path) -> None:
    done = played("04_your_kernel_as_a_tool", server.env, tmp_path)
    assert "The leading region is East" in text(done, "back")
    assert "57994" in text(done, "values")
    assert "`sales`: a DataFrame of 1,200 rows" in text(done, "prompt")
    assert "The leading month is" in text(done, "experiment")
    assert "month" in text(done, "trial")


def test_the_experiment_says_how_sure_it_is(server: LiveServer, tmp_path: Path) -> None:
    done = played("05_an_experiment", server.env, tmp_path)
    assert "40 of 40" in text(done, "run")
    assert "0.95  0.76  0.99" in text(done, "summary")
    assert "McNemar" in text(done, "compare")
    assert any("image/png" in each.get("data", {}) for each in outputs(done, "plot"))
    assert text(done, "again").startswith("(40,")


def test_a_program_outside_calls_with_a_key_and_is_refused_the_rest(
    server: LiveServer, tmp_path: Path
) -> None:
    done = played("06_calling_from_outside", server.env, tmp_path)
    assert "completed by key" in text(done, "request")
    assert "'complete'" in text(done, "events")
    assert text(done, "refused").startswith("403 ")
    assert "completed" in text(done, "client")


def test_a_replay_is_the_same_run_and_a_fork_shares_its_history(server: LiveServer, tmp_path: Path) -> None:
    done = played("07_replaying_and_forking", server.env, tmp_path)
    assert text(done, "same") == "(True, True)"
    assert text(done, "fork") == "'completed'"
    assert text(done, "compared").endswith("True)")
