"""The face of executions: accept one, look at it, follow it, cancel it, delete it.

What is accepted is on disk before the answer and survives a crash. Not here: how one comes
in (`arrivals`), turns and slots (`scheduler`), the run (`worker`), what other processes
left behind (`fates`), what lies on disk (`records`), what they leave to be read (`results`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.notebooks import Notebooks
from ..engine.ports import Clock, Decision, Kernels
from ..engine.reach import Reach
from ..engine.tools.isolation import Isolation
from ..errors import Expired, NotFound
from ..schema.base import Page
from ..schema.client_tools import ClientAnswer, ClientCallTaken
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
    Status,
)
from ..schema.project import Definition, Validation
from ..settings import Settings
from . import fold, listing, recovery
from .acceptance import Acceptance
from .arrivals import Arrivals
from .batches import Batches
from .bindings import Bindings
from .bookkeeping import Bookkeeping
from .callers import Calls
from .cassettes import Cassettes
from .entrance import Entrance
from .fates import UNFINISHED, Fates
from .inputs import Inputs
from .interventions import Interventions
from .live import Live
from .log import EventLog
from .observers import Observers
from .owner import Owner
from .questions import Questions
from .records import Records
from .repeats import Repeats
from .reserve import Reserve
from .results import Results
from .scheduler import Scheduler
from .vault import Vault
from .watchers import Watchers, first
from .workspace import Workspace

if TYPE_CHECKING:
    from ..auth.principal import Principal
    from ..engine.models import ModelProvider
    from ..store.projects import ProjectStore
    from ..store.secrets import Secrets


_LOOK_AGAIN_S = 0.25
"""How often one that another process runs is looked at by who waits for it."""


class Executions:
    """All executions of one data folder, as this process sees and runs them."""

    def __init__(
        self,
        store: ProjectStore,
        models: ModelProvider,
        settings: Settings,
        kernels: Kernels,
        *,
        secrets: Secrets,
        clock: Clock,
        isolation: Isolation | None = None,
        notebooks: Notebooks | None = None,
        observers: Observers | None = None,
    ) -> None:
        self._settings = settings
        self._observers = observers or Observers()
        self.inputs = Inputs(settings.data_dir, settings.root_dir)
        self._reserve = Reserve(settings.data_dir)
        self._clock = clock
        vault = Vault(secrets, models)
        self._batches = Batches(settings.data_dir)
        self._records = Records(store)
        self.cassettes = Cassettes(store.cassettes, self._records, vault, settings.data_dir)
        """Recordings of executions."""
        self._acceptance = Acceptance(
            store, models, settings, vault, self._batches, self.cassettes, self._records
        )
        self._repeats = Repeats(self._records)
        self._watchers = Watchers()
        bindings = Bindings(
            store=store,
            models=models,
            kernels=kernels,
            clock=clock,
            data_dir=settings.data_dir,
            root_dir=settings.root_dir,
            vault=vault,
            batches=self._batches,
            isolation=isolation or Isolation(),
            cassettes=self.cassettes,
            inputs=self.inputs,
            reach=Reach(allow=settings.web_fetch_allow),
            notebooks=notebooks,
            traced=bool(settings.otlp_endpoint),
        )
        self._scheduler = Scheduler(
            run=bindings.play,
            let_go=self._let_go,
            clock=clock,
            per_project=settings.max_concurrent,
            in_all=settings.max_running,
        )
        self._fates = Fates(self._scheduler, self._records, settings.data_dir, adopt=self._own)
        self._interventions = Interventions(self._fates, self._scheduler, self.state)
        self._arrivals = Arrivals(
            self._acceptance,
            Entrance(self._records, settings.data_dir, self._own, self.inputs, self._reserve),
            self._scheduler,
            self._fates,
            self._records,
            self._repeats,
            self.inputs,
            settings.data_dir,
        )
        held, forget = self._scheduler.live.get, self._repeats.forget
        self.books = Bookkeeping(
            settings, self._records, clock, held=held, forget=forget, projects=store.ids, state=self.state
        )
        """Ledger, metrics and retention."""
        self.results = Results(
            self._records, self.cassettes, settings.data_dir, held=held, state=self.state, log=self.log
        )
        """What they leave to be read: files, notebooks, traces, cassettes."""

    # ------------------------------------------------------------ life

    @property
    def read_only(self) -> str | None:
        """Why none is taken, taken over, stopped or removed (locks that do not work): set before `start`."""
        return self._fates.read_only

    @read_only.setter
    def read_only(self, why: str | None) -> None:
        self._fates.read_only = why

    @property
    def disk_failed(self) -> str | None:
        """Why no new one is taken until a restart: a log could not be brought to the disk."""
        return self._reserve.guard.closed

    @property
    def running(self) -> int:
        """How many run in this process."""
        return self._scheduler.running

    def count(self, status: Status) -> int:
        """How many of this process's executions stand so. May be asked in any thread."""
        return self._scheduler.count(status)

    @property
    def active(self) -> bool:
        """Whether anything runs or waits here: a reason not to shut the server down."""
        return self._scheduler.active

    async def start(self, *, recover: bool = True) -> None:
        """Begin. With `recover`, what nobody owns gets its fate first.

        Those that waited wait again, in their order; those that ran are said to be
        interrupted, and go on where their project says so.
        """
        self._scheduler.start()
        self.books.start(recover=recover, read_only=self.read_only is not None)
        try:
            if recover and not self.read_only:
                await self._fates.give_all()
        finally:
            self._fates.decided()
        self._scheduler.pump()

    def not_started(self) -> None:
        """The data folder cannot be opened: let nobody wait for a start, what can be read is shown."""
        self._fates.decided()

    async def stop(self, grace_s: float | None = None) -> None:
        """Take no more, give the running ones `grace_s` seconds (else the setting's), end the rest.

        Those become `interrupted`; the waiting stay queued on disk for the next start.
        Safe to call twice.
        """
        await self._scheduler.stop(self._settings.stop_grace_s if grace_s is None else grace_s)
        self._watchers.close()
        await self.books.stop()
        await self._observers.close()
        await asyncio.to_thread(self._batches.close)

    # ------------------------------------------------------------ come in and go on

    async def accept(
        self,
        project_id: str,
        request: ExecuteRequest,
        *,
        principal: Principal,
        origin: Origin,
        idempotency_key: str | None = None,
    ) -> Accepted:
        """Check, freeze and keep the request; it runs, or waits. On disk when this returns.

        The same `idempotency_key` within a day gives the first execution again. Raises
        what `Acceptance.check` does, and Unavailable (QUEUE_FULL, SHUTTING_DOWN).
        """
        return await self._arrivals.accept(
            project_id, request, principal=principal, origin=origin, idempotency_key=idempotency_key
        )

    async def resume(self, execution_id: str, request: ResumeRequest, *, principal: Principal) -> Begun:
        """Go on: an interrupted one in its own log, one that has ended and not answered as a new execution.

        Raises Conflict while it runs, when it is completed, or where it cannot go on;
        InvalidRequest where a limit has to be raised; NotFound; what `accept` does.
        """
        return await self._arrivals.resume(execution_id, request, principal)

    async def fork(self, execution_id: str, request: ForkRequest, *, principal: Principal) -> Begun:
        """A new execution that shares the history of this one. Raises as `Branches.fork` and `accept` do."""
        return await self._arrivals.fork(execution_id, request, principal)

    async def validate(self, definition: Definition, project_id: str | None = None) -> Validation:
        """The dry check that `accept` begins with: nothing runs, no model is asked."""
        return await self._acceptance.validate(definition, project_id)

    def _own(self, spec: Spec, folder: Path, owner: Owner, log: EventLog, state: fold.Folded) -> Live:
        count = self._workspace(spec.execution_id).count

        def changed(execution_id: str) -> None:
            self._watchers.changed(execution_id)
            self.books.ledger.changed(live)

        live = Live(
            spec, folder, owner, log, state,
            changed=changed, count_files=count, reserve=self._reserve, observers=self._observers,
        )  # fmt: skip
        live.calls = Calls(self._clock)
        live.questions = Questions(live, self._clock, answered=lambda by: self._fates.go_on(live, by))
        return live

    def _let_go(self, live: Live) -> None:
        if live.state.status in ENDED:
            self._records.remember(live.snapshot())
        self.books.ledger.changed(live)
        self._watchers.changed(live.id)

    # ------------------------------------------------------------ look

    async def state(self, execution_id: str, *, listed: bool = False) -> ExecutionState:
        """How it stands; of one that has expired, what the ledger keeps. Raises NotFound, UnreadableFile."""
        try:
            return await self._fates.state(execution_id, listed=listed)
        except Expired as error:
            return await self.books.expired(execution_id, error)

    async def list(
        self,
        *,
        project: str | None = None,
        status: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        expired: bool = False,
    ) -> Page[ExecutionState]:
        """Newest first; made at or after `since` and before `until`. Raises InvalidRequest."""
        wish = listing.Wish(project, status, since, until, limit, cursor, expired)
        found = await self._records.ids(project)
        state = partial(self.state, listed=True)
        return await listing.page([each for each, _ in found], state, self.books.ledger, wish)

    async def log(self, execution_id: str) -> EventLog:
        """Its log, to read. Raises NotFound."""
        if (live := self._scheduler.live.get(execution_id)) is not None:
            return live.log
        _, folder = await self._records.find(execution_id)
        try:
            return await EventLog.reader(folder)
        except FileNotFoundError:
            raise NotFound(f"There is no execution {execution_id!r}.") from None

    def changes(self) -> AsyncGenerator[ExecutionState, None]:
        """The newest state of each execution of this process whenever it changes; ends with `stop`."""
        return self._watchers.follow(self.state)

    async def wait(self, execution_id: str, *, for_people: bool = True) -> ExecutionState:
        """Its state when it has ended (or is left interrupted). Raises NotFound.

        Without `for_people` also as soon as a person has to decide (`ExecutionState.asks_people`).
        """
        state = await self.state(execution_id)
        while (live := self._scheduler.live.get(execution_id)) is None and state.status in UNFINISHED:
            if state.asks_people and not for_people:
                return state
            await asyncio.sleep(_LOOK_AGAIN_S)  # another process's: asking also sees whether that still lives
            state = await self.state(execution_id)
        if live is not None:
            await (live.done.wait() if for_people else first(live.done, live.waits))
            return live.snapshot()
        return state

    async def project_of(self, execution_id: str) -> str:
        """The project it belongs to. Raises NotFound."""
        if (live := self._scheduler.live.get(execution_id)) is not None:
            return live.spec.project_id
        try:
            project, _ = await self._records.find(execution_id)
        except Expired as error:
            project = (await self.books.expired(execution_id, error)).project_id
        return project

    async def belongs(self, execution_id: str, project_id: str) -> bool:
        """Whether it is one of this project's, expired ones included. Looks at no other project."""
        if await self._records.has(execution_id, project_id):
            return True
        expired = await self.books.ledger.expired(execution_id)
        return expired is not None and expired.project_id == project_id

    async def unfinished(self, project_id: str) -> Sequence[str]:
        """Executions of the project that run, wait or are interrupted, in whatever process; oldest first."""
        found = [
            (each, self._records.folder(project_id, each)) for each, _ in await self._records.ids(project_id)
        ]
        return [execution_id for execution_id, _ in await recovery.orphans(found)]

    @staticmethod
    def busy(folder: Path) -> bool:
        """Whether anything of `unfinished` lies in `folder`, a project's executions. Blocking."""
        return recovery.any_unfinished(folder)

    async def versions_in_use(self, project_id: str) -> set[int]:
        """Versions that unfinished executions of the project run or will go on with."""
        found = set()
        for execution_id in await self.unfinished(project_id):
            with contextlib.suppress(NotFound):  # ended and deleted meanwhile
                found.add((await self._records.spec(execution_id)).version)
        return found

    def _workspace(self, execution_id: str) -> Workspace:
        return Workspace(self._settings.data_dir, execution_id)

    # ------------------------------------------------------------ stop and remove

    async def cancel(self, execution_id: str, by: str) -> ExecutionState:
        """Stop it: at once where it waits or is interrupted, else within 5 s (`cancelling` until then).

        Asking again changes nothing. Raises Conflict when it has ended or another process runs it, NotFound.
        """
        return await self._interventions.cancel(execution_id, by)

    async def decide(self, execution_id: str, call_id: str, decision: Decision) -> ExecutionState:
        """Answer the tool call `call_id`, which waits for a person. The same answer again changes nothing.

        Raises NotFound, InvalidRequest for changed arguments that do not fit, Conflict where it was
        answered otherwise, the execution has ended, or another process holds it.
        """
        return await self._interventions.decide(execution_id, call_id, decision)

    async def answer(self, execution_id: str, call_id: str, answer: ClientAnswer) -> ClientCallTaken:
        """What the caller says to a call of its own tool. Raises NotFound, Conflict; see `Calls.take`."""
        return await self._interventions.answer(execution_id, call_id, answer)

    async def delete(self, execution_id: str) -> None:
        """Remove it with its log and workspace, or what is kept of one that has expired.

        What it cost stays in the ledger. Raises Conflict while it runs or waits, NotFound.
        """
        async with self.books.retention.turn(execution_id):
            try:
                async with self._interventions.removal(execution_id) as state:
                    await self.books.ledger.leave(execution_id, state.project_id)
                    await self._records.delete(execution_id)
            except Expired:
                return await self.books.ledger.forget(execution_id)
        self._repeats.forget(execution_id)
        return await self._workspace(execution_id).remove()
