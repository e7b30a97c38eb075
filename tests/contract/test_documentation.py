"""What the pages name is there: methods, settings, routes, commands, goals of make.

Blocks of code are run (`deploy/test_docs.py`); here is what stands in sentences, and what no test can run.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloutagent_ext.cli import parser
from cloutagent_ext.client import Client, Project, Run
from cloutagent_ext.client.sync_experiments import Experiment
from cloutagent_ext.server.routes import ROUTES
from cloutagent_ext.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "scripts/demo_notebooks").glob("*.md")]
HANDLES = {"agents": Client, "project": Project, "run": Run, "experiment": Experiment}
"""What pages call the plain client's handles."""


def found(pattern: str, flags: int = 0) -> Iterator[tuple[str, re.Match[str]]]:
    """Where it stands in any page but the list of changes, with the page's name."""
    for page in PAGES:
        if page.name != "CHANGELOG.md":
            for match in re.finditer(pattern, page.read_text(), flags):
                yield page.name, match


def test_every_method_that_a_page_calls_exists() -> None:
    calls = [*found(rf"(?<![\w.])({'|'.join(HANDLES)})\.([a-z_]+)\(")]
    assert len(calls) > 50
    assert {(page, call[0]) for page, call in calls if not hasattr(HANDLES[call[1]], call[2])} == set()


def test_every_setting_that_a_page_names_exists() -> None:
    named = [*found(r"\bCloutAgent\.([a-z_]+)\b")]
    there = {row.name for row in Settings.rows()}
    assert len(named) > 10
    assert {(page, name[1]) for page, name in named if name[1] not in there} == set()


def test_every_route_that_a_page_names_exists() -> None:
    said = r"\b(GET|POST|PUT|PATCH|DELETE) (?:…/)?((?:projects|executions|backups|metrics|openapi)[\w{}/.]*)"
    there = {(route.method, re.sub(r"\{[^}]*\}", "{}", route.path)) for route in ROUTES}
    named = {
        (page, one[1], "v1/" + re.sub(r"\{[^}]*\}", "{}", one[2]).rstrip("."))
        for page, one in found(said)
        if page != "reference.md"
    }
    assert len(named) > 15
    assert {each for each in named if each[1:] not in there} == set()


def test_every_goal_of_make_that_a_page_names_exists() -> None:
    goals = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [*found(r"`make ([a-z-]+)|^make ([a-z-]+)", re.MULTILINE)]
    assert len(named) > 5
    assert {(page, goal[0]) for page, goal in named if (goal[1] or goal[2]) not in goals} == set()
    benches = {file.stem for file in (ROOT / "tests/benchmarks").glob("*.py")}
    assert {(page, name[1]) for page, name in found(r"BENCH_ARGS=(\w+)") if name[1] not in benches} == set()


def _commands() -> Iterator[tuple[str, str]]:
    """Lines for a shell, in blocks of any kind, that call ours; and short ones inside of sentences."""
    for page, line in found(
        r"^(?: {4}|(?=jupyter ))(?:.*?&& |.*?-- )?jupyter cloutagent (.+)$", re.MULTILINE
    ):
        yield page, line[1]
    for page, words in found(r"`jupyter cloutagent ([^`…]+)`"):
        yield page, words[1]


def test_every_command_that_a_page_shows_can_be_read_by_the_command_line() -> None:
    top, refused, read = parser(), [], 0
    for page, text in _commands():
        words = shlex.split(text, comments=True)
        words = words[: words.index("<")] if "<" in words else words
        words = ["7" if word == "N" else word for word in words]
        if len(words) == 1 or words == ["secrets", "set"]:
            continue  # a command's name in a sentence, not a line to type
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                top.parse_args(words)
                read += 1
            except SystemExit as end:
                if end.code:
                    refused.append(f"{page}: {text}: {said.getvalue().splitlines()[-1]}")
    assert refused == []
    assert read > 20


def test_a_word_that_is_not_there_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    told = "`run.fly()` `CloutAgent.wings` `POST projects/{id}/fly` `make fly`"
    page.write_text(f"{told}\n\n    jupyter cloutagent fly now\n")
    monkeypatch.setattr(f"{__name__}.PAGES", [*PAGES, page])
    for test in (
        test_every_method_that_a_page_calls_exists,
        test_every_setting_that_a_page_names_exists,
        test_every_route_that_a_page_names_exists,
        test_every_goal_of_make_that_a_page_names_exists,
        test_every_command_that_a_page_shows_can_be_read_by_the_command_line,
    ):
        with pytest.raises(AssertionError, match=r"fly|wings"):
            test()
