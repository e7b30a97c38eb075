"""Sums over the ledger's rows in a window: what the dashboard draws. Blocking SQL, then plain arithmetic.

Money, tokens and calls count where they happened, executions where they were created.
Not here: what stands at this moment (`executions.metrics`).
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...schema.base import timestamp
from ...schema.execution import Usage
from ...schema.metrics import (
    AgentFigures,
    Bucket,
    CostBin,
    Counts,
    Durations,
    ModelFigures,
    ProjectFigures,
    ToolFigures,
    Window,
)
from ..account import SLOT_S, TOKENS

if TYPE_CHECKING:
    import sqlite3

_HOUR, _DAY = 3600, 86_400

WINDOWS: dict[Window, tuple[int, int]] = {
    "1h": (_HOUR, SLOT_S), "24h": (_DAY, _HOUR), "7d": (7 * _DAY, _DAY), "30d": (30 * _DAY, _DAY),
}  # fmt: skip
"""Seconds of each window and of its buckets."""

_EDGES: tuple[float, ...] = (0.0, 0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
"""Dollars at which the bins of the histogram begin."""
_SOME = 50
"""Most rows of a table of figures: the dearest, or most used."""

_MONEY = "SUM(s.cost), SUM(s.turns), " + ", ".join(f"SUM(s.{name})" for name in TOKENS)


@dataclass(frozen=True)
class Asked:
    """Which executions, and when."""

    window: Window
    now: float
    project: str | None
    free: bool
    """Those that cost nothing, instead of those that do."""
    offset_s: int
    """Seconds that the reader's clock is ahead of UTC."""

    @property
    def bucket_s(self) -> int:
        return WINDOWS[self.window][1]

    @property
    def since(self) -> int:
        """Where the first bucket begins: the window and what of its first bucket lies before it."""
        return self._floor(self.now - WINDOWS[self.window][0])

    def starts(self) -> range:
        """Where each bucket begins."""
        return range(self.since, math.ceil(self.now) + 1, self.bucket_s)

    def bucket(self, moment: float) -> int:
        """Which bucket `moment` is in."""
        return int(moment - self.since) // self.bucket_s

    def _floor(self, moment: float) -> int:
        return int((moment + self.offset_s) // self.bucket_s) * self.bucket_s - self.offset_s

    @property
    def where(self) -> tuple[str, list[Any]]:
        """Condition on `e` (executions) and its values."""
        return "e.free = ? AND (? IS NULL OR e.project_id = ?)", [int(self.free), self.project, self.project]


@dataclass(frozen=True)
class Figures:
    """All sums of one window."""

    executions: Counts
    simulated: Counts
    success_rate: float | None
    duration: Durations
    cost_usd: float
    unpriced_turns: int
    usage: Usage
    buckets: list[Bucket]
    by_project: list[ProjectFigures]
    by_model: list[ModelFigures]
    by_agent: list[AgentFigures]
    by_tool: list[ToolFigures]
    cost_histogram: list[CostBin]


def figures(connection: sqlite3.Connection, asked: Asked) -> Figures:
    """Everything of one window, from one moment's ledger."""
    connection.execute("BEGIN")
    names = _names(connection)
    created = _created(connection, asked)
    counts = _counts(row[1] for row in created)
    totals = _totals(connection, asked)
    finished = counts.completed + counts.failed
    return Figures(
        executions=counts,
        simulated=counts if asked.free else _simulated(connection, asked),
        success_rate=round(counts.completed / finished, 4) if finished else None,
        duration=_durations([row[2] for row in created if row[1] == "completed"]),
        cost_usd=_dollars(totals[0]),
        unpriced_turns=int(totals[-1] or 0),
        usage=_usage(totals[2:-1]),
        buckets=_buckets(connection, asked, created),
        by_project=_by_project(connection, asked, names),
        by_model=_by_model(connection, asked),
        by_agent=_by_agent(connection, asked, names),
        by_tool=_by_tool(connection, asked),
        cost_histogram=_histogram(connection, asked),
    )


def _names(connection: sqlite3.Connection) -> dict[str, str]:
    """Each project's newest name: ids of executions sort by time."""
    rows = connection.execute("SELECT project_id, project_name, MAX(id) FROM executions GROUP BY project_id")
    return {project: name for project, name, _ in rows}


def _created(connection: sqlite3.Connection, asked: Asked) -> list[tuple[float, str, int | None]]:
    """(created, status, duration) of the executions created in the window."""
    where, values = asked.where
    return connection.execute(
        f"SELECT e.created, e.status, e.duration_ms FROM executions e WHERE e.created >= ? AND {where}",  # noqa: S608
        [asked.since, *values],
    ).fetchall()


def _simulated(connection: sqlite3.Connection, asked: Asked) -> Counts:
    rows = connection.execute(
        "SELECT status FROM executions WHERE created >= ? AND free = 1 AND (? IS NULL OR project_id = ?)",
        (asked.since, asked.project, asked.project),
    )
    return _counts(status for (status,) in rows)


def _spent(
    connection: sqlite3.Connection, asked: Asked, columns: str, *, more: str = ""
) -> list[tuple[Any, ...]]:
    """Sums of money and tokens in the window, by `columns`."""
    where, values = asked.where
    group = f"GROUP BY {columns}" if columns else ""
    first = f"{columns}, " if columns else ""
    return connection.execute(
        f"SELECT {first}{_MONEY}{more} FROM spent s JOIN executions e ON e.id = s.execution_id "  # noqa: S608
        f"WHERE s.slot >= ? AND {where} {group}",
        [asked.since, *values],
    ).fetchall()


def _totals(connection: sqlite3.Connection, asked: Asked) -> tuple[Any, ...]:
    return _spent(connection, asked, "", more=", SUM(s.unpriced)")[0]


def _by_project(connection: sqlite3.Connection, asked: Asked, names: dict[str, str]) -> list[ProjectFigures]:
    where, values = asked.where
    begun = dict(
        connection.execute(
            f"SELECT e.project_id, COUNT(*) FROM executions e WHERE e.created >= ? AND {where} "  # noqa: S608
            "GROUP BY e.project_id",
            [asked.since, *values],
        ).fetchall()
    )
    spent = {row[0]: row[1:] for row in _spent(connection, asked, "e.project_id")}
    found = [
        ProjectFigures(
            project_id=project,
            project_name=names[project],
            executions=begun.get(project, 0),
            cost_usd=_dollars(money[0]),
            usage=_usage(money[2:]),
        )
        for project in begun.keys() | spent.keys()
        for money in [spent.get(project, (0.0, 0, 0, 0, 0, 0))]
    ]
    return sorted(found, key=lambda each: (-each.cost_usd, -each.executions, each.project_id))[:_SOME]


def _by_model(connection: sqlite3.Connection, asked: Asked) -> list[ModelFigures]:
    found = [
        ModelFigures(model=model, turns=turns, cost_usd=_dollars(cost), usage=_usage(tokens))
        for model, cost, turns, *tokens in _spent(connection, asked, "s.model")
    ]
    return sorted(found, key=lambda each: (-each.cost_usd, -each.turns, each.model))[:_SOME]


def _by_agent(connection: sqlite3.Connection, asked: Asked, names: dict[str, str]) -> list[AgentFigures]:
    found = [
        AgentFigures(
            agent=agent,
            project_id=project,
            project_name=names[project],
            turns=turns,
            cost_usd=_dollars(cost),
            usage=_usage(tokens),
        )
        for project, agent, cost, turns, *tokens in _spent(connection, asked, "e.project_id, s.agent")
    ]
    return sorted(found, key=lambda each: (-each.cost_usd, -each.turns, each.project_id, each.agent))[:_SOME]


def _by_tool(connection: sqlite3.Connection, asked: Asked) -> list[ToolFigures]:
    where, values = asked.where
    rows = connection.execute(
        "SELECT t.tool, t.source, SUM(t.calls), SUM(t.errors), SUM(t.duration_ms), SUM(t.returned) "  # noqa: S608
        f"FROM tools t JOIN executions e ON e.id = t.execution_id WHERE t.slot >= ? AND {where} "
        "GROUP BY t.tool, t.source",
        [asked.since, *values],
    )
    found = [
        ToolFigures(
            tool=tool,
            source=source,
            calls=calls,
            errors=errors,
            mean_ms=round(spent_ms / returned, 1) if returned else None,
        )
        for tool, source, calls, errors, spent_ms, returned in rows
    ]
    return sorted(found, key=lambda each: (-each.calls, each.tool, each.source))[:_SOME]


def _histogram(connection: sqlite3.Connection, asked: Asked) -> list[CostBin]:
    """What each execution that was created in the window, and has ended, cost in all."""
    where, values = asked.where
    rows = connection.execute(
        "SELECT COALESCE(SUM(s.cost), 0) FROM executions e LEFT JOIN spent s ON s.execution_id = e.id "  # noqa: S608
        f"WHERE e.created >= ? AND e.ended IS NOT NULL AND {where} GROUP BY e.id",
        [asked.since, *values],
    )
    numbers = [0] * len(_EDGES)
    for (cost,) in rows:
        numbers[max(place for place, edge in enumerate(_EDGES) if cost >= edge)] += 1
    ends = [*_EDGES[1:], None]
    return [
        CostBin(from_usd=edge, to_usd=end, executions=number)
        for edge, end, number in zip(_EDGES, ends, numbers, strict=True)
    ]


# ------------------------------------------------------------ over time


def _buckets(
    connection: sqlite3.Connection, asked: Asked, created: Sequence[tuple[float, str, int | None]]
) -> list[Bucket]:
    starts = asked.starts()
    statuses: defaultdict[int, list[str]] = defaultdict(list)
    durations: defaultdict[int, list[int | None]] = defaultdict(list)
    for moment, status, duration in created:
        place = asked.bucket(moment)
        statuses[place].append(status)
        if status == "completed":
            durations[place].append(duration)
    money: dict[int, Sequence[Any]] = {
        int(row[0]): row[1:]
        for row in _spent(connection, asked, f"(s.slot - {asked.since}) / {asked.bucket_s}")
    }
    waiting, running = _crowds(connection, asked, len(starts))
    return [
        Bucket(
            start=timestamp(datetime.fromtimestamp(start, UTC)),
            executions=_counts(statuses[place]),
            cost_usd=_dollars(money[place][0]) if place in money else 0.0,
            usage=_usage(money[place][2:]) if place in money else Usage(),
            duration=_durations(durations[place]),
            queue_length=waiting[place],
            running=running[place],
        )
        for place, start in enumerate(starts)
    ]


def _crowds(connection: sqlite3.Connection, asked: Asked, buckets: int) -> tuple[list[int], list[int]]:
    """For each bucket, how many waited for their turn and how many ran at most at one moment."""
    where, values = asked.where
    rows = connection.execute(
        "SELECT e.created, e.started, e.ended, e.waited FROM executions e "  # noqa: S608
        f"WHERE (e.ended IS NULL OR e.ended >= ?) AND {where}",
        [asked.since, *values],
    ).fetchall()
    waits = [
        (created, next((each for each in (started, ended) if each is not None), asked.now))
        for created, started, ended, waited in rows
        if waited
    ]
    runs = [
        (started, asked.now if ended is None else ended)
        for _, started, ended, _ in rows
        if started is not None
    ]
    return most_at_once(waits, asked, buckets), most_at_once(runs, asked, buckets)


def most_at_once(spans: Iterable[tuple[float, float]], asked: Asked, buckets: int) -> list[int]:
    """How many of `spans` overlapped at most, in each bucket."""
    changes: list[tuple[float, int]] = []
    for begin, end in spans:
        if end >= asked.since and end > begin:
            changes += [(max(begin, asked.since), 1), (end, -1)]
    most, now, place = [0] * buckets, 0, 0
    for moment, change in sorted(changes):
        while place < min(asked.bucket(moment), buckets - 1):
            place += 1
            most[place] = now  # those that go on from the bucket before
        now += change
        most[place] = max(most[place], now)
    for later in range(place + 1, buckets):
        most[later] = now
    return most


# ------------------------------------------------------------ arithmetic


def _counts(statuses: Iterable[str]) -> Counts:
    numbers: defaultdict[str, int] = defaultdict(int)
    for status in statuses:
        numbers[status] += 1
    return Counts(**numbers)


def _durations(found: Iterable[int | None]) -> Durations:
    ms = sorted(each for each in found if each is not None)
    if not ms:
        return Durations()
    return Durations(
        mean_ms=round(statistics.fmean(ms), 1), p50_ms=percentile(ms, 50), p95_ms=percentile(ms, 95)
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value below which `percent` of `ordered` lie, between neighbours in proportion."""
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return round(ordered[below] + (ordered[above] - ordered[below]) * (place - below), 1)


def _usage(tokens: Sequence[Any]) -> Usage:
    return Usage(**{name: int(number or 0) for name, number in zip(TOKENS, tokens, strict=True)})


def _dollars(cost: float | None) -> float:
    """Without the dust that sums of floats gather."""
    return round(cost or 0.0, 9)
