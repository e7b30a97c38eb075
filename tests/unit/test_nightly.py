"""`make nightly`: no group of tests hides another, and the table at its end says what was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts import nightly


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with one test that fails, one that hangs, one that holds a promise, and one of the day."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take most of a start's time
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n    nightly\n    timed\naddopts = -p no:cacheprovider -p pytest_timeout\n"
    )
    for where, body in {
        "early/test_a.py": "import pytest\n@pytest.mark.nightly\ndef test_fails(): assert False\n"
        "@pytest.mark.nightly\n@pytest.mark.skip(reason='needs a moon')\ndef test_skipped(): pass\n",
        "hangs/test_b.py": "import pytest, time\n@pytest.mark.nightly\ndef test_hangs(): time.sleep(600)\n",
        "test_c.py": "import os, pytest\n@pytest.mark.nightly\ndef test_long(): pass\n"
        "@pytest.mark.nightly\n@pytest.mark.timed\n"
        "def test_in_time(): assert os.environ['CLOUTAGENT_STRICT'] == '1'\n"
        "def test_by_day(): assert False\n",
    }.items():
        (tmp_path / "tests" / where).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests" / where).write_text(body)
    return tmp_path


def test_a_group_that_fails_or_hangs_hides_none_and_each_test_runs_once(
    tests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    groups = [
        nightly.GROUPS[0],
        nightly.Group("early", ("tests/early",), 1),
        nightly.Group("hangs", ("tests/hangs",), 4 / 3600),
        nightly.Group("others", ("tests",), 1),
    ]
    assert nightly.night(groups, (), tests) == 1
    said = capsys.readouterr().out
    rows = {row.split()[0]: row.split()[1:] for row in said[said.index("group ") :].splitlines()}
    assert (rows["promises"][:3], rows["promises"][4:]) == (["1", "0", "0"], ["well"])
    assert (rows["early"][:3], rows["early"][4:]) == (["0", "1", "1"], ["1", "failed"])
    assert rows["hangs"][4:] == ["it", "took", "longer", "than", "0.00111111", "h"]
    assert (rows["others"][:3], rows["others"][4:]) == (["1", "0", "0"], ["well"])
    assert "failed: tests.early.test_a::test_fails" in said
    assert "skipped in early: 1 (needs a moon)" in said
    assert nightly.night(groups, ("others",), tests) == 0


def test_every_place_of_a_group_is_there() -> None:
    root = Path(__file__).parents[2]
    assert [place for group in nightly.GROUPS for place in group.places if not (root / place).exists()] == []
    assert nightly.GROUPS[-1].places == ("tests",), "the last one has what no other has"
    assert sys.executable in nightly.command(nightly.GROUPS, nightly.GROUPS[-1])
