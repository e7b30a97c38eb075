"""Functions of the notebook as tools of an execution: described by their signatures, called here.

    @analyst.tool
    def orders(region: str, since: date) -> pd.DataFrame:
        '''Orders of a region since a day.'''
        return database.query(region, since)

Trust model. A function runs in this kernel with all that the notebook may do, with arguments that a
model chose and that fit its annotations: what it must not do has to be impossible in it. One runs
at a time, in a thread of its own, so that the cell may wait for the execution meanwhile. Not
here: tables and their handles (`values`), how calls come and answers go (`serving`).
"""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
import traceback
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from ..errors import InvalidRequest, NotFound
from ..schema.base import JsonObject
from .values import TABLES, Handle, Values, bundles

Tool = str | Callable[..., Any]
"""A tool by the name it was given, or a function: decorated before, or made a tool as it is."""
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}")


class CallFailed(Exception):
    """A function raised, or could not be called; the text is for the model."""


@dataclass(frozen=True)
class KernelTool:
    """One function, and what the model knows of it."""

    name: str
    description: str
    input_schema: JsonObject
    function: Callable[..., Any]
    arguments: type[BaseModel]
    tables: frozenset[str]
    """Parameters that are given as handles."""
    ask: bool
    read_only: bool
    timeout_s: float
    into: str | None

    def offer(self) -> JsonObject:
        """As `client_tools` of a request has it."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": self.input_schema,
            "permission": "ask" if self.ask else "allow",
            "read_only": self.read_only,
            "timeout_s": self.timeout_s,
        }


class _Worker:
    """The one thread that functions run in, made when the first is called."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    @property
    def pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="cloutagent-tools")
        return self._pool


class Toolset:
    """The tools of one project's handle, and the values they work with."""

    def __init__(self, values: Values | None = None, worker: _Worker | None = None) -> None:
        self.tools: dict[str, KernelTool] = {}
        self.values = Values() if values is None else values
        self._worker = worker or _Worker()

    def __bool__(self) -> bool:
        return bool(self.tools)

    def __iter__(self) -> Iterator[KernelTool]:
        return iter(self.tools.values())

    def offer(self) -> list[JsonObject] | None:
        """As a request has it; None where there is none."""
        return [tool.offer() for tool in self] or None

    def chosen(self, wanted: Iterable[Tool] | None) -> Toolset:
        """Those of `wanted`, all without it; the same values, one thread for all.

        Raises `InvalidRequest` for a name that no tool has, and for what no tool can be made of.
        """
        if wanted is None:
            return self
        if isinstance(wanted, str) or callable(wanted):
            wanted = [wanted]
        chosen = Toolset(self.values, self._worker)
        for each in wanted:
            tool = self._found(each)
            chosen.tools[tool.name] = tool
        return chosen

    def _found(self, wanted: Tool) -> KernelTool:
        if not isinstance(wanted, str):
            known = next((tool for tool in self if tool.function is wanted), None)
            return known or described(wanted)
        if wanted not in self.tools:
            there = ", ".join(self.tools) or "none yet"
            raise InvalidRequest(f"There is no tool {wanted!r} here. There are: {there}.")
        return self.tools[wanted]

    def over(self, values: Values) -> Toolset:
        """The same functions, over other values."""
        moved = Toolset(values, self._worker)
        moved.tools = self.tools
        return moved

    def tool(self, function: Any = None, **options: Any) -> Any:
        """See `HoldsTools.tool`."""

        def added(function: Any) -> Any:
            made = described(function, **options)
            self.tools[made.name] = made
            return function

        return added if function is None else added(function)

    async def call(self, name: str, arguments: JsonObject) -> list[dict[str, Any]]:
        """Run one, in the tools' own thread; mime bundles of what it gave. Raises `CallFailed`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker.pool, self._run, name, arguments)

    def _run(self, name: str, arguments: JsonObject) -> list[dict[str, Any]]:
        tool = self.tools[name]
        try:
            found = tool.arguments.model_validate(arguments)
            given = {each: getattr(found, each) for each in found.model_fields_set}
            for each in tool.tables & given.keys():
                given[each] = None if given[each] is None else self.values[given[each]]
        except (ValidationError, NotFound) as error:
            raise CallFailed(str(error)) from error
        try:
            value = tool.function(**given)
            if inspect.isawaitable(value):
                value = asyncio.run(_awaited(value))
            made = bundles(value, self.values)
        except BaseException as error:  # `sys.exit()` in it must not end the client's loop
            traceback.print_exception(error, file=sys.stderr)  # the notebook sees all of it, the model a line
            raise CallFailed(f"{type(error).__name__}: {error}") from error
        if tool.into is not None:
            vars(sys.modules["__main__"])[tool.into] = value
        return made

    def card(self, value: Any, name: str | None = None) -> Handle:
        """Keep `value` for the tools; what to write into a prompt."""
        return self.values.put(value, name)


async def _awaited(value: Any) -> Any:
    return await value


def described(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    ask: bool = False,
    read_only: bool = False,
    timeout_s: float = 60.0,
    into: str | None = None,
) -> KernelTool:
    """What the model knows of a function. Raises `InvalidRequest` that says what is missing."""
    called = name or function.__name__
    if not _NAME.fullmatch(called):
        raise InvalidRequest(f"{called!r} is no name for a tool: letters, digits, _ and -, a letter first.")
    description = inspect.cleandoc(function.__doc__ or "")
    if not description:
        raise InvalidRequest(
            f"The tool {called} has no docstring: it is what tells the model when to call it, and with what."
        )
    if into is not None and not into.isidentifier():
        raise InvalidRequest(f"`into` is the name of a variable; {into!r} is none.")
    arguments, tables = _arguments(called, function)
    schema: JsonObject = arguments.model_json_schema()
    schema.pop("title", None)
    return KernelTool(
        called, description, schema, function, arguments, tables, ask, read_only, timeout_s, into
    )


def _arguments(name: str, function: Callable[..., Any]) -> tuple[type[BaseModel], frozenset[str]]:
    from pydantic import Field

    try:
        hints = inspect.get_annotations(function, eval_str=True)
    except NameError as error:
        raise InvalidRequest(f"An annotation of {name} is not known here: {error}.") from None
    fields: dict[str, Any] = {}
    tables = set()
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise InvalidRequest(f"The parameter {parameter.name} of {name} cannot be given by name.")
        hint: Any = hints.get(parameter.name, Any)
        default = ... if parameter.default is parameter.empty else parameter.default
        if (table := _table(hint)) is not None:
            tables.add(parameter.name)
            told = f"Handle of a {table} that you were told of, such as `df#1`."
            optional = default is not ... or _optional(hint)
            kept = default if default is ... or default is None else None
            fields[parameter.name] = (str | None if optional else str, Field(kept, description=told))
        else:
            fields[parameter.name] = (hint, default)
    try:
        made = create_model("Arguments", __config__=ConfigDict(extra="forbid"), **fields)
        made.model_json_schema()
    except Exception as error:  # pydantic has many ways to say that it does not know a type
        raise InvalidRequest(f"No JSON can stand for a parameter of {name}: {error}") from None
    return made, frozenset(tables)


def _table(hint: Any) -> str | None:
    """`DataFrame`, where an annotation means a table, alone or `| None`."""
    for each in typing.get_args(hint) if _optional(hint) else (hint,):
        if getattr(each, "__name__", "") in TABLES:
            return str(each.__name__)
    return None


def _optional(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)
