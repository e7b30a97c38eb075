"""`glob` and `grep`: finding files and lines, in bounded time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloutagent_ext.engine.tools import search, search_child
from tests.support.patience import Promised

from .conftest import Box


@pytest.fixture
def files(box: Box) -> Box:
    for path, text in {
        "sales.csv": "region,units\nNorth,3\nsouth,4\n",
        "src/main.py": "def main():\n    return 'North'\n",
        "src/deep/er/util.py": "NORTH = 1\n",
        "src/notes.md": "north star\n",
        ".git/config": "North\n",
        "data.bin": "North\0\n",
    }.items():
        (box.workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (box.workspace / path).write_text(text)
    return box


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["sales.csv"]),
        ("**/*.py", ["src/main.py", "src/deep/er/util.py"]),
        ("src/**/util.py", ["src/deep/er/util.py"]),
        ("src/**", ["src", "src/deep", "src/main.py", "src/notes.md", "src/deep/er", "src/deep/er/util.py"]),
        ("**/er/*", ["src/deep/er/util.py"]),
        ("src/*/", ["src/deep", "src/main.py", "src/notes.md"]),
        ("[sd]*", ["data.bin", "sales.csv", "src"]),
        (".git/*", [".git/config"]),
        ("./src/*.md", ["src/notes.md"]),
        ("*.none", ["[no file matches]"]),
    ],
)
async def test_names_are_found_by_pattern(files: Box, pattern: str, found: list[str]) -> None:
    assert sorted((await files.text("glob", pattern=pattern)).split("\n")) == sorted(found)


async def test_lines_are_found_with_file_and_number(files: Box) -> None:
    assert (
        await files.text("grep", pattern="North") == "sales.csv:2:North,3\nsrc/main.py:2:    return 'North'"
    )
    assert (
        await files.text("grep", pattern="^north", ignore_case=True, glob="*.py")
        == "src/deep/er/util.py:1:NORTH = 1"
    )
    assert await files.text("grep", pattern="nor", path="src/notes.md") == "src/notes.md:1:north star"
    assert await files.text("grep", pattern="main", path="src") == "src/main.py:1:def main():"
    assert await files.text("grep", pattern="nowhere") == "[no line matches]"


async def test_a_broken_pattern_is_explained(files: Box) -> None:
    assert "no Python regular expression" in await files.error("grep", pattern="(")
    assert "no such file" in (await files.error("grep", pattern="x", path="missing")).lower()


async def test_a_pattern_that_never_ends_is_stopped(
    box: Box, monkeypatch: pytest.MonkeyPatch, promised: Promised
) -> None:
    monkeypatch.setattr(search, "TIMEOUT_S", 1)
    (box.workspace / "a.txt").write_text("a" * 40 + "!\n")
    with promised(6):
        assert "[stopped after 1 s" in await box.text("grep", pattern="(a+)+$")


async def test_more_matches_than_asked_for_are_said(box: Box) -> None:
    (box.workspace / "a.txt").write_text("x\n" * 50)
    lines = (await box.text("grep", pattern="x", max_results=5)).split("\n")
    assert lines[:5] == [f"a.txt:{n}:x" for n in range(1, 6)]
    assert "more matches" in lines[5]


async def test_a_folder_with_more_names_than_descriptors_is_walked(box: Box) -> None:
    for n in range(1500):
        (box.workspace / f"d{n}").mkdir()
        (box.workspace / f"d{n}" / "f.txt").write_text(f"needle {n}\n")
    assert await box.text("grep", pattern="needle 1499$") == "d1499/f.txt:1:needle 1499"
    assert (await box.text("glob", pattern="**/*.txt")).endswith(
        "[more than 1,000 found, the others left out]"
    )


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("**", "a/b", True),
        ("**/a", "a", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/y/c", False),
        ("**/**/**/a", "x/a", True),
        ("*", "a/b", False),
        ("**", ".hidden", False),
        (".*", ".hidden", True),
        ("**/.*", "a/.hidden", True),
    ],
)
def test_glob_patterns_mean_what_shells_mean(pattern: str, path: str, expected: bool) -> None:
    assert search_child.matches(pattern.split("/"), tuple(path.split("/"))) is expected


def test_a_row_that_the_time_limit_cut_at_a_bracket_is_left_out() -> None:
    rows, notes = search._parsed(b'{"path": "a"}\n{"note": "n"}\n{"path": "b", "text": "f() {}')
    assert (rows, notes) == ([{"path": "a"}], ["n"])


@pytest.mark.parametrize("child", ["search_child", "supervisor"])
def test_no_file_beside_a_child_of_ours_stands_for_the_standard_library(tmp_path: Path, child: str) -> None:
    """They import what lies beside them; a module that they import later must not come from there."""
    beside = Path(search_child.__file__).parent
    ours = {path.stem for path in beside.glob("*.py")}
    assert not ours & sys.stdlib_module_names, "it would stand before ours"
    for path in beside.glob("*.py"):
        shutil.copy(path, tmp_path)
    for name in sys.stdlib_module_names - {"__main__"}:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed: ' + __name__)")
    load = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='child'); import csv, encodings.rot_13"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", load, str(tmp_path / f"{child}.py")],
        cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
