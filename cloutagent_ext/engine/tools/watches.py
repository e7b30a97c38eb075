"""Which processes a command has, and how much memory and disk: asked by its supervisor while it runs.

Standard library only: `supervisor` imports this file without the package.
"""

# ruff: noqa: PTH110, PTH123, PTH208
from __future__ import annotations

import collections
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


def children(pid: int) -> list[int]:
    """Direct children of `pid`, zombies included."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
                found += [int(word) for word in file.read().split()]
    return found


def children_by_scan() -> dict[int, list[int]]:
    """The same as a map of the whole machine, for kernels without `/proc/<pid>/task/<tid>/children`."""
    by_parent: dict[int, list[int]] = collections.defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                by_parent[int(file.read().rpartition(b")")[2].split()[1])].append(int(name))
    return by_parent


HAS_CHILDREN_FILE = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


def descendants() -> list[int]:
    """Every process below this one."""
    of = children if HAS_CHILDREN_FILE else children_by_scan().__getitem__
    found: list[int] = []
    todo = [os.getpid()]
    while todo:
        below = of(todo.pop())
        found += below
        todo += below
    return found


def memory(pids: Iterable[int]) -> int:
    """Bytes that belong to these processes alone: shared libraries and mapped files are not counted."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/statm", "rb") as file:
            words = file.read().split()
            pages += max(int(words[1]) - int(words[2]), 0)
    return pages * PAGE


def tasks() -> int:
    """How many threads the whole machine has: one small file, however many they are."""
    with open("/proc/loadavg", "rb") as file:
        return int(file.read().split()[3].partition(b"/")[2])


def is_warden(pid: int) -> bool:
    """Whether that is process 1 of a sandbox of ours."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0").endswith(b"/engine/tools/warden.py")
    except OSError:
        return False


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
