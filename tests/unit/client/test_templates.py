"""The starter projects as files: they fit the contract and are what their scripts make."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from cloutagent_ext.engine.prompt import variables_in
from cloutagent_ext.schema.project import Definition

ROOT = Path(__file__).parents[3]
TEMPLATES = ROOT / "cloutagent_ext" / "templates"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("template", ["sales-analyst", "empty"])
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
        assert set(agent.permissions) == set(agent.tools)
        assert set(agent.permissions.values()) <= {"allow"}


def test_the_sales_file_is_what_its_script_makes() -> None:
    stored = (TEMPLATES / "sales-analyst/files/sales.csv").read_bytes()
    assert stored == script("make_sales_csv").text().encode()


def test_the_scenario_is_what_its_script_makes() -> None:
    stored = (TEMPLATES / "sales-analyst/files/scenario.json").read_text()
    assert stored == script("make_sales_scenario").text()


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


def test_the_scenario_holds_no_figure_of_its_own() -> None:
    """Words around figures are fixed; figures come from results, so digits stay out of what is said."""
    agents = json.loads((TEMPLATES / "sales-analyst/files/scenario.json").read_text())["agents"]
    known = {"95 %"}  # the confidence level that was asked for
    for turns in agents.values():
        for turn in turns:
            said = f"{turn.get('text', '')} {turn.get('thinking', '')}"
            for phrase in known:
                said = said.replace(phrase, "")
            assert not any(letter.isdigit() for letter in said), said
