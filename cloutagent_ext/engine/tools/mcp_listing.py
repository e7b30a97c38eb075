"""What an MCP server offers, made fit for a model: names, descriptions, schemas, and how many.

What a server says about its tools is other people's text on its way into a prompt: no
control characters, nothing invisible, no secret, not without end. Pure. Not here: asking
for it (`mcp_connection`), calling a tool (`mcp_tool`).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ...schema.base import JsonObject
from ..masking import Mask
from ..ports import Tool
from ..text import clean_json

LONGEST_NAME = 64
"""Characters that the model service takes in a tool's name."""
MAX_TOOLS = 500
"""Most tools of one server that are offered; `enabled_tools` chooses among more."""
MAX_DESCRIPTION = 4096
MAX_FIELD_DESCRIPTION = 1024
"""Longest description of a tool, and of anything in its schema, in characters."""
MAX_SCHEMA_BYTES = 64 * 1024
"""Longest schema of one tool."""
MAX_ALL_BYTES = 512 * 1024
"""Most of one server's tools together, as the model gets them."""
MAX_DEPTH = 32

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")
_TOLD = ("description", "title", "$comment")
_NOT_AT_THE_TOP = ("oneOf", "anyOf", "allOf")
"""Keywords that the model service refuses at the top of a tool's schema; the server still checks them."""
_RISKY = ("$ref", "$dynamicRef", "$recursiveRef", "pattern", "patternProperties")
"""Keywords with which a hostile schema can keep its checker busy for ever, or have it fetch things."""
_NAMES = ("properties", "$defs", "definitions", "dependentSchemas", "dependentRequired")
_ARGUMENT = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""What the model service takes as an argument's name."""


@dataclass(frozen=True)
class Offer:
    """One tool of a server, as a model gets it."""

    name: str
    """What the server calls it."""
    called: str
    """What the model calls it: `mcp__<server id>__<name>`, at most 64 characters."""
    description: str
    input_schema: JsonObject
    checked_schema: JsonObject
    """What arguments are checked against here; the server checks them against all of its own."""
    output_schema: JsonObject | None
    """What structured results are checked against; None where there is none, or none that is safe."""
    read_only: bool

    @property
    def digest(self) -> str:
        """Stands for what a model is told about it."""
        return _digest([self.called, self.description, self.input_schema])


@dataclass(frozen=True)
class Listing:
    """All of a server's tools that are offered, and why others are not."""

    offers: Mapping[str, Offer] = field(default_factory=dict)
    """By the name that the model uses, in the server's order."""
    left_out: Sequence[str] = ()
    """Sentences for a person."""

    def differences(self, later: Listing) -> list[str]:
        """What is different in `later`, in words; empty where nothing is."""
        return differences(
            {called: offer.digest for called, offer in self.offers.items()},
            {called: offer.digest for called, offer in later.offers.items()},
        )


