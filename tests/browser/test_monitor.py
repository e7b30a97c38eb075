"""The execution monitor at a real screen: a run as tree, timeline, log and cost; again, forked, compared."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, Lab
from tests.browser.waiting import at_rest, until
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


def shows(lab: Lab, execution: str) -> None:
    """Until canvas and monitor show that execution."""
    lab.page.wait_for_function(
        "id => window.jupyterapp.shell.currentWidget?.executionId === id", arg=execution
    )


def menu(lab: Lab, entry: str) -> None:
    lab.monitor().get_by_role("button", name="More for this execution").click()
    lab.page.get_by_role("menuitem", name=entry).click()


def settled(lab: Lab, server: LiveServer, project: str, count: int) -> list[dict[str, Any]]:
    """The project's `count` executions, newest first, once all have ended."""
    return until(
        lab.page,
        lambda: list(server.request("GET", f"executions?project={project}")[1]["items"]),
        lambda items: len(items) == count and all(each["ended_at"] for each in items),
    )


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


def test_one_step_is_marked_in_tree_and_timeline_alike_by_mouse_and_by_keyboard(
    lab: Lab, server: LiveServer
) -> None:
    lab.open_project(project(server, "Marked", bash("echo one"), bash("echo two"), {"text": "Both."}))
    lab.hide_sidebars()
    lab.run()
    ended(lab)
    monitor = lab.monitor()
    # Wide enough: the timeline stands beside the tree.
    timeline = monitor.get_by_role("listbox", name="Timeline of the execution")
    bars = timeline.get_by_role("option")
    expect(bars).to_have_count(6)  # the agent, three model calls, two commands
    bars.filter(has_text="bash").nth(1).click()
    marked = monitor.locator(".ca-Row[aria-selected=true]")
    expect(marked).to_contain_text("echo two")
    timeline.press("ArrowUp")
    expect(monitor.locator(".ca-Row[aria-selected=true]")).to_contain_text("Turn 2")
    timeline.press("ArrowUp")
    expect(marked).to_contain_text("echo one")
    marked.click()
    assert findings(lab.page, ".ca-Drawer") == []
    marked.press("ArrowUp")
    expect(timeline.locator("[aria-selected=true]")).to_have_count(0)  # text has no bar of its own
    tab(lab, "Cost")
    monitor.locator(".recharts-line").first.wait_for()
    assert findings(lab.page, ".ca-Drawer") == []
    # The cap and its 80 % are drawn where they belong, once somebody wants to see so far up.
    expect(monitor.locator(".recharts-reference-line")).to_have_count(0)
    monitor.get_by_role("checkbox", name="cap $1.00 · 80 % $0.80").check()
    expect(monitor.locator(".recharts-reference-line")).to_have_count(2)
    for words in ("cap $1.00", "80 %"):
        expect(monitor.locator(".ca-CostChart-plot").get_by_text(words, exact=True)).to_be_visible()
    heights = """plot => ['.recharts-xAxis .recharts-cartesian-axis-line', '.recharts-reference-line line']
      .flatMap(all => [...plot.querySelectorAll(all)].map(line => line.getBoundingClientRect().y))"""
    floor, cap, warn = at_rest(lab.page, lambda: monitor.locator(".ca-CostChart").evaluate(heights))
    assert (floor - warn) / (floor - cap) == pytest.approx(0.8, abs=0.01)
    tab(lab, "Timeline")
    monitor.get_by_role("listbox", name="Timeline of the execution").press("End")
    expect(monitor.locator(".ca-Bar[aria-selected=true]")).to_contain_text("model")
    monitor.get_by_role("listbox", name="Timeline of the execution").press("Enter")
    expect(monitor.locator(".ca-Row[aria-selected=true]")).to_contain_text("Turn 3")


