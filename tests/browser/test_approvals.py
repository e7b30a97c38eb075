"""A tool that asks, at a real screen: its effect is seen first, and nothing happens before the answer."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, Lab
from tests.browser.waiting import until
from tests.support.live_server import LiveServer

BEFORE = "# Sales\n\nRevenue grew by 3 %.\n\nSee chart.png.\n"
EDIT = {
    "path": "report.md",
    "old_str": "Revenue grew by 3 %.",
    "new_str": "Revenue grew by 4.2 %.\nSouth leads.",
}


def asking_project(server: LiveServer, name: str, *turns: dict[str, Any]) -> str:
    """A project whose commands and edits ask; it has a report to edit."""
    made = server.create_project(name, "empty")
    rules = {"bash": "ask", "str_replace": "ask"}
    agent = {"task": "Mend the report.", "tools": ["bash", "str_replace", "python"], "permissions": rules}
    definition = made | {"agent": made["agent"] | agent}
    definition.pop("api_key")
    status, _ = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200
    scenario = {"schema_version": 1, "agents": {"main": [*turns, {"text": "The report is mended."}]}}
    for path, content in (("scenario.json", scenario), ("report.md", BEFORE)):
        server.put_file(made["id"], path, content)
    return str(made["id"])


def call(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"text": "I would like to.", "tools": [{"name": tool, "as": "a", "input": arguments}]}


def test_a_change_is_seen_before_it_is_made_and_made_when_allowed(lab: Lab, server: LiveServer) -> None:
    project = asking_project(
        server, "Careful", call("str_replace", EDIT), call("bash", {"command": "rm report.md"})
    )
    lab.open_project(project)
    lab.run()
    monitor = lab.monitor()
    question = monitor.get_by_role("region", name="str_replace waits for you")
    expect(question).to_be_visible(timeout=SLOW_MS)
    expect(question.locator("[data-line=removed]")).to_have_text("-Revenue grew by 3 %.\n")
    expect(question.locator("[data-line=added]")).to_have_count(2)
    expect(lab.card("agent")).to_contain_text("waits for you")
    assert findings(lab.page, ".ca-Ask") == []
    expect(lab.page.get_by_role("button", name="waiting for approval")).to_be_visible()
    until(
        lab.page,
        lambda: server.request("GET", "executions?status=waiting")[1]["items"],
        lambda states: project in [state["project_id"] for state in states],
    )

    question.get_by_role("button", name="Allow").press("Enter")
    command = monitor.get_by_role("region", name="bash waits for you")
    expect(command).to_contain_text("rm report.md", timeout=SLOW_MS)
    expect(monitor.get_by_text("allowed", exact=True)).to_be_visible()
    # Other arguments than the model's: what is no JSON cannot be sent, what is not a command is refused.
    command.get_by_role("button", name="Edit arguments").click()
    box = command.get_by_label("Arguments, as JSON")
    box.fill('{"command": ')
    expect(command.get_by_role("button", name="Allow as changed")).to_be_disabled()
    box.fill('{"command": 3}')
    command.get_by_role("button", name="Allow as changed").click()
    expect(command.get_by_role("alert")).to_contain_text("3 is not of type 'string'")
    lab.complaints.clear()  # the browser's own word for that refusal
    box.fill('{"command": "wc -l report.md"}')
    command.get_by_role("button", name="Allow as changed").click()
    expect(monitor).to_contain_text("6 report.md", timeout=SLOW_MS)
    expect(monitor).to_contain_text("allowed with changes")
    expect(monitor).to_contain_text("The report is mended.", timeout=SLOW_MS)
    expect(lab.card("agent")).to_contain_text("done")


def test_words_are_a_no_that_the_agent_reads(lab: Lab, server: LiveServer) -> None:
    lab.open_project(asking_project(server, "Refused", call("bash", {"command": "rm report.md"})))
    lab.run()
    question = lab.monitor().get_by_role("region", name="bash waits for you")
    question.get_by_label("Message to the agent").fill("Keep the report.")
    question.get_by_label("Message to the agent").press("Enter")
    expect(lab.monitor()).to_contain_text("denied", timeout=SLOW_MS)
    expect(lab.monitor()).to_contain_text("Keep the report.")
    expect(lab.monitor()).to_contain_text("The report is mended.", timeout=SLOW_MS)


def test_stop_works_while_it_waits(lab: Lab, server: LiveServer) -> None:
    lab.open_project(asking_project(server, "Stopped", call("bash", {"command": "rm report.md"})))
    lab.run()
    question = lab.monitor().get_by_role("region", name="bash waits for you")
    expect(question).to_be_visible(timeout=SLOW_MS)
    lab.page.get_by_role("button", name=re.compile("^Stop")).last.click()
    expect(lab.monitor()).to_contain_text("cancelled", timeout=SLOW_MS)
    expect(question).to_have_count(0)


@pytest.mark.skipif(not os.environ.get("CLOUTAGENT_SCREENSHOTS"), reason="pictures are taken on request")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pictures_of_a_question(chromium: Browser, server: LiveServer, dark: bool) -> None:
    theme = "dark" if dark else "light"
    code = "import pandas as pd\n\nsales = pd.read_csv('sales.csv')\nsales.groupby('region').revenue.sum()"
    turns = [call("str_replace", EDIT), call("python", {"code": code})]
    project = asking_project(server, f"Careful {theme}", *turns)
    with Lab.opened(chromium, server) as lab:
        lab.open_project(project)
        lab.theme(dark)
        lab.hide_sidebars()
        lab.run()
        monitor = lab.monitor()
        expect(monitor.get_by_role("region", name="str_replace waits for you")).to_be_visible(timeout=SLOW_MS)
        lab.screenshot(f"approval-{theme}")
        monitor.get_by_role("button", name="Edit arguments").click()
        lab.screenshot(f"approval-edit-{theme}")
        monitor.get_by_role("button", name="Allow as changed").click()
        expect(monitor.get_by_role("region", name="python waits for you")).to_be_visible(timeout=SLOW_MS)
        expect(monitor.locator(".ca-Ask")).to_contain_text("groupby")
        lab.screenshot(f"approval-code-{theme}")
    with Lab.opened(chromium, server, width=700) as lab:
        lab.open_project(project)
        lab.theme(dark)
        lab.hide_sidebars()
        expect(lab.page.locator(".ca-Ask")).to_contain_text("groupby", timeout=SLOW_MS)
        lab.screenshot(f"approval-narrow-{theme}")
