"""The async face of the ledger, and when it is written: soon after each change, and whole at a start.

Executions of this process are written from memory as they go on. At a start, whatever lies
on disk and is missing or was left unfinished is added up from its log; likewise when the
file had to be set aside. That the ledger cannot be written holds up no execution: what is
missing is kept for the next try. Not here: SQL (`entry`, `figures`), the file (`book`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...errors import CloutError, Unavailable
from ...schema.execution import ExecutionState
from .. import records
from .book import NAME, Book
from .departed import Departed
from .entry import Entry, Gone, entry_of, expired_state, load, mark, put

if TYPE_CHECKING:
    import sqlite3

    from ..live import Live
    from ..records import Records

_log = logging.getLogger(__name__)

FOLDER = "ledger"
_PAUSE_S = 0.5
"""Time in which changes are gathered before they are written together."""
_AGAIN_S = (1.0, 30.0)
"""Time until what could not be written is tried again: at first, and at most."""
_AT_ONCE = 20
"""Logs that are added up between two looks at whether to stop."""

T = TypeVar("T")


class Ledger:
    """The ledger of one data folder, as this process writes and reads it."""

    def __init__(self, data_dir: Path, records: Records) -> None:
        self._folder = data_dir / FOLDER
        self._book = Book(self._folder / NAME)
        self._departed = Departed(self._folder)
        self._records = records
        self._dirty: dict[str, Live] = {}
        self._owed: dict[str, Entry] = {}
        """Summaries of deleted ones that `departed` has and the file could not take."""
        self._due = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._worker: asyncio.Task[None] | None = None
        self._behind = False
        """Whether something on disk may be missing in the file."""

    # ------------------------------------------------------------ life

    def start(self, *, catch_up: bool, in_memory: bool = False) -> None:
        """Begin to write. `catch_up`: look at what lies on disk. `in_memory`: leave no file behind."""
        if in_memory:
            self._book = Book(None)
        self._behind = catch_up
        self._worker = asyncio.create_task(self._work(), name="ledger of executions")

    async def stop(self) -> None:
        """Write what is left, and let go of the file. Safe to call twice."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None
            try:
                await self.flush()
            except CloutError as error:
                _log.warning("The newest executions are not in the ledger yet: %s", error)
            await asyncio.to_thread(self._book.close)

    async def _work(self) -> None:
        failing, pause_s = False, _AGAIN_S[0]
        while True:
            try:
                if self._behind:
                    await self._catch_up()
                await self.flush()
                failing, pause_s = False, _AGAIN_S[0]
            except (CloutError, OSError) as error:
                if not failing:
                    _log.error("The ledger of executions is not written for now: %s", error)
                failing = True
            except Exception:  # whatever it is, it must not be the last the ledger hears
                if not failing:
                    _log.exception("The ledger of executions is not written for now.")
                failing = True
            if failing:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _AGAIN_S[1])
                continue
            if not self._behind:
                await self._due.wait()
                self._due.clear()
                await asyncio.sleep(_PAUSE_S)

    # ------------------------------------------------------------ writing

    def changed(self, live: Live) -> None:
        """An execution of this process has changed; it is written soon."""
        self._dirty[live.id] = live
        self._due.set()

    async def flush(self) -> None:
        """Return when all that has changed is written. Raises Unavailable."""
        async with self._flushing:
            if not self._dirty and not self._owed:
                return
            changed, self._dirty = self._dirty, {}
            owed, self._owed = self._owed, {}
            entries = [entry_of(live.snapshot(), live.state.account, live.spec) for live in changed.values()]
            folders = [live.folder for live in changed.values()]
            try:
                await self._run(
                    partial(_put_those_there, entries=entries, folders=folders, gone=[*owed.values()])
                )
            except BaseException:
                self._dirty = changed | self._dirty
                self._owed = owed | self._owed
                raise

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.to_thread(self._book.run, work)
        finally:
            if self._book.fresh and not self._behind and self._worker is not None:
                self._behind = True
                self._due.set()

    async def _catch_up(self) -> None:
        """Have everything in the file that lies on disk, and nothing there that does not."""
        self._book.fresh = False
        whole, known = await self._run(_known)
        if not whole:
            await asyncio.to_thread(self._write_departed)
        found = await self._records.ids()
        # What ended and is there is final; whatever else there is may have gone on since.
        missing = [
            self._records.folder(project, each)
            for each, project in found
            if known.get(each, (False, None)) != (True, None)
        ]
        for first in range(0, len(missing), _AT_ONCE):
            part = missing[first : first + _AT_ONCE]
            entries = await asyncio.to_thread(_read_all, part)
            folders = [self._records.folder(entry.row["project_id"], entry.id) for entry in entries]
            await self._run(partial(_put_those_there, entries=entries, folders=folders))
        there = {each for each, _ in found}
        vanished = {each for each, (_, gone) in known.items() if gone is None and each not in there}
        if vanished and whole:  # a death may have come between the removal and its mark
            await asyncio.to_thread(self._write_departed, vanished)
        await self._run(partial(_settle, vanished=vanished))
        if not self._book.fresh:  # else it was set aside meanwhile, and all begins anew
            self._behind = False
        if missing:
            _log.info("The ledger has %d executions added up from their logs", len(missing))

    def _write_departed(self, only: set[str] | None = None) -> None:
        part: list[Entry] = []
        for entry in self._departed.entries():
            if only is None or entry.id in only:
                part.append(entry)
            if len(part) >= 500:
                self._book.run(partial(put, entries=part))
                part = []
        self._book.run(partial(put, entries=part))

    async def depart(self, execution_id: str, folder: Path, gone: Gone) -> None:
        """Keep its summary for good: its files are about to go. They stay if this raises."""
        await self.flush()

        def keep() -> None:
            entry = self._book.run(partial(load, execution_id=execution_id)) or _read(folder)
            if entry is None:
                return  # a log that nobody can read leaves no summary
            entry.row["gone"] = gone
            self._departed.append([entry])
            self._book.run(partial(put, entries=[entry]))

        await asyncio.to_thread(keep)
        self._dirty.pop(execution_id, None)

    async def departed(self, execution_id: str, gone: Gone) -> None:
        """Its files are gone by now; a look at what lies on disk may have found them after `depart`."""
        await self._run(partial(mark, ids=[execution_id], gone=gone))

    async def leave(self, execution_id: str, project_id: str) -> None:
        """Somebody deletes it: what it cost stays, if that can be written (not on a full disk).

        Where another server holds the file for too long, it is written there once that lets go.
        """
        folder = self._records.folder(project_id, execution_id)

        def note() -> Entry | None:
            if (entry := _read(folder)) is not None:
                entry.row["gone"] = "deleted"
                self._departed.append([entry])
            return entry

        try:
            try:
                await self.depart(execution_id, folder, "deleted")
            except Unavailable:
                if (entry := await asyncio.to_thread(note)) is not None:
                    self._owed[execution_id] = entry
                    self._due.set()
        except (CloutError, OSError) as error:
            _log.warning("What execution %s cost may be forgotten: %s", execution_id, error)

    async def forget(self, execution_id: str) -> None:
        """One that has expired is not to be shown any more, either. Raises OSError, CloutError."""

        def keep() -> None:
            entry = self._book.run(partial(load, execution_id=execution_id))
            if entry is not None:
                entry.row["gone"] = "deleted"
                self._departed.append([entry])
                self._book.run(partial(put, entries=[entry]))

        await asyncio.to_thread(keep)

    # ------------------------------------------------------------ reading

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """`work` on the file as of now. Raises Unavailable."""
        await self.flush()
        return await self._run(work)

    async def complete(self) -> bool:
        """Whether every execution is in it."""
        whole = await self._run(_is_whole)
        if not whole and not self._behind and self._worker is not None:
            self._behind = True  # another process has set it aside
            self._due.set()
        return whole and not self._behind

    async def expired(self, execution_id: str) -> ExecutionState | None:
        """What is kept of one that has expired; None for any other. Raises Unavailable."""

        def find(connection: sqlite3.Connection) -> ExecutionState | None:
            entry = load(connection, execution_id)
            found = entry is not None and entry.row["gone"] == "expired"
            return expired_state(entry.row["state"]) if entry is not None and found else None

        return await self._run(find)

    async def ended(self, project: str | None) -> dict[str, str]:
        """Status of every execution on disk that has ended, as far as it is known. Raises Unavailable."""
        return await self._run(partial(_ended, project=project))

    async def expired_before(
        self, before: str, *, project: str | None, status: str | None, since: float | None, limit: int
    ) -> list[ExecutionState]:
        """Expired ones with ids below `before`, newest first. Raises Unavailable."""

        def find(connection: sqlite3.Connection) -> list[ExecutionState]:
            rows = connection.execute(
                "SELECT state FROM executions WHERE gone = 'expired' AND id < ? "
                "AND (? IS NULL OR project_id = ?) AND (? IS NULL OR status = ?) "
                "AND (? IS NULL OR created >= ?) ORDER BY id DESC LIMIT ?",
                (before, project, project, status, status, since, since, limit),
            )
            return [expired_state(text) for (text,) in rows]

        return await self._run(find)

    async def ended_before(self, moment: float) -> list[str]:
        """Those on disk that ended before `moment` and are no part of an experiment, oldest first."""
        return await self.read(
            lambda connection: [
                each
                for (each,) in connection.execute(
                    "SELECT id FROM executions WHERE gone IS NULL AND ended < ? AND batch IS NULL "
                    "ORDER BY id",
                    (moment,),
                )
            ]
        )


