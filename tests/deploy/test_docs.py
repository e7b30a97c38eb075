"""The documentation: it builds without a warning, its links lead somewhere, and its code runs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.live_server import LiveServer, live_server
from .docs_blocks import blocks
from .hub import REPOSITORY

pytestmark = pytest.mark.timeout(300)

DOCS = REPOSITORY / "docs"
PAGES = sorted(page for page in [*DOCS.rglob("*.md"), REPOSITORY / "README.md"] if "_build" not in page.parts)
WITH_CODE = [
    page
    for page in PAGES
    if "generated" not in page.parts and any(block.runs for block in blocks(page.read_text()))
]


def test_the_site_builds_without_a_warning_and_names_what_the_code_has(tmp_path: Path) -> None:
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees"),
         str(DOCS), str(site)],
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    http = (site / "generated/http.html").read_text()
    python = (site / "generated/python.html").read_text()
    command_line = (site / "generated/cli.html").read_text()
    from cloutagent_ext.client import __all__ as names
    from cloutagent_ext.server.routes import ROUTES

    for route in ROUTES:
        assert route.path.replace("{path...}", "{path}") in http, route.path
    for name in names:
        assert f">{name}<" in python, name
    assert "jupyter cloutagent hooks backtest" in command_line
    assert "(mcp.object" not in http


def _headings(page: str) -> set[str]:
    """Anchors of a page as GitHub makes them, which Sphinx is told to do, too."""
    found: dict[str, int] = {}
    names = set()
    for title in re.findall(
        r"^#{1,4} (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    ):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", title).strip().lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return names


def test_links_between_pages_lead_to_files_and_headings_that_are_there() -> None:
    """As GitHub reads them: Sphinx also finds a heading of another page, which a reader there does not."""
    broken = []
    for page in [*REPOSITORY.glob("*.md"), *DOCS.glob("*.md")]:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target) or target.startswith("generated/"):
                continue
            name, _, anchor = target.partition("#")
            place = page.parent / name if name else page
            if not place.exists() or (anchor and anchor not in _headings(place.read_text())):
                broken.append(f"{page.name} → {target}")
    assert broken == []


def _rows(page: Path) -> dict[str, list[str]]:
    """Rows of a page's tables by their first cell; of each mark only the sign, without its footnote."""
    lines = [line.strip("|").split("|") for line in page.read_text().splitlines() if line.startswith("| ")]
    return {
        cells[0].strip(): [cell.split()[0] if cell.split() else "" for cell in cells[1:]] for cells in lines
    }


def test_the_readmes_comparison_says_what_the_long_one_says() -> None:
    short, long = _rows(REPOSITORY / "README.md"), _rows(DOCS / "comparison.md")
    of_long = [0, 1, 3, 4, 5, 6]  # Flowise is in the long one only
    shared = [name for name in short if name in long and "●" in "".join(short[name])]
    assert len(shared) >= 8
    assert {name: short[name] for name in shared} == {
        name: [long[name][column] for column in of_long] for name in shared
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """As `make demo` starts it: calls with a key may be answered by the simulated model."""
    options = ("--CloutAgent.allow_simulated_api=True", "--CloutAgent.simulated_pace=0")
    with live_server(tmp_path_factory.mktemp("docs"), *options) as server:
        yield server


def _anew(server: LiveServer) -> tuple[str, str]:
    """No project but the Sales analyst, with its example; its id and key."""
    for run in server.request("GET", "executions")[1]["items"]:
        if run["status"] not in {"completed", "failed", "cancelled"}:
            server.request("POST", f"executions/{run['execution_id']}/cancel")
    deadline = time.monotonic() + 60
    while rows := server.request("GET", "projects")[1]["items"]:  # some may still have a run that ends
        assert time.monotonic() < deadline, rows
        for row in rows:
            server.request("DELETE", f"projects/{row['id']}")
    made = server.create_project("Sales analyst")
    return made["id"], made["api_key"]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(server: LiveServer, page: Path, tmp_path: Path) -> None:
    project, key = _anew(server)
    env = server.env | {
        "API": server.api, "ID": project, "PROJECT": project, "KEY": key, "TOKEN": server.token,
        "DATA": str(server.data_dir),
        "CURL_HOME": str(tmp_path), "COLUMNS": "100",
    }  # fmt: skip
    # An answer that is an error has to fail the block, which plain curl would not.
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    folder = tmp_path / "reader"
    folder.mkdir()
    program = REPOSITORY / "tests/deploy/docs_blocks.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), str(page)],
        env=env, cwd=folder, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_a_block_that_fails_fails_its_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    program = REPOSITORY / "tests/deploy/docs_blocks.py"
    for text in ("```python\n1 / 0\n```\n", "```sh\nfalse\ntrue\n```\n", "<!-- before sh\nexit 3\n-->\n"):
        page.write_text(text)
        done = subprocess.run([sys.executable, str(program), str(page)], capture_output=True, timeout=30)
        assert done.returncode != 0, text
    page.write_text(
        "```sh notest\nfalse\n```\n\n```text\nfalse\n```\n```python\nx = 1\n```\n```python\nassert x\n```\n"
    )
    done = subprocess.run([sys.executable, str(program), str(page)], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
