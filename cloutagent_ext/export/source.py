"""Python source text: values as readable literals, and functions of ours to be copied.

Not here: what they are put together to (`cells`, `script`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from importlib.resources import files
from pprint import pformat
from typing import Any

_ONE_LINE = 80
"""Characters up to which a text stands on one line."""


def literal(value: Any) -> str:
    """`value` as Python source that gives exactly it; long texts over several lines."""
    if isinstance(value, str):
        return text_literal(value)
    return pformat(value, width=100, sort_dicts=False)


def text_literal(text: str) -> str:
    """A text as source: in three quotes where it has several lines."""
    plain = all(character.isprintable() or character in "\n\t" for character in text)
    if not plain or ("\n" not in text.strip("\n") and len(text) <= _ONE_LINE):
        return repr(text)
    body = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if body.endswith('"'):
        body = body[:-1] + '\\"'
    return f'"""\\\n{body}"""'


def module(name: str) -> str:
    """Source of a module of this package, without its docstring."""
    source = files(__package__).joinpath(f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    first = tree.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        lines = source.splitlines()
        source = "\n".join(lines[first.end_lineno :]).strip("\n") + "\n"
    return source


def functions(name: str, wanted: Iterable[str]) -> str:
    """The functions `wanted` of a module of this package, as they stand there."""
    source = files(__package__).joinpath(f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    names = set(wanted)
    found = [
        ast.get_source_segment(source, node) or ""
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in names
    ]
    return "\n\n\n".join(found) + "\n"
