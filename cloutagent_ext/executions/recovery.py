"""After a start: what was left unfinished by a process that no longer lives, and its fate.

Found by the `owner` file, judged by whether the lock in it is free. One that waited is
taken over and waits again; one that ran is said to be interrupted, in its own log, and
goes on where the project says so, unless servers have died with it too often; one that
had ended before its last files were written gets them; one that was never answered for
is removed. Not here: the queue they come back to, and how one goes on (`worker`,
`engine.past`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ..errors import CloutError, NotFound, UnreadableFile
from ..failpoints import failpoint
from ..loading import loaded
from ..schema.execution import ENDED, Spec
from . import history, logfile, records
from .fold import Folded
from .live import Live
from .log import EventLog
from .owner import Owner, unfinished
from .workspace import Workspace

_log = logging.getLogger(__name__)

MOST_DEATHS = 3
"""Servers that may die with an execution before it is given up: it may be what kills them."""

Adopt = Callable[[Spec, Path, Owner, EventLog, Folded], Live]
"""Makes the owned execution; the service's, so that its changes are seen."""


async def orphans(found: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """Those of (execution, folder) that have not ended, oldest first, whoever owns them."""

    def look() -> list[tuple[str, Path]]:
        return sorted((name, folder) for name, folder in found if unfinished(folder))

    return await asyncio.to_thread(look)


def any_unfinished(folder: Path) -> bool:
    """Whether an execution in `folder`, which may not exist, has not ended. Blocking."""
    try:
        return any(unfinished(each) for each in folder.iterdir())
    except FileNotFoundError:
        return False


async def take_over(folders: Iterable[Path], adopt: Adopt) -> list[Live]:
    """Those executions in `folders` that nobody owns and that can still go somewhere.

    They come back `queued` (they will run), `waiting` for a person as before, `running` where
    an answer was kept that takes effect now, or `interrupted` (said so in their logs already).
    One that cannot be read or written is named in the server's log and left as it is.
    """
    taken: list[Live] = []
    for folder in folders:
        try:
            owner = await asyncio.to_thread(_take, folder)
            if owner is None:
                continue
            try:
                live, ended = await _judge(folder, owner, adopt)
            except BaseException:
                await asyncio.to_thread(owner.release, finished=False)
                raise
        except (CloutError, OSError) as error:
            _log.error("Execution %s cannot be taken over: %s", folder.name, error)
            continue
        if live is None:
            await asyncio.to_thread(owner.release, finished=ended)
        else:
            taken.append(live)
            failpoint("recovery.taken")
    # Looking at every process of the machine takes a while: once for all of them.
    if ran := [live for live in taken if live.state.status != "queued"]:
        await loaded("engine.tools.processes")
        from ..engine.tools.processes import end_all

        await end_all(*(live.id for live in ran))
        failpoint("recovery.swept")
    left: list[Live] = []
    for live in taken:
        try:
            if live.state.status == "waiting":
                live.questions.restore((await history.read(live.folder)).questions)
            elif live.state.status == "running" or _returned(live):
                await _interrupt(live)
            left.append(live)
        except (CloutError, OSError) as error:
            _log.error("Execution %s cannot be taken over: %s", live.id, error)
            await live.close(finished=False)
    return left


def _returned(live: Live) -> bool:
    """Whether it had run, and only waited for its slot again."""
    return live.state.status == "queued" and live.state.started_at is not None and not live.state.left


async def can_go_on(live: Live, workspace: Workspace) -> bool:
    """Whether what earlier sittings left is there and readable; where it is not, the log says why."""
    try:
        await history.open_(live.folder, workspace)
    except CloutError as error:
        if error.message not in (live.state.why_interrupted or ""):  # said once, however often one starts
            await live.emit("interrupted", why=error.message)
            await live.log.sync()
        return False
    return True


async def _interrupt(live: Live) -> None:
    """Say in its log that its server died, and what is not known since."""
    at = f" (at: {live.state.current_step})" if live.state.current_step else ""
    why = f"the process that ran it ended without a word{at}"
    unsettled = 0.0
    try:
        unsettled = (await history.read(live.folder)).unsettled_usd
    except UnreadableFile as error:
        why = f"{why}. {error.message}"
    await live.emit("interrupted", why=why, died=True, unsettled_cost_usd=unsettled)
    failpoint("recovery.interrupted")
    await live.log.sync()


async def _judge(folder: Path, owner: Owner, adopt: Adopt) -> tuple[Live | None, bool]:
    """What can go on, or None and whether nobody needs to look at it again."""
    try:
        spec = await asyncio.to_thread(records.read_spec, folder)
        log = await EventLog.open(folder)
    except (NotFound, FileNotFoundError):
        return None, await _forget_half_made(folder, owner)
    except UnreadableFile:
        # Without a log it is a spec whose server died as it wrote it: nobody was told of it.
        if await asyncio.to_thread((folder / logfile.NAME).exists):
            raise
        return None, await _forget_half_made(folder, owner)
    if log.last_id == 0:
        await log.close()
        return None, await _forget_half_made(folder, owner)
    try:
        state = await asyncio.to_thread(records.refold, folder)
        live = adopt(spec, folder, owner, log, state)
        if state.status in ENDED:
            await live.close(finished=True)
            return None, True
        return live, False
    except BaseException:
        await log.close()
        raise


def _take(folder: Path) -> Owner | None:
    try:
        return Owner.take(folder)
    except FileNotFoundError:
        return None  # deleted meanwhile


async def _forget_half_made(folder: Path, owner: Owner) -> bool:
    """Remove what nobody was told of, unless it may be in the making; whether it is gone.

    Whoever makes one owns it before anything is written: with a `spec.json`, or with a name in its owner
    file, and without an owner it is dead. Only an empty folder may be a moment before that.
    """

    def remove() -> bool:
        dead = owner.inherited or (folder / records.SPEC).exists()
        old = dead or time.time() - folder.stat().st_mtime > records.HALF_MADE_S
        if old:
            records.remove(folder)
        else:
            owner.unsign()
        return old

    return await asyncio.to_thread(remove)
