"""The monitor inside a notebook, in a real browser: its buttons work while the cell that waits is busy."""

from __future__ import annotations

import os
import secrets

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import SLOW_MS, Lab
from tests.browser.waiting import until
from tests.support.live_server import LiveServer

from .test_approvals import EDIT, asking_project, call


def opened(lab: Lab, server: LiveServer, name: str, *cells: str) -> Locator:
    """A notebook with these cells, all of them running; its panel."""
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(book, server.root_dir / name)
    lab.go()
    lab.command("docmanager:open", path=name, factory="Notebook")
    panel = lab.page.locator(".jp-NotebookPanel:visible")
    panel.wait_for()
    lab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    # Not awaited: the cell waits for a person.
    lab.page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    return panel


def watching(project: str) -> str:
    """A cell that runs it and shows the monitor until it has ended."""
    return (
        f"from cloutagent_ext import connect\nrun = connect()[{project!r}].run(attended=True)\nrun.monitor()"
    )


def own(name: str) -> str:
    """`name`, of this test alone: at night each runs in every theme, on one server."""
    return f"{name}-{secrets.token_hex(3)}"


def busy(panel: Locator) -> Locator:
    return panel.locator(".jp-InputPrompt", has_text="[*]")


def test_stop_works_while_the_cell_is_busy_and_the_saved_notebook_shows_how_it_ended(
    lab: Lab, server: LiveServer
) -> None:
    name = own("endless")
    asking_project(server, name, call("bash", {"command": "sleep 600"}))
    panel = opened(lab, server, f"{name}.ipynb", watching(name))
    panel.get_by_role("button", name="Allow").click(timeout=SLOW_MS)
    expect(panel.get_by_text("running: bash")).to_be_visible(timeout=SLOW_MS)
    expect(busy(panel)).to_have_count(1)
    panel.get_by_role("button", name="Stop").click()
    expect(panel.get_by_text("cancelled", exact=False).first).to_be_visible(timeout=SLOW_MS)
    expect(busy(panel)).to_have_count(0)
    expect(panel.get_by_role("button", name="Stop")).to_have_count(0)
    # What was live is replaced by what a saved notebook keeps.
    expect(panel.locator(".jupyter-widgets")).to_have_count(0)
    lab.command("docmanager:save")
    lab.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    book = nbformat.read(server.root_dir / f"{name}.ipynb", as_version=4)
    kept = next(each for each in book.cells[0].outputs if "text/html" in each.get("data", {}))
    assert "cancelled" in kept["data"]["text/html"]
    assert "widget-view" not in str(book.cells[0].outputs)


def test_no_is_said_from_the_output_and_open_details_stay_open(lab: Lab, server: LiveServer) -> None:
    remove = call("bash", {"command": "rm report.md"}) | {"text": "It went from $5 to $6."}
    name = own("polite")
    project = asking_project(server, name, call("str_replace", EDIT), remove)
    # A formula below it: once that is set, so would be whatever above it was taken for one.
    formula = "from IPython.display import Latex\nLatex('$x^2$')"
    panel = opened(lab, server, f"{name}.ipynb", watching(name), formula)
    expect(panel.get_by_text("+Revenue grew by 4.2 %.")).to_be_visible(timeout=SLOW_MS)
    panel.get_by_role("button", name="Allow").click()
    first = panel.locator("details", has_text="✓ str_replace").first
    first.locator("summary").first.click()
    expect(panel.get_by_text("asks to use bash")).to_be_visible(timeout=SLOW_MS)
    expect(first).to_have_attribute("open", "")
    panel.get_by_role("button", name="Deny").click()
    expect(panel.get_by_text("completed", exact=False).first).to_be_visible(timeout=SLOW_MS)
    expect(panel.get_by_text("It went from $5 to $6.")).to_be_visible()
    expect(panel.locator(".jp-RenderedLatex mjx-container")).to_be_visible(timeout=SLOW_MS)
    expect(panel.locator("mjx-container")).to_have_count(1)  # money is no formula
    until(
        lab.page,
        lambda: server.request("GET", "executions?status=waiting")[1]["items"],
        lambda waiting: project not in [state["project_id"] for state in waiting],
    )


@pytest.mark.skipif(not os.environ.get("CLOUTAGENT_SCREENSHOTS"), reason="makes the documentation's pictures")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_screenshots_of_the_notebooks_monitor(chromium: Browser, server: LiveServer, dark: bool) -> None:
    name = "dark" if dark else "light"
    if not dark:
        asking_project(server, "Asked", call("bash", {"command": "sort -k2 sales.csv | head"}))
    with Lab.opened(chromium, server, width=1000, height=800) as lab:
        panel = opened(lab, server, f"picture-{name}.ipynb", watching("Asked"))
        lab.theme(dark)
        lab.hide_sidebars()
        expect(panel.get_by_role("button", name="Allow")).to_be_visible(timeout=SLOW_MS)
        lab.screenshot(f"notebook-monitor-{name}")
        panel.get_by_role("button", name="Deny").click()
        expect(busy(panel)).to_have_count(0)
