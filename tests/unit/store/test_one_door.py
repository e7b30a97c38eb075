"""Nothing of what is stored is written past `cloutagent_ext.durable`, where faults are injected."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cloutagent_ext

PACKAGE = Path(cloutagent_ext.__file__).parent
ROOMS = sorted([*(PACKAGE / "store").rglob("*.py"), *(PACKAGE / "auth").rglob("*.py")])

WRITES = frozenset(
    [
        *(
            "write_bytes",
            "write_text",
            "unlink",
            "rename",
            "replace",
            "rmdir",
            "touch",
            "hardlink_to",
            "link",
        ),
        *(
            "symlink_to",
            "chmod",
            "truncate",
            "ftruncate",
            "fsync",
            "fdatasync",
            "sync",
            "removedirs",
            "makedirs",
        ),
        *("rmtree", "copyfile", "copytree", "move", "mkstemp", "NamedTemporaryFile", "TemporaryFile"),
    ]
)
OURS = frozenset({"durable", "batch", "staging", "self"})
"""Whose methods of the same names lead through the door; `str.replace` has no place in these rooms."""


def calls(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            yield "open", node.lineno
        if isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = (
                owner.attr
                if isinstance(owner, ast.Attribute)
                else owner.id
                if isinstance(owner, ast.Name)
                else ""
            )
            writes_flag = any(
                isinstance(part, ast.Attribute) and part.attr in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")
                for part in ast.walk(node)
            )
            if node.func.attr in WRITES and name not in OURS:
                yield node.func.attr, node.lineno
            if node.func.attr == "open" and (writes_flag or name not in ("os", "archive")):
                yield "open", node.lineno
            if node.func.attr == "mkdir" and name not in OURS:
                yield "mkdir", node.lineno
            if node.func.attr in ("fork", "forkpty"):
                yield node.func.attr, node.lineno


# A workspace is made again after a crash, so its folders need no door; its bytes go through it anyway.
# An export is written to the caller's nameless file, and begun anew there.
EXCEPTIONS = {("project_files.py", "mkdir"), ("archive.py", "truncate")}


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: path.name)
def test_no_module_of_the_store_writes_past_the_door(path: Path) -> None:
    found = [(name, line) for name, line in calls(path) if (path.name, name) not in EXCEPTIONS]
    assert found == []
