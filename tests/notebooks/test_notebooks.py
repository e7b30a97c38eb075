"""The notebooks we ship run from top to bottom in a real kernel, against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.support.live_server import LiveServer

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def execute(path: Path, server: LiveServer, folder: Path) -> Any:
    """The notebook with its outputs, run in `folder`; fails when a cell does."""
    shutil.copy(path, folder / path.name)
    # Its kernel finds the server as in life: by the files that servers leave in the runtime folder.
    done = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", path.name],
        cwd=folder,
        env=server.env,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return nbformat.read(folder / path.name, as_version=4)


def outputs(notebook: Any, cell_id: str) -> list[Any]:
    return next(cell for cell in notebook.cells if cell["id"] == cell_id)["outputs"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text())["cells"]
    assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in cells)


def test_the_first_notebook_shows_events_result_figure_and_table(server: LiveServer, tmp_path: Path) -> None:
    done = execute(NOTEBOOKS[0], server, tmp_path)

    watched = "".join(part["text"] for part in outputs(done, "watch"))
    assert "→ main: agent__statistician" in watched
    assert "→ statistician#1: python" in watched
    assert "✕" not in watched
    assert "USD of 2," in outputs(done, "result")[0]["data"]["text/markdown"]
    assert "completed in" in outputs(done, "state")[0]["text"]
    assert "image/png" in outputs(done, "figure")[0]["data"]
    assert "Standing desk" in outputs(done, "table")[0]["data"]["text/html"]
    assert "[no value" not in outputs(done, "report")[0]["data"]["text/markdown"]
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    assert outputs(done, "stop")[0]["data"]["text/plain"] == "'cancelled'"