def test_the_log_is_searched_copied_downloaded_and_opened_as_a_notebook(
    chromium: Browser, server: LiveServer
) -> None:
    made = project(server, "Kept", bash("echo needle"), bash("echo hay"), {"text": "Done."})
    with Lab.opened(chromium, server) as lab:
        lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        lab.open_project(made)
        lab.run()
        ended(lab)
        monitor = lab.monitor()
        tab(lab, "Events")
        count = settled(lab, server, made, 1)[0]["last_event_id"]
        expect(monitor.get_by_role("option").last).to_have_attribute("data-event", str(count))
        monitor.press("/")
        monitor.get_by_role("searchbox").fill("NEEDLE")
        expect(monitor.get_by_text("2 events")).to_be_visible()
        assert findings(lab.page, ".ca-Drawer") == []
        monitor.get_by_role("button", name="Tools").click()
        expect(monitor.get_by_text("Nothing fits the filter.")).to_be_visible()
        monitor.get_by_role("button", name="Tools").click()
        shown_events(lab).first.click()
        monitor.get_by_role("listbox", name="Events of the execution").press("c")
        expect(monitor.get_by_text("is copied.")).to_be_attached()
        copied = lab.page.evaluate("async () => JSON.parse(await navigator.clipboard.readText())")
        assert (copied["type"], copied["input"]) == ("tool_call", {"command": "echo needle"})
        # The same words filter the tree, until the filter is closed.
        tab(lab, "Steps")
        expect(monitor.get_by_role("treeitem")).to_have_count(3)
        monitor.get_by_role("button", name="Close the filter").click()
        expect(monitor.get_by_role("treeitem").filter(has_text="echo hay")).to_have_count(1)

        with lab.page.expect_download() as download:
            menu(lab, "Download the log (JSONL)")
        lines = download.value.path().read_text().splitlines()
        assert [json.loads(line)["id"] for line in lines] == list(range(1, count + 1))

        menu(lab, "Open as a notebook")
        expect(lab.page.locator(".jp-NotebookPanel")).to_contain_text("echo needle", timeout=SLOW_MS)
        assert [path.name for path in server.root_dir.glob("Kept *.ipynb")]


def test_a_run_is_repeated_changed_forked_and_compared(lab: Lab, server: LiveServer) -> None:
    variables = {"word": {"description": "", "default": None, "required": True}}
    task = {"task": "Say {{word}}."}
    made = project(server, "Again", bash("date +%N"), {"text": "Said."}, variables=variables, agent=task)
    lab.open_project(made)
    lab.run()
    dialog = lab.page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Run")).to_be_disabled()
    assert findings(lab.page, "[role=dialog]") == []
    dialog.get_by_label("word").fill("hello")
    dialog.get_by_role("button", name="Run").click()
    ended(lab)

    # What a model would read now: the prompt with the values that were given last.
    lab.card("agent").click()
    field = lab.page.locator("[data-field='agent.task']")
    field.get_by_role("button", name="Preview").click()
    expect(field.get_by_role("region", name="Preview")).to_have_text("Say hello.")
    expect(field.locator("mark[data-filled=true]")).to_have_text("hello")
    lab.page.get_by_role("button", name="Close properties").click()

    def started(execution: str) -> dict[str, Any]:
        items = server.request("GET", f"executions/{execution}/events")[1]["items"]
        return next(event for event in items if event["type"] == "agent_start")

    menu(lab, "Run again")
    second = settled(lab, server, made, 2)[0]["execution_id"]
    again = started(second)
    assert (again["prompt"], again["variables"]) == ("Say hello.", {"word": "hello"})
    shows(lab, second)
    ended(lab)

    menu(lab, "Compare with the one before")
    comparison = lab.page.get_by_role("dialog", name="Two executions compared")
    expect(comparison).to_contain_text("differs")  # no two moments have the same nanosecond
    expect(comparison.locator("[data-first-difference]")).to_contain_text("first difference")
    expect(comparison.locator("[data-first-difference]")).to_contain_text("bash")
    assert findings(lab.page, "[role=dialog]") == []
    comparison.press("Escape")
    expect(comparison).to_have_count(0)

    menu(lab, "Edit and run")
    expect(dialog.get_by_label("word")).to_have_value("hello")
    dialog.get_by_label("What shall it do?").fill("Whisper {{word}}.")
    dialog.get_by_label("word").fill("psst")
    dialog.get_by_role("button", name="Run").click()
    third = settled(lab, server, made, 3)[0]["execution_id"]
    assert started(third)["prompt"] == "Whisper psst."
    shows(lab, third)
    ended(lab)

    # A fork with another result of the command: that turn is kept, and the model sees the new text.
    row = lab.monitor().get_by_role("treeitem").filter(has_text="date +%N")
    row.click()
    row.press("f")
    fork = lab.page.get_by_role("dialog", name="Fork")
    fork.get_by_label(re.compile("Another result of bash")).check()
    fork.get_by_label("Result", exact=True).fill("a quarter past never")
    assert findings(lab.page, "[role=dialog]") == []
    fork.get_by_role("button", name="Fork").click()
    expect(fork).to_have_count(0)
    fourth = settled(lab, server, made, 4)[0]
    assert fourth["forked_from"] == third
    shows(lab, fourth["execution_id"])
    ended(lab)

    # And from a turn as it was: what came before it is shared, what is said besides is read there.
    row = lab.monitor().get_by_role("treeitem").filter(has_text=re.compile("^Turn 2"))
    row.click()
    row.get_by_role("button", name="Fork from this turn (F)").click()
    expect(fork).to_contain_text("What was before turn 2 is shared and not paid again")
    fork.get_by_label("Say besides").fill("In one word.")
    fork.get_by_role("button", name="Fork").click()
    expect(fork).to_have_count(0)
    fifth = settled(lab, server, made, 5)[0]
    assert (fifth["forked_from"], fifth["turns"]) == (fourth["execution_id"], 1)
    assert started(fifth["execution_id"])["prompt"] == "In one word."
    events = server.request("GET", f"executions/{fifth['execution_id']}/events")[1]["items"]
    assert "main/2" in [event["span"] for event in events]
    assert "main/1" not in [event["span"] for event in events], "what is shared was done again"


