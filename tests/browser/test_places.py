"""Executions in Lab's own places: Running panel, status bar, notifications, file browser, notebooks."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, Lab
from tests.browser.test_monitor import bash, ended, menu, project, settled
from tests.browser.waiting import box
from tests.support.live_server import LiveServer


def start(server: LiveServer, made: str) -> str:
    """Run it as a notebook or a program would: the panel is not asked."""
    status, accepted = server.request("POST", f"projects/{made}/execute", {})
    assert status == 202
    return str(accepted["execution_id"])


def test_the_running_panel_lists_what_goes_on_and_shuts_it_down(lab: Lab, server: LiveServer) -> None:
    made = project(server, "Long one", bash("sleep 62"), {"text": "Awake."})
    lab.go()
    execution = start(server, made)
    lab.command("running:show-panel")
    row = lab.page.locator(".jp-RunningSessions-item", has_text="Long one")
    expect(row).to_be_visible(timeout=SLOW_MS)
    row.hover()
    row.get_by_role("button", name=re.compile("Shut Down|Stop", re.I)).or_(
        row.locator(".jp-RunningSessions-itemShutdown")
    ).first.click()
    settled(lab, server, made, 1)
    assert server.request("GET", f"executions/{execution}")[1]["status"] == "cancelled"
    expect(row).to_have_count(0, timeout=SLOW_MS)


def test_the_status_bar_counts_what_runs_and_leads_to_it(lab: Lab, server: LiveServer) -> None:
    made = project(server, "Counted", bash("sleep 63"), {"text": "Awake."})
    execution = start(server, made)
    lab.go()
    item = lab.page.locator(".ca-StatusItem")
    expect(item).to_contain_text("1 agent running", timeout=SLOW_MS)
    assert findings(lab.page, ".ca-StatusItem") == []
    item.get_by_role("button").click()
    # The latest execution stands there with its status, what it has cost, and how long it runs.
    latest = lab.page.locator(".ca-Sidebar .ca-Item", has=lab.page.locator(".ca-Dot")).first
    expect(latest).to_contain_text(re.compile(r"running\s*Counted\s*\$[\d.]+ · \d+"))
    server.request("POST", f"executions/{execution}/cancel", {})
    expect(item).not_to_contain_text("running", timeout=SLOW_MS)


@pytest.mark.parametrize("when", ["unseen", "none"])
def test_an_execution_that_ends_or_waits_out_of_sight_is_told_unless_somebody_does_not_want_it(
    lab: Lab, server: LiveServer, when: str
) -> None:
    asks = {"task": "Go.", "tools": ["bash"], "permissions": {"bash": "ask"}}
    asking = project(server, f"Asking {when}", bash("echo x"), {"text": "Done."}, agent=asks)
    quick = project(server, f"Quick {when}", {"text": "Done."})
    lab.go()
    lab.page.evaluate(
        """when => window.jupyterapp.serviceManager.settings.save(
               'cloutagent:project', JSON.stringify({notifications: when}))""",
        when,
    )
    lab.reload()
    lab.page.locator(".jp-LauncherCard").first.wait_for()
    # Made after the page was there, so that it is news and no history.
    waiting = server.request("POST", f"projects/{asking}/execute", {"attended": True})[1]["execution_id"]
    server.request("POST", f"projects/{quick}/execute", {"wait": True})
    lab.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")  # look now, not in 30 s
    toasts = lab.page.locator(".Toastify__toast")
    if when == "none":
        expect(lab.page.locator(".ca-StatusItem")).to_contain_text("waits for you", timeout=SLOW_MS)
        expect(toasts).to_have_count(0)
    else:
        expect(toasts.filter(has_text=f"Quick {when} has finished")).to_be_visible(timeout=SLOW_MS)
        question = toasts.filter(has_text=f"Asking {when} waits for you: bash")
        question.get_by_role("button", name="Review").click()
        expect(lab.monitor().get_by_role("region", name="bash waits for you")).to_be_visible(timeout=SLOW_MS)
    server.request("POST", f"executions/{waiting}/cancel", {})


def drag_in(lab: Lab, name: str) -> None:
    """Drag a file from Lab's file browser onto the canvas, or onto whatever stands before it."""
    target = box(lab.card("agent"))
    file = box(lab.page.locator(".jp-DirListing-item", has_text=name))
    lab.page.mouse.move(file["x"] + 40, file["y"] + 8)
    lab.page.mouse.down()
    lab.page.mouse.move(file["x"] + 60, file["y"] + 20, steps=4)
    lab.page.mouse.move(target["x"] + 30, target["y"] + 30, steps=8)
    expect(lab.page.locator(".ca-ProjectTab.ca-mod-drop")).to_have_count(1)
    lab.page.mouse.up()


