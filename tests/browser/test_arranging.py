"""Where cards stand and what of them is seen: map, grid, tidying up, copies. Each change is one step back."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.lab import THEME_NAMES, Lab
from tests.browser.test_canvas import big_project
from tests.browser.waiting import at_rest, box
from tests.support.live_server import LiveServer

PLACES = """() => Object.fromEntries([...document.querySelectorAll('.react-flow__node')].map(card => {
  const { m41: x, m42: y } = new DOMMatrix(getComputedStyle(card).transform);
  return [card.dataset.id, [x, y]];
}))"""
"""Corner of each card, in the canvas's own units."""

OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll('.react-flow__node')].map(card => card.getBoundingClientRect());
  const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b => meets(a, b))).length;
}"""
"""How many pairs of cards lie over each other."""

IN_LINE = """held => {
  const marks = card => {
    const { top, height } = card.getBoundingClientRect();
    return [top, top + height / 2, top + height];
  };
  const cards = [...document.querySelectorAll('.react-flow__node')];
  const own = marks(cards.find(card => card.dataset.id === held));
  return cards.some(card => card.dataset.id !== held &&
    marks(card).some((mark, index) => Math.abs(mark - own[index]) < 0.1));
}"""
"""Whether this card's top, middle or bottom is another one's."""

GRID = 20

AT_REST = """
async canvas => {
  for (;;) {
    const before = canvas.toDataURL();
    await new Promise(done => setTimeout(done, 300));
    if (canvas.toDataURL() === before) return before;
  }
}
"""
"""The picture of the map, once nothing moves any more."""


def heap(server: LiveServer) -> str:
    """A project whose cards lie over each other, two of them far away to both sides."""
    project = big_project(server, "In a heap", 3)
    at = {
        "agent": (0, 0), "subagent:reader-1": (40, 20), "subagent:reader-2": (60, 60),
        "subagent:reader-3": (1400, 0), "hook:guard": (-1400, 0), "mcp:time": (20, 80),
    }  # fmt: skip
    _, saved = server.request("GET", f"projects/{project}")
    nodes = [{"id": card, "position": {"x": x, "y": y}} for card, (x, y) in at.items()]
    assert server.request("PUT", f"projects/{project}", saved | {"ui": {"nodes": nodes}})[0] == 200
    return project


def drag(lab: Lab, card: Locator, x: float, y: float) -> None:
    """By its title, slowly enough to be seen."""
    at = box(card)
    mouse = lab.page.mouse
    mouse.move(at["x"] + at["width"] / 2, at["y"] + 10)
    mouse.down()
    mouse.move(at["x"] + at["width"] / 2 + x / 2, at["y"] + 10 + y / 2, steps=4)
    mouse.move(at["x"] + at["width"] / 2 + x, at["y"] + 10 + y, steps=4)
    mouse.up()
    expect(card).not_to_have_class(re.compile("dragging"))


def test_cards_in_a_heap_are_found_on_the_map_moved_by_the_grid_tidied_up_and_copied(
    lab: Lab, server: LiveServer
) -> None:
    project = heap(server)
    lab.open_project(project)
    lab.hide_sidebars()
    page = lab.page
    east, west = lab.card("subagent:reader-3"), lab.card("hook:guard")
    fit = page.get_by_role("button", name="Fit all cards")
    whole = page.get_by_role("img", name="Overview of the canvas")
    cards = page.locator(".react-flow__node")

    def places() -> dict[str, Any]:
        """Once nothing moves any more."""
        return dict(at_rest(page, lambda: page.evaluate(PLACES)))

    def expect_all_in_sight() -> None:
        expect(cards).to_have_count(6)
        for card in cards.all():
            expect(card).to_be_in_viewport(ratio=0.99)

    def stand(at: dict[str, Any]) -> None:
        """Until the cards stand there."""
        page.wait_for_function(f"at => JSON.stringify(({PLACES})()) === JSON.stringify(at)", arg=at)

    # The map is there where not all is seen. A click leads to the west of it, a drag back to the east.
    expect(whole).to_have_count(0)
    page.get_by_role("button", name="100 %").or_(page.locator("[title='Zoom to 100 %']")).first.click()
    on_map = box(whole)
    whole.evaluate(AT_REST)
    middle = on_map["y"] + on_map["height"] / 2
    page.mouse.click(on_map["x"] + 12, middle)
    expect(west).to_be_in_viewport()
    expect(east).not_to_be_in_viewport()
    page.mouse.move(on_map["x"] + 12, middle)
    page.mouse.down()
    page.mouse.move(on_map["x"] + on_map["width"] - 12, middle, steps=6)
    expect(east).to_be_in_viewport()
    expect(west).not_to_be_in_viewport()
    page.mouse.up()
    expect(lab.card("agent")).not_to_be_in_viewport()
    # It is painted by hand, and wears each theme that is put on, two dark ones one after the other too.
    worn = lab.worn
    pictures = [whole.evaluate(AT_REST)]
    for theme in (each for each in THEME_NAMES if each != worn):
        lab.wear(theme)
        page.wait_for_function(
            "seen => !seen.includes(document.querySelector('.ca-Map canvas').toDataURL())", arg=pictures
        )
        pictures.append(whole.evaluate(AT_REST))
    lab.wear(worn)
    page.wait_for_function(
        "as_ever => document.querySelector('.ca-Map canvas').toDataURL() === as_ever", arg=pictures[0]
    )
    fit.click()
    expect_all_in_sight()
    expect(whole).to_have_count(0)

    # A click on the ground is no move: all of it stays in sight in a smaller tab, too.
    page.locator(".react-flow__pane").click(position={"x": 300, "y": 6})
    page.set_viewport_size({"width": 1280, "height": 560})
    expect_all_in_sight()
    page.set_viewport_size({"width": 1280, "height": 800})

    # On the grid, whatever the hand does; off it, where somebody wants that.
    snap = page.get_by_role("button", name="Snap to the grid")
    expect(snap).to_have_attribute("aria-pressed", "true")
    at = places()["subagent:reader-3"]
    drag(lab, east, -37, 41)
    there = places()["subagent:reader-3"]
    assert there[0] < at[0], "it has not moved"
    assert there[1] > at[1], "it has not moved"
    assert [each % GRID for each in there] == [0, 0]
    snap.click()
    for step in (7, 8, 9):  # one of these is no multiple of the grid, whatever the zoom
        drag(lab, east, step, 0)
    assert any(each % GRID for each in places()["subagent:reader-3"])
    snap.click()

    # Tidied up, nothing lies over anything; one step back, and all of it is as it was.
    before = places()
    assert page.evaluate(OVERLAPS) > 0
    page.get_by_role("button", name="Tidy up").click()
    page.wait_for_function(f"() => ({OVERLAPS})() === 0")
    tidy = places()
    assert [card for card in before if tidy[card] == before[card]] == ["agent"]
    expect_all_in_sight()
    lab.screenshot("canvas-tidy")
    page.get_by_role("button", name="Undo").click()
    stand(before)
    page.get_by_role("button", name="Redo").click()
    stand(tidy)

    # Dragged past another card it takes that one's edge or middle, and a line says so until it is let go.
    held, other = lab.card("mcp:time"), lab.card("subagent:reader-2")

    def stand_in_line() -> None:
        page.wait_for_function(IN_LINE, arg="mcp:time")

    at, there = box(held), box(other)
    x, y = at["x"] + at["width"] / 2, at["y"] + 10
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 2)  # from here on it is a drag
    aim = y + 2 + there["y"] + there["height"] / 2 - at["y"] - at["height"] / 2
    page.mouse.move(x, aim + 40, steps=4)
    page.mouse.move(x, aim + 2, steps=4)
    expect(page.locator(".ca-Guides line")).not_to_have_count(0)
    stand_in_line()
    page.mouse.up()
    expect(page.locator(".ca-Guides line")).to_have_count(0)
    stand_in_line()
    page.get_by_role("button", name="Undo").click()
    stand(tidy)

    # A copy is a card of its own, beside the one it was made of, and chosen.
    lab.card("subagent:reader-2").click()
    expect(lab.card("subagent:reader-2")).to_have_class(re.compile("selected"))
    page.keyboard.press("Control+d")
    expect(cards).to_have_count(len(tidy) + 1)
    copy = page.locator(".react-flow__node.selected")
    expect(copy).to_have_count(1)
    expect(copy).not_to_have_attribute("data-id", "subagent:reader-2")
    name = copy.get_attribute("data-id")
    assert name not in tidy
    assert places()[name] != tidy["subagent:reader-2"]
    page.get_by_role("button", name="Save", exact=True).first.click()
    saved = lab.stored(project, lambda each: len(each["subagents"]) == 4)
    assert [each["prompt"] for each in saved["subagents"]] == ["You read."] * 4
    assert {each["id"]: list(each["position"].values()) for each in saved["ui"]["nodes"]}["mcp:time"] == tidy[
        "mcp:time"
    ]
    copy.focus()
    expect(copy).to_be_focused()
    page.keyboard.press("Control+z")
    expect(cards).to_have_count(len(tidy))
