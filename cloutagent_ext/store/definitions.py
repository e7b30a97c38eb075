"""Definitions that were read lately, believed as long as nothing of them changed on the disk.

What is remembered of a project is what its files meant, together with the status of every definition
file and of the folders they lie in: inode, size, times of change. Each use looks at all of these again,
so that a hand edit is seen at the next read; contents are read again only where one differs.

The limit of such a look is the clock of the file system: two changes within one tick of it, both after
the look, have one time. A file that changed within the last `TICK_NS` is therefore read anew each
time, and nothing is remembered while a commit is under way. Who changes a file and sets its time of
change back (which takes the system's clock) is not noticed.

Not here: what the files mean (`store.layout`), a consistent read (`store.tree`), rows (`store.listing`).
Blocks; may be called from several threads.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from pathlib import Path

from . import layout, tree
from .layout import Loaded
from .project_files import TICK_NS

KEPT = 100
"""Definitions remembered, those used last. The largest honest one takes a few MB."""

Status = tuple[int, int, int, int]


class Stamp:
    """The status of everything that a definition was read from."""

    __slots__ = ("_seen",)

    def __init__(self, seen: list[tuple[str, Status | None]]) -> None:
        self._seen = seen

    @classmethod
    def of(cls, project: Path) -> Stamp:
        """As it is now. Raises `UnreadableFile` where a folder is none."""
        base = str(project)
        paths = [f"{base}/{relative}" for relative in tree.watched(project)]
        return cls([(path, status(path)) for path in paths])

    def holds(self) -> bool:
        """Whether all of it is as it was."""
        # The loop of a warm list of a thousand projects: no more than one look at each path.
        return all(status(path) == known for path, known in self._seen)

    def settled(self, now_ns: int, tick_ns: int = TICK_NS) -> bool:
        """Whether any later change must show: the last one lies more than a tick before `now_ns`."""
        return all(known is None or max(known[2], known[3]) + tick_ns < now_ns for _, known in self._seen)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stamp) and self._seen == other._seen

    __hash__ = None  # type: ignore[assignment]


def status(path: str) -> Status | None:
    """What differs whenever the file or folder may have changed; None where there is none."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Definitions:
    """The projects below `projects`, as last read."""

    def __init__(self, projects: Path, kept: int = KEPT, *, tick_ns: int = TICK_NS) -> None:
        self._projects = projects
        self._kept = kept
        self._tick_ns = tick_ns
        self._known: OrderedDict[str, tuple[Stamp, Loaded]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, project_id: str) -> Loaded:
        """The project as it lies on the disk now; never to be changed by who gets it.

        Raises `NotFound`, `UnreadableFile`, `NewerFormat`, `Conflict`.
        """
        with self._lock:
            entry = self._known.get(project_id)
        if entry is not None and entry[0].holds():
            with self._lock:
                if self._known.get(project_id) is entry:
                    self._known.move_to_end(project_id)
            return entry[1]
        stamp, loaded = read(self._projects / project_id, self._tick_ns)
        with self._lock:
            if stamp is None:
                self._known.pop(project_id, None)
            else:
                self._known[project_id] = (stamp, loaded)
                self._known.move_to_end(project_id)
                while len(self._known) > self._kept:
                    self._known.popitem(last=False)
        return loaded

    def __len__(self) -> int:
        return len(self._known)


def read(project: Path, tick_ns: int = TICK_NS) -> tuple[Stamp | None, Loaded]:
    """The project off the disk, and the stamp it may be remembered under; None where it may not be yet."""
    before = Stamp.of(project)
    began = time.time_ns()
    loaded = layout.parse(tree.read(project))
    steady = tree.at_rest(project) and before.settled(began, tick_ns) and before.holds()
    return (before if steady else None), loaded
