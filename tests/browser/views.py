"""Every view of the panel, one after the other, as a person gets to it: for judges that look at all.

Each step yields a view's name and a selector of what belongs to it, while it is shown. Works in a wide tab
and in one of 540 px. Not here: what is judged (`test_access`, `test_zoom`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from itertools import chain
from typing import Any

from playwright.sync_api import expect

from tests.browser.lab import SLOW_MS, Lab
from tests.browser.test_monitor import bash, ended, menu, project, tab
from tests.browser.waiting import at_rest, box, next_frame
from tests.support.live_server import LiveServer

View = tuple[str, str]


def furnished(server: LiveServer, name: str) -> str:
    """A project with cards of all kinds, a problem, and two versions that differ."""
    made = server.create_project(name)
    made.pop("api_key")
    guard = {
        "id": "guard", "name": "No deletes", "event": "PreToolUse", "matcher": "bash",
        "action": {"type": "command", "command": ["true"]},
    }  # fmt: skip
    time = {"id": "time", "name": "Time", "command": "mcp-server-time"}
    note = {"id": "note", "text": "Ask for the quarter first."}
    unsure = {"id": "issues", "name": "Issues", "transport": "http", "url": "https://mcp.example.org/mcp",
              "headers": {"Authorization": "Bearer {{secret:ISSUES_TOKEN}}"}, "enabled": False}  # fmt: skip
    change = {
        "hooks": [guard],
        "mcps": [time, unsure],
        "ui": made["ui"] | {"notes": [*made["ui"]["notes"], note]},
    }
    prompt = made["agent"]["system_prompt"].replace("\n", "\nAlways name the file.\n", 1)
    changed = made | change | {"agent": made["agent"] | {"system_prompt": prompt}}
    status, said = server.request("PUT", f"projects/{made['id']}", changed)
    assert status == 200, said
    server.request(
        "POST", f"projects/{made['id']}/secrets", {"name": "LIBRARY_TOKEN", "value": "a-long-value"}
    )
    server.request(
        "POST", f"projects/{made['id']}/keys", {"name": "Nightly report", "scopes": ["read", "execute"]}
    )
    return str(made["id"])


def every_view(lab: Lab, server: LiveServer, name: str) -> Iterator[View]:
    made = furnished(server, name)
    lab.open_project(made)
    lab.hide_sidebars()
    yield from chain(
        _of_editing(lab),
        _of_a_run(lab),
        _of_a_question(lab, server, name),
        _of_versions(lab, server, name),
        _of_strangers(lab, server, name),
        _of_the_rest(lab),
    )


def anew(lab: Lab, made: str) -> None:
    """The project alone: no tab of another one beside it."""
    lab.workspace = secrets.token_hex(4)
    lab.open_project(made)
    lab.hide_sidebars()


def tool(lab: Lab, name: str) -> None:
    """A tool of the project: a button, or where there is no room an entry of a menu."""
    page = lab.page
    button = page.get_by_role("button", name=name, exact=True).first
    instead = page.get_by_role("button", name="Versions, API, export")
    expect(button.or_(instead).and_(page.locator(":visible")).first).to_be_visible()
    if button.is_visible():
        button.click()
    else:
        instead.click()
        page.locator(".lm-Menu-item", has_text=name).click()


def properties(lab: Lab, card: str) -> None:
    """Those of a card, by keyboard: it may lie below them."""
    lab.card(card).focus()
    expect(lab.card(card)).to_be_focused()
    lab.page.keyboard.press("Enter")
    lab.page.locator(".ca-Properties").wait_for()


def _of_editing(lab: Lab) -> Iterator[View]:
    page = lab.page
    page.locator(".ca-Canvas[data-room]").wait_for()
    at_rest(page, lambda: page.locator(".react-flow__viewport").get_attribute("style"))
    yield "canvas", ".ca-Panel"
    opener = page.get_by_role("button", name="Add to the canvas")
    if opener.is_visible():
        opener.click()
        page.get_by_role("button", name="Add Subagent").wait_for()
        yield "palette", ".ca-Panel"
        page.keyboard.press("Escape")
    page.keyboard.press("Control+f")
    page.get_by_role("combobox", name="Find a card").fill("e")
    yield "search", ".ca-Search"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show the cards as an outline").click()
    page.get_by_role("tree", name=re.compile("^Cards of")).wait_for()
    yield "outline", ".ca-Panel"
    page.get_by_role("button", name="Show the cards on the canvas").click()
    lab.card("agent").wait_for()
    sheets = {
        "agent": ("Agent", "Tools", "Limits", "Advanced"),
        "subagent:statistician": (None,),
        "hook:guard": (None,),
        "mcp:issues": (None,),
        "note:note": (None,),
    }
    for card, tabs in sheets.items():
        properties(lab, card)
        for each in tabs:
            if each:
                page.locator(".ca-Properties").get_by_role("tab", name=each, exact=True).click()
            if each == "Agent":
                page.locator(".ca-Prompt .cm-content").first.wait_for()
            yield f"properties of {card.replace(':', ' ')} {each or ''}".strip(), ".ca-Properties"
    properties(lab, "mcp:time")
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("Connected to mcp-time")).to_be_visible(timeout=SLOW_MS)
    yield "a server tried", ".ca-Properties"
    properties(lab, "agent")
    page.locator(".ca-Properties").get_by_role("tab", name="Agent", exact=True).click()
    model = page.get_by_role("combobox", name="Model")
    model.click()
    page.get_by_role("option").first.wait_for()
    yield "models", ".ca-Models"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Close properties").click()
    pane = page.locator(".react-flow__pane")
    pane.click(position={"x": box(pane)["width"] / 2, "y": 6})
    next_frame(page)
    if not page.locator(".ca-Properties").is_visible():
        page.get_by_role("button", name="Properties", exact=True).click()
    for each in ("Project", "Limits", "Secrets", "Keys", "Trust"):
        page.locator(".ca-Properties").get_by_role("tab", name=each, exact=True).click()
        shown = {"Secrets": "LIBRARY_TOKEN", "Keys": "Nightly report", "Limits": "Queue"}.get(each)
        if shown:
            expect(page.locator(".ca-Properties-form")).to_contain_text(shown)
        yield f"settings {each}", ".ca-Properties"
    page.get_by_role("button", name="Close properties").click()


def _of_a_run(lab: Lab) -> Iterator[View]:
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
    tab(lab, "Steps")
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


def _of_a_question(lab: Lab, server: LiveServer, name: str) -> Iterator[View]:
    asks: dict[str, Any] = {"permissions": {"bash": "ask"}}
    asking = project(server, f"Asking {name}", bash("rm report.md"), {"text": "Done."}, agent=asks)
    anew(lab, asking)
    yield "before the first run", ".ca-Panel"
    lab.run()
    question = lab.monitor().get_by_role("region", name="bash waits for you")
    expect(question).to_be_visible(timeout=SLOW_MS)
    question.get_by_role("button", name="Edit arguments").click()
    yield "a question", ".ca-Panel"
    lab.page.get_by_role("button", name=re.compile("^Stop")).first.click()
    expect(lab.monitor()).to_contain_text("cancelled", timeout=SLOW_MS)


def _of_versions(lab: Lab, server: LiveServer, name: str) -> Iterator[View]:
    page = lab.page
    made = furnished(server, f"Versions {name}")
    anew(lab, made)
    tool(lab, "Versions")
    versions = page.get_by_role("region", name=re.compile("^Versions of"))
    versions.locator(".react-flow__node").first.wait_for()
    yield "versions", ".ca-Versions"
    versions.get_by_role("button", name=re.compile("^v2")).click()
    expect(versions).to_contain_text("v1 → v2")
    versions.locator(".cm-editor").first.wait_for()
    yield "versions compared", ".ca-Versions"
    versions.get_by_role("button", name="Close versions").click()
    properties(lab, "agent")
    page.locator(".ca-Properties").get_by_role("tab", name="Agent", exact=True).click()
    lines = "You study sales.\nLook before you compute.\n"
    with lab.nothing_saved_yet(made):
        page.get_by_label(re.compile(r"^\W?Task")).first.fill("Mine: summarise in one page.")
        _, saved = server.request("GET", f"projects/{made}")
        theirs = saved["agent"] | {"system_prompt": lines + "Theirs: round to whole euros."}
        assert server.request("PUT", f"projects/{made}", saved | {"agent": theirs})[0] == 200
        page.get_by_label(re.compile(r"^\W?System prompt")).fill(lines + "Mine: round to cents.")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("changed elsewhere", timeout=SLOW_MS)
    dialog.locator(".cm-editor").first.wait_for()
    lab.complaints.clear()  # the browser's own word for the refused save
    yield "conflict", "[role=dialog]"
    dialog.get_by_role("button", name="All mine").click()
    dialog.get_by_role("button", name="Save what is chosen").click()
    expect(dialog).to_have_count(0)
    if page.locator(".ca-Properties").is_visible():
        page.get_by_role("button", name="Close properties").click()
    tool(lab, "API")
    page.get_by_role("dialog").get_by_text("Nightly report").wait_for()
    yield "keys and calls", "[role=dialog]"
    page.keyboard.press("Escape")
    lab.command("cloutagent:start-tour")
    for step in range(1, 5):
        tour = page.get_by_role("region", name="First steps")
        expect(tour).to_contain_text(f"{step} of 4")
        yield f"tour {step}", ".ca-Tour"
        tour.get_by_role("button", name="Done" if step == 4 else "Next").click()


def _of_strangers(lab: Lab, server: LiveServer, name: str) -> Iterator[View]:
    """A project that came from elsewhere, and has problems."""
    page = lab.page
    made = furnished(server, f"Strange {name}")
    status, copy = server.request("POST", f"projects/{made}/duplicate", {})
    assert status == 201, copy
    anew(lab, copy["id"])
    trust = page.locator(".ca-Trust")
    if copy["trusted"] is False:
        trust.get_by_role("button", name="Show what would run").click()
        expect(trust).to_contain_text("mcp-server-time")
        yield "trust", ".ca-Panel"
    properties(lab, "agent")
    page.locator(".ca-Properties").get_by_role("tab", name="Agent", exact=True).click()
    page.get_by_label(re.compile(r"^\W?Task")).first.fill("Read {{nowhere}}.")
    if page.locator(".ca-Properties").is_visible():
        page.get_by_role("button", name="Close properties").click()
    page.locator(".ca-Check").click()
    page.get_by_text("{{nowhere}} is not declared").first.wait_for()
    yield "problems", ".ca-Panel"


def _of_the_rest(lab: Lab) -> Iterator[View]:
    page = lab.page
    lab.command("cloutagent:show-projects")
    page.locator(".ca-Sidebar .ca-Item").first.wait_for()
    yield "sidebar", ".ca-Sidebar"
    lab.hide_sidebars()
    lab.command("cloutagent:open-dashboard")
    page.locator(".ca-Dashboard .recharts-surface").first.wait_for()
    yield "dashboard", ".ca-Dashboard"
    page.evaluate("() => void window.jupyterapp.commands.execute('cloutagent:show-backups')")
    dialog = page.locator(".jp-Dialog")
    dialog.wait_for()
    yield "backups", ".jp-Dialog-content"
    dialog.get_by_role("button").last.click()
    expect(dialog).to_have_count(0)
    page.evaluate("() => void window.jupyterapp.commands.execute('cloutagent:new-project')")
    expect(page.locator(".jp-Dialog .ca-Picture")).to_have_count(6)
    yield "gallery", ".jp-Dialog-content"
    page.locator(".jp-Dialog").get_by_role("button", name="Cancel").click()
