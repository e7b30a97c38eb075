"""Which process an execution belongs to: a lock that the operating system frees when it dies.

A file `owner` beside the log, held with flock from acceptance to the end, and removed
then: a start finds what is unfinished by its name alone. Process ids never decide who owns
one, since systems reuse them. All functions block and are called in threads.

The lock is closed on exec, so no command and no tool has it; but a child that its process
was just starting has it until then, and outlives a SIGKILL of that process by as long as
a busy machine makes it wait. So the file says who took the lock: where that process is
dead, the lock is about to be free, and `take` waits for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import time
from pathlib import Path
from typing import Self

NAME = "owner"
LAST_BREATH_S = 5.0
"""Longest wait for children of a dead owner that have not got to their exec."""
_POLL_S = 0.01


class Owner:
    """Held: this process, and no other, writes the execution's files."""

    def __init__(self, path: Path, fd: int, *, inherited: bool) -> None:
        self._path = path
        self._fd = fd
        self.inherited = inherited
        """Whether somebody had signed before, who is dead now or has let go."""

    @classmethod
    def take(cls, folder: Path) -> Self | None:
        """Own the execution in `folder`, or None when a living process does. Raises OSError.

        Waits a little where its owner is dead but a child that it was starting is not out of its way.
        """
        path = folder / NAME
        give_up = time.monotonic() + LAST_BREATH_S
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                dead = _is_dead(os.pread(fd, 200, 0))
                os.close(fd)
                if not dead or time.monotonic() > give_up:
                    return None
                time.sleep(_POLL_S)
                continue
            except BaseException:
                os.close(fd)
                raise
            # The owner before us may have removed the file between our open and our lock.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), path.stat()):
                    inherited = os.fstat(fd).st_size > 0
                    _sign(fd)
                    return cls(path, fd, inherited=inherited)
            os.close(fd)

    def unsign(self) -> None:
        """Leave no name behind: whoever only looked must not be taken for one that has had it."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)

    def release(self, *, finished: bool) -> None:
        """Let go. `finished`: the execution has ended and nobody needs to look at it again."""
        if self._fd < 0:
            return
        try:
            if finished:
                with contextlib.suppress(FileNotFoundError):
                    self._path.unlink()
        finally:  # on a disk that has turned read-only the file stays; whoever finds it sees a finished log
            fd, self._fd = self._fd, -1
            os.close(fd)


def unfinished(folder: Path) -> bool:
    """Whether the execution in `folder` has not ended, as far as its owner file says."""
    return (folder / NAME).exists()


def _sign(fd: int) -> None:
    """Say who has it now. On a full disk nobody is named, which costs only the wait in `take`."""
    with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)
        os.pwrite(fd, _own(os.getpid()), 0)


def _is_dead(signature: bytes) -> bool:
    """Whether the process that signed is certainly gone: one of this machine, and of our own process ids."""
    pid = signature.split(b" ", 1)[0]
    try:
        here = _own(os.getpid()).split(b" ")[2:]
        if not pid.isdigit() or signature.split(b" ")[2:] != here:
            return False  # not ours to judge: another machine's, another container's, or nobody's
    except OSError:
        return False
    try:
        return _signature(int(pid)) != signature
    except (FileNotFoundError, ProcessLookupError):
        return True
    except OSError:
        return False


@functools.lru_cache(maxsize=1)
def _own(pid: int) -> bytes:
    """`_signature` of this process, which a fork does not share: three looks at /proc less for each owner."""
    return _signature(pid)


def _signature(pid: int) -> bytes:
    """Process `pid` as no other ever is: with its start, its namespace and this boot. Raises OSError.

    A killed process that nobody has waited for yet counts as gone: its files are closed.
    """
    # Behind the command's name, which may hold anything: state, …, and 19 fields on the start time.
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    if fields[0] in (b"Z", b"X"):
        raise ProcessLookupError(pid)
    space = Path("/proc/self/ns/pid").stat().st_ino
    boot = Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    return b"%d %b %d %b" % (pid, fields[19], space, boot)
