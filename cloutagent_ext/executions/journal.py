"""The journal of one execution: what a crash resumes from, before and after each effect.

One JSON object a line in `journal`, one write each, like the event log. Not here: what is
recorded (the engine says) and how it is replayed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Self

from ..schema.base import timestamp
from .appendfile import AppendFile
from .encode import line
from .log import EventLog

NAME = "journal"


class JournalFile:
    """The engine's `Journal` port on a file."""

    def __init__(self, file: AppendFile, log: EventLog) -> None:
        self._file = file
        self._log = log

    @classmethod
    async def open(cls, folder: Path, log: EventLog) -> Self:
        """The journal of the execution in `folder`, whose events go to `log`. Raises OSError."""
        return cls(await asyncio.to_thread(AppendFile.open, folder / NAME), log)

    async def record(self, kind: str, *, sync: bool = False, **fields: Any) -> None:
        """Append `{"kind": kind, "ts": …, **fields}`.

        `sync` comes before a side effect: the journal and the event log, which has
        announced the effect, have both reached the disk when this returns.
        """
        self._file.append(line({"kind": kind, "ts": timestamp(), **fields}))
        if sync:
            await self._log.sync()
            await self._file.sync()

    async def close(self) -> None:
        """End writing. Safe to call twice."""
        await self._file.close()
