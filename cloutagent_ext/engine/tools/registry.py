"""The built-in tools by name. A new one: a class in its own module, and a line here."""

from __future__ import annotations

from ...schema.admin import ToolRow
from ..ports import Tool
from .base import BuiltinTool, Resources
from .files import FileCreate, StrReplace, View
from .kernel import Python
from .notebook import Notebook
from .search import Glob, Grep
from .shell import Bash
from .web import WebFetch

_TOOLS: tuple[type[BuiltinTool], ...] = (
    Bash,
    View,
    FileCreate,
    StrReplace,
    Glob,
    Grep,
    Python,
    Notebook,
    WebFetch,
)


def builtin(resources: Resources | None = None) -> dict[str, Tool]:
    """Every built-in tool, bound to one execution's `resources`.

    Without `resources` they describe themselves (names, schemas) and refuse to run.
    """
    return {tool.name: tool(resources) for tool in _TOOLS}


def rows() -> list[ToolRow]:
    """The built-in tools as the contract lists them."""
    return [
        ToolRow(
            name=tool.name,
            description=tool.description,
            touches=tool.touches,
            read_only=tool.read_only,
            default_permission=tool.default_permission,
            input_schema=tool.input_schema,
        )
        for tool in _TOOLS
    ]
