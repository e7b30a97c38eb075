"""Experiments against a real server: every trial once, one budget, taken up after a kernel's death."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cloutagent_ext.client import Client, Project, connect
from cloutagent_ext.client.experiments import WAITING
from cloutagent_ext.errors import Conflict, InvalidRequest, UnknownVariable
from cloutagent_ext.schema.project import Variable
from tests.support.live_server import LiveServer, live_server
from tests.support.messages_api import Failure, Json, MessagesApi, Say, Scripted
from tests.support.messages_thread import messages_api
from tests.support.notebook_kernel import execute

MODEL = "claude-opus-5-5"
CITIES = pd.DataFrame({"city": ["Rome", "Oslo", "Lima"], "country": ["Italy", "Norway", "Peru"]})


def asked(body: Json) -> str:
    content = body["messages"][0]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def geographer(body: Json, number: int) -> Scripted:
    """Knows two of three countries, and answers in a sentence or a word."""
    prompt = asked(body)
    known = {"Rome": "Italy", "Oslo": "Norway"}
    country = next((country for city, country in known.items() if city in prompt), "I do not know")
    if "FAIL" in prompt:
        return Failure(400, "invalid_request_error", "refused on purpose")
    return Say(country if "one word" in prompt else f"That is a city in {country}.")


@pytest.fixture(scope="module")
def model() -> Iterator[MessagesApi]:
    with messages_api(geographer, api_key="sk-test") as api:
        yield api


@pytest.fixture(scope="module")
def world(model: MessagesApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    prices = json.dumps({MODEL: {"input": 1000, "output": 1000}})
    options = ("--CloutAgent.api_key=sk-test", f"--CloutAgent.base_url={model.url}")
    folder = tmp_path_factory.mktemp("world")
    with live_server(folder, *options, env={"CLOUTAGENT_PRICE_OVERRIDES": prices}) as server:
        yield server


@pytest.fixture(scope="module")
def connected(world: LiveServer) -> Iterator[Client]:
    with connect(world.url, token=world.token) as client:
        yield client


@pytest.fixture
def project(connected: Client, request: pytest.FixtureRequest) -> Project:
    made = connected.create_project(request.node.name[:150])
    definition = made.definition()
    definition.agent.model = MODEL
    definition.agent.task = "Where is {{city}}?"
    definition.agent.max_tokens = 300
    definition.limits.max_cost_usd = None
    definition.variables = {"city": Variable(), "style": Variable(default="a sentence", required=False)}
    made.save(definition)
    return made


def right(output: str, row: dict[str, Any]) -> bool:
    return row["country"] in output


def test_rows_variants_and_repeats_become_a_table_with_scores(project: Project, model: MessagesApi) -> None:
    experiment = project.experiment(
        CITIES,
        {"sentence": {}, "word": {"prompt": "{{city}}, in one word"}},
        repeats=2,
        scores={"right": right, "length": lambda output: len(output)},
    )
    table = experiment.run(progress=False).table()
    assert len(table) == 12 == len(set(table["execution_id"]))
    assert set(table["status"]) == {"completed"}
    assert list(table.loc[table["variant"] == "word", "output"].unique()) == [
        "Italy",
        "Norway",
        "I do not know",
    ]
    assert table.groupby("city")["right"].all().to_dict() == {"Lima": False, "Oslo": True, "Rome": True}
    assert str(table["right"].dtype) == "boolean"
    assert table["cost_usd"].sum() == pytest.approx(project.executions_df()["total_cost_usd"].sum())
    assert (table["duration_s"] > 0).all()

    summary = experiment.summary()
    rate = summary.loc[("word", "right")]
    assert (rate["value"], rate["rows"], rate["trials"]) == (pytest.approx(2 / 3), 3, 6)
    assert rate["low"] < 2 / 3 < rate["high"]
    assert rate["cost_per_pass_usd"] == pytest.approx(
        table.loc[table["variant"] == "word", "cost_usd"].sum() / 4
    )
    compared = experiment.compare("length").iloc[0]
    assert (compared["variant"], compared["worse"], compared["rows"]) == ("word", 3, 3)
    assert compared["difference"] < 0
    axes = experiment.plot("right")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sentence", "word"]
    assert "right" in axes.get_xlabel()


def test_variants_differ_in_version_model_variables_and_limits_and_in_nothing_else(
    project: Project, connected: Client
) -> None:
    definition = project.definition()
    old = definition.version
    definition.agent.task = "Where is {{city}}? Answer in {{style}}."
    saved = project.save(definition)
    experiment = project.experiment(
        CITIES.head(1),
        {
            "as it is": {},
            "before": {"version": old},
            "another model": {"model": "claude-haiku-4-5"},
            "in a word": {"variables": {"style": "one word, as {{country}} is"}},
            "poor": {"limits": {"max_cost_usd": 0.000_001}},
        },
    )
    table = experiment.run(progress=False).table().set_index("variant")
    assert table["version"].to_dict() == dict.fromkeys(table.index, saved.version) | {"before": old}
    assert table["model"].to_dict() == dict.fromkeys(table.index, MODEL) | {
        "another model": "claude-haiku-4-5"
    }
    assert table["output"].drop("poor").to_dict() == dict.fromkeys(
        ["as it is", "before", "another model"], "That is a city in Italy."
    ) | {"in a word": "Italy"}
    assert table["error_code"].dropna().to_dict() == {"poor": "COST_LIMIT_EXCEEDED"}
    prompts = {
        trial.variant: next(
            event.prompt
            for event in connected.execution(trial.state.execution_id).events()
            if event.type == "agent_start"
        )
        for trial in experiment.trials
        if trial.state is not None
    }
    assert prompts["before"] == "Where is Rome?"
    assert prompts["in a word"] == "Where is Rome? Answer in one word, as Italy is."
    assert set(prompts.values()) - {prompts["before"], prompts["in a word"]} == {
        "Where is Rome? Answer in a sentence."
    }


def test_one_budget_holds_for_all_trials_together(project: Project) -> None:
    experiment = project.experiment(
        [{"city": f"Place {n}"} for n in range(40)], max_cost_usd=1.0, scores={"right": lambda output: True}
    )
    experiment.run(progress=False)
    table = experiment.table()
    spent = project.executions_df()["total_cost_usd"].sum()
    assert 0 < spent <= 1.0
    assert "COST_LIMIT_EXCEEDED" in set(table["error_code"].dropna())
    assert table["execution_id"].isna().any(), "no trial is made for nothing once the budget is spent"
    *_, last = experiment.advance()
    assert "budget of $1 is spent" in last.stopped
    failed = table[table["status"] == "failed"]
    assert not failed["right"].any(), "a trial that was not paid for has not passed"


TRIALS = 200
"""Far more than run and wait at once: when five are done, some have not been asked for."""


def test_what_a_killed_kernel_began_is_taken_up_by_the_next(
    world: LiveServer, project: Project, model: MessagesApi
) -> None:
    code = (
        "from cloutagent_ext import connect\n"
        f"p = connect({world.url!r}, token={world.token!r})[{project.name!r}]\n"
        f"e = p.experiment([{{'city': f'Town {{n}}'}} for n in range({TRIALS})], id='tonight')\n"
        "for progress in e.advance(every_s=0.05):\n"
        "    print(progress.done, flush=True)\n"
    )
    kernel = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=world.env)
    assert kernel.stdout is not None
    with kernel.stdout:
        for line in kernel.stdout:
            if int(line) >= 5:
                break
        kernel.send_signal(signal.SIGKILL)
        kernel.wait()
    before = set(project.executions_df()["execution_id"])
    assert 5 <= len(before) < TRIALS

    again = project.experiment([{"city": f"Town {n}"} for n in range(TRIALS)], id="tonight")
    table = again.run(progress=False).table()
    assert set(table["status"]) == {"completed"}
    assert before <= set(table["execution_id"])
    assert len(project.executions_df()) == TRIALS, "no trial was made twice"
    assert again.find() == TRIALS
    other = project.experiment([{"city": "Elsewhere"}], id="tonight")
    with pytest.raises(Conflict, match="asked for something else"):
        other.run(progress=False)


def test_failed_trials_count_as_not_passed_and_are_made_again_on_wish(
    project: Project, model: MessagesApi
) -> None:
    rows = {"good": {"city": "Rome", "country": "Italy"}, "bad": {"city": "FAIL", "country": "Italy"}}
    experiment = project.experiment(rows, scores={"right": right})
    experiment.run(progress=False)
    assert experiment.table().set_index("row")["right"].to_dict() == {"good": True, "bad": False}
    assert experiment.summary().loc[("as it is", "right"), "failed"] == 1
    first = experiment.table().set_index("row")["execution_id"]
    experiment.run(progress=False)
    assert list(experiment.table().set_index("row")["execution_id"]) == list(first)
    experiment.run(retry=True, progress=False)
    second = experiment.table().set_index("row")["execution_id"]
    assert (second["good"] == first["good"], second["bad"] == first["bad"]) == (True, False)
    assert len(project.executions_df()) == 3


def test_a_full_queue_is_waited_for_and_others_keep_a_place(project: Project) -> None:
    definition = project.definition()
    definition.queue.max_queue, definition.queue.max_concurrent = 2, 1
    project.save(definition)
    experiment = project.experiment([{"city": f"Village {n}"} for n in range(12)], at_once=6)
    most = 0
    for progress in experiment.advance(every_s=0.02):
        most = max(most, progress.running)
    assert set(experiment.table()["status"]) == {"completed"}
    assert most <= 6 < WAITING + 1


def test_what_cannot_work_is_said_before_or_as_the_server_says_it(project: Project) -> None:
    with pytest.raises(InvalidRequest, match="at least one row"):
        project.experiment([])
    with pytest.raises(InvalidRequest, match="A variant has"):
        project.experiment(CITIES, {"x": {"temperature": 1}})
    with pytest.raises(InvalidRequest, match="same label"):
        project.experiment(CITIES.set_index(pd.Index(["a", "a", "b"])))
    with pytest.raises(UnknownVariable):
        project.experiment(CITIES, {"x": {"variables": {"nope": 1}}}).run(progress=False)
    broken = project.experiment(CITIES, scores={"right": lambda output: 1 / 0})
    broken.run(progress=False)
    with pytest.raises(ZeroDivisionError) as raised:
        broken.table()
    assert "score 'right' of row '0'" in raised.value.__notes__[0]


def test_stopping_ends_the_trials_on_their_way_and_keeps_the_others(
    project: Project, connected: Client
) -> None:
    experiment = project.experiment([{"city": f"Hamlet {n}"} for n in range(20)], id="stopped")
    steps = experiment.advance(every_s=0.01)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    experiment.cancel()
    deadline = time.monotonic() + 90
    while project.executions_df()["status"].isin(["running", "queued"]).any():
        assert time.monotonic() < deadline
    assert set(project.executions_df()["status"]) <= {"completed", "cancelled"}
    experiment.find()
    assert {trial.state.status for trial in experiment.trials if trial.state} <= {"completed", "cancelled"}


def test_a_notebook_shows_one_progress_bar_that_changes(
    world: LiveServer, project: Project, tmp_path: Path
) -> None:
    import nbformat

    code = (
        "from cloutagent_ext import connect\n"
        f"p = connect({world.url!r}, token={world.token!r})[{project.name!r}]\n"
        "p.experiment([{'city': f'Place {n}'} for n in range(8)]).run()"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    execute(book, tmp_path)
    bars = [each for each in book.cells[0].outputs if each.output_type == "display_data"]
    assert len(bars) == 1
    assert 'max="8" value="8"' in bars[0]["data"]["text/html"]
    assert "8 of 8" in bars[0]["data"]["text/plain"]
    assert "8 of 8 trials done" in book.cells[0].outputs[-1]["data"]["text/html"]
