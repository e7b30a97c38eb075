"""One execution as the ledger keeps it: its row, what it spent, what its tools did. Pure, but for SQL.

Not here: when it is written (`keeping`), and sums over many (`figures`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from ...schema.execution import ENDED, ExecutionState, Spec
from ..account import Account

if TYPE_CHECKING:
    import sqlite3

Gone = Literal["expired", "deleted"]
"""Why an execution has no files any more."""

_COLUMNS = (
    "id", "project_id", "project_name", "status", "free", "batch", "idempotent", "created", "started",
    "ended", "duration_ms", "waited", "last_event_id", "gone", "state",
)  # fmt: skip
_CHANGING = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[1:])
# An older look at the same log never stands over a newer one: several servers may write.
_PUT = (
    f"INSERT INTO executions ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {_CHANGING} WHERE excluded.last_event_id >= last_event_id"
)


@dataclass(frozen=True)
class Entry:
    """Everything about one execution."""

    row: dict[str, Any]
    spent: list[list[Any]]
    """Rows of `spent`, without the execution."""
    tools: list[list[Any]]

    @property
    def id(self) -> str:
        return str(self.row["id"])

    def to_json(self) -> bytes:
        """One line, without its end."""
        return json.dumps({"row": self.row, "spent": self.spent, "tools": self.tools}).encode()

    @classmethod
    def from_json(cls, line: bytes) -> Entry:
        """Raises ValueError and its kin for what is no entry."""
        found = json.loads(line)
        row = {name: found["row"][name] for name in _COLUMNS}
        return cls(row, found["spent"], found["tools"])


def entry_of(state: ExecutionState, account: Account, spec: Spec, gone: Gone | None = None) -> Entry:
    """How it stands at this moment."""
    free = state.simulated or state.replay is not None
    row = {
        "id": state.execution_id,
        "project_id": state.project_id,
        "project_name": state.project_name,
        "status": state.status,
        "free": int(free),
        "batch": spec.batch.id if spec.batch else None,
        "idempotent": int(spec.idempotency_key is not None),
        "created": _seconds(state.created_at),
        "started": _seconds(state.started_at),
        "ended": _seconds(state.ended_at) if state.status in ENDED else None,
        "duration_ms": state.duration_ms,
        "waited": int(account.waited),
        "last_event_id": state.last_event_id,
        "gone": gone,
        "state": _summary(state),
    }
    # What a simulation says that it would have cost was never spent.
    spent = [
        [*place, 0.0 if free else cost, turns, 0 if free else unpriced, *tokens]
        for place, (cost, turns, unpriced, *tokens) in account.spent.items()
    ]
    tools = [[*place, *numbers] for place, numbers in account.tools.items()]
    return Entry(row, spent, tools)


def _summary(state: ExecutionState) -> str:
    """The state without what was answered or said: a row outlives the files, so it holds no content."""
    error = state.error.model_copy(update={"details": {}}) if state.error else None
    slim = state.model_copy(
        update={
            "result": None, "approvals": [], "metadata": {}, "current_step": None, "cancelling": False,
            "error": error, "files": 0,
        }
    )  # fmt: skip
    return slim.model_dump_json(exclude_defaults=True)


def expired_state(text: str) -> ExecutionState:
    """What GET shows of one that has expired."""
    state = ExecutionState.model_validate_json(text)
    state.expired, state.pinned = True, False
    return state


def _seconds(moment: str | None) -> float | None:
    return None if moment is None else datetime.fromisoformat(moment).timestamp()


def put(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Write `entries`, each unless the ledger knows more of it already."""
    for entry in entries:
        cursor = connection.execute(_PUT, [entry.row[name] for name in _COLUMNS])
        if cursor.rowcount == 0:
            continue
        for table, rows in (("spent", entry.spent), ("tools", entry.tools)):
            connection.execute(f"DELETE FROM {table} WHERE execution_id = ?", (entry.id,))  # noqa: S608
            _insert(connection, table, entry.id, rows)


def _insert(
    connection: sqlite3.Connection, table: str, execution_id: str, rows: Sequence[Sequence[Any]]
) -> None:
    if rows:
        marks = ", ".join("?" * (len(rows[0]) + 1))
        connection.executemany(
            f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608
            ([execution_id, *row] for row in rows),
        )


def mark(connection: sqlite3.Connection, ids: Iterable[str], gone: Gone) -> None:
    """Say of each that its files are gone, unless it is said already, with a reason that may be another."""
    connection.executemany(
        "UPDATE executions SET gone = ? WHERE id = ? AND gone IS NULL", [(gone, each) for each in ids]
    )


def load(connection: sqlite3.Connection, execution_id: str) -> Entry | None:
    """The entry as it stands, or None."""
    found = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM executions WHERE id = ?",  # noqa: S608
        (execution_id,),
    ).fetchone()
    if found is None:
        return None
    spent, tools = (
        [
            list(row[1:])
            for row in connection.execute(
                f"SELECT * FROM {table} WHERE execution_id = ?",  # noqa: S608
                (execution_id,),
            )
        ]
        for table in ("spent", "tools")
    )
    return Entry(dict(zip(_COLUMNS, found, strict=True)), spent, tools)
