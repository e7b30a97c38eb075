"""Seeing a run stop that was asked to: first it may by itself, then its processes are ended for it.

Every part has its seconds, so that a cancel, and the end of a server, are over in time whatever
hangs. Not here: who asks (`live`, `scheduler`), and how it is written down (`worker`).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from ..engine.job import Outcome
from ..engine.tools.processes import HURRIED_S, end_all
from ..failpoints import failpoint
from .live import Live

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long a run that is to stop may take, in seconds; the parts follow one another."""

    polite_s: float
    """To end by itself, before its processes are ended for it."""
    term_s: float
    """That those may take over it."""
    forced_s: float
    """Until the run is given up."""


_PATIENCE = {
    "cancelled": Patience(3.0, 0.5, 1.0),  # a cancel must be over within 5
    "interrupted": Patience(2.0, HURRIED_S, 0.7),  # the server ends, and has a grace behind it already
}


async def finished(run: asyncio.Task[Outcome], live: Live) -> None:
    """Return when `run` is done, or has been given up after it was asked to stop."""
    asked = asyncio.create_task(live.stop_asked.wait())
    try:
        await asyncio.wait({run, asked}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
    if run.done():
        return
    assert live.stop is not None
    patience = _PATIENCE[live.stop.ending]
    run.cancel()
    failpoint("cancel.delivered")
    await asyncio.wait({run}, timeout=patience.polite_s)
    if run.done():
        return
    _log.warning("Execution %s does not stop by itself; ending its processes", live.id)
    await _end_processes(live.id, patience.term_s)
    run.cancel()
    await asyncio.wait({run}, timeout=patience.forced_s)
    if not run.done():
        live.given_up = True
        _log.error("Execution %s did not stop; it is given up, its processes are gone", live.id)
        run.add_done_callback(_swallow)


async def torn_down(run: asyncio.Task[Outcome], live: Live) -> None:
    """End `run` while whoever waits for it is being torn down itself: leave nothing behind."""
    patience = _PATIENCE["interrupted"]
    run.cancel()
    await asyncio.wait({run}, timeout=patience.forced_s)
    await _end_processes(live.id, patience.term_s)


def _swallow(run: asyncio.Task[Outcome]) -> None:
    if not run.cancelled():
        run.exception()


async def _end_processes(execution_id: str, term_s: float) -> None:
    try:
        await end_all(execution_id, grace_s=term_s)
    except OSError as error:
        _log.error("Processes of execution %s could not all be ended: %s", execution_id, error)