def test_a_cassette_is_kept_and_played_from_run_with(lab: Lab, server: LiveServer) -> None:
    made = project(server, "Taped", bash("echo once"), {"text": "Taped, $x^2$."})
    lab.open_project(made)
    lab.run()
    ended(lab)
    expect(lab.monitor().locator("mjx-container").first).to_be_visible()
    menu(lab, "Save as a cassette: replies and tools")
    expect(lab.page.get_by_text("The cassette is kept.")).to_be_visible()
    lab.page.get_by_role("button", name="Run with…").click()
    dialog = lab.page.get_by_role("dialog")
    dialog.get_by_text("Version, cassette, steps").click()
    cassette = dialog.get_by_label("Cassette")
    cassette.select_option(index=1)
    expect(dialog).to_contain_text("nothing is charged")
    dialog.get_by_role("button", name="Run").click()
    assert settled(lab, server, made, 2)[0]["replay"]


def test_an_execution_is_pinned_deleted_and_chosen_among_others(lab: Lab, server: LiveServer) -> None:
    made = project(server, "Several", bash("echo here"), {"text": "Here."})
    for _ in range(3):
        server.request("POST", f"projects/{made}/execute", {"wait": True})
    lab.open_project(made)
    ended(lab)
    menu(lab, "Pin")
    expect(lab.page.get_by_text("It is pinned: it is kept for good.")).to_be_visible()
    picker = lab.monitor().get_by_role("button", name=re.compile("Execution shown"))
    picker.click()
    listed = lab.page.get_by_role("dialog", name="Executions of this project")
    expect(listed.get_by_role("listitem")).to_have_count(3)
    expect(listed.get_by_role("listitem").first).to_contain_text("pinned")
    assert findings(lab.page, ".ca-PickerList") == []
    ids = [each["execution_id"] for each in settled(lab, server, made, 3)]
    expect(listed.get_by_role("listitem").first.get_by_role("button").first).to_be_focused()
    lab.page.keyboard.press("ArrowDown")
    expect(listed.get_by_role("listitem").nth(1).get_by_role("button").first).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(listed).to_have_count(0)
    shows(lab, ids[1])
    ended(lab)
    menu(lab, "Delete…")
    lab.page.locator(".jp-Dialog").get_by_role("button", name="Delete").click()
    expect(lab.page.locator(".jp-Dialog")).to_have_count(0)
    left = [each["execution_id"] for each in settled(lab, server, made, 2)]
    assert left == [ids[0], ids[2]]
    assert server.request("GET", f"executions/{ids[0]}")[1]["pinned"]
