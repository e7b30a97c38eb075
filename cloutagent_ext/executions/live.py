"""One execution that this process owns: its log, its state, and the ways to stop it.

Every event goes through `emit`: written first, folded, then seen. Not here: when it may
run (`scheduler`) and what it does (`worker`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..failpoints import failpoint
from ..guard import Guard, SyncFailed
from ..schema.base import JsonObject
from ..schema.execution import ENDED, ExecutionState, Spec
from ..schema.project import Limits
from . import fold, records
from .journal import JournalFile
from .log import EventLog
from .owner import Owner
from .reserve import Reserve

if TYPE_CHECKING:
    from .callers import Calls
    from .observers import Observers
    from .questions import Questions

_log = logging.getLogger(__name__)

QUIET = frozenset({"text", "thinking", "hook"})
"""Events that change no field of the state worth telling everybody about."""
_TURNS = frozenset({"start", "cost_update", "waiting"})
"""Events after which `state.json` is replaced."""
_SAVE_PAUSE_S = 0.25
"""Least time between two replacements of `state.json`, which the log can always rebuild."""

_EVERY_FIELD = set(ExecutionState.model_fields)


@dataclass(frozen=True)
class Stop:
    """Why a running execution is being stopped, and by whom."""

    ending: Literal["cancelled", "interrupted"]
    by: str


@dataclass(frozen=True)
class Order:
    """How an interrupted execution is to go on."""

    by: str = "restart"
    limits: Limits | None = None
    """Other limits than before."""


class Slot(Protocol):
    """Its right to run; the scheduler's."""

    def give_back(self) -> None:
        """Let others run: it waits for a person."""
        ...

    async def take_again(self) -> None:
        """Return when it may run again."""
        ...


