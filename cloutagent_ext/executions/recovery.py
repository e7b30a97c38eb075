"""After a start: what was left unfinished by a process that no longer lives, and its fate.

Found by the `owner` file, judged by whether the lock in it is free. One that waited is
taken over and waits again; one that ran is said to be interrupted, in its own log; one
that had ended before its last files were written gets them; one that was never answered
for is removed. Not here: the queue they come back to.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from ..engine.tools.processes import end_all
from ..errors import CloutError, NotFound
from ..schema.execution import ENDED, Spec
from . import records
from .fold import Folded
from .live import Live
from .log import EventLog
from .owner import Owner, unfinished

_log = logging.getLogger(__name__)

_HALF_MADE_S = 60.0
"""Age after which a folder without a first event counts as never accepted."""

Adopt = Callable[[Spec, Path, Owner, EventLog, Folded], Live]
"""Makes the owned execution; the service's, so that its changes are seen."""


async def orphans(found: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Those of (execution, folder) that have not ended, oldest first, whoever owns them."""

    def look() -> list[tuple[str, Path]]:
        return sorted((name, folder) for name, folder in found if unfinished(folder))

    return await asyncio.to_thread(look)


async def take_over(folder: Path, adopt: Adopt) -> Live | None:
    """The execution in `folder` if nobody owns it and it can still go somewhere; else None.

    Comes back `queued` (it will run), or `interrupted` (said so in its log already). One
    that cannot be read or written is named in the server's log and left as it is.
    """
    try:
        owner = await asyncio.to_thread(_take, folder)
        if owner is None:
            return None
        try:
            live, ended = await _judge(folder, owner, adopt)
        except BaseException:
            await asyncio.to_thread(owner.release, finished=False)
            raise
    except (CloutError, OSError) as error:
        _log.error("Execution %s cannot be taken over: %s", folder.name, error)
        return None
    if live is None:
        await asyncio.to_thread(owner.release, finished=ended)
    return live


async def _judge(folder: Path, owner: Owner, adopt: Adopt) -> tuple[Live | None, bool]:
    """What can go on, or None and whether nobody needs to look at it again."""
    try:
        spec = await asyncio.to_thread(records.read_spec, folder)
        log = await EventLog.open(folder)
    except (NotFound, FileNotFoundError):
        return None, await _forget_half_made(folder)
    if log.last_id == 0:
        await log.close()
        return None, await _forget_half_made(folder)
    try:
        state = await asyncio.to_thread(records.refold, folder)
        live = adopt(spec, folder, owner, log, state)
        if state.status in ENDED:
            await live.close(finished=True)
            return None, True
        if state.status != "queued":
            await end_all(spec.execution_id)
        if state.status in ("running", "waiting"):
            at = f" (at: {state.current_step})" if state.current_step else ""
            await live.emit("interrupted", why=f"the process that ran it ended without a word{at}")
            await live.log.sync()
        return live, False
    except BaseException:
        await log.close()
        raise


def _take(folder: Path) -> Owner | None:
    try:
        return Owner.take(folder)
    except FileNotFoundError:
        return None  # deleted meanwhile


async def _forget_half_made(folder: Path) -> bool:
    """Remove what nobody was told of, unless it may be in the making; whether it is gone."""

    def remove() -> bool:
        old = time.time() - folder.stat().st_mtime > _HALF_MADE_S
        if old:
            records.remove(folder)
        return old

    return await asyncio.to_thread(remove)
