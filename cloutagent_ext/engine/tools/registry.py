"""The tools by name. A new built-in one: a class in its own module, and a line here."""

from __future__ import annotations

import logging
from collections.abc import Collection

from ...schema.admin import ToolRow
from ..ports import Tool
from . import plugins
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


_log = logging.getLogger(__name__)


def builtin(resources: Resources | None = None) -> dict[str, Tool]:
    """Every built-in tool, bound to one execution's `resources`.

    Without `resources` they describe themselves (names, schemas) and refuse to run.
    """
    return {tool.name: tool(resources) for tool in _TOOLS}


def all_names() -> frozenset[str]:
    """Names of the built-in tools and of those that packages bring. Blocks."""
    own = frozenset(builtin())
    return own | plugins.names(own)


def brought(wanted: Collection[str]) -> tuple[dict[str, Tool], dict[str, str]]:
    """`plugins.load` beside the built-in ones. Blocks: it imports."""
    return plugins.load(wanted, frozenset(builtin()))


def rows() -> list[ToolRow]:
    """The tools as the contract lists them, built-in ones first, without broken ones. Blocks."""
    others, broken = brought(all_names())
    for name, why in broken.items():
        _log.warning("The tool %s cannot be used: %s", name, why)
    return [_row(tool) for tool in (*builtin().values(), *others.values())]


def _row(tool: Tool) -> ToolRow:
    return ToolRow(
        name=tool.name,
        description=tool.description,
        touches=tool.touches,
        read_only=tool.read_only,
        default_permission=tool.default_permission,
        input_schema=tool.input_schema,
        source=tool.source,
    )
