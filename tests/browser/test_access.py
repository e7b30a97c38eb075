"""Every view under axe (WCAG 2.1 AA), in each theme, and where the system forces its own colours.

The light theme is held to the same in the tests of the views themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, Lab
from tests.browser.test_monitor import ended, menu, tab
from tests.support.live_server import LiveServer

MODES = ["Light", "Dark", "Dark High Contrast", "forced colours"]


def views_of_a_run(lab: Lab) -> Iterator[tuple[str, str]]:
    """Name and selector of each, when it is shown."""
    page, monitor = lab.page, lab.monitor()
    lab.run()
    ended(lab)
    menu(lab, "Run again")
    expect(monitor.get_by_role("status").first).to_contain_text("running", timeout=SLOW_MS)
    yield "while it runs", ".ca-Panel"
    ended(lab)
    yield "steps", ".ca-Panel"
    for name in ("Timeline", "Events", "Files", "Cost"):
        tab(lab, name)
        if name == "Files":
            monitor.get_by_role("button", name=re.compile("^chart.png")).first.click()
        if name == "Cost":
            monitor.locator(".recharts-line").first.wait_for()
        yield name.lower(), ".ca-Drawer"
    tab(lab, "Events")
    monitor.get_by_role("button", name="Filter and search").click()
    yield "filter", ".ca-Drawer"
    monitor.get_by_role("button", name="Close the filter").click()
    monitor.get_by_role("button", name=re.compile("Execution shown")).click()
    yield "picker", ".ca-PickerList"
    page.keyboard.press("Escape")
    for entry, name in (
        ("Compare with the one before", "compare"),
        ("Fork from the chosen turn", "fork"),
        ("Edit and run", "run with"),
    ):
        menu(lab, entry)
        page.get_by_role("dialog").wait_for()
        expect(page.get_by_role("dialog")).not_to_contain_text("Loading")
        yield name, "[role=dialog]"
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)


def other_views(lab: Lab) -> Iterator[tuple[str, str]]:
    page = lab.page
    page.get_by_role("button", name="Versions", exact=True).click()
    page.locator(".ca-Versions .react-flow__node").first.wait_for()
    yield "versions", ".ca-Versions"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="API", exact=True).click()
    page.get_by_role("dialog").wait_for()
    yield "keys and calls", "[role=dialog]"
    page.keyboard.press("Escape")
    lab.command("cloutagent:start-tour")
    for step in range(1, 5):
        tour = page.get_by_role("region", name="First steps")
        expect(tour).to_contain_text(f"{step} of 4")
        yield f"tour {step}", ".ca-Tour"
        tour.get_by_role("button", name="Done" if step == 4 else "Next").click()
    lab.command("cloutagent:show-projects")
    page.locator(".ca-Sidebar .ca-Item").first.wait_for()
    yield "sidebar", ".ca-Sidebar"
    lab.command("cloutagent:open-dashboard")
    page.locator(".ca-Dashboard .recharts-surface").first.wait_for()
    yield "dashboard", ".ca-Dashboard"
    page.evaluate("() => void window.jupyterapp.commands.execute('cloutagent:new-project')")
    expect(page.locator(".jp-Dialog .ca-Picture")).to_have_count(6)
    yield "gallery", ".ca-Gallery"


@pytest.mark.nightly
@pytest.mark.parametrize("mode", MODES)
def test_no_view_shuts_anybody_out_whatever_its_colours(
    chromium: Browser, server: LiveServer, mode: str
) -> None:
    project = server.create_project(f"Open to all {mode}")["id"]
    forced = mode == "forced colours"
    theme = "Light" if forced else mode
    found: dict[str, list[str]] = {}
    with Lab.opened(chromium, server, height=900, forced_colors=forced) as lab:
        lab.open_project(project)
        lab.command("apputils:change-theme", theme=f"JupyterLab {theme}")
        lab.page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']").wait_for(state="attached")
        lab.hide_sidebars()
        for name, selector in chain(views_of_a_run(lab), other_views(lab)):
            lab.screenshot(f"access-{mode}-{name}".replace(" ", "-").lower())
            if complaints := findings(lab.page, selector):
                found[name] = complaints
        lab.page.locator(".jp-Dialog").get_by_role("button", name="Cancel").click()
        lab.theme(False)
        assert found == {}
        lab.expect_quiet_console()
