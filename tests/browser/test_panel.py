"""The main job in a real browser: open, run, watch, stop, come back, in both themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, THEMES, Lab
from tests.browser.waiting import box, until
from tests.support.front_end import MOST_AT_START_KB, MOST_OPENED_KB, Loaded
from tests.support.live_server import LiveServer

NOTEBOOK = "01_first_agent.ipynb"


@pytest.fixture(scope="module")
def analyst(server: LiveServer) -> str:
    """Id of a Sales analyst project."""
    return server.create_project()["id"]


def slow_project(server: LiveServer, name: str) -> str:
    """A project whose subagent takes a minute for one step, so that there is time to look and to stop."""
    made = server.create_project(name, "empty")
    allowed = {"tools": ["bash"], "permissions": {"bash": "allow"}}
    sleeper = {"id": "sleeper", "name": "Sleeper", "description": "waits", "prompt": "Wait."} | allowed
    definition = made | {"agent": made["agent"] | {"task": "Wait."} | allowed, "subagents": [sleeper]}
    definition.pop("api_key")
    status, _ = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200
    asks = {"tools": [{"name": "agent__sleeper", "as": "ask", "input": {"prompt": "Wait."}}]}
    naps = {"text": "I wait.", "tools": [{"name": "bash", "as": "nap", "input": {"command": "sleep 61"}}]}
    awake = {"text": "Awake."}
    scenario = {"schema_version": 1, "agents": {"main": [asks, awake], "sleeper": [naps, awake]}}
    status, _ = server.request("PUT", f"projects/{made['id']}/files/scenario.json", scenario)
    assert status in (200, 201)
    return made["id"]


def test_the_launcher_leads_a_newcomer_to_a_project_that_runs(lab: Lab) -> None:
    lab.go()
    lab.page.get_by_role("button", name=re.compile("agent project", re.I)).or_(
        lab.page.locator(".jp-LauncherCard", has_text=re.compile("agent project", re.I))
    ).first.click()
    dialog = lab.page.locator(".jp-Dialog")
    dialog.get_by_text("Empty agent", exact=True).click()
    dialog.get_by_role("button", name="Create").click()
    expect(lab.card("agent")).to_be_visible()
    expect(lab.page.get_by_role("tab", name=re.compile("Empty agent"))).to_be_visible()
    # Its first key is shown once, and never again.
    expect(lab.page.get_by_text(re.compile(r"ca_[0-9a-f]{32}-"))).to_be_visible()


def test_a_run_grows_live_lights_up_its_cards_and_ends_with_a_report(
    lab: Lab, server: LiveServer, analyst: str
) -> None:
    lab.open_project(analyst)
    expect(lab.card("subagent:statistician")).to_contain_text("Statistician")
    lab.run()
    monitor = lab.monitor()
    expect(lab.card("agent")).to_contain_text(re.compile(r"turn \d"), timeout=SLOW_MS)
    expect(monitor).to_contain_text("running")
    expect(monitor).to_contain_text("wc -l")
    expect(monitor).to_contain_text("simulated")
    expect(lab.card("subagent:statistician")).to_contain_text("done", timeout=SLOW_MS)
    expect(monitor).to_contain_text("report.md", timeout=SLOW_MS)
    expect(lab.card("agent")).to_contain_text("done", timeout=SLOW_MS)
    expect(lab.card("agent")).to_contain_text(re.compile(r"\$\d"))
    # The picture it drew is seen among the steps; it leads to the file.
    chart = monitor.locator(".ca-Output-picture").first
    chart.scroll_into_view_if_needed()
    wide = "picture => picture.naturalWidth"
    until(lab.page, lambda: chart.get_by_role("img").evaluate(wide), lambda width: width > 100)
    chart.click()
    expect(monitor.get_by_role("tab", name=re.compile("Files"))).to_have_attribute("aria-selected", "true")
    expect(monitor).to_contain_text("chart.png")
    file = monitor.locator(".ca-Files-view").get_by_role("img")
    until(lab.page, lambda: file.evaluate(wide), lambda width: width > 100)
    assert findings(lab.page, ".ca-Drawer") == []
    # It is put beside the notebooks by one click, and opened there.
    monitor.get_by_role("button", name="Save chart.png in Lab’s folder").click()
    tab = lab.page.get_by_role(
        "tab", name=re.compile(r"^chart( \d+)?\.png$")
    )  # one that is there stays there
    expect(tab).to_be_visible()
    kept = server.root_dir / tab.inner_text().strip()
    assert kept.read_bytes().startswith(b"\x89PNG")


MOVING = """() => document.getAnimations()
  .filter(each => each.playState === 'running' && each.effect?.target?.closest('.ca-Panel'))
  .map(each => each.animationName ?? each.transitionProperty)"""
"""What moves by itself in the panel."""

MOVED = f"""async () => {{
  const seen = new Set();
  for (let frame = 0; frame < 20; frame++) {{
    ({MOVING})().forEach(each => seen.add(each));
    await new Promise(requestAnimationFrame);
  }}
  return [...seen];
}}"""
"""What has moved in some frames."""


def test_stop_ends_the_run_and_nothing_moves_for_whoever_wants_no_motion(
    lab: Lab, server: LiveServer
) -> None:
    lab.open_project(slow_project(server, "Slow one"))
    lab.run()
    expect(lab.monitor()).to_contain_text("sleep 61")
    lit = lab.page.locator(".ca-Wire[data-state=running]")
    expect(lit).to_have_count(1)
    assert lab.page.evaluate(MOVED) == []
    assert findings(lab.page, ".ca-Panel") == []
    # Whoever has not asked for that sees a light travel along the wire.
    lab.page.emulate_media(reduced_motion="no-preference")
    expect(lit.locator(".ca-Wire-light")).to_be_visible()
    until(lab.page, lambda: lab.page.evaluate(MOVING), lambda moving: "ca-travel" in moving)
    lab.page.emulate_media(reduced_motion="reduce")
    expect(lit.locator(".ca-Wire-light")).to_be_hidden()
    until(lab.page, lambda: lab.page.evaluate(MOVED), lambda moved: moved == [])
    lab.page.get_by_role("button", name=re.compile("^Stop")).last.click()
    expect(lab.monitor()).to_contain_text("cancelled", timeout=SLOW_MS)


def test_after_a_reload_the_tab_and_its_running_execution_are_there_again(
    lab: Lab, server: LiveServer
) -> None:
    project = slow_project(server, "Reloaded")
    lab.open_project(project)
    lab.run()
    expect(lab.monitor()).to_contain_text("sleep 61")
    lab.wait_until_layout_names(project)
    lab.reload()
    expect(lab.card("agent")).to_be_visible(timeout=SLOW_MS)
    expect(lab.monitor()).to_contain_text("sleep 61", timeout=SLOW_MS)
    expect(lab.monitor()).to_contain_text("running")
    lab.page.get_by_role("button", name=re.compile("^Stop")).last.click()
    expect(lab.monitor()).to_contain_text("cancelled", timeout=SLOW_MS)


def test_a_moved_card_stays_where_it_was_put(lab: Lab, server: LiveServer) -> None:
    project = server.create_project("Moved")["id"]
    lab.open_project(project)
    at = box(lab.card("subagent:statistician"))
    lab.page.mouse.move(at["x"] + 60, at["y"] + 12)
    lab.page.mouse.down()
    lab.page.mouse.move(at["x"] + 60, at["y"] - 48, steps=6)
    lab.page.mouse.up()

    def stored() -> float:
        _, saved = server.request("GET", f"projects/{project}")
        places: dict[str, float] = {node["id"]: node["position"]["y"] for node in saved["ui"]["nodes"]}
        return places["subagent:statistician"]

    until(lab.page, stored, lambda y: y < 20)


def test_an_edited_prompt_is_saved_and_runs(lab: Lab, server: LiveServer) -> None:
    project = server.create_project("Edited", "empty")["id"]
    lab.open_project(project)
    lab.card("agent").click()
    lab.page.get_by_label(re.compile("^Task")).first.fill("Say hello to the tests.")
    lab.page.get_by_role("button", name=re.compile("^Save")).first.click()
    saved = lab.stored(project, lambda each: each["version"] == 2)
    assert saved["agent"]["task"] == "Say hello to the tests."


def test_text_from_a_model_cannot_run_script_in_the_page(lab: Lab, server: LiveServer) -> None:
    made = server.create_project("Hostile", "empty")
    definition = made | {"agent": made["agent"] | {"task": "Go."}}
    definition.pop("api_key")
    server.request("PUT", f"projects/{made['id']}", definition)
    attack = (
        '<img src=x onerror="window.attacked=1"> <script>window.attacked=1</script> '
        "[click](javascript:window.attacked=1) <svg onload=window.attacked=1> "
        "<form id=cookie><input name=x></form>"
    )
    scenario = {"schema_version": 1, "agents": {"main": [{"thinking": attack, "text": attack}]}}
    server.request("PUT", f"projects/{made['id']}/files/scenario.json", scenario)
    lab.open_project(made["id"])
    lab.run()
    expect(lab.monitor()).to_contain_text("completed", timeout=SLOW_MS)
    assert lab.page.evaluate("() => window.attacked") is None
    lab.complaints.clear()  # the refused image is the point of the test


@pytest.mark.parametrize("dark", THEMES)
def test_screenshots_of_the_documentation(
    chromium: Browser, server: LiveServer, analyst: str, dark: bool
) -> None:
    name = "dark" if dark else "light"
    with Lab.opened(chromium, server) as lab:
        lab.open_project(analyst)
        lab.theme(dark)
        lab.hide_sidebars()
        lab.run()
        lab.page.locator(".ca-Card[data-kind=subagent][data-state=running]").wait_for()
        lab.screenshot(f"running-{name}")
        expect(lab.monitor().get_by_role("status").first).to_contain_text("completed", timeout=SLOW_MS)
        expect(lab.page.locator(".ca-StatusItem")).not_to_contain_text("running")
        lab.screenshot(f"finished-{name}")
    with Lab.opened(chromium, server) as lab:
        lab.open_project(analyst, notebook=NOTEBOOK)
        lab.theme(dark)
        lab.hide_sidebars()
        lab.page.locator(".jp-NotebookPanel").wait_for()
        lab.run()
        lab.page.locator(".ca-Card[data-kind=subagent][data-state=running]").wait_for()
        lab.screenshot(f"split-{name}")
        expect(lab.card("agent")).to_contain_text("done", timeout=SLOW_MS)
    with Lab.opened(chromium, server) as lab:
        lab.go()
        lab.theme(False)


def test_lab_s_start_loads_little_of_the_panel_and_a_project_no_charts(
    lab: Lab, server: LiveServer, analyst: str
) -> None:
    # There is a past, so that the status bar has something to say at the start.
    assert server.request("POST", f"projects/{analyst}/execute", {"wait": True})[1]["status"] == "completed"
    loaded = Loaded(lab.page)
    with lab.page.expect_response(re.compile(r"cloutagent/api/v1/executions\?")) as asked:
        lab.go()
    assert analyst in asked.value.text(), "the past was not looked at"
    lab.page.wait_for_load_state("networkidle")
    at_start = loaded.kb
    assert loaded.names, "the extension itself did not load"
    assert at_start <= MOST_AT_START_KB, loaded.names
    lab.open_project(analyst)
    assert at_start + 50 < loaded.kb <= MOST_OPENED_KB, "the panel is not what was counted"
    assert not loaded.mentions("recharts"), "charts have chunks of their own"
