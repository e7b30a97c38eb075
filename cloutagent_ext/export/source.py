"""Python source text: values as readable literals, and functions of ours to be copied.

Not here: what they are put together to (`cells`, `script`).
"""

from __future__ import annotations

import ast
import sys
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
    before = text.rstrip('"')
    body = before.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    quotes = '\\"' * (len(text) - len(before))  # or they would end the literal together with its own
    return f'"""\\\n{body}{quotes}"""'


def body(name: str) -> str:
    """Source of a module of this package, without its docstring and its imports."""
    source = _source(name)
    before = [node for node in ast.parse(source).body if _is_docstring(node) or _is_import(node)]
    lines = source.splitlines()
    return "\n".join(lines[before[-1].end_lineno :]).strip("\n") + "\n"


def imports_of(*names: str) -> str:
    """What these modules of this package import from elsewhere, each line once."""
    found = set[str]()
    for name in names:
        for node in ast.parse(_source(name)).body:
            if isinstance(node, ast.Import) or (isinstance(node, ast.ImportFrom) and node.level == 0):
                found.add(ast.unparse(node))
    # As people sort them: the standard library, then what has to be installed.
    known = sorted(found, key=lambda line: (line.startswith("from"), line))
    own = [line for line in known if line.split()[1].partition(".")[0] in sys.stdlib_module_names]
    return "\n".join([*own, "", *(line for line in known if line not in own)])


def _source(name: str) -> str:
    return files(__package__).joinpath(f"{name}.py").read_text(encoding="utf-8")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def functions(name: str, wanted: Iterable[str]) -> str:
    """The functions `wanted` of a module of this package, as they stand there."""
    source = _source(name)
    tree = ast.parse(source)
    names = set(wanted)
    found = [
        ast.get_source_segment(source, node) or ""
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name in names
    ]
    return "\n\n\n".join(found) + "\n"
