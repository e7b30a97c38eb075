"""The schema of the final answer: whether it is one, and whether the model service takes it."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.base import JsonObject
from ...schema.project import Definition, Problem
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
    for path, part in _parts(_PLACE, schema):
        reference = part.get("$ref")
        if isinstance(reference, str) and not _leads_somewhere(schema, reference):
            yield error(
                "BAD_OUTPUT_SCHEMA",
                "agent",
                f"{path}.$ref",
                f"{reference!a} leads nowhere inside this schema, and nothing is fetched: define it "
                "under `$defs`.",
            )
        if part.get("type") == "object" and part.get("additionalProperties") is not False:
            yield warning(
                "OUTPUT_SCHEMA_OPEN",
                "agent",
                path,
                'The model service takes only closed objects: add "additionalProperties": false.',
            )


def _parts(path: str, schema: object) -> Iterator[tuple[str, JsonObject]]:
    """The schema and the schemas in it, each with its path."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for name in ("properties", "$defs"):
        inner = schema.get(name)
        for key, value in inner.items() if isinstance(inner, dict) else ():
            yield from _parts(f"{path}.{name}.{key}", value)
    yield from _parts(f"{path}.items", schema.get("items"))
    for name in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(name)
        for index, value in enumerate(choices if isinstance(choices, list) else ()):
            yield from _parts(f"{path}.{name}.{index}", value)


def _leads_somewhere(schema: JsonObject, reference: str) -> bool:
    if not reference.startswith("#"):
        return False
    place: object = schema
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        if not isinstance(place, dict):
            return False
        place = place.get(step.replace("~1", "/").replace("~0", "~"))
    return isinstance(place, dict | bool)
