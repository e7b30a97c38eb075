"""The project's settings in a real browser: secrets, keys, limits, trust, and a program that was pasted."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import findings
from tests.browser.lab import THEMES, Lab
from tests.browser.waiting import box, until
from tests.support.live_server import LiveServer


def open_settings(lab: Lab, project: str) -> None:
    """The property panel with nothing selected."""
    lab.open_project(project)
    lab.hide_sidebars()
    pane = lab.page.locator(".react-flow__pane")
    room = box(pane)
    pane.click(position={"x": room["width"] / 2, "y": room["height"] - 12})
    expect(lab.page.get_by_role("tab", name="Secrets")).to_be_visible()


def section(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def test_a_secret_is_made_replaced_and_deleted_and_never_shown(lab: Lab, server: LiveServer) -> None:
    made = server.create_project("Secretive", "empty")
    open_settings(lab, made["id"])
    section(lab.page, "Secrets")
    lab.page.get_by_role("button", name="Add a secret").click()
    expect(lab.page.get_by_label("Name", exact=True)).to_be_focused()
    lab.page.keyboard.type("TIME_TOKEN")
    lab.page.keyboard.press("Tab")
    expect(lab.page.get_by_label("Value", exact=True)).to_be_focused()
    lab.page.keyboard.type("first-value")
    lab.page.keyboard.press("Enter")
    row = lab.page.locator(".ca-Entry", has_text="TIME_TOKEN")
    expect(row).to_contain_text("kept now")
    expect(row).to_contain_text("not used")
    row.get_by_role("button", name="Replace TIME_TOKEN").click()
    expect(lab.page.get_by_label("New value of TIME_TOKEN")).to_be_focused()
    lab.page.keyboard.type("second-value")
    lab.page.keyboard.press("Enter")
    expect(row).to_contain_text("replaced now")
    assert "value" not in json.dumps(server.request("GET", f"projects/{made['id']}/secrets")[1]["items"])
    assert "first-value" not in lab.page.content()
    row.get_by_role("button", name="Delete TIME_TOKEN").click()
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("cannot be brought back")
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    until(
        lab.page,
        lambda: server.request("GET", f"projects/{made['id']}/secrets")[1]["items"],
        lambda secrets: secrets == [],
    )


def test_a_pasted_program_runs_with_the_key_that_was_made_for_it_until_that_is_revoked(
    lab: Lab, server: LiveServer
) -> None:
    made = server.create_project("Called")
    made.pop("api_key")
    definition = made | {"agent": made["agent"] | {"simulate": True}}
    assert server.request("PUT", f"projects/{made['id']}", definition)[0] == 200
    lab.open_project(made["id"])
    lab.page.get_by_role("button", name="API", exact=True).click()
    dialog = lab.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Make a key").click()
    dialog.get_by_label("Name").fill("A program")
    dialog.get_by_role("button", name="Make the key").click()
    expect(dialog.get_by_text("it will not be shown again")).to_be_visible()
    program = dialog.get_by_label("Program that calls the project")
    expect(program).to_contain_text(re.compile(r"X-API-Key: ca_[0-9a-f]"))
    shell = program.inner_text()
    dialog.get_by_role("button", name="Python").click()
    expect(program).to_contain_text("import")
    python = program.inner_text()
    assert f"{server.url}cloutagent/api/v1/projects/{made['id']}/execute" in python

    def called(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    assert json.loads(called("bash", "-c", shell))["status"] == "completed"
    assert called("python", "-c", python).startswith("completed")
    dialog.get_by_role("button", name="Done").click()
    dialog.get_by_role("button", name="Close", exact=True).click()
    open_settings(lab, made["id"])
    section(lab.page, "Keys")
    row = lab.page.locator(".ca-Entry", has_text="A program")
    expect(row).to_contain_text("used now")
    row.get_by_role("button", name="Revoke A program").click()
    lab.page.locator(".jp-Dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    assert json.loads(called("bash", "-c", shell))["error"]["code"] == "INVALID_API_KEY"


def test_an_imported_project_starts_nothing_before_its_programs_were_agreed_to(
    lab: Lab, server: LiveServer
) -> None:
    made = server.create_project("Scout", "literature-scout")
    status, copy = server.request("POST", f"projects/{made['id']}/duplicate", {})
    assert status == 201
    trusted = copy["trusted"]
    open_settings(lab, copy["id"])
    section(lab.page, "Trust")
    trust = lab.page.get_by_role("region", name="Trust")
    expect(trust).to_contain_text("MCP server")
    expect(trust).to_contain_text("Trusted" if trusted else "Not trusted yet")


@pytest.mark.parametrize("dark", THEMES)
def test_settings_look_right_and_are_open_to_everybody(
    chromium: Browser, server: LiveServer, dark: bool
) -> None:
    theme = "dark" if dark else "light"
    made = server.create_project(f"Analyst {theme}", "literature-scout")
    project = made["id"]
    for name in ("ANTHROPIC_API_KEY", "LIBRARY_TOKEN"):
        server.request("POST", f"projects/{project}/secrets", {"name": name, "value": "a-long-value"})
    keys = f"projects/{project}/keys"
    server.request("POST", keys, {"name": "Nightly report", "scopes": ["read", "execute", "approve"]})
    with Lab.opened(chromium, server) as lab:
        open_settings(lab, project)
        lab.theme(dark)
        shown = {
            "Project": "Variables",
            "Secrets": "LIBRARY_TOKEN",
            "Keys": "Nightly report",
            "Limits": "Queue",
            "Trust": "What it starts",
        }
        for name, text in shown.items():
            section(lab.page, name)
            expect(lab.page.locator(".ca-Properties-form")).to_contain_text(text)
            lab.screenshot(f"settings-{name.lower()}-{theme}")
            assert findings(lab.page, ".ca-Properties") == []
        lab.page.get_by_role("button", name="API", exact=True).click()
        expect(lab.page.get_by_role("dialog")).to_contain_text("Nightly report")
        lab.screenshot(f"api-{theme}")
        assert findings(lab.page, "[role=dialog]") == []
        # At 200 % zoom a window of this size has half the room, and everything is still there.
        lab.page.set_viewport_size({"width": 640, "height": 400})
        make = lab.page.get_by_role("dialog").get_by_role("button", name="Make a key")
        make.scroll_into_view_if_needed()
        expect(make).to_be_in_viewport()
        lab.screenshot(f"api-zoomed-{theme}")
        lab.page.set_viewport_size({"width": 1280, "height": 800})
        lab.page.get_by_role("button", name="Close", exact=True).click()
        if dark:
            lab.high_contrast()
            lab.page.get_by_role("button", name="Properties", exact=True).click()
            section(lab.page, "Keys")
            expect(lab.page.locator(".ca-Properties-form")).to_contain_text("Nightly report")
            lab.screenshot("settings-keys-contrast")
            assert findings(lab.page, ".ca-Properties") == []
        lab.expect_quiet_console()
        lab.theme(False)


def test_lab_s_settings_have_a_page_for_agents(lab: Lab) -> None:
    lab.go()
    lab.page.evaluate(
        "() => void window.jupyterapp.commands.execute('settingeditor:open', { query: 'Agent projects' })"
    )
    editor = lab.page.locator("#setting-editor, .jp-SettingsPanel").first
    expect(editor).to_contain_text("Save edits as a draft")
    expect(editor).to_contain_text("Only when its project is not in sight")
    lab.screenshot("settings-page")
