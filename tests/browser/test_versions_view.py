"""Drafts, conflicts and versions in a real browser: what saves itself, what asks, and how to go back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, THEMES, Lab
from tests.browser.waiting import at_rest, until
from tests.support.live_server import LiveServer

LINES = """head => {
  const shown = [...head.children].map(each => each.getBoundingClientRect()).filter(each => each.width > 1);
  const middles = shown.map(each => (each.top + each.bottom) / 2);
  const alike = Math.max(...middles) - Math.min(...middles) < 3 && shown.every(each => each.height < 34);
  return [alike ? 1 : 2, head.scrollWidth <= head.clientWidth];
}"""
"""On how many lines what stands in it is, and whether all of it is inside."""


def save(server: LiveServer, project: str, **change: Any) -> None:
    """Somebody else saves."""
    _, saved = server.request("GET", f"projects/{project}")
    assert server.request("PUT", f"projects/{project}", saved | change)[0] == 200


def with_prompt(server: LiveServer, project: str, prompt: str) -> dict[str, Any]:
    _, saved = server.request("GET", f"projects/{project}")
    return {**saved["agent"], "system_prompt": prompt}


def write_task(page: Page, lab: Lab, text: str) -> None:
    lab.card("agent").click()
    page.get_by_label(re.compile("^Task")).first.fill(text)


def test_an_edit_is_kept_as_a_draft_by_itself_and_save_makes_a_version_of_it(
    lab: Lab, server: LiveServer
) -> None:
    project = server.create_project("Drafted", "empty")["id"]
    lab.open_project(project)
    lab.hide_sidebars()
    tab = lab.page.locator(".lm-TabBar-tab", has_text="Drafted")
    with lab.nothing_saved_yet(project):
        write_task(lab.page, lab, "Say hello.")
        expect(tab).to_have_class(re.compile("jp-mod-dirty"))
    saved = lab.stored(project, lambda each: each["agent"]["task"] == "Say hello.")
    assert saved["version"] == 1
    expect(tab).not_to_have_class(re.compile("jp-mod-dirty"))
    expect(lab.page.get_by_text("draft", exact=True).first).to_be_visible()
    # The draft is one after a reload, too: Save is still there for it.
    lab.wait_until_layout_names(project)
    lab.reload()
    lab.card("agent").wait_for()
    lab.page.get_by_role("button", name="Save", exact=True).first.click()
    lab.stored(project, lambda each: each["version"] == 2)


def test_a_hidden_page_writes_nothing(lab: Lab, server: LiveServer) -> None:
    project = server.create_project("Hidden", "empty")["id"]
    lab.open_project(project)
    lab.page.clock.install()  # Lab stands by now: its own timers stay what they are
    lab.hide(True)
    sent: list[str] = []
    lab.page.on(
        "request", lambda request: sent.append(request.url) if request.method in ("PUT", "PATCH") else None
    )
    write_task(lab.page, lab, "Say hello.")
    expect(lab.page.locator(".lm-TabBar-tab.jp-mod-dirty", has_text="Hidden")).to_be_visible()
    lab.page.clock.fast_forward(10_000)  # a page in sight saves after two seconds
    lab.page.evaluate("async () => { await fetch('/api/status'); }")  # whatever was to be sent, is by now
    assert not [url for url in sent if project in url]
    lab.hide(False)
    lab.stored(project, lambda each: each["agent"]["task"] == "Say hello.")


def test_closing_with_edits_that_only_the_tab_has_asks(lab: Lab, server: LiveServer) -> None:
    project = server.create_project("Closed", "empty")["id"]
    lab.open_project(project)
    dialog = lab.page.locator(".jp-Dialog")
    with lab.nothing_saved_yet(project):
        write_task(lab.page, lab, "Say hello.")
        lab.page.locator(".lm-TabBar-tab", has_text="Closed").locator(".lm-TabBar-tabCloseIcon").click()
        expect(dialog).to_contain_text("not saved")
    dialog.get_by_role("button", name="Save").click()
    expect(lab.card("agent")).to_have_count(0)
    _, saved = server.request("GET", f"projects/{project}")
    assert (saved["agent"]["task"], saved["version"]) == ("Say hello.", 2)


@pytest.mark.parametrize("dark", THEMES)
def test_a_conflict_shows_both_sides_and_saves_what_was_chosen(
    chromium: Browser, server: LiveServer, dark: bool
) -> None:
    theme = "dark" if dark else "light"
    project = server.create_project(f"Met {theme}")["id"]
    _, before = server.request("GET", f"projects/{project}")
    with Lab.opened(chromium, server) as lab:
        lab.open_project(project)
        lab.theme(dark)
        lab.hide_sidebars()
        lines = "You study sales.\nLook before you compute.\n"
        # Own edits come first: a tab without any shows what others save as soon as somebody turns to it.
        with lab.nothing_saved_yet(project):
            write_task(lab.page, lab, "Mine: summarise in one page.")
            save(
                server,
                project,
                agent=with_prompt(server, project, lines + "Theirs: round to whole euros."),
                limits={**before["limits"], "max_turns": 9},
            )
            prompt = lab.page.get_by_label(re.compile("^System prompt"))
            prompt.fill(lines + "Mine: round to cents.")
        dialog = lab.page.get_by_role("dialog")
        expect(dialog).to_contain_text("changed elsewhere", timeout=SLOW_MS)
        expect(dialog).to_contain_text("1 field to choose")
        assert findings(lab.page, "[role=dialog]") == []
        contested = dialog.get_by_role("group", name=re.compile("System prompt"))
        expect(contested.locator(".cm-merge-b, .cm-editor").first).to_be_visible()
        # Beside both stands what it was before either changed it.
        words = (r"^Mine[\s\S]*cents", r"^Theirs[\s\S]*euros", r"^As it was[\s\S]*data analyst")
        sides = contested.locator(".ca-Conflict-sides > label")
        expect(sides).to_have_text([re.compile(each) for each in words])
        lab.screenshot(f"conflict-{theme}")
        # By keyboard alone: the focus is inside, and does not leave before the dialog is left.
        lab.tab_to(contested.get_by_role("radio", name=re.compile("^Mine")))
        lab.page.keyboard.press("Space")
        expect(dialog).to_contain_text("Everything is chosen.")
        lab.tab_to(dialog.get_by_role("button", name="Save what is chosen"))
        lab.page.keyboard.press("Enter")
        saved = lab.stored(project, lambda each: "cents" in each["agent"]["system_prompt"])
        assert saved["agent"]["task"] == "Mine: summarise in one page."
        assert saved["limits"]["max_turns"] == 9
        assert saved["version"] == 3
        lab.theme(False)


@pytest.mark.parametrize("dark", THEMES)
def test_versions_are_compared_labelled_published_and_restored(
    chromium: Browser, server: LiveServer, dark: bool
) -> None:
    theme = "dark" if dark else "light"
    project = server.create_project(f"Told {theme}")["id"]
    _, first = server.request("GET", f"projects/{project}")
    prompt = first["agent"]["system_prompt"]
    writer = {**first["subagents"][0], "id": "writer", "name": "Report writer"}
    guard = {"id": "guard", "name": "No deletes", "event": "PreToolUse", "matcher": "bash",
             "action": {"type": "command", "command": ["python", "guard.py"]}}  # fmt: skip
    save(
        server,
        project,
        subagents=[writer],
        hooks=[guard],
        agent=with_prompt(
            server, project, prompt.replace("\n", "\nAlways name the file.\n", 1) + "\nBe brief."
        ),
        limits={**first["limits"], "max_turns": 9},
    )
    with Lab.opened(chromium, server) as lab:
        page = lab.page
        lab.open_project(project)
        lab.theme(dark)
        lab.hide_sidebars()
        page.get_by_role("button", name="Versions", exact=True).click()
        versions = page.get_by_role("region", name=re.compile("^Versions of"))
        versions.get_by_role("button", name=re.compile("^v2")).click()
        expect(versions).to_contain_text("v1 → v2")
        expect(versions.locator(".ca-Marked[data-mark=added]")).to_have_count(2)
        expect(versions.locator(".ca-Marked[data-mark=removed]")).to_have_count(1)
        expect(versions.locator(".ca-Marked[data-mark=changed]")).to_have_count(1)
        expect(versions.locator(".cm-editor").first).to_be_visible()
        # The canvas fits itself once its cards are measured.
        at_rest(page, lambda: versions.locator(".react-flow__viewport").get_attribute("style"))
        lab.screenshot(f"versions-{theme}")
        assert findings(page, ".ca-Versions") == []
        label = versions.get_by_label("Label for the project as it is now")
        label.fill("Before the holidays")
        label.press("Enter")
        expect(versions).to_contain_text("Before the holidays")
        versions.get_by_role("button", name=re.compile("^v1")).click()
        versions.get_by_role("button", name="Publish", exact=True).click()
        expect(versions.get_by_role("button", name=re.compile("^v1"))).to_contain_text("published")
        lab.stored(project, lambda each: each["published_version"] == 1)
        # An old version alone is a canvas to look at.
        versions.get_by_label("compare with").select_option("nothing")
        versions.locator(".react-flow__node[data-id='subagent:statistician']").click()
        expect(versions.get_by_role("region", name="Changes")).to_contain_text("Statistician")
        lab.screenshot(f"version-alone-{theme}")
        assert findings(page, ".ca-Versions") == []
        versions.get_by_role("button", name="Restore", exact=True).click()
        page.locator(".jp-Dialog").get_by_role("button", name="Restore").click()
        lab.stored(project, lambda each: not each["hooks"])
        versions.get_by_role("button", name="Close versions").click()
        expect(lab.card("subagent:statistician")).to_be_visible()
        # Going back is one step to take back, as any other.
        page.get_by_role("button", name="Undo", exact=True).click()
        expect(lab.card("hook:guard")).to_be_visible()
        expect(lab.card("subagent:statistician")).to_have_count(0)
        page.get_by_role("button", name="Redo", exact=True).click()
        expect(lab.card("subagent:statistician")).to_be_visible()
        expect(lab.card("hook:guard")).to_have_count(0)
        # Beside a notebook there is room for one button where there were three.
        page.set_viewport_size({"width": 620, "height": 800})
        expect(page.get_by_role("button", name="Versions", exact=True)).to_be_hidden()
        page.get_by_role("button", name="Versions, API, export").click()
        page.locator(".lm-Menu-item", has_text="Versions").click()
        versions.get_by_role("button", name=re.compile("^v2")).click()
        expect(versions).to_contain_text("v1 → v2")
        expect(versions.locator(".ca-Marked[data-mark=removed]")).to_be_in_viewport()
        expect(page.get_by_role("button", name="Properties", exact=True)).to_be_in_viewport(ratio=1)
        changes = versions.get_by_role("region", name="Changes")
        expect(changes).to_contain_text("Sales analyst")
        expect(changes).to_be_in_viewport()
        lab.screenshot(f"versions-narrow-{theme}")
        # In a tab of 540 px its head is still one line, and nothing of it is cut off.
        beside = page.evaluate("() => innerWidth - document.querySelector('.ca-Versions').clientWidth")
        page.set_viewport_size({"width": beside + 540, "height": 800})
        head = versions.locator(".ca-Versions-head")
        until(page, lambda: head.evaluate(LINES), lambda lines: lines == [1, True])
        if dark:
            lab.high_contrast()
            assert findings(page, ".ca-Versions") == []
            lab.screenshot("versions-contrast")
        lab.expect_quiet_console()
        lab.theme(False)


def test_versions_are_looked_through_published_and_restored_by_keyboard_alone(
    lab: Lab, server: LiveServer
) -> None:
    project = server.create_project("Without a mouse")["id"]
    save(server, project, limits={"max_turns": 9}, subagents=[])
    lab.open_project(project)
    lab.hide_sidebars()
    page = lab.page
    opener = page.get_by_role("button", name="Versions", exact=True)
    opener.focus()
    page.keyboard.press("Enter")
    versions = page.get_by_role("region", name=re.compile("^Versions of"))
    expect(versions.get_by_role("button", name=re.compile("^Now"))).to_be_focused()
    lab.tab_to(versions.get_by_role("button", name=re.compile("^v1")))
    page.keyboard.press("Enter")
    expect(versions).to_contain_text("v1, as it was")
    lab.tab_to(versions.get_by_label("compare with"))
    lab.pick(versions.get_by_label("compare with"), "now")
    expect(versions).to_contain_text("v1 → now")
    lab.tab_to(versions.get_by_role("button", name="Publish", exact=True))
    page.keyboard.press("Enter")
    expect(versions.get_by_role("button", name=re.compile("^v1"))).to_contain_text("published")
    lab.stored(project, lambda each: each["published_version"] == 1)
    gone = versions.locator(".react-flow__node[data-id='subagent:statistician']")
    lab.tab_to(gone)
    page.keyboard.press("Enter")
    changes = versions.get_by_role("region", name="Changes")
    expect(changes).to_contain_text("Statistician")
    expect(changes).not_to_contain_text("Sales analyst")
    lab.tab_to(versions.get_by_role("button", name="Restore", exact=True), back=True)
    page.keyboard.press("Enter")
    expect(page.locator(".jp-Dialog").get_by_role("button", name="Restore")).to_be_focused()
    page.keyboard.press("Enter")
    lab.stored(project, lambda each: each["subagents"])
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(versions).to_have_count(0)
    expect(opener).to_be_focused()
