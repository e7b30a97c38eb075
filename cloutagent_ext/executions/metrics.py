"""The metrics of executions: the ledger's sums, and what stands at this moment.

Not here: the sums (`ledger.figures`), and what only the server knows (streams).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from ..engine.ports import Clock
from ..errors import CloutError, NotFound
from ..loading import loaded
from ..schema.base import timestamp
from ..schema.execution import ExecutionState
from .disk import DiskUse
from .ledger import Ledger

if TYPE_CHECKING:
    import sqlite3

    from ..schema.metrics import Metrics
    from ..schema.query import MetricsQuery
    from .ledger.figures import Asked, Figures


class Metering:
    """Answers what the dashboard asks."""

    def __init__(
        self,
        ledger: Ledger,
        disk: DiskUse,
        clock: Clock,
        projects: Callable[[], Awaitable[list[str]]],
        state: Callable[[str], Awaitable[ExecutionState]],
    ) -> None:
        self._ledger = ledger
        self._disk = disk
        self._clock = clock
        self._projects = projects
        self._state = state

    async def metrics(self, query: MetricsQuery, *, streams: int, max_streams: int) -> Metrics:
        """Figures of a window. Raises NotFound for a project that never was, Unavailable."""
        await loaded("executions.ledger.figures")
        from ..schema.metrics import Metrics
        from .ledger.figures import Asked

        projects = await self._projects()
        asked = Asked(
            window=query.window,
            now=self._clock.time(),
            project=query.project,
            free=query.simulated,
            offset_s=query.utc_offset * 60,
        )
        found, unfinished, known = await self._ledger.read(partial(_look, asked=asked))
        if query.project is not None and query.project not in projects and not known:
            raise NotFound(f"There is no project {query.project!r}.")
        now = await self._now(unfinished)
        return Metrics(
            window=query.window,
            project=query.project,
            of_simulated=query.simulated,
            since=timestamp(datetime.fromtimestamp(asked.since, UTC)),
            until=timestamp(datetime.fromtimestamp(asked.now, UTC)),
            bucket_s=asked.bucket_s,
            complete=await self._ledger.complete(),
            projects=len(projects),
            running=now["running"],
            queue_length=now["queued"],
            active_streams=streams,
            max_streams=max_streams,
            disk=await self._disk.look(),
            **vars(found),
        )

    async def _now(self, unfinished: list[str]) -> Counter[str]:
        """Statuses of what had not ended when it was last written: the ledger may be a moment behind."""
        found: Counter[str] = Counter()
        for execution_id in unfinished:
            try:
                found[(await self._state(execution_id)).status] += 1
            except CloutError:
                continue  # deleted meanwhile, or unreadable
        return found


def _look(connection: sqlite3.Connection, *, asked: Asked) -> tuple[Figures, list[str], bool]:
    from .ledger.figures import figures

    sums = figures(connection, asked)
    unfinished = connection.execute(
        "SELECT id FROM executions WHERE ended IS NULL AND gone IS NULL AND (? IS NULL OR project_id = ?)",
        (asked.project, asked.project),
    ).fetchall()
    known = connection.execute(
        "SELECT 1 FROM executions WHERE project_id = ? LIMIT 1", (asked.project,)
    ).fetchone()
    return sums, [each for (each,) in unfinished], known is not None
