"""How much memory and disk a command uses: asked by its supervisor while it runs.

Standard library only: `supervisor` imports this file without the package.
"""

# ruff: noqa: PTH123
from __future__ import annotations

import contextlib
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE = os.sysconf("SC_PAGE_SIZE")
SHARE_OF_TIME = 0.05
"""At most this share of the time is spent on counting a folder."""
MAX_ENTRIES = 1_000_000


def memory(pids: Iterable[int]) -> int:
    """Bytes that belong to these processes alone: shared libraries and mapped files are not counted."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/statm", "rb") as file:
            words = file.read().split()
            pages += max(int(words[1]) - int(words[2]), 0)
    return pages * PAGE


def machine_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PHYS_PAGES") * PAGE


class Disk:
    """How much a folder holds, counted now and then, the more seldom the longer it takes."""

    def __init__(self, folder: str, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._next = 0.0

    def full(self) -> bool:
        """Whether it holds more than it may; False where it is not time to count."""
        began = time.monotonic()
        if not self.folder or began < self._next:
            return False
        held = self._held()
        took = time.monotonic() - began
        self._next = began + max(1.0, took / SHARE_OF_TIME)
        return held > self.limit

    def _held(self) -> int:
        held = entries = 0
        todo = [self.folder]
        while todo and entries < MAX_ENTRIES and held <= self.limit:
            with contextlib.suppress(OSError), os.scandir(todo.pop()) as rows:
                for row in rows:
                    entries += 1
                    with contextlib.suppress(OSError):
                        if row.is_dir(follow_symlinks=False):
                            todo.append(row.path)
                        else:
                            held += row.stat(follow_symlinks=False).st_blocks * 512
        return held
