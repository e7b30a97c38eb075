"""Executions and events as pandas DataFrames, a row each, with real types.

Times are UTC timestamps, counts are nullable integers, names are categories or strings: nothing
has to be converted before it can be grouped, joined or drawn. Not here: asking the server
(`runs`, `projects`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .optional import need

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

_MOMENT = "datetime64[ms, UTC]"

EXECUTIONS: dict[str, str] = {
    "execution_id": "string", "project_id": "category", "project_name": "category", "status": "category",
    "version": "Int64", "model": "category", "origin": "category", "simulated": "boolean",
    "replay": "string", "resumed_from": "string", "forked_from": "string", "continued_from": "string",
    "created_at": _MOMENT, "started_at": _MOMENT, "ended_at": _MOMENT,
    "duration_s": "float64", "turns": "Int64",
    "input_tokens": "Int64", "output_tokens": "Int64",
    "cache_read_input_tokens": "Int64", "cache_creation_input_tokens": "Int64",
    "total_cost_usd": "float64", "percent_of_cost": "float64", "percent_of_tokens": "float64",
    "percent_of_time": "float64",
    "files": "Int64", "last_event_id": "Int64",
    "error_code": "category", "error_message": "string", "text": "string",
    "data": "object", "metadata": "object",
}  # fmt: skip
"""Columns of `executions_df` and their types. `total_cost_usd` is NaN where a price is unknown."""

EVENTS: dict[str, str] = {
    "id": "int64", "ts": _MOMENT, "type": "category", "agent": "category", "span": "string",
    "turn": "Int64", "call_id": "string", "tool": "category", "content": "string", "is_error": "boolean",
    "duration_ms": "Int64", "turn_cost_usd": "float64", "total_cost_usd": "float64",
    "input_tokens": "Int64", "output_tokens": "Int64",
    "cache_read_input_tokens": "Int64", "cache_creation_input_tokens": "Int64",
    "event": "object",
}  # fmt: skip
"""Columns of `events_df` and their types. Tokens are those of the event's own turn; `event` is all of it."""

_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def executions_frame(states: Iterable[Row]) -> pd.DataFrame:
    """States, as GET shows them, a row each."""
    return _frame([_of_state(state) for state in states], EXECUTIONS, "A table of executions")


def events_frame(events: Iterable[Row]) -> pd.DataFrame:
    """Events, as the log holds them, a row each."""
    return _frame([_of_event(event) for event in events], EVENTS, "A table of events")


def _of_state(state: Row) -> dict[str, Any]:
    row = {name: state.get(name) for name in EXECUTIONS}
    usage, percent = state.get("usage") or {}, state.get("percent_of_limit") or {}
    error, result, ran = state.get("error") or {}, state.get("result") or {}, state.get("duration_ms")
    row |= {name: usage.get(name) for name in _TOKENS}
    row |= {f"percent_of_{name}": percent.get(name) for name in ("cost", "tokens", "time")}
    row |= {"error_code": error.get("code"), "error_message": error.get("message")}
    row |= {"text": result.get("text"), "data": result.get("data")}
    row["duration_s"] = None if ran is None else ran / 1000
    return row


def _of_event(event: Row) -> dict[str, Any]:
    row = {name: event.get(name) for name in EVENTS}
    usage = event.get("turn_usage") or {}
    row |= {name: usage.get(name) for name in _TOKENS}
    row["turn"] = _turn(event.get("span") or "")
    row["content"] = _content(event)
    row["event"] = event
    return row


def _turn(span: str) -> int | None:
    """Number of the innermost turn: in `main/2/<call>` it is 2."""
    for part in reversed(span.split("/")):
        if part.isdecimal():
            return int(part)
    return None


def _content(event: Row) -> str | None:
    """What a person would read of it: text, a message, what a tool gave back."""
    kind = event.get("type")
    if kind == "tool_result":
        return "\n".join(part["text"] for part in event.get("output") or [] if part.get("type") == "text")
    if kind == "complete":
        return (event.get("result") or {}).get("text")
    found = event.get("content") or event.get("message") or event.get("prompt") or event.get("result")
    return found if isinstance(found, str) else None


def _frame(rows: list[dict[str, Any]], columns: Mapping[str, str], what: str) -> pd.DataFrame:
    pandas = need("pandas", what)
    made = {}
    for name, kind in columns.items():
        values = [row[name] for row in rows]
        if kind == _MOMENT:
            # One format for all of them: parsing is many times faster than guessing for each.
            moments = pandas.to_datetime(pandas.Series(values, dtype="object"), utc=True, format="ISO8601")
            made[name] = moments.astype(kind)
        else:
            made[name] = pandas.Series(values, dtype=kind)
    return pandas.DataFrame(made)
