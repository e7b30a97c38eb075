"""Do a call's arguments fit the tool's schema? Told to the model in words it can act on."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from ..schema.base import JsonObject
from .ports import Tool

_LIBRARY = "jsonschema"


class ArgumentChecks:
    """Compiled schemas of one execution's tools. `load` first, on the event loop."""

    def __init__(self) -> None:
        self._validators: dict[str, Any] = {}

    async def load(self) -> None:
        """Import the validator in a thread: it reads its meta-schemas from disk.

        A module that another execution is half way through importing counts as not yet
        imported: waiting for it on the loop would block that.
        """
        spec = getattr(sys.modules.get(_LIBRARY), "__spec__", None)
        if spec is None or getattr(spec, "_initializing", False):
            await asyncio.to_thread(__import__, _LIBRARY)

    def problem(self, tool: Tool, arguments: object) -> str | None:
        """What is wrong with `arguments`, or None."""
        if not isinstance(arguments, dict):
            return "the arguments are not a JSON object"
        validator = self._validators.get(tool.name)
        if validator is None:
            # A tool of somebody else's may say what is safe to check here (`tools.mcp_listing`).
            schema = getattr(tool, "checked_schema", tool.input_schema)
            validator = self._validators[tool.name] = validator_for(schema)
        return describe(validator, arguments)


def validator_for(schema: JsonObject) -> Any:
    """A validator for `schema` in the draft it names, else the newest."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for as choose

    return choose(schema, default=Draft202012Validator)(schema)


def describe(validator: Any, value: object) -> str | None:
    """The most telling complaint of `validator` about `value`, with its place; None if it fits."""
    from jsonschema.exceptions import best_match

    error = best_match(validator.iter_errors(value))
    if error is None:
        return None
    message = error.message if len(error.message) <= 500 else error.message[:500] + "…"
    return f"{error.json_path.removeprefix('$').lstrip('.')}: {message}".removeprefix(": ")
