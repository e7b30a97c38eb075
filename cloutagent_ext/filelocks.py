"""Locks on files: who of several servers on one data folder may write something now.

flock, which dies with its owner, however that ends, and which no process id decides. Not here: who owns
an execution (`executions.owner`), what is written (`durable`). Everything blocks: call it in a thread.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .durable import remove, translated
from .errors import Conflict

LOCK_TIMEOUT_S = 30.0
"""Longest wait for another process that writes the same thing; a commit takes well under a second."""


@contextmanager
def locked(path: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold `path` as a lock between threads and processes (flock: it dies with its owner).

    Raises `Conflict` when somebody else holds it for `timeout_s` seconds.
    """
    from filelock import FileLock, Timeout  # here: a server that starts on an orderly folder locks nothing

    lock = FileLock(path, timeout=timeout_s, thread_local=False, is_singleton=False)
    with translated(path):
        try:
            lock.acquire(poll_interval=0.005)
        except Timeout as error:  # an OSError by birth, but nothing is wrong with the disk
            raise Conflict(
                f"Another server has been writing this for {timeout_s:g} s. Try again; if this goes on, "
                "look for a second server on the same data folder that hangs."
            ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _nameless(folder: Path) -> Iterator[tuple[int, str]]:
    """A file on the file system of `folder` that no crash leaves behind, and a path that opens it again."""
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except (AttributeError, OSError):  # not on every system, nor on every file system
        named = folder / f".probe.{secrets.token_hex(6)}.tmp"
        handle = os.open(named, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            yield handle, str(named)
        finally:
            os.close(handle)
            remove(named)
        return
    try:
        yield handle, f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def why_no_locks(folder: Path) -> str | None:
    """What is wrong with file locks in `folder`, for a person; None where they hold others off."""
    with translated(folder), _nameless(folder) as (first, path):
        second = -1
        try:
            second = os.open(path, os.O_RDWR)
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            found = "a file that one holds locked can be locked by another, too"
        except OSError as error:
            found = f"locking a file fails ({error.strerror})"
        finally:
            if second >= 0:
                os.close(second)
    return (
        f"Nothing is written, because the file system of the data folder has no working file locks: {found}. "
        "Two servers on it would overwrite each other's work. Put the data folder on a local disk, or mount "
        "the share with locks, then restart the server."
    )
