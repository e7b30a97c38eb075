"""Building an agent on the canvas, by mouse and by keyboard alone, and taking all of it back."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, Lab
from tests.browser.waiting import at_rest, box, until
from tests.support.live_server import LiveServer

MIDDLE = """path => {
  const { x, y } = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
  return [x, y];
}"""
"""Where the middle of a wire is on the screen."""

LOOKS = """wires => Object.fromEntries(wires.map(wire => {
  const { strokeDasharray, strokeLinecap } = getComputedStyle(wire.querySelector('.react-flow__edge-path'));
  return [wire.dataset.kind, [strokeDasharray, strokeLinecap]];
}))"""
"""Dashes and their ends, by the kind of wire."""


COVERED = """cards => {
  const box = card => card.getBoundingClientRect();
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return cards.filter((card, at) => cards.slice(at + 1).some(other => meet(box(card), box(other))))
    .map(card => card.dataset.id);
}"""
"""Cards that lie over another one."""


def test_an_agent_with_a_subagent_and_a_server_is_built_by_mouse_and_runs(
    lab: Lab, server: LiveServer
) -> None:
    project = server.create_project("By mouse", "empty")["id"]
    lab.open_project(project)
    lab.hide_sidebars()
    page = lab.page
    ground = page.locator(".react-flow__pane")
    page.get_by_role("button", name="Add Subagent").drag_to(ground, target_position={"x": 640, "y": 90})
    expect(page.get_by_label("Name").first).to_have_value("Subagent")
    page.get_by_label("Name").first.fill("Reader")
    expect(lab.card("subagent:reader")).to_be_visible()
    page.get_by_label("Prompt", exact=True).fill("You read.")
    page.get_by_role("button", name="Add MCP server").drag_to(ground, target_position={"x": 640, "y": 330})
    page.get_by_label("Begin with").select_option("time")
    expect(page.get_by_label("Name").first).to_have_value("Time")
    server = str(page.locator(".react-flow__node[data-id^='mcp:']").get_attribute("data-id"))
    # It is tried where it is made: the real program is started, and says which tools it has.
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text(re.compile(r"^Connected to mcp-time \S+ in [\d.]+ m?s\.$"))).to_be_visible(
        timeout=SLOW_MS
    )
    found = page.get_by_role("group", name="2 tools").get_by_role("checkbox")
    expect(found).to_have_count(2)
    assert findings(page, ".ca-Properties") == []
    page.get_by_role("checkbox", name="convert_time").uncheck()
    expect(page.get_by_role("checkbox", name="get_current_time")).to_be_checked()
    expect(page.get_by_label("Tools that may be called")).to_have_value("get_current_time")
    # Drawn from the subagent's side to the server's: a wire of its own, besides the agent's.
    page.get_by_role("button", name="Fit all cards").click()
    lab.card("subagent:reader").hover()
    start = box(lab.card("subagent:reader").locator(".react-flow__handle-left"))
    end = box(lab.card(server).locator(".react-flow__handle-left"))
    page.mouse.move(start["x"], start["y"])
    page.mouse.down()
    page.mouse.move(end["x"] - 40, end["y"] - 10, steps=8)
    page.mouse.move(end["x"], end["y"], steps=4)
    page.mouse.up()
    # A click chooses it, and what is chosen can be taken away and comes back.
    wire = page.locator(f".react-flow__edge[data-id='subagent:reader>{server}']")
    middle = at_rest(page, lambda: wire.locator(".react-flow__edge-path").evaluate(MIDDLE))
    page.mouse.click(*middle)
    expect(wire).to_have_class(re.compile("selected"))
    page.keyboard.press("Delete")
    expect(wire).to_have_count(0)
    # The focus stays on the canvas: the next key is heard without a click.
    expect(page.locator(".react-flow__node:focus")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(wire).to_have_count(1)
    lab.card("agent").click()
    page.get_by_label(re.compile("^Task")).first.fill("Say hello.")
    page.get_by_role("button", name="Save", exact=True).first.click()
    saved = lab.stored(project, lambda each: each["agent"]["task"] == "Say hello.")
    assert [each["id"] for each in saved["subagents"]] == ["reader"]
    assert saved["subagents"][0]["mcps"] == [server.removeprefix("mcp:")]
    assert saved["mcps"][0]["command"] == "mcp-server-time"
    assert saved["mcps"][0]["enabled_tools"] == ["get_current_time"]
    lab.run()
    expect(lab.card("agent")).to_contain_text("done", timeout=SLOW_MS)
    expect(lab.card("subagent:reader")).to_contain_text("done")


def test_an_agent_is_built_wired_and_taken_back_by_keyboard_alone(lab: Lab, server: LiveServer) -> None:
    project = server.create_project("By keyboard", "empty")["id"]
    lab.open_project(project)
    page = lab.page

    def enter(what: Locator) -> None:
        """The focus, and Enter once it is there."""
        what.focus()
        expect(what).to_be_focused()
        page.keyboard.press("Enter")

    for kind, card in (("Subagent", "subagent"), ("Hook", "hook"), ("MCP server", "mcp")):
        enter(page.get_by_role("button", name=f"Add {kind}"))
        expect(page.locator(f".react-flow__node[data-id^='{card}:']")).to_be_visible()
    # Each kind of wire has a look of its own, which needs no colour; it is drawn once its card is measured.
    looks = {
        "subagent": ["none", "butt"],
        "hook": ["6px, 4px", "butt"],
        "mcp": ["0.1px, 5px", "round"],
    }
    until(page, lambda: page.locator(".ca-Wire").evaluate_all(LOOKS), lambda seen: seen == looks)
    # None of them has come to lie over another one.
    until(page, lambda: page.locator(".react-flow__node").evaluate_all(COVERED), lambda found: found == [])
    enter(lab.card("subagent:subagent"))
    enter(page.get_by_role("button", name="Connect to …"))
    expect(page.get_by_role("menu").locator(":focus")).to_have_count(1)
    enter(page.get_by_role("menuitem", name=re.compile("MCP server")))
    wire = page.locator(".react-flow__edge[data-id='subagent:subagent>mcp:mcp-server']")
    expect(wire).to_have_count(1)
    # A wire is chosen and taken away as a card is.
    enter(wire)
    expect(wire).to_have_class(re.compile("selected"))
    page.keyboard.press("Delete")
    expect(wire).to_have_count(0)
    expect(lab.card("mcp:mcp-server")).to_be_visible()
    focused = page.locator(".react-flow__node:focus")
    expect(focused).to_have_attribute("data-id", "subagent:subagent")
    page.keyboard.press("Control+z")
    expect(wire).to_have_count(1)
    # Arrow keys walk along the wires while nothing is chosen, and move the card that is.
    page.keyboard.press("Escape")
    lab.card("agent").focus()
    page.keyboard.press("Escape")
    expect(focused).to_have_attribute("data-id", "agent")
    at = at_rest(page, lambda: lab.card("agent").get_attribute("style"))
    for key, card in (
        ("ArrowRight", "subagent:subagent"),
        ("ArrowLeft", "agent"),
        ("ArrowLeft", "hook:hook"),
        ("ArrowDown", "mcp:mcp-server"),
        ("ArrowUp", "hook:hook"),
    ):
        page.keyboard.press(key)
        expect(focused).to_have_attribute("data-id", card)
    there = at_rest(page, lambda: lab.card("agent").get_attribute("style"))
    assert there == at, "it moved a card that nobody has chosen"
    page.keyboard.press("Space")
    expect(lab.card("hook:hook")).to_have_class(re.compile("selected"))
    # Deleted or cut, its neighbour has the focus, and the next key is for the canvas.
    for key in ("Delete", "Control+x"):
        page.keyboard.press(key)
        expect(lab.card("hook:hook")).to_have_count(0)
        expect(focused).to_have_count(1)
        page.keyboard.press("Control+z")
        # It takes no focus before it is measured, and no key is for it before it is chosen.
        expect(lab.card("hook:hook")).to_be_visible()
        lab.card("hook:hook").focus()
        expect(focused).to_have_attribute("data-id", "hook:hook")
        page.keyboard.press("Space")
        expect(lab.card("hook:hook")).to_have_class(re.compile("selected"))
    page.keyboard.press("Delete")
    expect(lab.card("hook:hook")).to_have_count(0)
    # Undo takes the card away that has the focus, and the next undo is heard.
    lab.card("mcp:mcp-server").focus()
    expect(focused).to_have_attribute("data-id", "mcp:mcp-server")
    for cards, wires in ((4, 4), (4, 3), (3, 2), (2, 1), (1, 0)):
        expect(focused).to_have_count(1)
        page.keyboard.press("Control+z")
        expect(page.locator(".react-flow__node")).to_have_count(cards)
        expect(page.locator(".react-flow__edge")).to_have_count(wires)
    expect(focused).to_have_attribute("data-id", "agent")
    page.keyboard.press("Control+Shift+z")
    expect(lab.card("subagent:subagent")).to_be_visible()
    _, saved = server.request("GET", f"projects/{project}")
    assert saved["version"] == 1, "drawing makes no version by itself"
