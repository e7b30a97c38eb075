"""Makes the notebooks of `notebooks/` from their texts in `scripts/demo_notebooks/`, outputs included.

Each is run from top to bottom in a real kernel that finds a real server of its own, on the simulated
model: no key, no account. `python scripts/make_notebooks.py [NAME …]` writes them; the tests make
them in the same way and compare the cells.

A text is Markdown; a block that begins "```python NAME" is a code cell of that id, what lies between
two of them a cell of text.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ROOT / "scripts" / "demo_notebooks"
TARGET = ROOT / "notebooks"
NAMES = sorted(path.stem for path in TEXTS.glob("*.md"))
SECONDS = 100
"""Longest that one notebook may take."""

_CODE = re.compile(r"^```python (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def book(name: str) -> Any:
    """The notebook, not yet run."""
    text, cells, at = (TEXTS / f"{name}.md").read_text(), list[Any](), 0
    for block in _CODE.finditer(text):
        cells += _words(text[at : block.start()], f"before-{block[1]}")
        cells.append(nbformat.v4.new_code_cell(block[2].rstrip("\n"), id=block[1]))
        at = block.end()
    cells += _words(text[at:], "end")
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": spec, "language_info": {"name": "python"}}
    )


def _words(text: str, id: str) -> list[Any]:
    return [nbformat.v4.new_markdown_cell(text.strip(), id=id)] if text.strip() else []


def played(name: str, env: dict[str, str], folder: Path) -> Any:
    """The notebook with its outputs, run in `folder`; raises `RuntimeError` with what went wrong."""
    path = folder / f"{name}.ipynb"
    nbformat.write(book(name), path)
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:
        # Files: a port that Jupyter has chosen may be somebody else's when the kernel comes to take it.
        where = ["--inplace", "--KernelManager.transport=ipc", f"--KernelManager.ip={sockets}/k"]
        done = subprocess.run(
            [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", *where, path.name],
            cwd=folder, env=env, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr[-3000:]}")
    return tidy(nbformat.read(path, as_version=4))


def tidy(made: Any) -> Any:
    """Without what differs each time and says nothing: clocks of cells, the state of widgets."""
    made.metadata.pop("widgets", None)
    for cell in made.cells:
        cell.metadata.pop("execution", None)
    return made


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from tests.support.live_server import live_server

    wanted = sys.argv[1:] or NAMES
    with tempfile.TemporaryDirectory() as folder:
        options = ("--CloutAgent.simulated_pace=0", "--CloutAgent.max_concurrent=3")
        with live_server(Path(folder) / "server", *options) as server:
            server.create_project()
            for name in wanted:
                there = Path(folder) / name
                there.mkdir()
                nbformat.write(played(name, server.env, there), TARGET / f"{name}.ipynb")
                print(f"notebooks/{name}.ipynb")


if __name__ == "__main__":
    main()
