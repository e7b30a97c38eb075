"""Writes the reference pages that follow from the code: HTTP from the OpenAPI document, the Python client
from its docstrings, the command line from its parsers.

Everything is Markdown, as the docstrings are. `reference.md` (routes, events, tools, settings, errors in
short) is another file and made by `scripts/reference.py`, since it is read in the repository too.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

JSON = dict[str, Any]
_WIDTH = 88
_NOTE = "Written from the code when this site is built."


def write(folder: Path) -> None:
    """All pages, into `folder`; a page that has not changed keeps its date, so that Sphinx may skip it."""
    folder.mkdir(exist_ok=True)
    for name, page in (("http", http()), ("python", python()), ("cli", cli())):
        file = folder / f"{name}.md"
        text = "\n".join(page).rstrip() + "\n"
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    rows = list(rows)
    if not rows:
        return
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"
    yield ""


# ---------------------------------------------------------------- HTTP


def _type(schema: JSON) -> str:
    """A schema's type in words; objects of the contract as links."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#object-{name.lower()})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " · ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[several]))
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"name → {_type(schema['additionalProperties'])}"
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _bounds(schema: JSON) -> str:
    words = {
        "minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than", "pattern": "matches",
        "minLength": "characters ≥",
        "maxLength": "characters ≤", "minItems": "items ≥", "maxItems": "items ≤",
    }  # fmt: skip
    said = [f"{word} `{schema[name]}`" for name, word in words.items() if name in schema]
    return f" ({', '.join(said)})" if said else ""


def _body(content: JSON) -> str:
    kinds = []
    for media, what in content.items():
        schema = what.get("schema")
        kinds.append(f"`{media}`" + (f": {_type(schema)}" if schema else ""))
    return ", ".join(kinds)


def _who(operation: JSON) -> str:
    security = operation.get("security")
    if security == []:
        return "anyone"
    names = [name for option in security or [] for name in option]
    action = operation.get("x-jupyter-action")
    who = f"Jupyter users who may `{action}`" if action else "Jupyter users"
    if any(name != "jupyter" for name in names):
        scope = operation.get("x-key-scope")
        who += "; a project's key" + (f" with scope `{scope}`" if scope else "")
    return who


def _operation(method: str, path: str, operation: JSON) -> Iterator[str]:
    yield f"### {operation['summary']}\n"
    yield f"```text\n{method.upper()} {path}\n```\n"
    if description := inspect.cleandoc(operation.get("description", "")):
        yield description + "\n"
    yield f"*Who*: {_who(operation)}.\n"
    yield from _table(
        ("parameter", "in", "type", "what"),
        (
            (f"`{row['name']}`" + (" *" if row.get("required") else ""), row["in"],
             _type(row.get("schema", {})) + _bounds(row.get("schema", {})), row.get("description", ""))
            for row in operation.get("parameters", [])
        ),
    )  # fmt: skip
    if "requestBody" in operation:
        yield f"*Body*: {_body(operation['requestBody'].get('content', {}))}\n"
    for status, answer in operation["responses"].items():
        if status != "default":
            content = _body(answer.get("content", {}))
            yield f"*{status}*: {answer.get('description', '')} {content}\n"


def http() -> Iterator[str]:
    """Each route and each object of the contract, from the document that the server gives out."""
    from cloutagent_ext.server.openapi import document

    contract: JSON = document()
    yield "# HTTP routes and objects\n"
    yield f"{_NOTE} The same for machines: `GET cloutagent/api/v1/openapi.json`.\n"
    yield contract["info"]["description"] + "\n"
    yield "Paths begin at the server's base URL. How to call them is in [From outside](../http-api.md).\n"
    by_tag: dict[str, list[tuple[str, str, JSON]]] = {}
    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, dict) and "summary" in operation:
                by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    for tag, rows in by_tag.items():
        yield f"## {tag.capitalize()}\n"
        for row in rows:
            yield from _operation(*row)
    yield "## Objects\n"
    for name, schema in sorted(contract["components"]["schemas"].items()):
        yield f"(object-{name.lower()})=\n"
        yield f"### {name}\n"
        if description := inspect.cleandoc(schema.get("description", "")):
            yield description + "\n"
        if "properties" not in schema:
            yield f"{_type(schema)}{_bounds(schema)}\n"
            continue
        required = set(schema.get("required", []))
        rows_ = []
        for field, told in schema["properties"].items():
            default = f" Default `{json.dumps(told['default'])}`." if "default" in told else ""
            what = " ".join(filter(None, (told.get("description", ""), default)))
            rows_.append(
                (f"`{field}`" + (" *" if field in required else ""), _type(told) + _bounds(told), what)
            )
        yield from _table(("field", "type", "what"), rows_)
    yield "\\* has to be there.\n"


