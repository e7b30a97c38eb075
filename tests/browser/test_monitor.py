"""The execution monitor at a real screen: a run as tree, timeline, log and cost; again, forked, compared."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import SLOW_MS, Lab
from tests.support.live_server import LiveServer

PICTURES = pytest.mark.skipif(
    not os.environ.get("CLOUTAGENT_SCREENSHOTS"), reason="pictures are taken on request"
)


def project(server: LiveServer, name: str, *turns: dict[str, Any], **definition: Any) -> str:
    """A project whose commands run without asking, and that says `turns`."""
    made = server.create_project(name, "empty")
    agent = made["agent"] | {"task": "Go.", "tools": ["bash", "python"], "permissions": {"bash": "allow"}}
    whole = made | {"agent": agent | definition.pop("agent", {})} | definition
    whole.pop("api_key")
    status, answer = server.request("PUT", f"projects/{made['id']}", whole)
    assert status == 200, answer
    scenario = {"schema_version": 1, "agents": {"main": list(turns)}}
    server.put_file(made["id"], "scenario.json", scenario)
    return str(made["id"])


def bash(command: str, text: str = "I look.") -> dict[str, Any]:
    return {"text": text, "tools": [{"name": "bash", "as": "c", "input": {"command": command}}]}


def tab(lab: Lab, name: str) -> None:
    lab.monitor().get_by_role("tab", name=re.compile(name)).click()


def ended(lab: Lab) -> None:
    expect(lab.monitor().get_by_role("status").first).to_contain_text("completed", timeout=SLOW_MS)


def menu(lab: Lab, entry: str) -> None:
    lab.monitor().get_by_role("button", name="More for this execution").click()
    lab.page.get_by_role("menuitem", name=entry).click()


def shown_events(lab: Lab) -> Locator:
    return lab.monitor().get_by_role("listbox", name="Events of the execution").get_by_role("option")


@PICTURES
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pictures_of_the_monitor(chromium: Browser, server: LiveServer, dark: bool) -> None:
    theme = "dark" if dark else "light"
    analyst = server.create_project(f"Sales analyst {theme}")["id"]
    with Lab.opened(chromium, server) as lab:
        lab.open_project(analyst)
        lab.theme(dark)
        lab.hide_sidebars()
        lab.run()
        lab.page.locator(".ca-Card[data-kind=subagent][data-state=running]").wait_for()
        lab.screenshot(f"monitor-running-{theme}")
        ended(lab)
        lab.screenshot(f"monitor-steps-{theme}")
        for name in ("Timeline", "Events", "Cost"):
            tab(lab, name)
            if name == "Events":
                shown_events(lab).nth(3).click()
            if name == "Cost":
                lab.monitor().locator(".recharts-line").first.wait_for()
            lab.screenshot(f"monitor-{name.lower()}-{theme}")
        tab(lab, "Steps")
        menu(lab, "Run again")
        expect(lab.monitor().get_by_role("status").first).to_contain_text("running", timeout=SLOW_MS)
        ended(lab)
        lab.monitor().get_by_role("button", name=re.compile("Execution shown")).click()
        lab.screenshot(f"monitor-picker-{theme}")
        lab.page.keyboard.press("Escape")
        menu(lab, "Compare with the one before")
        expect(lab.page.get_by_role("dialog")).to_contain_text("Cost")
        lab.screenshot(f"monitor-compare-{theme}")
        lab.page.keyboard.press("Escape")
        menu(lab, "Fork from the chosen turn")
        lab.screenshot(f"monitor-fork-{theme}")
        lab.page.keyboard.press("Escape")
        lab.page.get_by_role("button", name="Run with…").click()
        lab.screenshot(f"monitor-run-with-{theme}")
        lab.page.keyboard.press("Escape")
        lab.page.set_viewport_size({"width": 560, "height": 800})
        lab.hide_sidebars()
        lab.screenshot(f"monitor-narrow-steps-{theme}")
        tab(lab, "Timeline")
        lab.screenshot(f"monitor-narrow-timeline-{theme}")
        tab(lab, "Events")
        lab.monitor().get_by_role("button", name="Filter and search").click()
        lab.screenshot(f"monitor-narrow-events-{theme}")
