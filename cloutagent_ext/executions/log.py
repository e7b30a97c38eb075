"""One execution's event log: append, and cursors that follow it.

An event is visible only after its one appending write. A cursor reads what is written,
never a queue of its own: a slow reader costs nothing and loses nothing, and a reader of
a log that another process writes differs only in that it looks again instead of being
woken. The newest records are also kept in memory, once per log and bounded, so that
those who keep up need no reads at all.

Not here: how the file is searched and mended (`logfile`), what events mean (`fold`).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from .. import steady
from ..schema.base import JsonObject, timestamp
from ..schema.events import ENDINGS
from . import logfile
from .appendfile import AppendFile
from .encode import line

_log = logging.getLogger(__name__)

_TAIL_BYTES = 256 * 1024
"""Most bytes of newest records kept in memory per log."""
_POLL_S = (0.05, 0.5)
"""First and longest pause between looks at a log that somebody else writes."""


class EventLog:
    """`events.jsonl` of one execution. `create` and `open` are for its owner, `reader` for everyone."""

    def __init__(self, path: Path, file: AppendFile | None, end: logfile.End) -> None:
        self.path = path
        self.last_id = end.last_id
        """Id of the newest event (of a reader: the newest one seen)."""
        self.ended = end.last_type in ENDINGS
        self._file = file
        self._live = file is not None
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._changed = asyncio.Event()
        self._opened = datetime.now(UTC), steady.seconds()

    # ------------------------------------------------------------ opening

    @classmethod
    async def create(cls, folder: Path) -> Self:
        """A new, empty log. Raises FileExistsError where there is one."""
        return await asyncio.to_thread(cls.new, folder)

    @classmethod
    def new(cls, folder: Path) -> Self:
        """`create`, blocking."""
        path = folder / logfile.NAME
        return cls(path, AppendFile.open(path, new=True), logfile.End(0, None))

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """An existing log, to go on with. Only its owner may.

        A torn end is cut off and saved aside; the log says so in a warning LOG_REPAIRED,
        unless it has ended. Raises `LogDamaged`, FileNotFoundError.
        """
        path = folder / logfile.NAME
        end = await asyncio.to_thread(logfile.repair, path)
        log = cls(path, await asyncio.to_thread(AppendFile.open, path), end)
        if end.saved_as:
            _log.warning("The event log %s had a torn end; %d bytes were set aside", path, end.torn_bytes)
            if not log.ended:
                await log.append(
                    "warning",
                    sync=True,
                    code="LOG_REPAIRED",
                    message=f"The end of the log was torn; {end.torn_bytes} bytes were set aside.",
                    details={"offset": end.torn_offset, "bytes": end.torn_bytes, "saved_as": end.saved_as},
                )
        return log

    @classmethod
    async def reader(cls, folder: Path) -> Self:
        """A log to read only: one that has ended, or that another process writes.

        Raises FileNotFoundError.
        """
        path = folder / logfile.NAME
        return cls(path, None, await asyncio.to_thread(logfile.last_event, path))

    # ------------------------------------------------------------ writing

    def write(self, type: str, *, agent: str = "main", span: str = "main", **fields: Any) -> JsonObject:
        """Append one event and wake the cursors; the event as written. Raises OSError, nothing written."""
        if self._file is None or self._file.closed:
            raise RuntimeError(f"the log {self.path.parent.name} is not open for writing")
        if self.ended:
            raise RuntimeError(f"the log {self.path.parent.name} has ended; nothing can follow")
        event: JsonObject = {
            "id": self.last_id + 1, "type": type, "ts": timestamp(self.now()),
            "agent": agent, "span": span, **fields,
        }  # fmt: skip
        record = line(event)[:-1]
        self._file.append(logfile.sealed(record))
        self.last_id += 1
        self.ended = type in ENDINGS
        self._remember(record)
        self._wake()
        return event

    def now(self) -> datetime:
        """The wall's time when this was opened and what has passed since.

        So the times of a log never go back and the time between two events is what it took,
        though somebody sets the clock on the wall: durations and limits are counted from them.
        """
        wall, began = self._opened
        return wall + timedelta(seconds=steady.seconds() - began)

    async def append(
        self, type: str, *, agent: str = "main", span: str = "main", sync: bool = False, **fields: Any
    ) -> int:
        """`write`; its id. With `sync`, it has reached the disk when this returns."""
        event = self.write(type, agent=agent, span=span, **fields)
        if sync:
            await self.sync()
        return int(event["id"])

    async def sync(self) -> None:
        """Return when every event so far has reached the disk."""
        if self._file is not None:
            await self._file.sync()

    @property
    def closed(self) -> bool:
        """Whether this was open for writing and no longer is."""
        return self._live and (self._file is None or self._file.closed)

    async def close(self) -> None:
        """End writing. Cursors give what is left and end. Safe to call twice."""
        if self._file is not None:
            await self._file.close()
        self._wake()

    def _remember(self, record: bytes) -> None:
        self._tail.append(record)
        self._tail_bytes += len(record)
        while self._tail_bytes > _TAIL_BYTES and len(self._tail) > 1:
            self._tail_bytes -= len(self._tail.popleft())

    def _wake(self) -> None:
        self._changed.set()
        self._changed.clear()  # those who wait now go on; those who come later wait for the next one

    # ------------------------------------------------------------ reading

    async def cursor(self, from_event: int = 1) -> AsyncGenerator[bytes, None]:
        """Each event from `from_event` on, as its line of JSON, once and in order.

        Goes on live, and ends after the ending event. Raises `LogDamaged` at a line that cannot be read.
        """
        async for lines in self.batches(from_event):
            for each in lines:
                yield each

    async def batches(self, from_event: int = 1) -> AsyncGenerator[list[bytes], None]:
        """Like `cursor`, with all lines at hand at once: for those who send them on in one write."""
        next_id, pause = max(1, from_event), _POLL_S[0]
        offset: int | None = None
        while True:
            newer = self.last_id - next_id + 1
            if self._live and 0 < newer <= len(self._tail):
                lines, offset = [self._tail[-back] for back in range(newer, 0, -1)], None
            elif self._live and newer <= 0:
                if self.ended or self.closed:
                    return
                await self._changed.wait()
                continue
            else:
                lines, offset = await self._read(next_id, offset)
            if lines:
                pause = _POLL_S[0]
                next_id += len(lines)
                yield lines
            elif self.ended or self.closed:
                return
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _POLL_S[1])

    async def page(self, from_event: int = 1, limit: int = 1000) -> tuple[list[JsonObject], int | None]:
        """At most `limit` events from `from_event` on, and the id to go on with (None: nothing more now).

        Raises `LogDamaged` where the first of them cannot be read.
        """
        lines, following = await self.lines(from_event, limit)
        return await asyncio.to_thread(_parsed, lines), following

    async def lines(self, from_event: int = 1, limit: int = 1000) -> tuple[list[bytes], int | None]:
        """Like `page`, each event as its line of JSON."""
        first = next_id = max(1, from_event)
        offset: int | None = None
        found: list[bytes] = []
        while len(found) < limit:
            try:
                lines, offset = await self._read(next_id, offset, limit - len(found))
            except logfile.LogDamaged:
                if found:
                    break
                raise
            if not lines:
                break
            found += lines
            next_id += len(lines)
        return found, next_id if first < next_id <= self.last_id else None

    async def _read(
        self, next_id: int, offset: int | None, limit: int | None = None
    ) -> tuple[list[bytes], int | None]:
        try:
            found = await asyncio.to_thread(logfile.read, self.path, next_id, offset, limit=limit)
        except FileNotFoundError:  # deleted, with its execution: nothing will follow
            self.ended = True
            return [], offset
        if not self._live and found.lines:
            self.last_id = max(self.last_id, next_id + len(found.lines) - 1)
            self.ended = self.ended or found.last_type in ENDINGS
        return found.lines, found.offset


def _parsed(lines: list[bytes]) -> list[JsonObject]:
    return [json.loads(each) for each in lines]
