"""How executions come in: a new one is accepted, an earlier one goes on, or another branches off.

On the way in: checked and frozen (`acceptance`; `branches` where it begins from another
one), its inputs gathered (`inputs`), put on the disk (`entrance`), and into the line
(`scheduler`), which has `worker` play it to its end. Not here: any of those, and what
comes back from a dead server (`fates`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Conflict, NotFound, Unavailable
from ..failpoints import failpoint
from ..loading import Late
from ..schema.execution import (
    ENDED,
    Accepted,
    Begun,
    ExecuteRequest,
    ExecutionState,
    ForkRequest,
    Origin,
    ResumeRequest,
    Spec,
)
from . import history
from .acceptance import Acceptance, raised
from .entrance import Entrance
from .fates import Fates
from .ids import Ids
from .inputs import Inputs
from .live import Live, Order
from .records import Records
from .repeats import Repeats
from .scheduler import Scheduler
from .workspace import Workspace

if TYPE_CHECKING:
    from ..auth.principal import Principal
    from .branches import Beginning, Branches

_Answer = TypeVar("_Answer")


class Arrivals:
    """Each of its methods answers when what was asked for is on the disk: it runs, or waits.

    Raises Unavailable (QUEUE_FULL, READ_ONLY, SHUTTING_DOWN), DiskFull, and what the checks refuse.
    """

    def __init__(
        self,
        acceptance: Acceptance,
        entrance: Entrance,
        scheduler: Scheduler,
        fates: Fates,
        records: Records,
        repeats: Repeats,
        inputs: Inputs,
        data_dir: Path,
    ) -> None:
        self._acceptance = acceptance
        self._entrance = entrance
        self._scheduler = scheduler
        self._fates = fates
        self._branches = Late("executions.branches", lambda: _branches(records, acceptance, data_dir))
        self._repeats = repeats
        self._inputs = inputs
        self._data_dir = data_dir
        self._ids = Ids()

    async def accept(
        self,
        project_id: str,
        request: ExecuteRequest,
        *,
        principal: Principal,
        origin: Origin,
        idempotency_key: str | None,
    ) -> Accepted:
        """A new execution; or the first one again, where that key was seen within a day."""
        return await self._whole(
            lambda: self._accept(project_id, request, principal, origin, idempotency_key), "acceptance"
        )

    async def resume(self, execution_id: str, request: ResumeRequest, principal: Principal) -> Begun:
        """An interrupted one goes on in its own log, one that has ended and not answered as a new one."""
        return await self._whole(lambda: self._resume(execution_id, request, principal), "resume")

    async def fork(self, execution_id: str, request: ForkRequest, principal: Principal) -> Begun:
        """A new execution that shares the history of this one."""
        return await self._whole(lambda: self._fork(execution_id, request, principal), "fork")

    async def _whole(self, work: Callable[[], Coroutine[Any, Any, _Answer]], name: str) -> _Answer:
        """Do it in a task of ours: a caller that goes away must not leave half an arrival."""
        await self._fates.settled()
        if self._fates.read_only:
            raise Unavailable(self._fates.read_only, code="READ_ONLY")
        if self._scheduler.stopping:
            raise Unavailable("The server is shutting down; try again when it is back.", code="SHUTTING_DOWN")
        task: asyncio.Task[_Answer] = self._scheduler.spawn(work(), name)
        return await asyncio.shield(task)

    async def _accept(
        self,
        project_id: str,
        request: ExecuteRequest,
        principal: Principal,
        origin: Origin,
        idempotency_key: str | None,
    ) -> Accepted:
        async with self._repeats.first(project_id, idempotency_key) as first:
            if first is not None:
                with contextlib.suppress(NotFound):
                    return _accepted(await self._fates.state(first))
            spec = await self._acceptance.check(
                project_id,
                request,
                execution_id=self._ids.new(),
                principal=principal,
                origin=origin,
                idempotency_key=idempotency_key,
            )
            beginning = None
            if request.continue_from is not None:
                with contextlib.suppress(NotFound):  # what a dead server left gets its fate first
                    await self._fates.state(request.continue_from)
                branches = await self._branches.get()
                spec, beginning = await branches.continuation(
                    request.continue_from, request.prompt, spec, principal
                )
            by_key = principal.kind == "key"
            await self._inputs.gather(spec.files, project_id, spec.execution_id, by_key=by_key)
            try:
                live = await self._enter(spec, beginning)
            except BaseException:
                await asyncio.shield(self._inputs.drop(spec.execution_id))
                raise
            self._repeats.remember(project_id, idempotency_key, spec.execution_id)
            return _accepted(live.snapshot())

    async def _resume(self, execution_id: str, request: ResumeRequest, principal: Principal) -> Begun:
        live = await self._fates.hold(execution_id)
        if live is not None and live.state.cancelling:  # for five seconds at most; then it has ended
            await live.done.wait()
            live = await self._fates.hold(execution_id)
        state = live.snapshot() if live is not None else await self._fates.state(execution_id)
        if state.status in ENDED:
            branches = await self._branches.get()
            spec, beginning = await branches.resume(
                state, request, execution_id=self._ids.new(), principal=principal
            )
            return Begun(execution_id=(await self._enter(spec, beginning)).id)
        if live is None or state.status != "interrupted":
            raise Conflict(f"This execution goes on already ({state.status}).", status=state.status)
        try:
            await history.open_(live.folder, Workspace(self._data_dir, execution_id))
            limits = None
            if request.limits is not None:
                allowed = await self._acceptance.limits_now(live.spec.project_id)
                limits = raised(state.limits, request.limits, allowed)
            if live.leaving:  # somebody else let go of it in this moment
                return await self._resume(execution_id, request, principal)
            if not self._scheduler.resume(live, Order(by=principal.name, limits=limits)):
                raise Conflict("This execution goes on already.", status=state.status)
        except BaseException:
            if live.task is None and live.stop is None and not self._scheduler.waits(live):
                await self._scheduler.release(live)
            raise
        self._scheduler.pump()
        return Begun(execution_id=execution_id)

    async def _fork(self, execution_id: str, request: ForkRequest, principal: Principal) -> Begun:
        state = await self._fates.state(execution_id)
        branches = await self._branches.get()
        spec, beginning = await branches.fork(
            state, request, execution_id=self._ids.new(), principal=principal
        )
        return Begun(execution_id=(await self._enter(spec, beginning)).id)

    async def _enter(self, spec: Spec, beginning: Beginning | None) -> Live:
        """Keep it, and let it run or wait."""
        failpoint("accept.checked")
        async with self._scheduler.admission(spec) as (position, enter):
            live = await self._entrance.create(spec, position, beginning)
            enter(live)
        return live


def _accepted(state: ExecutionState) -> Accepted:
    waits = state.status == "queued" and state.position is not None
    return Accepted(
        execution_id=state.execution_id,
        status="queued" if waits else "running",
        position=state.position if waits else None,
        stream_url=f"/cloutagent/api/v1/executions/{state.execution_id}/stream",
    )


def _branches(records: Records, acceptance: Acceptance, data_dir: Path) -> Branches:
    from .branches import Branches

    return Branches(records, acceptance, data_dir)
