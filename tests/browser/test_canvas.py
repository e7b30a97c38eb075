"""The canvas at a real screen: room for it, finding and reading cards, and an equal view without it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import findings
from tests.browser.lab import THEMES, Lab
from tests.browser.waiting import box, next_frame
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
        page.get_by_role("button", name="Add Hook").wait_for()
        assert findings(page, ".ca-Panel") == []
        page.get_by_role("button", name="Add Hook").click()
        expect(lab.card("hook:hook")).to_be_visible()
        expect(page.get_by_role("button", name="Add Subagent")).to_have_count(0)
        lab.expect_quiet_console()


def big_project(server: LiveServer, name: str, subagents: int) -> str:
    """A project with so many subagents, hooks and servers of several states."""
    made = server.create_project(name, "empty")
    definition = made | {
        "agent": made["agent"] | {"task": "Say hello.", "tools": ["bash", "python"]},
        "subagents": [
            {"id": f"reader-{n}", "name": f"Reader {n}", "prompt": "You read.", "tools": ["view"]}
            for n in range(1, subagents + 1)
        ],
        "hooks": [
            {
                "id": "guard",
                "name": "No deletes",
                "event": "PreToolUse",
                "matcher": "bash",
                "action": {"type": "command", "command": ["python", "guard.py"]},
            }
        ],
        "mcps": [{"id": "time", "name": "Time", "command": "mcp-server-time"}],
    }
    definition.pop("api_key")
    status, _ = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200
    return str(made["id"])


def test_a_card_is_found_by_its_words_and_brought_into_view(lab: Lab, server: LiveServer) -> None:
    lab.open_project(big_project(server, "Searched", 24))
    lab.hide_sidebars()
    page = lab.page
    # Right after opening: the focus is on the tab, not yet on anything inside it.
    page.keyboard.press("Control+f")
    field = page.get_by_role("combobox", name="Find a card")
    expect(field).to_be_focused()
    field.fill("reader 17")
    expect(page.get_by_role("option")).to_have_count(1)
    lab.screenshot("canvas-search")
    page.keyboard.press("Enter")
    expect(lab.card("subagent:reader-17")).to_be_focused()
    expect(lab.card("subagent:reader-17")).to_be_in_viewport()
    scale = page.locator(".ca-Zoom button[title='Zoom to 100 %']")
    expect(scale).to_have_text(re.compile(r"^(8[5-9]|9\d|\d{3}) %$"))
    page.keyboard.press("/")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(field).to_have_count(0)


def test_cards_are_chosen_with_shift_and_copied_into_another_project(lab: Lab, server: LiveServer) -> None:
    first = big_project(server, "Copied from", 2)
    second = server.create_project("Copied to", "empty")["id"]
    lab.open_project(first)
    lab.hide_sidebars()
    page = lab.page
    one, two = (box(lab.card(f"subagent:reader-{n}")) for n in (1, 2))
    page.keyboard.down("Shift")
    page.mouse.move(one["x"] + one["width"] + 12, one["y"] - 12)
    page.mouse.down()
    page.mouse.move(one["x"] + 30, two["y"] + two["height"] / 2, steps=8)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.locator(".react-flow__node.selected")).to_have_count(2)
    page.get_by_role("button", name="Align left edges").click()
    lab.screenshot("canvas-several")
    page.keyboard.press("Control+c")
    page.evaluate("id => void window.jupyterapp.commands.execute('cloutagent:open-project', { id })", second)
    # Until it is in front, the agent in sight is the other project's.
    expect(page.locator(".lm-TabBar-tab.lm-mod-current", has_text="Copied to")).to_be_visible()
    expect(page.locator(".react-flow__node:visible")).to_have_count(1)
    agent = page.locator(".react-flow__node[data-id='agent']:visible")
    agent.click()
    expect(agent).to_be_focused()
    page.keyboard.press("Control+v")
    expect(page.locator(".react-flow__node[data-id='subagent:reader-1']:visible")).to_have_count(1)
    expect(page.locator(".react-flow__node[data-id='subagent:reader-2']:visible")).to_have_count(1)


def test_names_and_states_are_readable_from_far_away(lab: Lab, server: LiveServer) -> None:
    lab.open_project(big_project(server, "Far", 60))
    lab.hide_sidebars()
    page = lab.page
    page.get_by_role("button", name="Fit all cards").click()
    page.locator(".ca-Canvas[data-far=farther]").wait_for()
    lab.screenshot("canvas-far")
    page.wait_for_function(
        """() => {
             const names = [...document.querySelectorAll('.ca-Card-title strong')];
             return names.length > 60 && names.every(name => {
               const zoom = name.getBoundingClientRect().width / name.offsetWidth;
               return parseFloat(getComputedStyle(name).fontSize) * zoom >= 11;
             });
           }"""
    )


@pytest.mark.parametrize("dark", THEMES)
def test_screenshots_of_the_outline(chromium: Browser, server: LiveServer, dark: bool) -> None:
    project = server.create_project("Sales analyst")["id"]
    with Lab.opened(chromium, server) as lab:
        lab.open_project(project)
        lab.theme(dark)
        lab.hide_sidebars()
        lab.page.get_by_role("button", name="Show the cards as an outline").click()
        tree = lab.page.get_by_role("tree", name="Cards of Sales analyst")
        expect(tree.get_by_role("treeitem")).to_have_count(3)
        lab.screenshot(f"outline-{'dark' if dark else 'light'}")
    with Lab.opened(chromium, server) as lab:
        lab.go()
        lab.theme(False)


def test_an_old_execution_is_shown_with_the_cards_it_ran(lab: Lab, server: LiveServer) -> None:
    project = big_project(server, "Changed since", 1)
    lab.open_project(project)
    lab.hide_sidebars()
    page = lab.page
    lab.run()
    expect(lab.monitor().get_by_role("status").first).to_contain_text("completed", timeout=60_000)
    lab.card("subagent:reader-1").click()
    expect(lab.card("subagent:reader-1")).to_have_class(re.compile("selected"))
    page.keyboard.press("Delete")
    expect(lab.card("subagent:reader-1")).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_role("button", name="Save", exact=True).first).to_be_disabled()
    expect(lab.card("agent")).not_to_contain_text("done")
    lab.run()
    expect(lab.card("agent")).to_contain_text("done", timeout=60_000)
    page.get_by_role("button", name="Execution shown").click()
    page.locator(".ca-PickerRow-main").nth(1).click()
    expect(page.get_by_text("As it ran: version 2 (now 3), read-only")).to_be_visible()
    expect(lab.card("subagent:reader-1")).to_be_visible()
    expect(lab.card("agent")).to_contain_text("done")
    lab.screenshot("canvas-frozen")
    lab.card("subagent:reader-1").click()
    expect(lab.card("subagent:reader-1")).to_be_focused()
    page.keyboard.press("Delete")
    next_frame(page)
    expect(lab.card("subagent:reader-1")).to_be_visible()
    page.get_by_role("button", name="Back to the project").click()
    expect(lab.card("subagent:reader-1")).to_have_count(0)
