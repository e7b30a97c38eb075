"""Values of the notebook that agents work with by name: tables stay here, their names go to the model.

A table is known to the model by a handle (`df#1`, or a name of yours), its columns with their types,
and a few of its rows; the rest never leaves the kernel. What a tool gives back becomes such a
value too. Not here: which functions are tools (`kernel_tools`).
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import NotFound

SAMPLE_ROWS = 5
LONGEST_CELL = 60
"""Characters of one cell of a sample."""
MOST_COLUMNS = 60
"""Columns that are described; a wider table says how many more there are."""
_PREFIX = {"DataFrame": "df", "Series": "series", "ndarray": "array"}
TABLES = tuple(_PREFIX)
"""Names of the types that travel by handle."""


def kind_of(value: Any) -> str | None:
    """The name of its type where it travels by handle."""
    for kind in type(value).__mro__:
        if kind.__name__ in _PREFIX and kind.__module__.partition(".")[0] in ("pandas", "numpy"):
            return kind.__name__
    return None


class Handle(str):
    """A value's name together with its card: text for a prompt (`f"Study {handle}"`)."""

    name: str

    def __new__(cls, name: str, card: str) -> Handle:
        made = super().__new__(cls, card)
        made.name = name
        return made

    def __repr__(self) -> str:
        return f"<Handle {self.name!r}>"


class Values(Mapping[str, Any]):
    """The values by their handles. `values["df#1"]` is the table itself."""

    def __init__(self, sample_rows: int = SAMPLE_ROWS, beneath: Values | None = None) -> None:
        self._values: dict[str, Any] = {}
        self._made: set[str] = set()
        self._beneath = beneath
        self.sample_rows = sample_rows
        """Rows of a table that the model sees; 0 for none."""

    def room(self) -> Values:
        """A room over these: it sees what was shared here, not what tools made, and nobody sees into it."""
        return Values(self.sample_rows, self)

    def _all(self) -> dict[str, Any]:
        """A copy: another thread may put one in meanwhile."""
        return {**(self._beneath._shared() if self._beneath is not None else {}), **self._values}

    def _shared(self) -> dict[str, Any]:
        return {name: value for name, value in self._all().items() if name not in self._made}

    def __getitem__(self, handle: str) -> Any:
        known = self._all()
        if handle not in known:
            there = ", ".join(known) or "none yet"
            raise NotFound(f"There is no value with the handle {handle!r}. There are: {there}.")
        return known[handle]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"<Values {', '.join(self) or 'none yet'}>"

    def put(self, value: Any, name: str | None = None, *, made: bool = False) -> Handle:
        """Keep it under `name`, or under a handle made up; the same value keeps its handle.

        `made`: by a tool.
        """
        known = self._all()
        if name is None:
            name = next((handle for handle, each in known.items() if each is value), None)
        if name is None:
            name = _next(_PREFIX.get(kind_of(value) or "", "value"), known)
        if name not in known or known[name] is not value:
            self._values[name] = value
            if made:
                self._made.add(name)
        if not made:
            self._made.discard(name)
        return Handle(name, card(name, value, self.sample_rows))

    def told(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Tables among `values` are kept here; in their place stand their handles, columns and first rows."""
        return {name: str(self.put(value)) if kind_of(value) else value for name, value in values.items()}


def _next(prefix: str, known: Mapping[str, Any]) -> str:
    number = 1
    while f"{prefix}#{number}" in known:
        number += 1
    return f"{prefix}#{number}"


def card(name: str, value: Any, sample_rows: int = SAMPLE_ROWS) -> str:
    """What the model is told of it: handle, size, columns with types, a few rows."""
    kind = kind_of(value)
    if kind == "DataFrame":
        rows, columns = value.shape
        lines = [f"`{name}`: a DataFrame of {rows:,} rows and {columns:,} columns."]
        for column in value.columns[:MOST_COLUMNS]:
            series = value[column]
            missing = int(series.isna().sum()) if getattr(series, "ndim", 1) == 1 else 0
            note = f", {missing:,} missing" if missing else ""
            lines.append(f"- {_cut(column)}: {getattr(series, 'dtype', '')}{note}")
        if columns > MOST_COLUMNS:
            lines.append(f"- and {columns - MOST_COLUMNS:,} more columns")
        if sample_rows and rows:
            shown = value.iloc[:sample_rows, :MOST_COLUMNS]
            lines.append(f"Its first {len(shown)} rows, as CSV:")
            lines.append(shown.map(_cut).to_csv(index=False).rstrip("\n"))
        return "\n".join(lines)
    if kind == "Series":
        head = f"`{name}`: a Series of {len(value):,} values, {value.dtype}."
        sample = ", ".join(f"{_cut(label)}: {_cut(each)}" for label, each in value.head(sample_rows).items())
        return f"{head} First: {sample}" if sample else head
    if kind == "ndarray":
        sample = ", ".join(_cut(each) for each in value.ravel()[:sample_rows])
        head = f"`{name}`: an array of shape {value.shape}, {value.dtype}."
        return f"{head} First: {sample}" if sample else head
    return f"`{name}`: {type(value).__name__}"


def _cut(value: Any) -> str:
    text = str(value).replace("\n", " ")
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def bundles(value: Any, values: Values) -> list[dict[str, Any]]:
    """What a tool gave, as mime bundles: text and pictures, tables by handle, the rest as JSON."""
    if value is None:
        return []
    if isinstance(value, str):
        return [{"text/plain": str(value)}]
    if isinstance(value, tuple) and any(kind_of(each) or _picture(each) for each in value):
        return [bundle for each in value for bundle in bundles(each, values)]
    if kind_of(value) is not None:
        bundle: dict[str, Any] = {"text/plain": str(values.put(value, made=True))}
        if kind_of(value) == "DataFrame" and values.sample_rows:
            bundle["text/html"] = value.head(values.sample_rows).to_html(max_cols=MOST_COLUMNS)
        return [bundle]
    if (picture := _picture(value)) is not None:
        text = f"A picture ({type(value).__name__})."
        return [{"image/png": base64.b64encode(picture).decode(), "text/plain": text}]
    if isinstance(value, bytes):
        return [{"text/plain": f"{len(value):,} bytes, kept as {values.put(value, made=True).name}"}]
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    try:
        return [{"text/plain": json.dumps(value, ensure_ascii=False, default=_plain)}]
    except (TypeError, ValueError):
        return [{"text/plain": repr(value)}]


def _picture(value: Any) -> bytes | None:
    """A figure or picture as PNG, by its own means."""
    if hasattr(value, "savefig"):
        data = io.BytesIO()
        value.savefig(data, format="png", bbox_inches="tight")
        return data.getvalue()
    if callable(show := getattr(value, "_repr_png_", None)) and isinstance(found := show(), bytes):
        return found
    return None


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "size", 1) == 1 else str(value)
