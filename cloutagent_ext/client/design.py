"""The design of an experiment: its rows, and the variants they are tried under, as they were given.

Not here: trials (`experiments`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InvalidRequest
from ..schema.project import PartialLimits
from .kernel_tools import Tool
from .values import kind_of

_PLACE = re.compile(r"\{\{\s*([A-Za-z_][\w-]*)\s*\}\}")


@dataclass(frozen=True)
class Variant:
    """What is different: any of these, in place of the project's own."""

    prompt: str | None = None
    """`{{column}}` stands for the row's value."""
    variables: Mapping[str, Any] | None = None
    """Before the row's columns of the same names."""
    model: str | None = None
    version: int | str | None = None
    tools: Iterable[Tool] | None = None
    """Functions of the notebook, in place of the experiment's; `()` for none."""
    limits: PartialLimits | Mapping[str, Any] | None = None


Variants = Mapping[str, Variant | Mapping[str, Any]]


def rows_of(rows: Any) -> dict[str, dict[str, Any]]:
    """Rows by their label: of a DataFrame its index, of a list the place."""
    if hasattr(rows, "to_dict") and hasattr(rows, "index"):
        labels = [str(label) for label in rows.index]
        records: list[dict[str, Any]] = rows.to_dict(orient="records")
        listed: Sequence[tuple[str, Mapping[str, Any]]] = list(zip(labels, records, strict=True))
    elif isinstance(rows, Mapping):
        listed = [(str(label), row) for label, row in rows.items()]
    else:
        listed = [(str(place), row) for place, row in enumerate(rows)]
    found = {label: {str(name): _scalar(value) for name, value in row.items()} for label, row in listed}
    if not found:
        raise InvalidRequest("An experiment needs at least one row.")
    if len(found) != len(listed):
        raise InvalidRequest("Two rows have the same label: give the DataFrame an index without repeats.")
    return found


def variants_of(variants: Variants | None) -> dict[str, Variant]:
    given = variants or {"as it is": Variant()}
    try:
        return {
            str(name): each if isinstance(each, Variant) else Variant(**each) for name, each in given.items()
        }
    except TypeError as error:
        raise InvalidRequest(
            "A variant has `prompt`, `variables`, `model`, `version`, `tools` and `limits`, each if it is "
            f"different: {error}."
        ) from None


def _scalar(value: Any) -> Any:
    """numpy's numbers as Python's; a missing value as None."""
    if kind_of(value) is not None:
        return value
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    missing = value is None or (isinstance(value, float) and value != value) or str(value) in ("<NA>", "NaT")
    return None if missing else value


def plain(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else str(value)


def filled(text: str, row: Mapping[str, Any]) -> str:
    """`text` with the row's values; places that are no column are the project's."""
    return _PLACE.sub(lambda place: str(row[place[1]]) if place[1] in row else place[0], text)
