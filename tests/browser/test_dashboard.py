"""The dashboard in a real browser: from an empty server to charts, by mouse and keyboard, wide and narrow."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import findings
from tests.browser.conftest import NOTEBOOK, PANEL
from tests.browser.lab import SLOW_MS, THEMES, Lab
from tests.browser.past import server_with_a_past
from tests.browser.waiting import lasting
from tests.support.live_server import LiveServer, live_server

COLLISIONS = """chart => {
  const within = chart.querySelector('.recharts-surface').getBoundingClientRect();
  const labels = [...chart.querySelectorAll('.recharts-surface text')];
  const box = label => label.getBoundingClientRect();
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const outside = label => box(label).bottom > within.bottom + 1 || box(label).right > within.right + 1;
  return labels.filter((label, at) =>
    outside(label) || labels.slice(at + 1).some(other => meet(box(label), box(other)))
  ).map(label => label.textContent);
}"""
"""Labels of a chart that lie over another one, or outside it."""


def prepared(folder: Path) -> dict[str, str]:
    """The environment in which Lab has the panel of this tree, and no news of its own."""
    (folder / "config" / "labconfig").mkdir(parents=True)
    (folder / "config" / "labconfig" / "page_config.json").write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
    )
    (folder / "panel" / "labextensions").mkdir(parents=True)
    (folder / "panel" / "labextensions" / "cloutagent").symlink_to(PANEL)
    return {"JUPYTER_PATH": str(folder / "panel")}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("past")
    env = prepared(folder)
    options = ("--LabApp.expose_app_in_browser=True", "--CloutAgent.retention_h=0")
    with server_with_a_past(folder, *options, env=env) as running:
        shutil.copy(NOTEBOOK, running.root_dir)
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[LiveServer]:
    """A server on which nothing has happened."""
    env = prepared(tmp_path)
    options = ("--CloutAgent.simulated_pace=0", "--LabApp.expose_app_in_browser=True")
    with live_server(tmp_path, *options, app="lab", env=env) as running:
        yield running


def complaints_of_axe(page: Page) -> list[str]:
    """What axe finds in the dashboard, contrast included, and what it only recommends."""
    return findings(page, ".ca-Dashboard", best=True)


def added_up(server: LiveServer) -> dict[str, Any]:
    """The figures of a month, once the ledger has all executions."""
    for _ in range(SLOW_MS // 100):
        _, figures = server.request("GET", "metrics?window=30d")
        if figures["complete"]:
            return dict(figures)
        time.sleep(0.1)
    raise AssertionError(figures)


def drawn(lab: Lab) -> None:
    """All charts are there."""
    dashboard = lab.page.locator(".ca-Dashboard")
    expect(dashboard.locator(".recharts-surface").first).to_be_visible(timeout=SLOW_MS)
    expect(dashboard.locator(".ca-Executions tbody tr").first).to_be_visible(timeout=SLOW_MS)


def test_from_the_launcher_to_the_first_figures(chromium: Browser, fresh: LiveServer) -> None:
    with Lab.opened(chromium, fresh) as lab:
        lab.go()
        lab.page.locator(".jp-LauncherCard", has_text="Agent Dashboard").click()
        dashboard = lab.page.locator(".ca-Dashboard")
        expect(dashboard).to_contain_text("Nothing has run yet")
        assert complaints_of_axe(lab.page) == []
        project = fresh.create_project("First steps", "empty")
        status, said = fresh.request(
            "POST", f"projects/{project['id']}/execute", {"prompt": "Go.", "wait": True}
        )
        assert status == 200, said
        # It hears of the end by itself, and says that nobody was paid.
        expect(dashboard).to_contain_text("nothing was charged", timeout=SLOW_MS)
        row = dashboard.locator(".ca-Executions tbody tr")
        expect(row).to_contain_text("First steps")
        expect(row).to_contain_text("simulated")
        row.click()
        expect(lab.card("agent")).to_be_visible(timeout=SLOW_MS)
        expect(lab.monitor()).to_contain_text("completed", timeout=SLOW_MS)
        lab.expect_quiet_console()


def test_what_was_paid_for_is_drawn_and_read(chromium: Browser, past: LiveServer) -> None:
    figures = added_up(past)
    loaded: list[str] = []
    with Lab.opened(chromium, past) as lab:
        lab.page.on("requestfinished", lambda request: loaded.append(request.url))
        lab.go()
        assert not [url for url in loaded if "/extensions/cloutagent/" in url and "recharts" in url]
        lab.command("cloutagent:open-dashboard")
        drawn(lab)
        dashboard = lab.page.locator(".ca-Dashboard")
        dashboard.get_by_role("button", name="30 days").click()
        tile = dashboard.locator(".ca-Tile", has=lab.page.locator("dt", has_text=re.compile("^Cost$")))
        expect(tile).to_contain_text(f"${figures['cost_usd']:.2f}")
        expect(dashboard.get_by_role("region", name="Most used tools")).to_contain_text("bash")
        expect(dashboard.get_by_role("region", name="Cost by model")).to_contain_text("haiku 5.5")
        # Durations and the queue are lines, and the same numbers as the server has stand behind them.
        buckets = figures["buckets"]
        p95 = [each["duration"] and each["duration"]["p95_ms"] for each in buckets]
        assert any(p95)
        drawn_from = {
            "Duration of completed executions": [re.compile(r"\d" if each else "–") for each in p95],
            "Queue length, and running": [str(each["queue_length"] or 0) for each in buckets],
        }
        for title, numbers in drawn_from.items():
            chart = dashboard.get_by_role("figure", name=title)
            expect(chart.locator(".recharts-line-curve")).to_have_count(2)
            expect(chart.locator(".recharts-line-curve[stroke-dasharray='5 4']")).to_have_count(1)
            chart.get_by_role("button", name=f"{title}: as numbers").click()
            expect(chart.locator("tbody tr td:last-child")).to_have_text(numbers)
        assert complaints_of_axe(lab.page) == []
        # By keyboard: to the filter, to a status, to the first execution, into its tab.
        dashboard.locator(".ca-Executions select").focus()
        lab.pick(dashboard.locator(".ca-Executions select"), "failed")
        expect(dashboard.locator(".ca-Executions tbody .ca-Dot:not([data-state=failed])")).to_have_count(0)
        first = dashboard.locator(".ca-Executions-open").first
        first.focus()
        expect(first).to_be_focused()
        lab.page.keyboard.press("Enter")
        expect(lab.card("agent")).to_be_visible(timeout=SLOW_MS)
        expect(lab.monitor()).to_contain_text(re.compile("cost limit|time limit|failed"), timeout=SLOW_MS)
        # It is there again after a reload.
        opened = lab.page.evaluate(
            "() => [...window.jupyterapp.shell.widgets('main')].map(each => each.projectId).find(Boolean)"
        )
        lab.wait_until_layout_names("dashboard")
        lab.wait_until_layout_names(opened)
        lab.reload()
        lab.page.get_by_role("tab", name="Agent dashboard").click()
        drawn(lab)
        lab.expect_quiet_console()
        # And the project is, where the workspace remembers it and the layout does not: as Lab saves it
        # when it was loaded once without the extension.
        lab.go_where_layout_has_lost(opened)
        expect(lab.page.get_by_role("tab", name="Agent dashboard")).to_be_visible()
        expect(lab.card("agent")).to_have_count(0)
        lab.command("cloutagent:open-project", id=opened)
        expect(lab.card("agent")).to_be_visible(timeout=SLOW_MS)


@pytest.mark.parametrize("dark", THEMES)
def test_screenshots_of_the_dashboard(chromium: Browser, past: LiveServer, dark: bool) -> None:
    name = "dark" if dark else "light"
    added_up(past)
    with Lab.opened(chromium, past, height=1000) as lab:
        lab.go()
        lab.theme(dark)
        lab.hide_sidebars()
        lab.command("cloutagent:open-dashboard")
        drawn(lab)
        assert complaints_of_axe(lab.page) == []
        lab.screenshot(f"dashboard-{name}")
    with Lab.opened(chromium, past) as lab:
        lab.go()
        lab.theme(dark)
        lab.hide_sidebars()
        lab.command("cloutagent:open-dashboard")
        lab.command(
            "docmanager:open", path=NOTEBOOK.name, factory="Notebook", options={"mode": "split-right"}
        )
        lab.page.locator(".jp-NotebookPanel").wait_for()
        drawn(lab)
        # Nothing is wider than the tab.
        lab.page.wait_for_function(
            """() => {
                 const { scrollWidth, clientWidth } = document.querySelector('.ca-Dashboard');
                 return clientWidth < 700 && scrollWidth <= clientWidth;
               }"""
        )
        lab.screenshot(f"dashboard-split-{name}")
        # No label of an axis lies over another one, nor outside its chart, in the narrowest tab either.
        for width in (1280, 1160):
            lab.page.set_viewport_size({"width": width, "height": 800})
            costs = lab.page.get_by_role("figure", name="Executions by cost")
            lab.page.wait_for_function("wide => innerWidth === wide", arg=width)
            expect(costs.locator(".recharts-surface text", has_text="<$")).to_have_count(6)
            assert lasting(lab.page, lambda chart=costs: chart.evaluate(COLLISIONS)) == []
        lab.theme(False)
