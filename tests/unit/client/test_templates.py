"""The starter projects as files: they fit the contract and are what their scripts make."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from cloutagent_ext.engine.prompt import variables_in
from cloutagent_ext.schema.project import Definition

Script = Callable[[str], ModuleType]
ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "cloutagent_ext" / "templates"
STARTERS = {
    "sales-analyst": "make_sales_scenario",
    "literature-scout": "make_literature_scout",
    "code-reviewer": "make_code_reviewer",
    "data-cleaner": "make_data_cleaner",
    "experiment-runner": "make_experiment_runner",
}
"""Each starter project with the script that makes its scenario."""
ASKS = {"data-cleaner": {"str_replace(rules.json)", "file_create(rules.json)"}}
"""Rules that ask a person; everything else that a starter project uses is allowed."""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Loads a script as it is when somebody runs it: with its own folder in the path."""
    monkeypatch.syspath_prepend(ROOT / "scripts")

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("template", [*STARTERS, "empty"])
def test_a_template_is_a_valid_definition_whose_prompts_know_their_variables(template: str) -> None:
    text = (TEMPLATES / template / "template.json").read_text()
    definition = Definition.model_validate_json(text)
    prompts = [
        definition.agent.system_prompt,
        definition.agent.task,
        *(s.prompt for s in definition.subagents),
    ]
    for prompt in prompts:
        assert variables_in(prompt) <= set(definition.variables)
    for agent in (definition.agent, *definition.subagents):
        assert set(agent.tools) <= set(agent.permissions)
        asks = {rule for rule, verdict in agent.permissions.items() if verdict != "allow"}
        assert asks == ASKS.get(template, set())


@pytest.mark.parametrize("template", STARTERS)
def test_every_card_has_its_place_and_a_note_says_what_to_do(template: str) -> None:
    definition = Definition.model_validate_json((TEMPLATES / template / "template.json").read_text())
    placed = {node.id for node in definition.ui.nodes}
    assert placed == {
        "agent",
        *(f"subagent:{one.id}" for one in definition.subagents),
        *(f"hook:{one.id}" for one in definition.hooks),
        *(f"mcp:{one.id}" for one in definition.mcps),
        *(f"note:{note.id}" for note in definition.ui.notes),
    }
    assert "1. Press Run" in definition.ui.notes[0].text


@pytest.mark.parametrize(("template", "name"), STARTERS.items())
def test_what_a_script_makes_is_what_is_shipped(template: str, name: str, script: Script) -> None:
    for path, text in script(name).files().items():
        assert (TEMPLATES / template / "files" / path).read_text() == text, path


def test_the_sales_file_is_what_its_script_makes(script: Script) -> None:
    stored = (TEMPLATES / "sales-analyst/files/sales.csv").read_bytes()
    assert stored == script("make_sales_csv").text().encode()


def test_the_sales_file_has_the_dirt_it_promises() -> None:
    with (TEMPLATES / "sales-analyst/files/sales.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert 3_100 < len(rows) < 3_300
    assert len({row["order_id"] for row in rows}) < len(rows)
    assert {"", "n/a", "-", "unknown"} & {row["region"].strip().lower() for row in rows}
    assert any("." in row["date"] for row in rows)
    assert any("/" in row["date"] for row in rows)
    assert any(row["units"].startswith("-") for row in rows)
    assert any("," in row["unit_price"] for row in rows)
    assert any(row["region"] != row["region"].strip() for row in rows)
    assert any(row["unit_price"] == "" for row in rows)
    assert "18,900.00" in {row["unit_price"] for row in rows}


@pytest.mark.parametrize("template", STARTERS)
def test_a_scenario_holds_no_figure_of_its_own(template: str) -> None:
    """Words around figures are fixed; figures come from results, so digits stay out of what is said."""
    agents = json.loads((TEMPLATES / template / "files/scenario.json").read_text())["agents"]
    known = {"95 %"}  # the confidence level that was asked for
    for turns in agents.values():
        for turn in turns:
            said = f"{turn.get('text', '')} {turn.get('thinking', '')}"
            for phrase in known:
                said = said.replace(phrase, "")
            assert not any(letter.isdigit() for letter in said), said
