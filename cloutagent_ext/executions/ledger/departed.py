"""What stays of executions whose files are gone: a line each, in a file for each month. Blocking.

The ledger can be written again from the executions on disk; of those that are not there
any more these files are the source. Whoever no longer wants to know of a month may delete
its file. Not here: when an execution goes (`executions.retention`).
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ... import durable, filelocks
from .entry import Entry

_log = logging.getLogger(__name__)

_PATTERN = "departed-*.jsonl"


class Departed:
    """The files below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def append(self, entries: list[Entry]) -> None:
        """Keep `entries`; on the disk when this returns. Raises OSError, or a CloutError of the disk."""
        durable.make_folder(self._folder)
        path = self._folder / f"departed-{datetime.now(UTC):%Y-%m}.jsonl"
        with filelocks.locked(self._folder / "departed.lock"):
            _append(path, b"".join(entry.to_json() + b"\n" for entry in entries))

    def entries(self) -> Iterator[Entry]:
        """All of them, oldest first; of one that stands twice the last holds."""
        for path in sorted(self._folder.glob(_PATTERN)):
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    try:
                        yield Entry.from_json(line)
                    except (ValueError, KeyError, TypeError):
                        # A line that was being written when the power went; it was never acted upon.
                        _log.warning("%s: line %d cannot be read and is passed over", path.name, number)


def _append(path: Path, data: bytes) -> None:
    """Add whole lines, or nothing of them; what a power cut left of the line before gets an end first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            data = b"\n" + data
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if size == 0:
        durable.sync_folder(path.parent)
