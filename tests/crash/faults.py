"""A disk that fails at the N-th operation: stands in for `os` inside `cloutagent_ext.durable`.

Every durable operation of the store goes through that module (a unit test proves it), so counting
here counts them all. A killed process does nothing any more: after `Killed` each further operation
raises it again, cleaning-up included. Locks are let go, as the operating system does.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Literal
from unittest.mock import patch

from cloutagent_ext import durable

Mode = Literal["none", "kill before", "kill after", "short write", "ENOSPC", "EIO"]
MODES: tuple[Mode, ...] = ("kill before", "kill after", "short write", "ENOSPC", "EIO")

_OPERATIONS = ("open", "write", "fsync", "rename", "mkdir", "link", "unlink", "rmdir")
_NEEDS_ROOM = ("open", "write", "rename", "mkdir", "link")


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Disk:
    """Counts operations and fails at the one numbered `at` (from 1), or from there on."""

    mode: Mode = "none"
    at: int = 0
    for_good: bool = False
    log: list[str] = field(default_factory=list)
    hit: bool = False
    dead: bool = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return (lambda *args, **more: self._operate(name, real, args, more)) if name in _OPERATIONS else real

    def rmtree(self, path: os.PathLike[str]) -> None:
        self._operate("rmtree", shutil.rmtree, (path,), {})

    def _operate(self, name: str, real: Any, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        if self.dead:
            raise Killed
        self.log.append(name)
        number = len(self.log)
        if number != self.at and not (self.for_good and number > self.at):
            return self._perform(name, real, args, more)
        return self._fail(name, real, args, more)

    def _perform(self, name: str, real: Any, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        # What fsync does to the disk cannot be seen from here; that it is called, and where, can.
        return None if name == "fsync" else real(*args, **more)

    def _fail(self, name: str, real: Any, args: tuple[Any, ...], more: dict[str, Any]) -> Any:
        match self.mode:
            case "kill before":
                self.hit = self.dead = True
                raise Killed
            case "kill after":
                self._perform(name, real, args, more)
                self.hit = self.dead = True
                raise Killed
            case "short write" if name == "write":
                self.hit = True
                return real(args[0], bytes(args[1])[: max(1, len(args[1]) // 2)])
            case "ENOSPC" if name in _NEEDS_ROOM and not (name == "open" and not args[1] & os.O_CREAT):
                self.hit = True
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case "EIO":
                self.hit = True
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            case _:
                return self._perform(name, real, args, more)


@dataclass
class Tally:
    """How many operations were made to fail, by mode: a loop that met none proves nothing."""

    what: str
    hits: Counter[str] = field(default_factory=Counter)

    def add(self, disk: Disk) -> bool:
        """Count the disk's fault if it came to pass; whether it did."""
        if disk.hit:
            self.hits[f"{disk.mode} for good" if disk.for_good else disk.mode] += 1
        return disk.hit

    def tell(self) -> None:
        """A line for whoever looks at the run with `-s`, or at a failed one."""
        print(f"{self.what}: {sum(self.hits.values())} faults: {dict(self.hits)}")


def faults(modes: Iterable[Mode], *, thorough: bool) -> Iterator[tuple[Mode, bool]]:
    """Each mode, and whether the disk stays broken: a full or broken one also for good every night."""
    for mode in modes:
        yield mode, False
        if thorough and mode in ("ENOSPC", "EIO"):
            yield mode, True


@contextmanager
def failing(disk: Disk) -> Iterator[Disk]:
    """Inside the block, everything durable happens on `disk`."""
    with (
        patch.object(durable, "os", disk),
        patch.object(durable, "shutil", SimpleNamespace(rmtree=disk.rmtree)),
    ):
        yield disk
