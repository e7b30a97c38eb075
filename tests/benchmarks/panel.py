"""Bytes of the front end: what JupyterLab loads at its start, all its views together, and its charts.

What a browser really loads for a project is counted with the browser's figures (`browser`).
"""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.browser.lab import Lab
from tests.support.front_end import (
    LABEXTENSION,
    MOST_AT_START_KB,
    MOST_OPENED_KB,
    Loaded,
    compressed,
    files_at_start,
)
from tests.support.live_server import LiveServer

from .table import Row, show


def _row(name: str, kb: float, most: float) -> Row:
    return Row(name, f"{kb:.1f} KB", "", f"≤ {most} KB", kb <= most)


def main() -> None:
    contents = {f"static/{file.name}": file.read_bytes() for file in (LABEXTENSION / "static").glob("*.js")}
    start = files_at_start(lambda name: (LABEXTENSION / name).read_bytes(), contents)
    charts = [name for name, text in contents.items() if b"recharts" in text and name not in start]
    rest = [text for name, text in contents.items() if name not in start and name not in charts]
    at_start = compressed(contents[name] for name in start)
    show(
        "Front end, gzip",
        [
            _row("at JupyterLab's start", at_start, MOST_AT_START_KB),
            _row("panel, all its views", compressed(rest), MOST_OPENED_KB),
            Row("charts, in chunks of their own", f"{compressed(contents[name] for name in charts):.1f} KB"),
        ],
    )


def loaded(browser: Browser, server: LiveServer) -> None:
    """The same as Chromium asks for it, step by step."""
    project = server.create_project("Loaded")["id"]
    with Lab.opened(browser, server) as lab:
        so_far = Loaded(lab.page)
        lab.go()
        lab.page.wait_for_load_state("networkidle")
        rows = [_row("at JupyterLab's start", so_far.kb, MOST_AT_START_KB)]
        before = so_far.kb
        lab.command("cloutagent:open-project", id=project)
        lab.card("agent").wait_for()
        lab.page.wait_for_timeout(1_000)
        rows.append(_row("opening a project", so_far.kb - before, MOST_OPENED_KB))
        before = so_far.kb
        lab.command("cloutagent:open-dashboard")
        lab.page.locator(".ca-Dashboard").wait_for()
        lab.page.wait_for_timeout(2_000)
        rows.append(Row("opening the dashboard after it", f"{so_far.kb - before:.1f} KB"))
    show("Front end as Chromium loads it, gzip", rows)
