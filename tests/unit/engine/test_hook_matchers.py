"""Which calls a hook is for: names in either vocabulary, stars, small patterns, and nothing slow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloutagent_ext.engine.hooks.matchers import Matcher, parts, problem


@pytest.mark.parametrize(
    ("matcher", "takes", "leaves"),
    [
        ("", ["bash", "mcp__a__b"], []),
        ("*", ["bash", "agent__x"], []),
        (".*", ["bash"], []),
        ("bash", ["bash"], ["bash2", "view"]),
        ("Bash", ["bash"], ["view"]),
        ("Edit|Write", ["str_replace", "file_create"], ["view", "bash"]),
        ("Read | Glob|Grep", ["view", "glob", "grep"], ["bash"]),
        ("mcp__time__*", ["mcp__time__now"], ["mcp__docs__find", "time"]),
        ("mcp__.*__write.*", ["mcp__fs__write_file"], ["mcp__fs__read_file"]),
        ("mcp__memory__.*|Bash", ["mcp__memory__add", "bash"], ["mcp__other__add"]),
        ("Notebook.*", ["python"], ["bash"]),
        ("^Bash$", ["bash"], ["view"]),
        ("Task", ["agent__reader"], ["bash"]),
        ("[bv].*", ["bash", "view"], ["grep"]),
        ("b|", ["b"], ["bash"]),
    ],
)  # fmt: skip
def test_a_matcher_takes_what_it_names(matcher: str, takes: list[str], leaves: list[str]) -> None:
    made = Matcher(matcher)
    assert [tool for tool in takes if not made.takes(tool)] == []
    assert [tool for tool in leaves if made.takes(tool)] == []


@pytest.mark.parametrize(
    "part", ["(a|b)", "(a+)+", "a{3}", ".*a.*b.*c.*d.*e", "[", "a.**", "a b", "\\w", "ä", "(?=x)"]
)
def test_what_could_take_for_ever_or_is_no_pattern_is_named_and_matches_everything(part: str) -> None:
    assert any(problem(each) for each in parts(part))
    assert Matcher(part).takes("bash"), "a guard that cannot be read must not fall silent"


@given(st.text(alphabet="ab.*+?[]^$|-_(){}\\", max_size=40), st.text(alphabet="ab_", max_size=64))
def test_no_matcher_breaks_or_takes_long(matcher: str, tool: str) -> None:
    began = time.process_time()
    Matcher(matcher).takes(tool)
    assert time.process_time() - began < 1


def test_the_slowest_pattern_that_is_let_through_is_quick() -> None:
    made = Matcher(".*a.*a.*a.*b")
    began = time.process_time()
    assert not made.takes("a" * 64)
    assert time.process_time() - began < 0.5
