"""The tutorial, walked by a newcomer: each click where the text says it, each cell in a notebook beside.

The page itself is read: what is bold in a part has to be what is clicked here, its code is what runs.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.lab import SLOW_MS, Lab
from tests.browser.waiting import next_frame
from tests.deploy.docs_blocks import blocks
from tests.support.live_server import LiveServer

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"


@dataclass
class Part:
    """A numbered part of the page."""

    text: str

    @property
    def bold(self) -> list[str]:
        prose = re.sub(r"^```.*?^```|^<!--.*?-->", "", self.text, flags=re.MULTILINE | re.DOTALL)
        return [" ".join(each.split()) for each in re.findall(r"\*\*(.+?)\*\*", prose, flags=re.DOTALL)]

    def code(self, language: str) -> list[str]:
        """Its blocks, without those that only the tests' reader sees, or that are for people alone."""
        shown = re.sub(r"^<!--.*?-->", "", self.text, flags=re.MULTILINE | re.DOTALL)
        return [block.text for block in blocks(shown) if block.language == language and block.runs]


def parts() -> dict[int, Part]:
    found = re.split(r"^## (\d+)\. ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {int(number): Part(text) for number, text in zip(found[::2], found[1::2], strict=True)}


class Beside:
    """The notebook beside the canvas, run cell by cell."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.panel = lab.page.locator(".jp-NotebookPanel")
        self.ran = 0

    def run(self) -> str:
        """Shift-Enter in the next cell; what it printed and showed."""
        page, cell = self.lab.page, self.ran
        page.locator(".jp-NotebookPanel:visible .jp-Cell.jp-mod-active .jp-InputPrompt").click()
        page.keyboard.press("Shift+Enter")
        done = f"() => {_CELLS}.get({cell}).executionCount !== null"
        page.wait_for_function(done, timeout=SLOW_MS)
        outputs = page.evaluate(f"() => {_CELLS}.get({cell}).outputs.toJSON()")
        self.ran += 1
        assert all(each["output_type"] != "error" for each in outputs), outputs
        return "".join(_text(each) for each in outputs)


_CELLS = (
    "[...window.jupyterapp.shell.widgets('main')].find(each => each.content?.model?.cells)"
    ".content.model.cells"
)


def _text(output: dict[str, Any]) -> str:
    said = output.get("text") or output.get("data", {}).get("text/plain", "")
    return said if isinstance(said, str) else "".join(said)


def _id_of(server: LiveServer, name: str) -> str:
    return next(
        str(row["id"]) for row in server.request("GET", "projects")[1]["items"] if row["name"] == name
    )


def button(where: Any, name: str) -> Locator:
    found: Locator = where.get_by_role("button", name=re.compile(rf"^{re.escape(name)}\b")).first
    return found


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_a_newcomer_can_do_what_the_tutorial_says(chromium: Browser, server: LiveServer) -> None:
    page_parts = parts()
    # A newcomer has one project of that name; by a name that several have, none is called.
    for other in server.request("GET", "projects?q=Sales%20analyst&limit=100")[1]["items"]:
        assert server.request("DELETE", f"projects/{other['id']}")[0] == 204
    made = server.create_project("Sales analyst")
    cells = [code for number in sorted(page_parts) for code in page_parts[number].code("python")]
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code.rstrip()) for code in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(book, server.root_dir / "tutorial.ipynb")
    with Lab.opened(chromium, server, width=1600, height=900) as lab:
        lab.open_project(made["id"], notebook="tutorial.ipynb")
        page, beside = lab.page, Beside(lab)

        assert page_parts[1].bold == ["Sales analyst", "New Agent Project", "Agents"]
        lab.screenshot("tutorial-1")

        assert page_parts[2].bold == ["Run", "Files", "simulated model"]
        button(page, "Run").click()
        expect(lab.monitor()).to_contain_text("completed", timeout=SLOW_MS)
        expect(lab.monitor()).to_contain_text("simulated")
        lab.monitor().get_by_role("tab", name=re.compile("^Files")).click()
        for name in ("report.md", "chart.png"):
            expect(lab.monitor().get_by_text(name).first).to_be_visible()
        lab.screenshot("tutorial-2")

        assert page_parts[3].bold == []
        told = beside.run()
        assert "tool_call python" in told
        assert "complete" in told
        assert "report.md" in told
        lab.screenshot("tutorial-3")

        assert page_parts[4].bold == []
        commands = page_parts[4].code("sh")[0]
        env = server.env | {"COLUMNS": "100"}
        shell = ["bash", "-euc", commands]
        done = subprocess.run(shell, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert "Sales analyst" in done.stdout

        bold = ["Agents", "New from template", "Empty agent", "Create", "Properties", "Subagent", "Save"]
        assert page_parts[5].bold == bold
        page.locator(".jp-SideBar .lm-TabBar-tab[title^='Agents']").click()
        sidebar = page.locator(".ca-Sidebar:visible")
        button(sidebar, "New from template").click()
        dialog = page.locator(".jp-Dialog")
        dialog.get_by_text("Empty agent", exact=True).click()
        dialog.get_by_label("Name of the project").fill("Librarian")
        button(dialog, "Create").click()
        page.locator(".lm-TabBar-tab.lm-mod-current", has_text="Librarian").wait_for()
        panel = page.get_by_role("tabpanel", name="Librarian")
        expect(panel.get_by_text("Checked")).to_be_visible()
        panel.locator(".react-flow__node[data-id='agent']").click()
        button(panel.get_by_role("toolbar", name="Project"), "Properties").click()
        for name in ("System prompt", "Task"):
            expect(panel.get_by_text(re.compile(rf"^{name}")).first).to_be_visible()
        for name in ("Tools", "Limits"):
            expect(panel.get_by_role("tab", name=name)).to_be_visible()
        lab.screenshot("tutorial-5-properties")
        button(panel.get_by_role("toolbar", name="Project"), "Properties").click()
        ground = panel.locator(".react-flow__pane")
        button(panel, "Add Subagent").drag_to(ground, target_position={"x": 150, "y": 420})
        expect(panel.locator(".react-flow__node[data-id='subagent:subagent']")).to_be_visible()
        next_frame(page)
        # Somebody who types takes longer than a draft waits: the server knows the card by its first name.
        known = f"projects/{_id_of(server, 'Librarian')}"
        while not server.request("GET", known)[1]["subagents"]:
            page.wait_for_timeout(100)
        if not panel.get_by_label("Name").first.is_visible():
            button(panel.get_by_role("toolbar", name="Project"), "Properties").click()
        expect(panel.get_by_label("Name").first).to_have_value("Subagent")
        panel.get_by_label("Name").first.fill("Reader")
        expect(panel.locator(".react-flow__edge")).to_have_count(1)
        lab.screenshot("tutorial-5-drawn")
        button(panel.get_by_role("toolbar", name="Project"), "Save").click()
        expect(panel.get_by_text("Unsaved changes")).to_have_count(0)
        assert beside.run() == "[]"
        panel.locator(".react-flow__node[data-id='agent']").hover()
        expect(panel.locator(".react-flow__node[data-id='agent']")).to_contain_text("bash")
        lab.screenshot("tutorial-5")

        assert page_parts[6].bold == ["Librarian"]
        assert "poem.txt has 2" in (told := beside.run())
        assert "It is about fog." in told
        sidebar.locator(".ca-Item", has_text="Librarian").first.click()
        listed = sidebar.locator("section", has=page.get_by_role("heading", name="Executions"))
        expect(listed.get_by_text("Librarian").first).to_be_visible()
        lab.screenshot("tutorial-6")

        assert page_parts[7].bold == ["Run"]
        told = beside.run()
        assert "completed 0.00" in told
        assert "failed 0.0 COST_LIMIT_EXCEEDED" in told

        assert page_parts[8].bold == []
        assert "Deleting is a person's business here." in beside.run()
        page.mouse.move(10, 10)
        panel.locator(".react-flow__node[data-id='agent']").hover()
        expect(panel.locator(".react-flow__node[data-id='hook:guard']")).to_be_visible()
        lab.screenshot("tutorial-8")

        assert page_parts[9].bold == []
        assert beside.ran == len(cells)
        lab.expect_quiet_console()
