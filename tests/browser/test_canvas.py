"""The canvas at a real screen: room for it, finding and reading cards, and an equal view without it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.lab import Lab
from tests.support.live_server import LiveServer

NOTEBOOK = "01_first_agent.ipynb"

OVER_CARDS = """() => {
  const box = element => element.getBoundingClientRect();
  const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const cards = [...document.querySelectorAll('.react-flow__node')];
  const floating = [...document.querySelectorAll('.ca-Canvas .react-flow__panel')];
  return floating.filter(panel => cards.some(card => meets(box(panel), box(card))))
    .map(panel => panel.className);
}"""
"""What floats on the canvas and lies over a card."""


@pytest.mark.parametrize("width", [1280, 1160], ids=["598 px", "540 px"])
def test_beside_a_notebook_nothing_lies_over_the_cards_and_the_palette_opens_by_its_button(
    chromium: Browser, server: LiveServer, width: int
) -> None:
    project = server.create_project(f"Split {width}")["id"]
    with Lab.opened(chromium, server, width=width) as lab:
        lab.open_project(project, notebook=NOTEBOOK)
        lab.hide_sidebars()
        page = lab.page
        page.locator(".jp-NotebookPanel").wait_for()
        page.locator(".ca-Canvas[data-room=narrow]").wait_for()
        page.wait_for_function(f"({OVER_CARDS})().length === 0")
        expect(page.get_by_role("button", name="Add Subagent")).to_have_count(0)
        page.get_by_role("button", name="Add to the canvas").click()
        page.get_by_role("button", name="Add Hook").click()
        expect(lab.card("hook:hook")).to_be_visible()
        expect(page.get_by_role("button", name="Add Subagent")).to_have_count(0)
        lab.expect_quiet_console()
