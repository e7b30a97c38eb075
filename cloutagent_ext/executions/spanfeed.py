"""Spans of this process's executions for whoever collects them, sent when they have ended.

An observer, made only where a collector is set. Not here: the fold (`trace`), the sending (`telemetry`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from . import traces
from .observers import ENDED_AS, Event
from .trace import TraceFold, trace_id

if TYPE_CHECKING:
    from ..telemetry.facade import Telemetry
    from .live import Live

_log = logging.getLogger("cloutagent.executions")


class SpanFeed:
    """Sends each span on when it has ended.

    An execution that goes on here after another server had it is folded from the beginning of its log;
    only what ends from now on is sent, under the same ids.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._folds: dict[str, TraceFold] = {}
        self._late: dict[str, list[Event]] = {}
        """Events of those whose earlier ones are being read."""
        self._reading: set[asyncio.Task[None]] = set()

    def saw(self, live: Live, event: Event) -> None:
        if (late := self._late.get(live.id)) is not None:
            late.append(event)
            return
        fold = self._folds.get(live.id)
        if fold is None:
            if event["id"] > 1:
                self._late[live.id] = [event]
                task = asyncio.create_task(self._catch_up(live), name=f"spans of {live.id}")
                self._reading.add(task)
                task.add_done_callback(self._reading.discard)
                return
            fold = self._folds[live.id] = TraceFold(live.spec, keep=False)
        self._take(live, fold, event)

    def _take(self, live: Live, fold: TraceFold, event: Event) -> None:
        if ended := fold.apply(event):
            self._telemetry.spans(trace_id(live.id), ended)
        if event["type"] in ENDED_AS or event["type"] == "interrupted":
            self._folds.pop(live.id, None)

    async def _catch_up(self, live: Live) -> None:
        late = self._late[live.id]
        try:
            fold = await traces.folded(live.spec, live.log, keep=False, until=late[0]["id"])
            self._folds[live.id] = fold
            for event in late:  # grows while nothing is awaited no more
                self._take(live, fold, event)
        except Exception as error:  # a log that cannot be read: its execution says so itself
            _log.warning("Spans of execution %s are not sent: %s", live.id, error)
        finally:
            del self._late[live.id]

    async def close(self) -> None:
        """Wait for those that are being read."""
        await asyncio.gather(*self._reading, return_exceptions=True)
