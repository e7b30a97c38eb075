"""The other starter projects do their jobs on their own files; their figures are computed anew here.

One run of each on the simulated model, which decides the order of steps and nothing else.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import statistics
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.client import Client, Run
from tests.support.live_server import LiveServer

TEMPLATES = Path(__file__).parents[2] / "cloutagent_ext" / "templates"
NAMES = {
    "literature-scout": "Literature scout",
    "code-reviewer": "Code reviewer",
    "data-cleaner": "Data cleaner",
    "experiment-runner": "Experiment runner",
}


@pytest.fixture(scope="module", autouse=True)
def _made(server: LiveServer) -> None:
    for template, name in NAMES.items():
        server.create_project(name, template)


def finished(client: Client, template: str, **run: Any) -> Run:
    started = client[NAMES[template]].run(**run)
    state = started.wait(90)
    assert state.status == "completed", state.error
    assert "[no value" not in state.result.text
    return started


def wrong(run: Run) -> list[str]:
    """Tools whose calls came back as errors."""
    return [event.tool for event in run if event.type == "tool_result" and event.is_error]


# ---------------------------------------------------------------- literature scout


@pytest.fixture(scope="module")
def scout(client: Client, _made: None) -> Run:
    return finished(client, "literature-scout")


def studies() -> dict[str, list[tuple[float, float, float]]]:
    """Effect and interval of each paper that reports one, by theme; each DOI once."""
    text = (TEMPLATES / "literature-scout/files/references.bib").read_text()
    found: dict[str, list[tuple[float, float, float]]] = {}
    seen = set()
    for entry in text.split("@article")[1:]:
        doi = re.search(r"doi = \{(.*?)\}", entry)[1]
        effect = re.search(r"d = (-?[\d.]+) \(95 % CI (-?[\d.]+) to (-?[\d.]+)\)", entry)
        if doi in seen or effect is None:
            continue
        seen.add(doi)
        theme = re.search(r"keywords = \{retrieval practice, (\w+)\}", entry)[1]
        found.setdefault(theme, []).append(tuple(map(float, effect.groups())))
    return found


def test_the_mean_effect_of_each_theme_is_right(scout: Run) -> None:
    report = scout.download("reading.md").decode()
    assert "[no value" not in report
    for theme, every in studies().items():
        used = [row for row in every if abs(row[0]) <= 2]
        weights = [(3.92 / (high - low)) ** 2 for _, low, high in used]
        mean = sum(w * row[0] for w, row in zip(weights, used, strict=True)) / sum(weights)
        error = 1.96 / math.sqrt(sum(weights))
        line = next(line for line in report.splitlines() if line.startswith(f"| {theme.capitalize()} |"))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1] == str(len(used))
        assert cells[3:] == [f"{mean:.2f}", f"{mean - error:.2f} to {mean + error:.2f}"]


def test_three_readers_really_run_side_by_side(scout: Run) -> None:
    events = list(scout)
    begun = [event.id for event in events if event.type == "agent_start" and event.agent != "main"]
    ended = [event.id for event in events if event.type == "agent_complete" and event.agent != "main"]
    assert len(begun) == len(ended) == 3
    assert max(begun) < min(ended), "one reader was done before another had begun"
    assert wrong(scout) == []


def test_the_date_of_the_review_comes_from_the_mcp_server(scout: Run) -> None:
    answer = next(
        event for event in scout if event.type == "tool_result" and event.tool.startswith("mcp__time__")
    )
    moment = datetime.fromisoformat(json.loads(answer.output[0].text)["datetime"])
    assert abs(datetime.now(UTC) - moment) < timedelta(hours=1)
    assert moment.isoformat() in scout.download("reading.md").decode()


# ---------------------------------------------------------------- code reviewer


@pytest.fixture(scope="module")
def review(client: Client, _made: None) -> Run:
    return finished(client, "code-reviewer")


def test_the_code_is_mended_and_its_tests_agree(review: Run) -> None:
    assert "4 of 6 tests failed before, 0 fail now (all tests pass)" in review.result.text
    spaces: dict[str, Any] = {}
    exec(review.download("shop/pricing.py").decode(), spaces)
    assert spaces["in_steps"](10_000, 10, 50) == 4_500
    assert spaces["with_tax"](999, 0.19) == 1_189
    report = review.download("review.md").decode()
    assert "+        return 0 if self.goods() >= FREE_SHIPPING_FROM else SHIPPING" in report


def test_the_guard_refuses_the_one_dangerous_command_and_the_folder_stays(review: Run) -> None:
    denied = [event for event in review if event.type == "hook" and event.outcome == "deny"]
    assert [event.hook for event in denied] == ["guard"]
    assert "deletes folders" in denied[0].message
    assert wrong(review) == ["bash"]
    assert "before/basket.py" in [row.path for row in review.files()]


def test_the_audit_has_a_line_for_each_change_and_each_command(review: Run) -> None:
    audit = [json.loads(line) for line in review.download("audit.jsonl").decode().splitlines()]
    done = [
        event.tool
        for event in review
        if event.type == "tool_result" and not event.is_error and event.tool not in ("view", "glob", "grep")
    ]
    assert sorted(line["tool"].lower() for line in audit) == sorted(done)


# ---------------------------------------------------------------- experiment runner


@pytest.fixture(scope="module")
def experiment(client: Client, _made: None) -> Run:
    return finished(client, "experiment-runner", repeats="12")


def test_the_answer_is_data_and_agrees_with_the_rows_behind_it(experiment: Run) -> None:
    answer = experiment.result.data
    rows = list(csv.DictReader(io.StringIO(experiment.download("results.csv").decode())))
    assert answer["splits"] == 12
    assert len(rows) == 12 * 3
    by_method: dict[str, list[float]] = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(float(row["accuracy"]))
    means = {method: statistics.fmean(values) for method, values in by_method.items()}
    assert answer["accuracy"] == {method: pytest.approx(mean, abs=1e-4) for method, mean in means.items()}
    assert answer["best"] == max(means, key=means.__getitem__)
    first, second = answer["difference"]["between"]
    paired = [a - b for a, b in zip(by_method[first], by_method[second], strict=True)]
    assert answer["difference"]["mean"] == pytest.approx(statistics.fmean(paired), abs=5e-3)
    assert answer["difference"]["low"] <= statistics.fmean(paired) <= answer["difference"]["high"]


def test_its_methods_learn_something(experiment: Run) -> None:
    """Three kinds in equal parts: guessing would be right in a third of the cases."""
    assert min(experiment.result.data["accuracy"].values()) > 0.5
    assert experiment.download("accuracy.png").startswith(b"\x89PNG")
    assert wrong(experiment) == []


# ---------------------------------------------------------------- data cleaner


def test_the_cleaner_shows_its_new_rules_and_applies_what_was_allowed(client: Client) -> None:
    for answer in ("allow", "deny"):
        run = client[NAMES["data-cleaner"]].run()
        assert run.wait(90).status == "waiting"
        (asked,) = run.approvals()
        assert asked.preview is not None
        assert (asked.preview.kind, asked.preview.where) == ("diff", "rules.json")
        assert '+  {"column": "country"' in asked.preview.content
        if answer == "allow":
            run.allow(asked)
        else:
            run.deny(asked, "Leave the rules as they are.")
        state = run.wait(90)
        assert state.status == "completed", state.error
        assert ("str_replace" in wrong(run)) == (answer == "deny")
        # What was not changed is the project's own file, and not listed as the run's.
        assert ("rules.json" in [row.path for row in run.files()]) == (answer == "allow")
