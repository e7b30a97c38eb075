"""Canvas, outline and properties under axe (WCAG 2.1 AA, contrast included), in three themes and at 200 %."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import Lab
from tests.browser.test_canvas import big_project
from tests.support.live_server import LiveServer

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
COMPLAINTS = """async () =>
  (await axe.run('.ca-Panel', { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })).violations
    .map(each => `${each.id}: ${each.nodes.map(node => node.html).join(' ')}`)"""


def expect_clean(lab: Lab, view: str) -> None:
    lab.page.evaluate(f"{AXE.read_text()}; 0")
    complaints = lab.page.evaluate(COMPLAINTS)
    assert complaints == [], f"{view}: {complaints}"


@pytest.mark.parametrize(
    "theme",
    ["Light", *(pytest.param(each, marks=pytest.mark.nightly) for each in ("Dark", "Dark High Contrast"))],
)
def test_axe_finds_nothing_on_canvas_outline_and_properties(
    chromium: Browser, server: LiveServer, theme: str
) -> None:
    project = big_project(server, f"Axe {theme}", 3)
    with Lab.opened(chromium, server) as lab:
        lab.open_project(project)
        lab.wear(theme)
        lab.hide_sidebars()
        lab.card("agent").click()
        lab.page.locator(".ca-Prompt").first.wait_for()
        expect_clean(lab, "agent")
        for tab in ("Tools", "Limits", "Advanced"):
            lab.page.get_by_role("tab", name=tab).click()
            expect_clean(lab, tab)
        for card in ("hook:guard", "mcp:time"):
            lab.card(card).click()
            expect_clean(lab, card)
        lab.page.keyboard.press("Control+f")
        expect_clean(lab, "search")
        lab.page.keyboard.press("Escape")
        lab.page.get_by_role("button", name="Show the cards as an outline").click()
        expect_clean(lab, "outline")
        lab.screenshot(f"access-{theme.lower().replace(' ', '-')}")
    with Lab.opened(chromium, server) as lab:
        lab.go()
        lab.theme(False)


def test_at_two_hundred_per_cent_everything_can_be_reached(chromium: Browser, server: LiveServer) -> None:
    """A window of 1280 × 800 at 200 % is one of 640 × 400."""
    project = big_project(server, "Twice as large", 2)
    with Lab.opened(chromium, server, width=640, height=400) as lab:
        lab.open_project(project)
        lab.hide_sidebars()
        page = lab.page
        page.get_by_role("button", name="Add to the canvas").click()
        page.get_by_role("button", name="Add Note").click()
        expect(page.get_by_label("Text", exact=True)).to_be_in_viewport()
        page.get_by_role("button", name="Close properties").click()
        page.get_by_role("button", name="Show the cards as an outline").click()
        expect(page.get_by_role("treeitem", name="note: note")).to_be_attached()
        expect_clean(lab, "outline at 200 %")
        lab.screenshot("access-200")
