"""How much of the disk the data folder takes. Measured in a thread, seldom, and remembered.

A file with several names (versions share content) counts once; what a file really takes
counts, not what it says. Not here: room kept back for endings (`reserve`).
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..schema.base import timestamp

if TYPE_CHECKING:
    from ..schema.metrics import Disk

_FRESH_S = 300.0
"""Age up to which a measurement is shown; walking a large folder takes seconds."""
_BLOCK = 512
"""Bytes of a block as `stat` counts them."""


class DiskUse:
    """Measures one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._last: Disk | None = None
        self._measured = 0.0
        self._task: asyncio.Task[None] | None = None
        self._stopped = threading.Event()

    async def look(self, *, at_once: bool = False) -> Disk | None:
        """The newest measurement; one that is old is taken anew, for whoever asks next.

        The first one is waited for a moment; None where it takes longer. `at_once`: wait for a new one.
        """
        old = self._last is None or time.monotonic() - self._measured > _FRESH_S
        if (old or at_once) and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._measure(), name="disk use")
        if self._task is not None and not self._task.done() and (self._last is None or at_once):
            await asyncio.wait({self._task}, timeout=None if at_once else 1.0)
        return self._last

    async def stop(self) -> None:
        """Break off a measurement that is under way: nothing of ours outlives the service."""
        self._stopped.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _measure(self) -> None:
        self._last = await asyncio.to_thread(measure, self._data_dir, self._stopped)
        self._measured = time.monotonic()


def measure(data_dir: Path, stopped: threading.Event) -> Disk | None:
    """The sizes of now; None once it is `stopped`. Blocking."""
    from ..schema.metrics import Disk

    seen: set[tuple[int, int]] = set()
    sizes = {"projects": 0, "executions": 0, "temp": 0, "backups": 0, "": 0}
    for top, inner, size in _files(data_dir, seen):
        if stopped.is_set():
            return None
        kind = "executions" if top == "projects" and inner == "executions" else top
        sizes[kind if kind in sizes else ""] += size
    room = os.statvfs(data_dir)
    return Disk(
        used_bytes=sum(sizes.values()),
        projects_bytes=sizes["projects"],
        executions_bytes=sizes["executions"],
        workspaces_bytes=sizes["temp"],
        backups_bytes=sizes["backups"],
        free_bytes=room.f_bavail * room.f_frsize,
        measured_at=timestamp(datetime.now(UTC)),
    )


def _files(data_dir: Path, seen: set[tuple[int, int]]) -> Iterator[tuple[str, str, int]]:
    """(folder in the data folder, folder in a project, bytes) of each file, links not followed."""
    waiting: list[tuple[str, tuple[str, ...]]] = [(str(data_dir), ())]
    while waiting:
        folder, parts = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append((entry.path, (*parts, entry.name)[:3]))
                            continue
                        found = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue  # gone since it was listed
                    if found.st_nlink > 1:
                        if (found.st_dev, found.st_ino) in seen:
                            continue
                        seen.add((found.st_dev, found.st_ino))
                    top = parts[0] if parts else ""
                    yield top, parts[2] if len(parts) > 2 else "", found.st_blocks * _BLOCK
        except OSError:
            continue
