"""Anything as one line of JSON: never throws, never breaks a line, never loses an odd character.

`ensure_ascii` writes lone surrogates, NUL and U+2028 as escapes, so that what a tool or
a model gave can neither split a record nor fail to be written. Not here: which fields.
"""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic import BaseModel

_MAX_DEPTH = 64
"""Deepest nesting kept; deeper (or circular) values become their text."""


def line(record: dict[str, Any]) -> bytes:
    """`record` as JSON and a newline. NaN and infinities become null, unknown types their text."""
    try:
        text = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_known)
    except (ValueError, TypeError, RecursionError):
        text = json.dumps(_plain(record, 0), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.encode("ascii") + b"\n"


def _known(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="python")
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


def _plain(value: Any, depth: int) -> Any:
    """The slow path: the same value with everything replaced that JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if depth >= _MAX_DEPTH:
        return "(nested too deeply)"
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return _plain(_known(value), depth + 1)
