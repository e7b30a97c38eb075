"""Help texts of fields, read from the docstrings under them, for `openapi.json`.

Pydantic can do this itself while it makes each class, but it finds and parses the source
anew for every one: most of the extension's share of a server's start, for texts that
only this description needs. Here a module is parsed once, when they are asked for.
"""

from __future__ import annotations

import ast
import inspect
from functools import cache
from types import ModuleType
from typing import Any

from pydantic import BaseModel


def describe(model: type[BaseModel], schema: dict[str, Any]) -> None:
    """Put the help text of each field of `model` into its JSON schema, where it has none."""
    for name, text in _texts(model).items():
        if (field := schema.get("properties", {}).get(name)) is not None:
            field.setdefault("description", text)


def _texts(model: type[BaseModel]) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        module = inspect.getmodule(kind)
        if module is not None and issubclass(kind, BaseModel) and kind is not BaseModel:
            found |= _classes(module).get(kind.__qualname__, {})
    return {name: text for name, text in found.items() if name in model.model_fields}


@cache
def _classes(module: ModuleType) -> dict[str, dict[str, str]]:
    """For each class of the module its fields' docstrings: a string right after an annotation."""
    tree = ast.parse(inspect.getsource(module))
    found: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = {
                field.target.id: inspect.cleandoc(text.value.value)
                for field, text in zip(node.body, node.body[1:], strict=False)
                if isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            }
    return found
