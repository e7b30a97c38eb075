"""Tools that other packages bring: entry points of the group `cloutagent.tools`.

An entry point's name is the tool's. It points to a class, an instance, or a plain
function (docs/extending.md). Nothing is imported before a project uses the tool, or
somebody lists tools; then in a thread. What cannot be loaded is a finding of the
validation, and no other tool is the worse for it.

Trust model: a package's tool is code that the operator installed. It runs in the server's
own process and may do what the server may; what it starts is its own business.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import re
import sys
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from ...schema.base import JsonObject
from ...schema.events import DisplayPart, FilePart, ImagePart, OutputPart, TextPart
from ..ports import Tool, ToolContext, ToolError

GROUP = "cloutagent.tools"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PARTS = (TextPart, ImagePart, FilePart, DisplayPart)


class PluginTool:
    """`ports.Tool` over what a package brought."""

    def __init__(self, name: str, source: str, brought: Any) -> None:
        """Raises `TypeError` that says what is missing."""
        if inspect.isclass(brought):
            brought = brought()
        self.name, self.source = name, source
        self._call: Callable[..., Any]
        if inspect.isfunction(brought):
            self._call = brought
            self._whole = False
            self._context = "context" in inspect.signature(brought).parameters
            self.description = inspect.cleandoc(brought.__doc__ or "")
            self.input_schema = _schema_of(brought)
        else:
            self._call = getattr(brought, "run", None)  # type: ignore[assignment]
            if not callable(self._call):
                raise TypeError("it has no method `run(arguments, context)`")
            self._whole = True
            self.description = str(getattr(brought, "description", "") or "")
            self.input_schema = getattr(brought, "input_schema", None) or {}
        if not self.description.strip():
            raise TypeError("it has no description: the model must know what it does")
        _check_schema(self.input_schema)
        self.touches = str(getattr(brought, "touches", "") or f"What the package {source} lets it.").split(
            "\n"
        )[0]
        self.read_only = bool(getattr(brought, "read_only", False))
        wanted = getattr(brought, "default_permission", "ask")
        self.default_permission: Literal["allow", "ask"] = "allow" if wanted == "allow" else "ask"
        self._lock = getattr(brought, "lock", None)

    def lock(self, arguments: JsonObject) -> str | None:
        """See `ports.Tool.lock`; a package's locks are its own."""
        found = self._lock(arguments) if callable(self._lock) else self._lock
        return None if found is None else f"{self.source}:{found}"

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """See `ports.Tool.run`. What is not async runs in a thread."""
        if self._whole:
            call = functools.partial(self._call, arguments, context)
        else:
            extra = {"context": context} if self._context else {}
            call = functools.partial(self._call, **arguments, **extra)
        if inspect.iscoroutinefunction(self._call):
            return _parts(await call())
        return _parts(await asyncio.to_thread(call))


def _schema_of(function: Callable[..., Any]) -> JsonObject:
    """A JSON schema from the annotations of a plain function."""
    from pydantic import ConfigDict, create_model

    hints = inspect.get_annotations(function, eval_str=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "context":
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"its parameter {parameter.name} cannot be given by name")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints.get(parameter.name, Any), default)
    made = create_model("Arguments", __config__=ConfigDict(extra="forbid"), **fields)
    schema: JsonObject = made.model_json_schema()
    schema.pop("title", None)
    return schema


def _check_schema(schema: Any) -> None:
    import jsonschema

    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise TypeError('its `input_schema` is no JSON schema with `"type": "object"`')
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise TypeError(f"its `input_schema` is no JSON schema: {error.message}") from None


def _parts(said: Any) -> list[OutputPart]:
    if isinstance(said, str):
        return [TextPart(text=said)]
    if isinstance(said, list) and all(isinstance(part, _PARTS) for part in said):
        return said
    if said is None:
        return [TextPart(text="[done]")]
    try:
        return [TextPart(text=json.dumps(said, ensure_ascii=False, default=str))]
    except ValueError as error:
        raise ToolError(f"The tool answered with something that is no text: {error}") from None


# ---------------------------------------------------------------- finding them; all of this blocks


def names(own: Collection[str]) -> frozenset[str]:
    """Names of all that is installed, without loading any; `own` are taken."""
    return frozenset(_found(tuple(sys.path))) - frozenset(own)


def load(wanted: Collection[str], own: Collection[str]) -> tuple[dict[str, Tool], dict[str, str]]:
    """Those of `wanted` that are installed; and what is wrong with those that cannot be used."""
    tools: dict[str, Tool] = {}
    broken: dict[str, str] = {}
    found = _found(tuple(sys.path))
    for name in sorted(set(wanted) & set(found) - set(own)):
        points = found[name]
        try:
            if len(points) > 1:
                raise TypeError("two packages bring a tool of this name: " + ", ".join(map(_source, points)))
            tools[name] = PluginTool(name, _source(points[0]), points[0].load())
        except Exception as error:  # an import may fail in any way
            broken[name] = f"{_source(points[0])}: {type(error).__name__}: {error}"
    return tools, broken


@functools.lru_cache(maxsize=4)
def _found(path: tuple[str, ...]) -> Mapping[str, list[EntryPoint]]:
    """By name; a package that is installed later needs a restart, as for Jupyter's own extensions."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=GROUP):
        rows = found.setdefault(point.name, [])
        if all(each.value != point.value for each in rows):
            rows.append(point)
    return {name: rows for name, rows in found.items() if _NAME.fullmatch(name)}


def _source(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module
