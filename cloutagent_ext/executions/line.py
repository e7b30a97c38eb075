"""Who waits, and who starts next. Pure: no clock, no files, no tasks.

Within a project: first come, first served, those started by a person in Jupyter before
those from API keys; who has waited `AGE_S` seconds counts as a person, so that nobody
starves. One that comes back from waiting for a person goes before all others. Between
projects: the one with the fewest running goes first, then the one whose last turn is longest ago, then
whoever has waited longest.
Not here: what waiting and starting write (`scheduler`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

AGAIN = -1
"""Priority of one that has run and waits for its slot again."""
AGE_S = 60.0
"""Seconds of waiting after which a call with a key is treated like a person's."""


@dataclass(frozen=True)
class Place:
    """One that waits."""

    execution_id: str
    project_id: str
    priority: int
    """0 before 1; `AGAIN` before both."""
    since: float
    """When it began to wait: monotonic seconds."""
    deadline: float
    """When it has waited too long."""
    number: int
    """Order of arrival."""

    def rank(self, now: float) -> tuple[int, int]:
        return (min(self.priority, 0) if now - self.since >= AGE_S else self.priority, self.number)


class Line:
    """All that wait in this process."""

    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._arrivals = 0
        self._turns: dict[str, int] = {}
        """Project -> when it last had a turn, in turns."""
        self._turn = 0

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._places

    def add(
        self, execution_id: str, project_id: str, *, priority: int, now: float, patience_s: float
    ) -> None:
        """Join; `patience_s` is how long it may wait."""
        self._arrivals += 1
        self._places[execution_id] = Place(
            execution_id, project_id, priority, now, now + patience_s, self._arrivals
        )

    def remove(self, execution_id: str) -> None:
        """Leave; nothing happens to one that does not wait."""
        self._places.pop(execution_id, None)

    def served(self, project_id: str) -> None:
        """One of the project has started."""
        self._turn += 1
        self._turns[project_id] = self._turn

    def waiting(self, project_id: str) -> int:
        """How many of the project wait."""
        return sum(place.project_id == project_id for place in self._places.values())

    def order(self, project_id: str, now: float) -> list[str]:
        """Those of the project that wait, in the order they will start."""
        places = [place for place in self._places.values() if place.project_id == project_id]
        return [place.execution_id for place in sorted(places, key=lambda place: place.rank(now))]

    def next(self, now: float, running: Counter[str], limit: Callable[[str], int]) -> str | None:
        """Who starts next, or None when nobody may. `limit(execution)`: most of its project at once."""
        heads = [
            (
                place.priority != AGAIN,
                running[project],
                self._turns.get(project, 0),
                place.since,
                place.number,
                place.execution_id,
            )
            for project, place in self._heads(now)
            if running[project] < limit(place.execution_id)
        ]
        return min(heads)[-1] if heads else None

    def overdue(self, now: float) -> list[str]:
        """Those that have waited too long."""
        return [place.execution_id for place in self._places.values() if place.deadline <= now]

    def next_change(self, now: float) -> float | None:
        """When time alone will next change something: somebody runs out of patience, or ages. None: never."""
        moments = [place.deadline for place in self._places.values() if place.deadline < math.inf]
        moments += [
            place.since + AGE_S
            for place in self._places.values()
            if place.priority > 0 and place.since + AGE_S > now
        ]
        return min(moments, default=None)

    def projects(self) -> set[str]:
        return {place.project_id for place in self._places.values()}

    def _heads(self, now: float) -> Iterator[tuple[str, Place]]:
        heads: dict[str, Place] = {}
        for place in self._places.values():
            best = heads.get(place.project_id)
            if best is None or place.rank(now) < best.rank(now):
                heads[place.project_id] = place
        yield from heads.items()
