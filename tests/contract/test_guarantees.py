"""`docs/guarantees.md` names tests: each of them exists, so that no promise outlives its proof."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs/guarantees.md"
NAMED = re.compile(r"`((?:[a-z_]+/)+[a-z_]+\.py)(?:::(\w+))?`")


def test_every_test_that_the_page_names_exists() -> None:
    named = NAMED.findall(PAGE.read_text())
    assert len(named) >= 50
    for path, test in named:
        place = TESTS / path.removeprefix("tests/")
        assert place.is_file(), path
        assert not test or re.search(rf"^(?:async )?def {test}\(", place.read_text(), re.MULTILINE), test


def test_every_promise_has_a_proof() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| promise", "| ---"))]
    assert len(promises) >= 30
    assert [row for row in promises if not NAMED.search(row)] == []
