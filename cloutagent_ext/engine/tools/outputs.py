"""What a command has written so far, as its supervisor keeps it.

Standard library only: `supervisor` imports this file without the package.
"""

from __future__ import annotations

import json
import os

TAIL_BYTES = 32 * 1024
FIRST_LINE_BYTES = 4096
"""Where a command may say that it goes on in the background."""
READ_BYTES = 64 * 1024


class Output:
    """What came out so far: the first `kept` bytes, the tail, and how much in all."""

    def __init__(self, pipe: int, kept: int) -> None:
        self.pipe, self.kept = pipe, kept
        self.head, self.tail, self.total = bytearray(), bytearray(), 0
        self.open = True

    def read(self) -> bool:
        """Take one helping; whether there was any."""
        try:
            data = os.read(self.pipe, READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self.open = False
            return False
        self.total += len(data)
        room = self.kept - len(self.head)
        self.head += data[:room]
        if len(data) > room:
            self.tail += data[max(room, 0) :]
            del self.tail[:-TAIL_BYTES]
        return True

    def drain(self) -> None:
        """What was written before the command exited and waits in the pipe (1 MiB is the largest pipe)."""
        for _ in range(1024 * 1024 // READ_BYTES):
            if not self.read():
                return

    def forget(self) -> None:
        """Keep nothing any more: nobody will ask for it."""
        self.kept = 0
        self.head.clear()
        self.tail.clear()

    def says_async(self) -> bool:
        """Whether the first line is complete and says that the rest goes on in the background."""
        line, end, _ = self.head[:FIRST_LINE_BYTES].partition(b"\n")
        if not end or b'"async"' not in line:
            return False
        try:
            said = json.loads(line)
        except ValueError:
            return False
        return isinstance(said, dict) and said.get("async") is True
