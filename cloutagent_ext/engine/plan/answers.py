"""The schema of the final answer: whether it is one, and whether the model service can be asked for it."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.base import JsonObject
from ...schema.project import Definition, Problem
from ..output_schema import recursive, says_nothing, target
from .findings import error, warning

_PLACE = "agent.output_schema"


def check(definition: Definition) -> Iterator[Problem]:
    schema = definition.agent.output_schema
    if schema is None:
        return
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as wrong:
        where = ".".join(map(str, [_PLACE, *wrong.absolute_path]))
        yield error(
            "BAD_OUTPUT_SCHEMA", "agent", where, f"This is no JSON Schema, correct it: {wrong.message}."
        )
        return
    if (again := recursive(schema)) is not None:
        yield error(
            "OUTPUT_SCHEMA_RECURSIVE",
            "agent",
            _PLACE,
            f"{again!a} leads back to where it is used, and the model service takes no recursion: write out "
            "as many levels as the answer needs.",
        )
    for path, part in _parts(_PLACE, schema):
        if not isinstance(part, dict):
            yield _anything(path)
            continue
        reference = part.get("$ref")
        if isinstance(reference, str) and target(schema, reference) is None:
            yield error(
                "BAD_OUTPUT_SCHEMA",
                "agent",
                f"{path}.$ref",
                f"{reference!a} leads nowhere inside this schema, and nothing is fetched: define it "
                "under `$defs`.",
            )
        if says_nothing(part):
            yield _anything(path)
        if len(part.get("allOf") or []) > 1:
            yield error(
                "OUTPUT_SCHEMA_UNSUPPORTED",
                "agent",
                f"{path}.allOf",
                "The model service cannot be asked for several schemas at once: write their properties "
                "into one object.",
            )
        yield from _open(path, part)


def _open(path: str, part: JsonObject) -> Iterator[Problem]:
    """Objects with keys that nobody has named."""
    if part.get("type") != "object" and "properties" not in part:
        return
    more = part.get("additionalProperties")
    if more is False or (more is None and part.get("properties")):
        return  # closed, or closed on the way out, which forbids nothing that was named
    yield warning(
        "OUTPUT_SCHEMA_OPEN",
        "agent",
        path,
        "The model service takes only closed objects, so the answer has no keys but those in `properties`: "
        'name them all and set "additionalProperties": false, or ask for a list of names and values.',
    )


def _anything(path: str) -> Problem:
    return error(
        "OUTPUT_SCHEMA_UNTYPED",
        "agent",
        path,
        "This lets the answer be anything here, which the model service takes no request for: give it a "
        "`type`.",
    )


def _parts(path: str, schema: object) -> Iterator[tuple[str, object]]:
    """The schema and the schemas in it, each with its path."""
    yield path, schema
    if not isinstance(schema, dict):
        return
    for name in ("properties", "$defs", "definitions"):
        inner = schema.get(name)
        for key, value in inner.items() if isinstance(inner, dict) else ():
            yield from _parts(f"{path}.{name}.{key}", value)
    if "items" in schema:
        yield from _parts(f"{path}.items", schema["items"])
    for name in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(name)
        for index, value in enumerate(choices if isinstance(choices, list) else ()):
            yield from _parts(f"{path}.{name}.{index}", value)
