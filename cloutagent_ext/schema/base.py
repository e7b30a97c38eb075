"""What every model of the contract shares: strictness, ids, times, names that moved.

Not here: any noun of the product. The models of this package are the only
description of data; `openapi.json`, the TypeScript types and the property forms
come from them (`server.openapi`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticKnownError

from ..errors import InvalidRequest

MAX_PROMPT_BYTES = 1024 * 1024
"""Longest prompt, in bytes of UTF-8."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
"""Id of a subagent, hook or MCP server inside one project."""


def _stripped(text: str) -> str:
    if not (stripped := text.strip()):
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    return stripped


# Measured as it was sent, as the published schema says it; pydantic strips first.
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_stripped)]
"""What a person calls a thing: 1 to 200 characters, without blanks around it."""


def _within_prompt_bytes(text: str) -> str:
    if len(text) > MAX_PROMPT_BYTES // 4 and len(text.encode()) > MAX_PROMPT_BYTES:
        raise ValueError("a prompt holds at most 1 MB; put long material into a project file instead")
    return text


Prompt = Annotated[str, AfterValidator(_within_prompt_bytes)]
"""Text for a model, at most 1 MB; takes `{{variables}}`."""

Timestamp = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"),
    Field(examples=["2026-11-22T08:00:00.000Z"]),
]
"""RFC 3339 in UTC with milliseconds."""

_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+ -]\d\d(:?\d\d)?)?", re.ASCII
)


def _moment(text: object) -> object:
    """`text` as `timestamp` writes it; raises ValueError where it is no moment."""
    if not isinstance(text, str):
        return text
    found = _MOMENT.fullmatch(text)
    if found is not None and found[3] is None:
        raise ValueError(f"a time needs its zone, for example a Z at its end: {text}Z")
    try:
        if found is None:
            raise ValueError
        # A `+` that was not escaped in an address comes as a blank.
        digits = text[: found.start(3)].replace(",", ".")
        return timestamp(datetime.fromisoformat(digits.upper() + found[3].upper().replace(" ", "+")))
    except (ValueError, OverflowError):
        example = "2026-11-22T08:00:00Z or 2026-11-22T09:00+01:00"
        raise ValueError(f"a time in ISO 8601, such as {example}") from None


Moment = Annotated[
    str,
    BeforeValidator(_moment),
    Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-22T08:00:00Z"]),
]
"""A time as callers may write it: ISO 8601 with its zone, to the minute or finer. Kept as a `Timestamp`."""

JsonObject = dict[str, Any]


def timestamp(moment: datetime | None = None) -> str:
    """`moment` (now, if None) as the contract writes times: `2026-11-22T08:00:00.000Z`."""
    moment = (moment or datetime.now(UTC)).astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


class Model(BaseModel):
    """A model of the contract: unknown fields are refused.

    The docstring under a field is its help text. It reaches `openapi.json` by
    `server.field_docs`: pydantic's own way would read the source of every class at every start.
    """

    model_config = ConfigDict(extra="forbid", validate_default=False, defer_build=True)

    @classmethod
    def plain(cls) -> Self:
        """With all its defaults, as a field's default: `cls()` would build its validators at every start."""
        made: Self = cls.model_construct()  # type: ignore[assignment]
        return made


Item = TypeVar("Item")


class Page(Model, Generic[Item]):
    """One page of a list. Ask again with `cursor=next_cursor` until it is null."""

    items: list[Item]
    next_cursor: str | None = None


# Spellings of the first design and of neighbouring products, with what stands in their place.
_MOVED = {
    "temperature": "the model service refuses `temperature`; set `agent.effort` instead",
    "top_p": "the model service refuses `top_p`; set `agent.effort` instead",
    "top_k": "the model service refuses `top_k`; set `agent.effort` instead",
    "maxCost": "use `max_cost_usd`",
    "max_cost": "use `max_cost_usd`",
    "cost": "use `total_cost_usd`",
    "timeout": "use `timeout_s`",
    "instructions": "use `system_prompt`",
    "input": "use `prompt`",
}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def advice(name: str) -> str:
    """What is said of a field that does not exist: what stands in its place, where something does."""
    if name in _MOVED:
        return f"unknown field: {_MOVED[name]}"
    if (snake := _snake(name)) != name:
        return f"unknown field: names are snake_case here, did you mean `{snake}`?"
    return "unknown field"


class FieldError(Model):
    """One reason why a request was refused."""

    path: str
    """Dotted path of the field, e.g. `agent.max_tokens`."""
    message: str
    """What is wrong with it."""


def field_errors(error: ValidationError) -> list[FieldError]:
    """Pydantic's complaints as the contract lists them, old spellings answered with the new name."""
    found = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = ".".join(str(part) for part in item["loc"])
        message = advice(str(item["loc"][-1])) if item["type"] == "extra_forbidden" else item["msg"]
        found.append(FieldError(path=path, message=message.removeprefix("Value error, ")))
    return found


def invalid_request(error: ValidationError, what: str = "The request") -> InvalidRequest:
    """`error` as the 400 that names each field."""
    fields = field_errors(error)
    first = f"{fields[0].path}: {fields[0].message}" if fields[0].path else fields[0].message
    more = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    return InvalidRequest(f"{what} is not valid. {first}{more}.", fields=[f.model_dump() for f in fields])


def unique(values: Iterable[str]) -> bool:
    """Whether no value stands twice."""
    seen = list(values)
    return len(set(seen)) == len(seen)


Severity = Literal["error", "warning", "info"]
