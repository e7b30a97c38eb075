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


def test_links_from_the_readme_and_the_root_files_lead_to_files_that_are_there() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (REPOSITORY / name).read_text()):
            assert (REPOSITORY / target).exists(), f"{name} links to {target}"


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
