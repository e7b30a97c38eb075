"""How a new execution gets onto the disk: whole, owned, and before anybody is told of it.

Not here: whether it may (`acceptance`), and when it runs (`scheduler`).
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .. import durable
from ..errors import Conflict, DiskFull, NotFound, Unavailable
from ..failpoints import failpoint
from ..schema.base import JsonObject
from ..schema.execution import Spec
from . import fold, journal, records
from .inputs import Inputs
from .live import Live
from .log import EventLog
from .owner import Owner
from .records import Records
from .recovery import Adopt
from .reserve import Reserve, is_full, is_read_only
from .workspace import Workspace

if TYPE_CHECKING:
    from .branches import Beginning


_LOOKED_AT_S = 10.0
"""Longest time for which another server may look at the folder of a new one; it finds nothing there."""


class Entrance:
    """Puts new executions on the disk; `adopt` makes each the service's own."""

    def __init__(
        self, records: Records, data_dir: Path, adopt: Adopt, inputs: Inputs, reserve: Reserve
    ) -> None:
        self._records = records
        self._data_dir = data_dir
        self._adopt = adopt
        self._inputs = inputs
        self._reserve = reserve

    async def create(self, spec: Spec, position: int, beginning: Beginning | None = None) -> Live:
        """On the disk when this returns, so that it survives a crash and a power cut; or not there at all.

        `position`: its place in the line. `beginning`: what it goes on from. Raises DiskFull, OSError,
        NotFound where the project has just been deleted.
        """
        workspace = Workspace(self._data_dir, spec.execution_id)
        try:
            with self._reserve.guard.writing():
                return await self._create(spec, position, beginning, workspace)
        except BaseException as error:
            await workspace.remove()
            if isinstance(error, FileNotFoundError) and beginning is not None:
                await self._records.find(beginning.workspace.root.name)  # deleted meanwhile: that says so
            if isinstance(error, OSError) and is_full(error):
                raise DiskFull(
                    "No room left on the disk for a new execution. Free some, then try again."
                ) from error
            if isinstance(error, OSError) and is_read_only(error):
                raise Unavailable(
                    f"No new execution can be kept: {error.strerror}. Mend the data folder's disk or mount, "
                    "then try again.",
                    code="READ_ONLY",
                ) from error
            raise

    async def _create(
        self, spec: Spec, position: int, beginning: Beginning | None, workspace: Workspace
    ) -> Live:
        if beginning is not None:
            await asyncio.to_thread(self._reserve.hold)  # before anything is copied
        if beginning is not None and await beginning.workspace.ready():
            await workspace.copy(beginning.workspace)
            # A deletion takes the record first: while that is there, all of the workspace was.
            await self._records.find(beginning.workspace.root.name)
            await self._inputs.place(spec.files, spec.execution_id, workspace.path)
            failpoint("accept.copied")
        elif beginning is not None:  # it ended before it began: what came with it lies where it came
            await self._inputs.take_over(spec.files, beginning.workspace.root.name, spec.execution_id)
        return await self._put(spec, position, beginning)

    async def _put(self, spec: Spec, position: int, beginning: Beginning | None) -> Live:
        folder = self._records.folder(spec.project_id, spec.execution_id)
        past = None if beginning is None else beginning.records

        def placed() -> tuple[Owner, EventLog]:
            self._reserve.hold()
            return _place(folder, spec, past)

        owner, log = await asyncio.to_thread(placed)
        failpoint("accept.placed")
        try:
            live = self._adopt(spec, folder, owner, log, fold.initial(spec))
            live.untouched = beginning is None
            live.say("queued", execution_id=spec.execution_id, position=position)
            failpoint("accept.queued")
            await log.sync()
            failpoint("accept.synced")
        except BaseException:
            await asyncio.to_thread(owner.release, finished=True)
            await asyncio.to_thread(records.remove, folder)
            raise
        return live


def _place(folder: Path, spec: Spec, past: list[JsonObject] | None) -> tuple[Owner, EventLog]:
    """Make its folder, owned, with `spec.json` and an empty log on the disk. Blocking.

    `past`: what its journal begins with.
    """
    try:
        return _placed(folder, spec, past)
    except FileNotFoundError:
        # A project that is being deleted has lost its name: nothing of it is made anew.
        raise NotFound("There is no such project.") from None


def _placed(folder: Path, spec: Spec, past: list[JsonObject] | None) -> tuple[Owner, EventLog]:
    with durable.Batch() as batch:
        batch.mkdir(folder.parent)
        batch.mkdir(folder)
        give_up = time.monotonic() + _LOOKED_AT_S
        while (owner := Owner.take(folder)) is None:  # a server that starts looks what it is
            if time.monotonic() > give_up:
                raise Conflict("Another process owns a new execution; try again.")
            time.sleep(0.01)
        try:
            batch.write(folder / records.SPEC, spec.model_dump_json(indent=1).encode())
            if past is not None:
                batch.write(folder / journal.NAME, journal.content(past))
            log = EventLog.new(folder)
            batch.sync()
        except BaseException:
            owner.release(finished=True)
            records.remove(folder)
            raise
    return owner, log
