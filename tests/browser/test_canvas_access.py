"""Canvas, outline and properties under axe (WCAG 2.1 AA, contrast included), in three themes and at 200 %."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import findings
from tests.browser.lab import Lab
from tests.browser.test_canvas import big_project
from tests.support.live_server import LiveServer


def expect_clean(lab: Lab, view: str) -> None:
    complaints = findings(lab.page, ".ca-Panel")
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
            expect(lab.page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
            expect_clean(lab, tab)
        for card, name in (
            ("subagent:reader-1", "Reader 1"),
            ("hook:guard", "No deletes"),
            ("mcp:time", "Time"),
        ):
            lab.card(card).click()
            expect(lab.page.get_by_label("Name", exact=True)).to_have_value(name)
            expect_clean(lab, card)
        lab.page.keyboard.press("Control+f")
        expect(lab.page.get_by_role("combobox", name="Find a card")).to_be_focused()
        expect_clean(lab, "search")
        lab.page.keyboard.press("Escape")
        lab.page.get_by_role("button", name="Show the cards as an outline").click()
        lab.page.get_by_role("tree", name=re.compile("^Cards of")).wait_for()
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
        expect_clean(lab, "note at 200 %")
        page.get_by_role("button", name="Close properties").click()
        page.get_by_role("button", name="Show the cards as an outline").click()
        expect(page.get_by_role("treeitem", name="note: note")).to_be_attached()
        expect_clean(lab, "outline at 200 %")
        lab.screenshot("access-200")
