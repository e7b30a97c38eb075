"""The corpus of broken projects: what is wrong is found at its place, and nothing sound is complained of."""

from __future__ import annotations

import json

import pytest

import cloutagent_ext.store.templates as templates
from cloutagent_ext.engine import plan
from cloutagent_ext.engine.models.prices import ListPrices
from cloutagent_ext.schema.project import Definition, Problem
from tests.support.broken_projects import BROKEN, SECRETS, Broken, sound
from tests.support.definitions import whole

NOT_YET = "NOT_SUPPORTED"
"""Findings about what this version cannot run: right, and not what the corpus is about."""


def findings(definition: Definition, secrets: tuple[str, ...] | None = SECRETS) -> list[Problem]:
    found = plan.validate(definition, prices=ListPrices(), secrets=secrets)
    return [problem for problem in found if problem.code != NOT_YET]


def place(problem: Problem) -> tuple[str, str | None, str | None]:
    return problem.code, problem.node, problem.path


def test_the_corpus_is_large_and_each_of_its_projects_is_broken_in_its_own_way() -> None:
    assert len(BROKEN) >= 60
    assert len({each.what for each in BROKEN}) == len(BROKEN)
    assert len({(each.code, each.node, each.path, json.dumps(each.change)) for each in BROKEN}) == len(BROKEN)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.what)
def test_what_is_broken_is_found_at_its_place(broken: Broken) -> None:
    found = findings(broken.definition)
    assert (broken.code, broken.node, broken.path) in [place(problem) for problem in found]
    for problem in found:
        assert problem.message.endswith((".", "?"))
        assert len(problem.message.split()) > 5, problem.message


def test_nine_in_ten_at_least_are_caught() -> None:
    caught = [
        broken
        for broken in BROKEN
        if (broken.code, broken.node, broken.path) in map(place, findings(broken.definition))
    ]
    assert len(caught) >= 0.9 * len(BROKEN)


def test_a_sound_project_is_not_complained_of() -> None:
    assert findings(sound()) == []


def test_one_of_everything_has_no_false_error() -> None:
    assert [problem for problem in findings(whole(), None) if problem.severity == "error"] == []


@pytest.mark.parametrize("template", [row.id for row in templates.Templates().list()])
async def test_the_templates_are_not_complained_of(template: str) -> None:
    definition, _ = await templates.Templates().load(template)
    complaints = [problem for problem in findings(definition, None) if problem.severity != "info"]
    assert complaints == []


def test_unknown_secrets_are_missed_only_where_the_names_are_known() -> None:
    definition = sound()
    assert findings(definition, None) == []
    assert {problem.code for problem in findings(definition, ())} == {"SECRET_MISSING"}


def test_near_misses_are_told_what_they_may_have_meant() -> None:
    found = findings(sound({"agent/tools/1": "Bash", "agent/model": "claude-opus-55"}))
    messages = " ".join(problem.message for problem in found)
    assert "Did you mean bash?" in messages
    assert "Did you mean claude-opus-5-5?" in messages
