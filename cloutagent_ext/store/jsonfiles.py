"""JSON files that people read and edit: strict when read, stable when written, unknown fields kept.

Not here: what the fields mean (`store.layout`) and how bytes reach the disk (`cloutagent_ext.durable`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from ..errors import UnreadableFile
from ..schema.base import JsonObject, field_errors

MAX_BYTES = 16 * 1024 * 1024
"""Largest definition file that is read; the largest honest one (a 1 MB prompt, escaped) is far smaller."""
MAX_DEPTH = 64
"""Deepest nesting, as in requests."""


def unreadable(file: str, reason: str, line: int | None = None) -> UnreadableFile:
    """The error for a definition file: names it, its line and what to mend."""
    where = f"{file}, line {line}" if line else file
    return UnreadableFile(
        f"{where}: {reason}. The project is read-only until this file is mended.",
        file=file,
        line=line,
        reason=reason,
    )


def load_text(file: str, data: bytes) -> str:
    """`data` as UTF-8 text (a byte-order mark is dropped); raises `UnreadableFile` with the line."""
    if len(data) > MAX_BYTES:
        raise unreadable(file, f"larger than {MAX_BYTES // 1024 // 1024} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise unreadable(file, "not valid UTF-8 text", line) from None


def load_object(file: str, data: bytes) -> JsonObject:
    """`data` as one JSON object; raises `UnreadableFile` with the line.

    Refused beyond broken JSON: a name twice in one object (one of the values would be lost at the
    next save), NaN and Infinity, nesting deeper than `MAX_DEPTH`.
    """
    text = load_text(file, data)
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise unreadable(file, f"not valid JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise unreadable(file, f"nested deeper than {MAX_DEPTH} levels") from None
    except _Refused as error:
        raise unreadable(file, error.reason, line_of(text, error.names)) from None
    except ValueError as error:
        raise unreadable(file, f"not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise unreadable(file, "holds no JSON object, which starts with {", 1)
    if _too_deep(value):
        raise unreadable(file, f"nested deeper than {MAX_DEPTH} levels")
    return value


class _Refused(Exception):
    def __init__(self, reason: str, *names: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.names = names


def _once(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _Refused(f"`{name[:80]}` stands twice in one object", name, name)
            seen.add(name)
    return found


def _no_constant(name: str) -> None:
    raise _Refused(f"{name} is not a JSON number")


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (
                outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ()
            )
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def line_of(text: str, names: Iterable[object]) -> int | None:
    """Line on which the field with the path `names` stands in `text`, by looking for each name in turn."""
    position = found = -1
    for name in names:
        if (
            isinstance(name, str)
            and (hit := text.find(json.dumps(name, ensure_ascii=False), position + 1)) >= 0
        ):
            position = found = hit
    return None if found < 0 else text.count("\n", 0, found) + 1


def invalid(file: str, data: bytes, error: ValidationError, at: tuple[str, ...] = ()) -> UnreadableFile:
    """A file that does not fit the schema, as the error that names field and line.

    `at`: where in the file the checked object stands.
    """
    first = field_errors(error)[0]
    line = line_of(load_text(file, data), (*at, *error.errors(include_input=False)[0]["loc"]))
    return unreadable(file, f"{first.path}: {first.message}" if first.path else first.message, line)


def dump(value: Any) -> bytes:
    """`value` as people keep it under git: indented, names sorted, a final newline, letters unescaped."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate in a field that is not ours
        return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def canonical(value: Any) -> bytes:
    """`value` as bytes that are equal when the values are: for digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def keep_unknown(new: Any, known: Any, raw: Any) -> Any:
    """`new`, with those fields of `raw` that were not understood when it was read.

    `raw` is what lies on disk, `known` what of it was understood. Items of lists are paired by
    their `id` or `path`; without one, they are new.
    """
    if isinstance(new, dict) and isinstance(known, dict) and isinstance(raw, dict):
        merged = {name: keep_unknown(value, known.get(name), raw.get(name)) for name, value in new.items()}
        return merged | {name: raw[name] for name in raw.keys() - known.keys() - new.keys()}
    if isinstance(new, list) and isinstance(known, list) and isinstance(raw, list):
        old_known, old_raw = _by_identity(known), _by_identity(raw)
        return [keep_unknown(item, old_known.get(key := _identity(item)), old_raw.get(key)) for item in new]
    return new


def _identity(item: Any) -> object:
    if not isinstance(item, dict):
        return None
    key = item.get("id", item.get("path"))
    return key if isinstance(key, str) else None


def _by_identity(items: list[Any]) -> dict[object, Any]:
    return {key: item for item in items if (key := _identity(item)) is not None}
