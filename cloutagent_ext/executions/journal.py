"""The journal of one execution: what a crash resumes from, before and after each effect.

One JSON object a line in `journal`, one write each, like the event log. Each begins with
its number and a checksum of the rest, so that a record that is missing, doubled or
changed is found, and never guessed around. A torn end is cut off: nobody was told of it.

Not here: what is recorded (the engine says) and what it means for who goes on
(`engine.past`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from ..errors import UnreadableFile
from ..schema.base import JsonObject, timestamp
from .appendfile import AppendFile, cut_off
from .encode import line
from .log import EventLog

_log = logging.getLogger(__name__)

NAME = "journal"
_HEAD = re.compile(rb'\{"n":(\d{1,12}),"crc":(\d{1,10}),')


class JournalDamaged(UnreadableFile):
    """A record in the middle of a journal cannot be read. It stays as it is."""


class JournalFile:
    """The engine's `Journal` port on a file."""

    def __init__(self, file: AppendFile, records: int, log: EventLog) -> None:
        self._file = file
        self._log = log
        self._records = records

    @classmethod
    async def open(cls, folder: Path, log: EventLog) -> Self:
        """The journal of the execution in `folder`, whose events go to `log`.

        Goes on behind its last record; a torn end is cut off and kept beside it. Raises
        `JournalDamaged`, OSError.
        """

        def opened() -> tuple[AppendFile, int]:
            records = _repair(folder / NAME)
            return AppendFile.open(folder / NAME), records

        return cls(*await asyncio.to_thread(opened), log)

    async def record(self, kind: str, *, sync: bool = False, **fields: Any) -> None:
        """Append `{"kind": kind, "ts": …, **fields}`.

        `sync` comes before a side effect: the journal and the event log, which has
        announced the effect, have both reached the disk when this returns.
        """
        self._file.append(_line(self._records + 1, {"kind": kind, "ts": timestamp(), **fields}))
        self._records += 1
        if sync:
            await self._log.sync()
            await self._file.sync()

    async def close(self) -> None:
        """End writing. Safe to call twice."""
        await self._file.close()


def content(records: Iterable[JsonObject]) -> bytes:
    """A journal that holds `records`, for an execution that begins from another one."""
    return b"".join(_line(number, record) for number, record in enumerate(records, 1))


def read(folder: Path) -> list[JsonObject]:
    """The records of the journal in `folder`, without a torn last one; none where there is no journal.

    Blocking. Raises `JournalDamaged`, OSError.
    """
    try:
        return _read(folder / NAME)[0]
    except FileNotFoundError:
        return []


def _line(number: int, record: JsonObject) -> bytes:
    rest = line(record)[1:]
    return b'{"n":%d,"crc":%d,%b' % (number, zlib.crc32(rest), rest)


def _read(path: Path) -> tuple[list[JsonObject], int]:
    """The good records and where they end; a last line that is none of them is torn."""
    data = path.read_bytes()
    records: list[JsonObject] = []
    offset = 0
    while offset < len(data):
        end = data.find(b"\n", offset) + 1
        whole = data[offset : end or len(data)]
        record, reason = _parsed(whole, len(records) + 1)
        if record is None:
            if not end or end == len(data):
                break
            raise JournalDamaged(
                f"The journal {path.parent.name}/{path.name} is damaged at line {len(records) + 1}: "
                f"{reason}. It was left as it is: nothing is guessed. Restore the file from a copy to go on "
                "with this execution, or cancel it.",
                file=path.name,
                line=len(records) + 1,
                reason=reason,
            )
        records.append(record)
        offset = end
    return records, offset


def _parsed(whole: bytes, number: int) -> tuple[JsonObject | None, str]:
    head = _HEAD.match(whole)
    if head is None or not whole.endswith(b"\n"):
        return None, "it is no record"
    if zlib.crc32(whole[head.end() :]) != int(head[2]):
        return None, "its checksum does not fit"
    if int(head[1]) != number:
        return None, f"record {int(head[1])} stands in the place of record {number}"
    record = json.loads(b"{" + whole[head.end() :])
    return (record, "") if isinstance(record, dict) else (None, "it is no record")


def _repair(path: Path) -> int:
    """Cut off a torn end, keeping it aside; how many records there are."""
    try:
        records, good = _read(path)
    except FileNotFoundError:
        return 0
    size = path.stat().st_size
    if good < size:
        cut_off(path, good)
        _log.warning("The journal %s had a torn end; %d bytes were set aside", path, size - good)
    return len(records)
