"""The property panel at a real screen: prompts, models, secrets, tried hooks, and the way to a problem."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.axe import findings
from tests.browser.lab import SLOW_MS, THEMES, Lab
from tests.support.live_server import LiveServer


def changed(server: LiveServer, name: str, **change: Any) -> str:
    made = server.create_project(name, "empty")
    definition = made | {"agent": made["agent"] | change.pop("agent", {})} | change
    definition.pop("api_key")
    status, answer = server.request("PUT", f"projects/{made['id']}", definition)
    assert status == 200, answer
    return str(made["id"])


@pytest.fixture
def analyst(server: LiveServer) -> str:
    return changed(
        server,
        "Prompts",
        agent={
            "system_prompt": "You study {{topic}}.\nToday is {{timestamp}}.",
            "task": "Read {{flie}}.",
            "tools": ["bash"],
            "permissions": {"bash": "ask", "bash(git *)": "allow"},
        },
        variables={
            "topic": {"description": "What it is about", "default": "sales", "required": True},
            "file": {"description": "", "default": None, "required": True},
        },
    )


def test_a_prompt_has_line_numbers_coloured_and_completed_variables_and_one_undo(
    lab: Lab, analyst: str
) -> None:
    lab.open_project(analyst)
    lab.hide_sidebars()
    page = lab.page
    lab.card("agent").click()
    prompt = page.get_by_role("textbox", name="System prompt")
    expect(prompt.locator(".ca-Place")).to_have_count(2)
    expect(prompt.locator(".ca-Place").nth(1)).to_have_attribute("data-kind", "built-in")
    expect(page.get_by_role("textbox", name="Task").locator("[data-kind=unknown]")).to_have_text("{{flie}}")
    prompt.click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" See {{fi")
    expect(page.locator(".cm-tooltip-autocomplete li")).to_have_count(1)
    lab.screenshot("prompt-completion")
    # A list that has only just opened takes no Enter yet: whoever types on means a new line.
    page.wait_for_timeout(150)
    page.keyboard.press("Enter")
    expect(prompt).to_contain_text("See {{file}}")
    expect(prompt.locator(".ca-Place")).to_have_count(3)
    page.get_by_role("button", name="Preview").first.click()
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("You study sales.")
    expect(preview.locator("mark[data-filled=false]")).to_have_text(["{{timestamp}}", "{{file}}"])
    page.get_by_role("button", name="Edit: ").first.click()
    prompt.click()
    # One step; more of them where the machine was so slow that somebody seems to have paused.
    steps = 0
    while "See" in (written := prompt.text_content() or ""):
        page.keyboard.press("Control+z")
        expect(prompt).not_to_have_text(written)
        steps += 1
    expect(prompt).to_contain_text("You study {{topic}}.")
    for _ in range(steps):
        page.keyboard.press("Control+Shift+z")
    expect(prompt).to_contain_text("See {{file}}")


def test_a_badge_leads_to_the_field_of_the_problem(lab: Lab, analyst: str) -> None:
    lab.open_project(analyst)
    lab.hide_sidebars()
    page = lab.page
    lab.card("agent").get_by_role("button", name=re.compile("problem")).click()
    task = page.get_by_role("textbox", name="Task")
    expect(task).to_be_focused()
    expect(task).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[data-field='agent.task']")).to_contain_text("{{flie}} is not declared")
    lab.screenshot("problem-field")
    # The list of problems leads there, too.
    page.get_by_role("button", name="Close properties").click()
    page.locator(".ca-Check").click()
    problem = page.locator(".ca-Problems li", has_text="{{flie}} is not declared")
    expect(problem).to_be_visible()
    assert findings(page, ".ca-Panel") == []
    problem.get_by_role("button").click()
    expect(task).to_be_focused()


def test_a_model_is_chosen_by_price_and_a_limit_beside_what_a_run_will_cost(
    lab: Lab, server: LiveServer
) -> None:
    project = changed(server, "Models", agent={"task": "Say hello."})
    # With a key of its own it would be a real model; nothing is run here.
    secret = {"name": "ANTHROPIC_API_KEY", "value": "test-key-of-nobody"}
    assert server.request("POST", f"projects/{project}/secrets", secret)[0] in (200, 201)
    lab.open_project(project)
    lab.hide_sidebars()
    page = lab.page
    lab.card("agent").click()
    model = page.get_by_role("combobox", name="Model")
    model.click()
    expect(page.get_by_role("option").first).to_contain_text("context")
    lab.screenshot("model-picker")
    assert findings(page, ".ca-Models") == []
    model.press("ArrowDown")
    model.press("Enter")
    expect(model).to_have_value("claude-sonnet-5-5")
    expect(page.get_by_role("option")).to_have_count(0)
    expect(page.locator("[data-field='agent.model']")).to_contain_text(re.compile(r"\$\d.* in · \$\d.* out"))
    # What a run will probably cost stands beside the limits, and whether they are too tight for it.
    page.get_by_role("tab", name="Limits").click()
    quote = page.locator(".ca-QuoteBox")
    expect(quote).to_contain_text(
        re.compile(r"A run will probably cost \$[\d.]+ to \$[\d.]+\."), timeout=SLOW_MS
    )
    expect(quote).to_contain_text("It never costs more than $1.00.")
    cost = page.get_by_label("Cost", exact=True)
    cost.fill("0.01")
    expect(quote).to_contain_text("The limit of $0.010 may end a long run", timeout=SLOW_MS)
    expect(page.locator(".ca-Quote")).to_contain_text("cap $0.010")
    cost.fill("")
    expect(quote).to_contain_text("Without a money limit nothing ends it at a sum.")
    cost.fill("0.25")
    lab.screenshot("limits-quote")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_role("button", name="Save", exact=True).first).to_be_disabled()
    lab.stored(project, lambda saved: saved["limits"]["max_cost_usd"] == 0.25)


def test_a_server_gets_a_token_from_a_secret_that_is_made_in_place(lab: Lab, server: LiveServer) -> None:
    project = changed(
        server,
        "Signed in",
        mcps=[{"id": "issues", "name": "Issues", "transport": "http", "url": "https://mcp.example.org/mcp"}],
    )
    lab.open_project(project)
    lab.hide_sidebars()
    page = lab.page
    lab.card("mcp:issues").click()
    page.get_by_label("Sign-in").select_option("bearer")
    page.get_by_label("Token").select_option("+")
    expect(page.get_by_label("Name of the secret")).to_have_value("ISSUES_TOKEN")
    page.get_by_label("Value", exact=True).fill("s3cret-of-the-test")
    lab.screenshot("new-secret")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_label("Token")).to_have_value("ISSUES_TOKEN")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_role("button", name="Save", exact=True).first).to_be_disabled()
    named = {"Authorization": "Bearer {{secret:ISSUES_TOKEN}}"}
    lab.stored(project, lambda saved: saved["mcps"][0]["headers"] == named)
    _, secrets = server.request("GET", f"projects/{project}/secrets")
    assert [each["name"] for each in secrets["items"]] == ["ISSUES_TOKEN"]
    assert "s3cret-of-the-test" not in page.content()


def test_a_hook_is_tried_on_past_runs_before_it_is_switched_on(lab: Lab, server: LiveServer) -> None:
    project = changed(
        server,
        "Guarded",
        agent={"task": "Tidy.", "tools": ["bash"], "permissions": {"bash": "allow"}},
        hooks=[
            {
                "id": "guard",
                "name": "No deletes",
                "event": "PreToolUse",
                "matcher": "bash",
                "enabled": False,
                "action": {
                    "type": "command",
                    "command": ["sh", "-c", "grep -q 'rm ' && { echo 'Not here.' >&2; exit 2; }; exit 0"],
                },
            }
        ],
    )
    calls = [
        {"text": "I tidy.", "tools": [{"name": "bash", "as": f"c{n}", "input": {"command": command}}]}
        for n, command in enumerate(["echo one", "rm -f two", "rm -f three"])
    ]
    scenario = {"schema_version": 1, "agents": {"main": [*calls, {"text": "Tidy."}]}}
    server.put_file(project, "scenario.json", scenario)
    lab.open_project(project)
    lab.hide_sidebars()
    page = lab.page
    lab.run()
    expect(lab.monitor().get_by_role("status").first).to_contain_text("completed", timeout=SLOW_MS)
    lab.card("hook:guard").click()
    page.get_by_role("button", name="Try it on past runs").click()
    expect(page.locator(".ca-Tried-verdict")).to_have_text(
        "Would have blocked 2 of 3 calls in the last run.", timeout=SLOW_MS
    )
    expect(page.get_by_role("list", name="What it would have done").get_by_role("listitem")).to_have_count(2)
    page.locator(".ca-Tried").scroll_into_view_if_needed()
    lab.screenshot("hook-tried")


@pytest.mark.parametrize("dark", THEMES)
def test_screenshots_of_the_properties(chromium: Browser, server: LiveServer, dark: bool) -> None:
    name = "dark" if dark else "light"
    project = changed(
        server,
        "Prompts",
        agent={
            "system_prompt": "You study sales data of {{region}}.\nLook before you compute.",
            "task": "Summarise {{file}} in report.md.",
            "tools": ["bash", "python"],
            "permissions": {"bash": "ask", "bash(git *)": "allow"},
        },
        variables={
            "region": {"description": "", "default": "the North", "required": True},
            "file": {"description": "", "default": "sales.csv", "required": True},
        },
    )
    with Lab.opened(chromium, server) as lab:
        lab.open_project(project)
        lab.theme(dark)
        lab.hide_sidebars()
        lab.card("agent").click()
        lab.page.locator(".ca-Prompt .ca-Place").first.wait_for()
        lab.screenshot(f"properties-{name}")
        lab.page.get_by_role("tab", name="Tools").click()
        lab.screenshot(f"properties-tools-{name}")
        lab.page.get_by_role("tab", name="Limits").click()
        lab.screenshot(f"properties-limits-{name}")
    with Lab.opened(chromium, server) as lab:
        lab.go()
        lab.theme(False)
