"""What a newcomer meets: the gallery, the tour, and how few clicks an agent of their own takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, THEMES, Lab
from tests.browser.waiting import box, until
from tests.support.live_server import LiveServer

MOST_CLICKS = 25
GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


@dataclass
class Hand:
    """Counts what a person does: a click, a choice in a list, a text that is typed."""

    page: Page
    clicks: int = 0

    def click(self, what: Locator) -> None:
        self.clicks += 1
        what.click()

    def choose(self, what: Locator, value: str) -> None:
        self.clicks += 2  # open the list, click in it
        what.select_option(value)

    def write(self, what: Locator, text: str) -> None:
        self.click(what)
        what.press("ControlOrMeta+a")
        self.page.keyboard.type(text)


def test_a_newcomer_builds_and_runs_an_agent_with_a_subagent_and_a_server_in_few_clicks(
    lab: Lab, server: LiveServer
) -> None:
    lab.go()
    page, hand = lab.page, Hand(lab.page)
    hand.click(page.locator(".jp-LauncherCard", has_text="New Agent Project"))
    dialog = page.locator(".jp-Dialog")
    hand.click(dialog.get_by_text("Empty agent", exact=True))
    hand.write(dialog.get_by_label("Name of the project"), "My first agent")
    hand.click(dialog.get_by_role("button", name="Create"))
    lab.card("agent").wait_for()
    hand.click(page.get_by_role("button", name="Add Subagent"))
    expect(page.get_by_label("Name").first).to_have_value("Subagent")
    hand.write(page.get_by_label("Name").first, "Reader")
    hand.write(page.get_by_label("Prompt", exact=True), "You read.")
    hand.click(lab.card("agent"))
    hand.click(page.get_by_role("button", name="Add MCP server"))
    hand.choose(page.get_by_label("Begin with"), "time")
    expect(page.get_by_label("Name").first).to_have_value("Time")
    hand.click(page.get_by_role("button", name=re.compile(r"^Run\b")).first)
    ask = page.get_by_role("dialog")
    hand.write(ask.get_by_label("What shall it do?"), "Say what time it is.")
    hand.click(ask.get_by_role("button", name=re.compile("^Run")).last)
    expect(lab.card("agent")).to_contain_text("done", timeout=SLOW_MS)
    expect(lab.card("subagent:reader")).to_contain_text("done")
    expect(lab.monitor()).to_contain_text("completed")
    clicks = hand.clicks + 1  # everybody else has to skip the tour first
    assert clicks < MOST_CLICKS
    assert f"**{clicks} clicks**" in GUIDE.read_text(), "the guide counts others"


@pytest.mark.parametrize("dark", THEMES)
def test_the_gallery_shows_templates_with_pictures_and_is_walked_by_keyboard(
    chromium: Browser, server: LiveServer, dark: bool
) -> None:
    theme = "dark" if dark else "light"
    with Lab.opened(chromium, server) as lab:
        lab.go()
        lab.theme(dark)
        lab.page.locator(".jp-LauncherCard").first.wait_for()  # Lab has come to rest
        lab.page.evaluate("() => void window.jupyterapp.commands.execute('cloutagent:new-project')")
        dialog = lab.page.locator(".jp-Dialog")
        expect(dialog.locator(".ca-Picture")).to_have_count(6)
        expect(dialog).to_contain_text("1 agent · 1 subagent · 1 MCP server")
        lab.screenshot(f"gallery-{theme}")
        assert findings(lab.page, ".ca-Gallery") == []
        expect(dialog.get_by_role("radio", name=re.compile("Sales analyst"))).to_be_focused()
        lab.page.keyboard.press("ArrowDown")
        expect(dialog.get_by_label("Name of the project")).to_have_value(re.compile("^Literature scout"))
        lab.page.keyboard.press("Enter")
        expect(lab.card("subagent:reader")).to_be_visible()
        lab.expect_quiet_console()
        lab.theme(False)


def around(ring: Any, meant: Any) -> bool:
    """Whether the ring goes around that, and not around a part of it."""
    return all(abs(ring[each] - meant[each]) < 2 for each in ("x", "y", "width", "height"))


@pytest.mark.parametrize("dark", THEMES)
def test_the_tour_points_at_four_things_can_be_skipped_and_does_not_come_back(
    chromium: Browser, server: LiveServer, dark: bool
) -> None:
    theme = "dark" if dark else "light"
    project = server.create_project(f"Toured {theme}")["id"]
    with Lab.opened(chromium, server) as lab:
        lab.go()
        unseen = "JSON.stringify({raw: JSON.stringify({tourSeen: false})})"
        settings = f"/lab/api/settings/cloutagent:project?token={server.token}"
        put = f"fetch('{settings}', {{method: 'PUT', body: {unseen}, headers: xsrf}})"
        lab.page.evaluate(
            f"""async () => {{
                 const cookie = document.cookie.match(/_xsrf=([^;]+)/)?.[1] ?? '';
                 const xsrf = {{'X-XSRFToken': cookie}};
                 const answer = await {put};
                 if (!answer.ok) throw new Error(await answer.text());
               }}"""
        )
        lab.open_project(project)
        lab.theme(dark)
        lab.hide_sidebars()
        tour = lab.page.get_by_role("region", name="First steps")
        ring = lab.page.locator(".ca-Tour-ring")
        for step in range(1, 5):
            expect(tour).to_contain_text(f"{step} of 4")
            box(tour)  # where it stands is measured after it is drawn
            meant = lab.page.locator((".ca-Palette", ".ca-Properties", ".ca-Run", ".ca-Drawer")[step - 1])
            until(lab.page, lambda at=meant: (box(ring), box(at)), lambda found: around(*found))
            lab.screenshot(f"tour-{step}-{theme}")
            if step == 1:
                assert findings(lab.page, ".ca-Tour") == []
            if step < 4:
                tour.get_by_role("button", name="Next").click()
        kept = re.compile("/settings/cloutagent(:|%3A)project")
        with lab.page.expect_response(lambda said: kept.search(said.url) and said.request.method == "PUT"):
            tour.get_by_role("button", name="Done").click()
        expect(tour).to_have_count(0)
        lab.wait_until_layout_names(project)
        lab.reload()
        lab.card("agent").wait_for()
        expect(tour).to_have_count(0)
        lab.command("cloutagent:start-tour")
        expect(tour).to_contain_text("1 of 4")
        tour.get_by_role("button", name="Skip").click()
        expect(tour).to_have_count(0)
        lab.theme(False)