def listing(
    server: str,
    tools: Iterable[Any],
    enabled: Sequence[str] | None,
    mask: Mask,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> Listing:
    """`tools` of `server` (objects of the SDK) as offers. `enabled`: names that may be called; None: all.

    `refused`: names of tools that cannot even be read, each with what is wrong.
    """
    wanted = None if enabled is None else frozenset(enabled)
    offers: dict[str, Offer] = {}
    left_out = [
        f"{visible(mask(name), 100)}: {visible(mask(why), 300)}"
        for name, why in refused.items()
        if wanted is None or name in wanted
    ]
    size = number = 0
    seen = set(refused)
    tools = list(tools)
    # A name that needs no change keeps it, whatever comes before it.
    reserved = {tool.name for tool in tools if not _NOT_IN_A_NAME.search(tool.name)}
    for tool in tools:
        if tool.name in seen or (wanted is not None and tool.name not in wanted):
            continue
        seen.add(tool.name)
        shown = visible(mask(tool.name), 100)
        if len(offers) == MAX_TOOLS:
            number += 1
            continue
        offer = _offer(server, tool, offers, reserved, mask)
        if isinstance(offer, str):
            left_out.append(f"{shown}: {offer}")
            continue
        size += len(offer.description) + len(json.dumps(offer.input_schema))
        if size > MAX_ALL_BYTES:
            number += 1
            continue
        offers[offer.called] = offer
    if number:
        left_out.append(f"{number} more than fit: choose those that are needed in `enabled_tools`")
    if wanted is not None and (missing := sorted(wanted - seen)):
        named = ", ".join(visible(name, 100) for name in missing[:10])
        left_out.append(f"the server has no tool called {named}")
    return Listing(offers, left_out[:20])


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What changed between two sets of tools, each as name → digest; at most ten names of a kind."""
    kinds = {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name in after if name in before and after[name] != before[name]],
    }
    found = []
    for kind, names in kinds.items():
        if names:
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""
            found.append(f"{kind}: {', '.join(sorted(names)[:10])}{more}")
    return found


def changed(frozen: Mapping[str, Any], tools: Iterable[Tool]) -> list[str]:
    """What of the MCP tools among `tools` is not as in `frozen`, the request a conversation began with."""
    now = [(tool.name, tool.description, tool.input_schema) for tool in tools]
    return differences(
        _digests(
            (each["name"], each["description"], each["input_schema"]) for each in frozen.get("tools", [])
        ),
        _digests(now),
    )


def _digests(tools: Iterable[tuple[str, str, JsonObject]]) -> dict[str, str]:
    return {tool[0]: _digest(list(tool)) for tool in tools if tool[0].startswith("mcp__")}


def visible(text: str, limit: int) -> str:
    """`text` without control, format and other invisible characters, at most `limit` characters."""
    kept = "".join(c for c in text[: limit * 4] if c in "\n\t" or unicodedata.category(c)[0] != "C")
    return kept if len(kept) <= limit and len(text) <= limit * 4 else kept[: limit - 1] + "…"


def _offer(server: str, tool: Any, taken: Mapping[str, Offer], reserved: set[str], mask: Mask) -> Offer | str:
    """The offer, or why there is none."""
    schema = _told(clean_json(mask.deep(tool.input_schema)), 0)
    if schema is None or len(json.dumps(schema)) > MAX_SCHEMA_BYTES:
        return "its schema is too large or too deep"
    if schema.get("type", "object") != "object":
        return "its schema does not describe an object"
    arguments = schema.get("properties", {})
    if not isinstance(arguments, dict) or not all(map(_ARGUMENT.fullmatch, arguments)):
        return "its arguments have names that a model cannot be told"
    schema = {"type": "object", **{k: v for k, v in schema.items() if k not in _NOT_AT_THE_TOP}}
    called = _called(server, mask(tool.name), taken, reserved)
    if called is None:
        return "no name of at most 64 characters is left for it; shorten the server's id"
    hints = tool.annotations
    output = tool.output_schema
    return Offer(
        name=tool.name,
        called=called,
        description=visible(mask(tool.description or tool.title or ""), MAX_DESCRIPTION),
        input_schema=schema,
        checked_schema=schema if plain(schema) else _outline(schema),
        output_schema=output if output is not None and plain(output) else None,
        read_only=bool(hints is not None and hints.read_only_hint),
    )


def _called(server: str, name: str, taken: Mapping[str, Offer], reserved: set[str]) -> str | None:
    prefix = f"mcp__{server}__"
    plain_name = _NOT_IN_A_NAME.sub("_", name) or "_"
    called = prefix + plain_name
    own = plain_name == name or plain_name not in reserved
    if len(called) <= LONGEST_NAME and called not in taken and own:
        return called
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    room = LONGEST_NAME - len(prefix) - len(mark) - 1
    called = f"{prefix}{plain_name[:room]}_{mark}" if room > 0 else (prefix + mark)[:LONGEST_NAME]
    return called if called not in taken and len(called) > len(prefix) else None


def _told(schema: Any, depth: int) -> Any:
    """`schema` with every text that is meant to be read made visible and short; None where it is too deep."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(schema, dict):
        found = {}
        for key, value in schema.items():
            if key in _TOLD and isinstance(value, str):
                found[key] = visible(value, MAX_FIELD_DESCRIPTION)
                continue
            inner = _told(value, depth + 1)
            if inner is None and value is not None:
                return None
            found[key] = inner
        return found
    if isinstance(schema, list):
        items = [_told(item, depth + 1) for item in schema]
        return None if any(a is None and b is not None for a, b in zip(items, schema, strict=True)) else items
    return schema


def plain(schema: Any) -> bool:
    """Whether values can be checked against `schema` in a time that its size bounds."""
    if len(json.dumps(schema)) > MAX_SCHEMA_BYTES or not _harmless(schema, 0):
        return False
    from jsonschema.validators import Draft202012Validator, validator_for

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except Exception:  # a schema is other people's: whatever is wrong with it, nothing is checked by it
        return False
    return True


def _harmless(schema: Any, depth: int) -> bool:
    if depth > MAX_DEPTH:
        return False
    if isinstance(schema, dict):
        return not any(key in schema for key in _RISKY) and all(
            # Below these the keys are names: a tool may well have an argument called `pattern`.
            all(_harmless(each, depth + 2) for each in value.values())
            if key in _NAMES and isinstance(value, dict)
            else _harmless(value, depth + 1)
            for key, value in schema.items()
        )
    return all(_harmless(item, depth + 1) for item in schema) if isinstance(schema, list) else True


def _outline(schema: JsonObject) -> JsonObject:
    """What of `schema` can always be checked: which arguments there must be, and of which simple type."""
    outline: JsonObject = {"type": "object"}
    required, properties = schema.get("required"), schema.get("properties")
    if isinstance(required, list) and all(isinstance(name, str) for name in required):
        outline["required"] = required
    if isinstance(properties, dict):
        simple = ("string", "number", "integer", "boolean", "array", "object")
        outline["properties"] = {
            name: {"type": each["type"]}
            for name, each in properties.items()
            if isinstance(each, dict) and isinstance(each.get("type"), str) and each["type"] in simple
        }
    return outline


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
