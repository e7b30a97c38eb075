"""A log as files: one a day, some days kept, each up to a size.

Files are named by their day (UTC), so that nothing is ever renamed and two servers on one data folder
append to the same one, a whole line at a time. A day that is full takes no more: what somebody writes
to push earlier lines out is what is lost. Blocking: for the log's own thread. Not here: what a line
says.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

FOLDER = "logs"
"""In the data folder."""


class DailyFile:
    """The files `<name>-YYYY-MM-DD.jsonl` of `folder`."""

    def __init__(self, folder: Path, name: str, *, keep: int, max_bytes: int) -> None:
        self._folder = folder
        self._name = name
        self._keep = keep
        self._max_bytes = max_bytes
        self._day = ""
        self._fd: int | None = None
        self._full = False
        self.left_out = 0
        """Lines of this day that found no room."""

    def write(self, line: bytes, now: datetime | None = None) -> None:
        """Append one line (which ends in a newline). Raises OSError."""
        day = (now or datetime.now(UTC)).strftime("%Y-%m-%d")
        if day != self._day or self._fd is None or os.fstat(self._fd).st_nlink == 0:
            self._open(day)
        assert self._fd is not None
        if self._full or os.fstat(self._fd).st_size + len(line) > self._max_bytes:
            self.left_out += 1
            if not self._full:
                self._full = True
                os.write(self._fd, self._last_words())
            return
        os.write(self._fd, line)

    def _last_words(self) -> bytes:
        said = (
            f"This day's file has reached its size ({self._max_bytes} bytes); what follows today is left out."
        )
        return b'{"level":"WARNING","logger":"cloutagent.telemetry","message":"%b"}\n' % said.encode()

    def _open(self, day: str) -> None:
        self.close()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | os.O_CLOEXEC
        self._fd = os.open(self._folder / f"{self._name}-{day}.jsonl", flags, 0o600)
        if day != self._day:
            self._day, self._full, self.left_out = day, False, 0
            self._prune()

    def _prune(self) -> None:
        """Only files that have our names go, whatever else lies there."""
        ours = re.compile(rf"{re.escape(self._name)}-\d{{4}}-\d\d-\d\d\.jsonl")
        names = sorted(name for name in os.listdir(self._folder) if ours.fullmatch(name))  # noqa: PTH208
        for name in names[: -self._keep]:
            (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