def test_files_and_notebooks_dragged_from_the_file_browser_go_with_the_run(
    chromium: Browser, server: LiveServer
) -> None:
    (server.root_dir / "dragged.csv").write_text("a,b\n1,2\n")
    notebook = {"cells": [], "metadata": {"mark": "from the notebook"}, "nbformat": 4, "nbformat_minor": 5}
    (server.root_dir / "dragged.ipynb").write_text(json.dumps(notebook))
    read = bash("echo $(tail -n 1 dragged.csv) $(grep -o 'from the notebook' dragged.ipynb)")
    made = project(server, "Dragged", read, {"text": "Read."})
    with Lab.opened(chromium, server) as lab:
        lab.open_project(made)
        lab.command("filebrowser:activate")
        dialog = lab.page.get_by_role("dialog")
        files = dialog.get_by_role("list", name="Files of this run")
        # The second is dropped onto the dialog that the first has opened.
        for name in ("dragged.ipynb", "dragged.csv"):
            drag_in(lab, name)
            expect(files).to_contain_text(name)
        expect(files.get_by_role("listitem")).to_have_count(2)
        dialog.get_by_role("button", name="Run").click()
        ended(lab)
        expect(lab.monitor()).to_contain_text("1,2 from the notebook")
        # Run again brings the file along, by whatever name its owner has meanwhile given other bytes.
        (server.root_dir / "dragged.csv").write_text("a,b\n3,4\n")
        menu(lab, "Run again")
        expect(lab.monitor()).to_contain_text("3,4", timeout=SLOW_MS)
        ended(lab)
        # The same dialog, with what was typed the last time, after a reload too.
        lab.page.get_by_role("button", name="Run with…").click()
        dialog.get_by_label("What shall it do?").fill("Read it again.")
        dialog.get_by_text("Limits", exact=True).click()
        dialog.get_by_label("Cost at most").fill("0.5")
        dialog.get_by_role("button", name="Run").click()
        settled(lab, server, made, 3)
        lab.wait_until_workspace_has("Read it again.")
        lab.reload()
        lab.card("agent").wait_for()
        ended(lab)
        lab.page.get_by_role("button", name="Run with…").click()
        expect(dialog.get_by_label("What shall it do?")).to_have_value("Read it again.")
        expect(dialog.get_by_label("Cost at most")).to_have_value("0.5")


def test_a_cell_that_calls_the_project_is_added_to_the_open_notebook_and_runs(
    lab: Lab, server: LiveServer
) -> None:
    name = f"Called in {lab.colours}"  # a name that two projects have calls neither
    made = project(server, name, bash("echo from a cell"), {"text": "Called."})
    lab.open_project(made)
    # What these give back is more than the browser can hand over.
    run = "([id, args]) => { void window.jupyterapp.commands.execute(id, args); }"
    lab.page.evaluate(run, ["notebook:create-new", {"kernelName": "python3"}])
    notebook = lab.page.locator(".jp-NotebookPanel")
    notebook.locator(".jp-Cell").first.wait_for()
    # Lab says "idle" a moment before the new notebook has its kernel, and then runs nothing.
    lab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    lab.page.evaluate(run, ["cloutagent:add-cell", {"id": made}])
    cell = notebook.locator(".jp-Cell").nth(1)
    expect(cell).to_contain_text(f'connect()["{name}"].run()')
    cell.locator(".cm-content").press("Shift+Enter")
    expect(cell.locator(".jp-InputPrompt")).not_to_have_text("[ ]:")
    assert settled(lab, server, made, 1)[0]["origin"] == "notebook"
    lab.complaints.clear()