# ---------------------------------------------------------------- Python


def _said(thing: Any) -> str:
    """A docstring as Markdown; indented examples become code blocks, as they are in Markdown."""
    return inspect.cleandoc(inspect.getdoc(thing) or "")


def _signature(name: str, thing: Any) -> str:
    text = str(inspect.signature(thing)).replace("(self, ", "(").replace("(self)", "()")
    text = re.sub(r"\b(?:cloutagent_ext|collections|pathlib|typing)(?:\.\w+)*\.(\w+)", r"\1", text)
    word = "async " if inspect.iscoroutinefunction(thing) else ""
    whole = f"{word}{name}{text.replace(chr(39), '')}"
    if len(whole) <= _WIDTH:
        return whole
    # One parameter a line, as the source has it; commas inside brackets do not part parameters.
    inside, _, after = whole.partition("(")[2].rpartition(")")
    parts = re.split(r", (?![^\[(]*[\])])", inside)
    return "\n".join([f"{word}{name}(", *(f"    {part}," for part in parts), f"){after}"])


def _members(kind: type) -> Iterator[tuple[str, Any]]:
    """What a class offers, in the order of its source, with what it inherits from classes of ours."""
    seen: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("cloutagent_ext."):
            seen.update({name: value for name, value in vars(base).items() if not name.startswith("_")})
    return iter(seen.items())


def _class(name: str, kind: type) -> Iterator[str]:
    yield f"## {name}\n"
    yield _said(kind) + "\n"
    for member, value in _members(kind):
        if isinstance(value, property):
            yield f"### {name}.{member}\n\n{_said(value)}\n"
        elif isinstance(value, classmethod | staticmethod) or callable(value):
            function = getattr(kind, member)
            shown = _signature(member, function)
            yield f"### {name}.{member}\n\n```python\n{shown}\n```\n\n{_said(function)}\n"


def python() -> Iterator[str]:
    """The client's two functions and its classes."""
    client = importlib.import_module("cloutagent_ext.client")
    yield "# The Python client\n"
    yield _NOTE + "\n"
    # What it is and an example; which file has what is for those who read the source.
    yield "\n\n".join(_said(client).split("\n\n")[:3]) + "\n"
    for name in ("connect", "aconnect"):
        function = getattr(client, name)
        yield f"## {name}\n\n```python\n{_signature(name, function)}\n```\n\n{_said(function)}\n"
    plain = ["Client", "Project", "Run"]
    others = [name for name in client.__all__ if name not in {*plain, "connect", "aconnect"}]
    for name in plain + [name for name in others if name.startswith("Async")]:
        yield from _class(name, getattr(client, name))
    for name in [name for name in others if not name.startswith("Async")]:
        thing = getattr(client, name)
        if isinstance(thing, type):
            yield from _class(name, thing)
        else:
            yield f"## {name}\n\n{_said(thing)}\n"


# ---------------------------------------------------------------- command line


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            help_of = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, sub in action.choices.items():
                yield sub, help_of.get(name, "")


def cli() -> Iterator[str]:
    """`jupyter cloutagent …`: each command's own help."""
    from cloutagent_ext.cli import exits, parser

    top = parser()
    yield "# Command line\n"
    yield f"{_NOTE} `--help` behind any command says the same.\n"
    yield from _command(top, "", 2)
    yield "## Exit codes\n"
    yield _said(exits) + "\n"
    told = ast.parse(inspect.getsource(exits)).body
    pairs = itertools.pairwise(told)
    yield from _table(
        ("code", "means"),
        (
            (f"`{ast.literal_eval(number.value)}`", ast.literal_eval(text.value))
            for number, text in pairs
            if isinstance(number, ast.Assign) and isinstance(number.value, ast.Constant)
            and isinstance(text, ast.Expr)
        ),
    )  # fmt: skip


def _command(parser: argparse.ArgumentParser, what: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} {parser.prog}\n"
    if what:
        yield f"{what[0].upper()}{what[1:]}.\n"
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=96)  # type: ignore[assignment]
    yield f"```text\n{parser.format_help().rstrip()}\n```\n"
    for sub, told in _commands(parser):
        yield from _command(sub, told, min(level + 1, 4))
