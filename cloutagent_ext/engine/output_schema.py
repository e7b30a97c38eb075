"""The schema of the final answer, in the part of JSON Schema that the model service takes.

What it does not take is written into the descriptions, where the model can read it, and
the answer is checked against the whole schema afterwards (`engine.conversation`). Not
here: whether the schema is one at all (`plan.answers`).

The service takes `type`, `properties`, `required`, `items`, `enum` and `const` of plain
values, `anyOf`, `$defs` with `$ref`, some formats, and `minItems` of 0 or 1; every object
is closed; nothing refers back to itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..schema.base import JsonObject

_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_OF_TYPE = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems"}),
    "string": frozenset({"format"}),
}
_UNIONS = ("anyOf", "oneOf")
_SAID = ("title", "description")
_NOT_SAID = frozenset({"$schema", "$id", "$comment", "default", "examples", "definitions", "$defs"})
"""Keywords that ask nothing of the answer."""


def adapted(schema: JsonObject) -> JsonObject:
    """`schema` as the service takes it; never laxer in what the service can express."""
    whole = _adapted(schema, schema)
    if named := definitions(schema):
        whole["$defs"] = {name: _adapted(part, schema) for name, part in named.items()}
    return whole


def definitions(schema: JsonObject) -> dict[str, JsonObject]:
    """Schemas that others refer to by name, under either spelling."""
    found: dict[str, JsonObject] = {}
    for word in ("definitions", "$defs"):
        named = schema.get(word)
        if isinstance(named, dict):
            found.update((name, part) for name, part in named.items() if isinstance(part, dict))
    return found


def target(schema: JsonObject, reference: str) -> object:
    """What `reference` (`#/…`) leads to inside `schema`, or None."""
    if not reference.startswith("#"):
        return None
    place: object = schema
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        if not isinstance(place, dict):
            return None
        place = place.get(step.replace("~1", "/").replace("~0", "~"))
    return place if isinstance(place, dict | bool) else None


def recursive(schema: JsonObject) -> str | None:
    """A `$ref` by which `schema` comes back to itself, or None."""

    def visit(part: object, open_: tuple[str, ...]) -> str | None:
        for inner in _within(part):
            reference = inner.get("$ref")
            if not isinstance(reference, str):
                continue
            if reference == "#" or reference in open_:
                return reference
            if reference in clear:
                continue
            if (found := visit(target(schema, reference), (*open_, reference))) is not None:
                return found
            clear.add(reference)
        return None

    clear: set[str] = set()
    return visit(schema, ())


def kind_of(part: JsonObject) -> str | list[str] | None:
    """The type that `part` names, or what its keywords say it is; None where they say nothing."""
    kind = part.get("type")
    if isinstance(kind, str | list) and kind:
        return kind
    if "properties" in part:
        return "object"
    return "array" if "items" in part else None


def says_nothing(part: object) -> bool:
    """Whether any value at all fits `part`, which the service cannot be asked for."""
    if not isinstance(part, dict):
        return True
    chooses = ("$ref", "allOf", *_UNIONS)
    return (
        kind_of(part) is None
        and not any(part.get(name) for name in (*chooses, "enum"))
        and "const" not in part
    )


def _within(part: object) -> Iterator[JsonObject]:
    """`part` and every schema written inside it, wherever."""
    if isinstance(part, dict):
        yield part
        for value in part.values():
            yield from _within(value)
    elif isinstance(part, list):
        for value in part:
            yield from _within(value)


def _adapted(part: Any, root: JsonObject) -> JsonObject:
    if not isinstance(part, dict):
        return {"type": "object", "properties": {}, "additionalProperties": False}
    rest = {name: value for name, value in part.items() if name not in _NOT_SAID}
    reference = rest.pop("$ref", None)
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        if reference in (f"#/$defs/{name}", f"#/definitions/{name}"):
            return {"$ref": f"#/$defs/{name}"}
        return _adapted(target(root, reference), root)
    parts = rest.get("allOf")
    if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], dict):
        rest.pop("allOf")
        return _adapted({**parts[0], **rest}, root)
    found: JsonObject = {}
    if (choices := _choices(rest)) is not None:
        found["anyOf"] = [_adapted(choice, root) for choice in choices]
    elif not _literal(rest, found):
        _typed(rest, found, root)
    said = [str(rest.pop("description"))] if rest.get("description") else []
    if rest.get("title"):
        found["title"] = rest.pop("title")
    asked = {name: value for name, value in rest.items() if name not in (*_SAID, "type")}
    if asked:
        said.append("{" + ", ".join(f"{name}: {value}" for name, value in asked.items()) + "}")
    if said:
        found["description"] = "\n\n".join(said)
    return found


def _choices(rest: JsonObject) -> list[Any] | None:
    """The alternatives that `rest` is a choice of; taken out of it."""
    for word in _UNIONS:
        if isinstance(rest.get(word), list):
            choices: list[Any] = rest.pop(word)
            return choices
    kinds = rest.get("type")
    if not isinstance(kinds, list) or "enum" in rest or "const" in rest:
        return None
    rest.pop("type")
    chosen = [{"type": kind, **{w: rest[w] for w in _OF_TYPE.get(kind, ()) if w in rest}} for kind in kinds]
    for words in _OF_TYPE.values():
        for word in words:
            rest.pop(word, None)
    return chosen


def _literal(rest: JsonObject, found: JsonObject) -> bool:
    """Whether `rest` lists its values, all of them plain; they are moved to `found`."""
    values = rest.get("enum")
    if isinstance(values, list) and values and all(map(_plain, values)):
        found["enum"] = rest.pop("enum")
    if "const" in rest and _plain(rest["const"]):
        found["const"] = rest.pop("const")
    return bool(found)


def _typed(rest: JsonObject, found: JsonObject, root: JsonObject) -> None:
    kind = kind_of(rest) or "object"
    found["type"] = kind
    if kind == "object":
        properties = rest.pop("properties", None) or {}
        found["properties"] = {name: _adapted(part, root) for name, part in properties.items()}
        found["additionalProperties"] = False
        rest.pop("additionalProperties", None)
        if isinstance(required := rest.pop("required", None), list):
            found["required"] = [name for name in required if name in found["properties"]]
    elif kind == "array":
        if (items := rest.pop("items", None)) is not None:
            found["items"] = _adapted(items, root)
        if rest.get("minItems") in (0, 1):
            found["minItems"] = rest.pop("minItems")
    elif kind == "string" and rest.get("format") in _FORMATS:
        found["format"] = rest.pop("format")


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | bool)