class Live:
    """Owned by this process from acceptance (or recovery) to its end."""

    def __init__(
        self,
        spec: Spec,
        folder: Path,
        owner: Owner,
        log: EventLog,
        state: fold.Folded,
        *,
        changed: Callable[[str], None],
        count_files: Callable[[], int],
        reserve: Reserve,
        observers: Observers | None = None,
    ) -> None:
        self.spec = spec
        self.folder = folder
        self.owner = owner
        self.log = log
        self.state = state
        self.task: asyncio.Task[None] | None = None
        """The worker, once it runs; awaited by the queue."""
        self.slot: Slot
        """Set when it begins to run."""
        self.questions: Questions
        """What it asks people; set by whoever owns it."""
        self.calls: Calls
        """What it asks the program that called it; set likewise."""
        self.rested_s = 0.0
        """Seconds in which it had no slot because it waited for a person."""
        self.waits = asyncio.Event()
        """Set while somebody has to decide (`ExecutionState.asks_people`)."""
        self.done = asyncio.Event()
        """Set when its end is on disk and nothing of it runs any more."""
        self.stop_asked = asyncio.Event()
        self.stop: Stop | None = None
        self.last_call = asyncio.Event()
        """Set when this process is about to end: what cannot be written down now is left to the next one."""
        self.order = Order()
        self.leaving = False
        """This process is letting go of it: it is nobody's to stop, answer or resume before `done`."""
        self.given_up = False
        """Its run did not stop in time; whatever it still says is not listened to."""
        self.untouched = False
        """It was accepted here, begins from nothing and has not begun: it has no past and no workspace."""
        self._reserve = reserve
        self._observers = observers
        self._changed = changed
        self._count_files = count_files
        self._journal: JournalFile | None = None
        self._opening = asyncio.Lock()
        self._unsynced = False
        self._saving: asyncio.Task[None] | None = None
        self._dirty = False
        self._hurry = asyncio.Event()

    @property
    def id(self) -> str:
        return self.spec.execution_id

    def ask_to_stop(self, stop: Stop) -> None:
        """Stop it soon. The first one to ask decides how it ends; one that has ended stays as it is."""
        if self.stop is None and self.state.status not in ENDED:
            self.stop = stop
            failpoint("cancel.asked")
            if stop.ending == "cancelled":
                self.state.cancelling = True
            self.stop_asked.set()
            self._changed(self.id)

    async def emit(self, type: str, *, agent: str = "main", span: str = "main", **fields: Any) -> int:
        """The engine's `Events` port: `say`, as it wants it."""
        return self.say(type, agent=agent, span=span, **fields)

    def say(self, type: str, *, agent: str = "main", span: str = "main", **fields: Any) -> int:
        """Append one event, fold it, tell who watches; its id. Raises OSError when it cannot be written."""
        event = self.log.write(type, agent=agent, span=span, **fields)
        fold.apply(self.state, event)
        (self.waits.set if self.state.asks_people else self.waits.clear)()
        if type in _TURNS:
            self.save()
        if type not in QUIET:
            self._changed(self.id)
        if self._observers is not None:
            self._observers.saw(self, event)
        return int(event["id"])

    async def end(self, type: str, *, results: Sequence[JsonObject] = (), **fields: Any) -> None:
        """Its last event for now, on the disk when this returns; a full disk has room kept for it.

        `results`: fields of `tool_result` events that come before it.
        """
        said = False

        async def last() -> None:
            nonlocal said
            if not said:
                for result in results:
                    if result["span"] in self.state.unanswered:  # the disk may take them the second time only
                        self.say("tool_result", **result)
                self.say(type, **fields)
                said = True
                if type == "complete":
                    failpoint("end.told")
            try:
                with self.guard.noticing():
                    await self.log.sync()
            except SyncFailed:  # it is told, and a server that starts looks at it once more
                self._unsynced = True

        await self._reserve.spend(last)

    @property
    def guard(self) -> Guard:
        """Closed by a failed sync, of this or another execution."""
        return self._reserve.guard

    def wait_for_disk(self) -> None:
        """It is over and nothing of it runs, but its log takes no last event yet: let others run."""
        self.slot.give_back()
        self.state.current_step = "over; waiting for the disk to take its last event"
        self._changed(self.id)

    async def keep_error(self, content: JsonObject) -> None:
        """Write `error.json`, likewise; that it cannot be written must not hold up its end."""

        async def write() -> None:
            await asyncio.to_thread(records.write_error, self.folder, content)

        try:
            await self._reserve.spend(write)
        except OSError as error:
            _log.error("error.json of execution %s was not written: %s", self.id, error)

    async def journal(self) -> JournalFile:
        """Its journal, open as long as this process owns it: one writer, whether it runs or waits.

        Raises JournalDamaged, OSError.
        """
        async with self._opening:
            if self._journal is None:
                self._journal = await JournalFile.open(self.folder, self.log)
            return self._journal

    def snapshot(self) -> ExecutionState:
        """The state of this moment; it does not change any more."""
        # One set of names for all of them: two kilobytes less for each that is remembered.
        return ExecutionState.model_construct(_EVERY_FIELD, **dict(self.state))

    # ------------------------------------------------------------ state.json

    def save(self) -> None:
        """Replace `state.json` soon, without holding up whoever asks; fast turns share one replacement."""
        self._dirty = True
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save(), name=f"state of {self.id}")

    async def _save(self) -> None:
        while self._dirty:
            # The pause comes first: a short run needs no other file than that of its end.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _SAVE_PAUSE_S)
            self._dirty = False
            try:
                self.state.files = await asyncio.to_thread(self._write, self.snapshot())
            except OSError as error:  # derived: it is rebuilt from the log when somebody needs it
                _log.warning("state.json of execution %s was not written: %s", self.id, error)

    def _write(self, state: ExecutionState) -> int:
        state.files = self._count_files()
        records.write_state(self.folder, state)
        return state.files

    async def saved(self) -> None:
        """Return when `state.json` shows the state of this moment (or could not be written)."""
        self.save()
        self._hurry.set()
        while self._saving is not None and not self._saving.done():
            await asyncio.shield(self._saving)

    async def close(self, *, finished: bool) -> None:
        """Let go of files and lock, whatever fails. `finished`: it has ended."""
        whole = False
        try:
            await self.questions.close()
            if self._journal is not None:
                await self._journal.close()
            await self.saved()
            failpoint("end.state_written")
            await self.log.close()
            whole = not self._unsynced
        finally:
            try:
                # What could not be written is looked at again by the next server.
                await asyncio.to_thread(self.owner.release, finished=finished and whole)
                failpoint("end.released")
            finally:
                self.done.set()