def _read(folder: Path) -> Entry | None:
    """The execution in `folder` by its log; None where it cannot be read (any more). Blocking."""
    try:
        spec, state = records.read_spec(folder), records.refold(folder)
    except (CloutError, OSError) as error:
        if folder.is_dir():
            _log.warning("Execution %s is not counted in the ledger: %s", folder.name, error)
        return None
    return entry_of(state, state.account, spec) if state.last_event_id else None


def _read_all(folders: list[Path]) -> list[Entry]:
    return [entry for entry in map(_read, folders) if entry is not None]


def _put_those_there(
    connection: sqlite3.Connection, *, entries: list[Entry], folders: list[Path], gone: Iterable[Entry] = ()
) -> None:
    """Nothing is written of one that was refused after all, or has gone since; `gone` are known to have."""
    connection.execute("BEGIN IMMEDIATE")  # nobody else writes between the look at a folder and its row
    put(connection, (entry for entry, folder in zip(entries, folders, strict=True) if folder.is_dir()))
    put(connection, gone)


def _is_whole(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM notes WHERE name = 'whole'").fetchone() is not None


def _known(connection: sqlite3.Connection) -> tuple[bool, dict[str, tuple[bool, str | None]]]:
    rows = connection.execute("SELECT id, ended IS NOT NULL, gone FROM executions")
    return _is_whole(connection), {each: (bool(ended), gone) for each, ended, gone in rows}


def _ended(connection: sqlite3.Connection, project: str | None) -> dict[str, str]:
    rows = connection.execute(
        "SELECT id, status FROM executions WHERE gone IS NULL AND ended IS NOT NULL "
        "AND (? IS NULL OR project_id = ?)",
        (project, project),
    )
    return dict(rows.fetchall())


def _settle(connection: sqlite3.Connection, vanished: Iterable[str]) -> None:
    mark(connection, vanished, "deleted")
    connection.execute("INSERT OR REPLACE INTO notes VALUES ('whole', '1')")
