"""A file is one room: nothing that people write here is longer than one can keep in mind."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
MOST_LINES = 400
FOLDERS = ("cloutagent_ext", "tests", "scripts", "labextension/src", "labextension/style")
KINDS = (".py", ".ts", ".tsx", ".css")
GENERATED = ("labextension/src/api/generated.ts", "cloutagent_ext/labextension/")


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    files = {
        path.relative_to(REPOSITORY).as_posix(): path
        for path in chain.from_iterable((REPOSITORY / folder).rglob("*") for folder in FOLDERS)
        if path.suffix in KINDS
    }
    lines = {
        name: len(path.read_text().splitlines())
        for name, path in files.items()
        if not name.startswith(GENERATED)
    }
    assert len(lines) > 500, "most of them were not found"
    assert {name: many for name, many in lines.items() if many > MOST_LINES} == {}
