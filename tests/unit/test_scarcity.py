"""Of how many kinds an error is that says "the system has no more": real ones where they can be had."""

from __future__ import annotations

import asyncio
import errno
import pickle
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable

import pytest
from pydantic import BaseModel, field_serializer

from cloutagent_ext.engine.masking import NOTHING
from cloutagent_ext.engine.ports import ModelFailure
from cloutagent_ext.errors import CloutError, Conflict
from cloutagent_ext.executions import failures
from cloutagent_ext.scarcity import is_scarce
from cloutagent_ext.server.failures import as_error


class Hungry(BaseModel):
    x: int = 1

    @field_serializer("x")
    def _no_memory(self, _: int) -> int:
        raise MemoryError


def raised(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def of_sqlite() -> None:
    """SQLite's own words. The limit that provokes them holds for a whole process, to its end."""
    program = (
        "import pickle, sqlite3, sys\n"
        "database = sqlite3.connect(':memory:')\n"
        "database.execute('pragma hard_heap_limit=200000')\n"
        "try:\n"
        "    database.execute('select zeroblob(10000000)').fetchone()\n"
        "except Exception as error:\n"
        "    sys.stdout.buffer.write(pickle.dumps(error))\n"
    )
    raise pickle.loads(
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    )


def rewrapped(error: BaseException, *, wish: bool) -> BaseException:
    """Another error, raised from `error` or while it was handled."""

    def act() -> None:
        try:
            raise error
        except BaseException as inner:
            if wish:
                raise ValueError("the library's own words") from inner
            raise ValueError("the library's own words")  # noqa: B904 - that is the point

    return raised(act)


def hidden(error: BaseException) -> BaseException:
    def act() -> None:
        try:
            raise error
        except BaseException:
            raise ValueError("nothing behind this") from None

    return raised(act)


async def in_a_group(error: BaseException) -> BaseException:
    async def fail() -> None:
        raise error

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
    except BaseException as found:
        return found
    raise AssertionError


SCARCE = {
    "memory": MemoryError(),
    "no such descriptor free": OSError(errno.EMFILE, "Too many open files"),
    "none in the whole system": OSError(errno.ENFILE, "Too many open files in system"),
    "memory of the kernel": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "no process": BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    "no thread": RuntimeError("can't start new thread"),
    "a lookup": socket.gaierror(socket.EAI_MEMORY, "Memory allocation failure"),
    "a library that cannot be loaded": ImportError("libx.so: failed to map segment from shared object"),
    "a module's file": ImportError("x.so: cannot open shared object file: Too many open files"),
    "C code without words": SystemError("<built-in function f> returned NULL without setting an exception"),
    "TLS": ssl.SSLError(1, "[SSL] malloc failure (_ssl.c:3113)"),
    "SQLite's disk I/O": sqlite3.OperationalError("out of memory"),
}


@pytest.mark.parametrize("error", SCARCE.values(), ids=SCARCE.keys())
async def test_want_is_seen_bare_chained_grouped_and_behind_other_errors(error: BaseException) -> None:
    assert is_scarce(error)
    assert is_scarce(rewrapped(error, wish=True))
    assert is_scarce(await in_a_group(rewrapped(error, wish=True)))
    if not isinstance(error, BlockingIOError):
        assert is_scarce(rewrapped(error, wish=False))
        assert is_scarce(hidden(error))
        assert is_scarce(rewrapped(hidden(error), wish=True))


@pytest.mark.parametrize("act", [lambda: Hungry().model_dump_json(), of_sqlite], ids=["pydantic", "sqlite"])
def test_libraries_that_meet_it_in_their_own_code_are_understood(act: Callable[[], object]) -> None:
    assert is_scarce(raised(act))


def test_what_python_raises_without_memory_files_or_threads_is_understood() -> None:
    """In a process of its own, under the system's own limits; it says what it could not explain."""
    program = """
import os, resource, socket, subprocess, sys, threading
sys.path[:0] = sys.argv[1:]
from cloutagent_ext.scarcity import is_scarce

def limited(kind, most, act):
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, before[1]))
    try:
        act()
    except BaseException as error:
        found = error
    else:
        found = None
    resource.setrlimit(kind, before)
    print(is_scarce(found), repr(found))

pages = int(open("/proc/self/statm").read().split()[0])
space = pages * resource.getpagesize() + 2 * 2**20
limited(resource.RLIMIT_AS, space, lambda: bytearray(64 * 2**20))
limited(resource.RLIMIT_AS, space, lambda: threading.Thread(target=print).start())
for act in (socket.socket, lambda: open("/dev/null"), lambda: subprocess.run(["true"]), os.pipe):
    limited(resource.RLIMIT_NOFILE, 3, act)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *sys.path], capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 6, done
    assert [line for line in lines if not line.startswith("True ")] == []


NOT = {
    "a bug": KeyError("x"),
    "words of a service far away": ModelFailure("CUDA out of memory", retryable=False, kind="api_error"),
    "words of a model": ValueError("out of memory"),
    "a full disk": OSError(errno.ENOSPC, "No space left on device"),
    "a closed database": sqlite3.OperationalError("no such table: x"),
    "a certificate": ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"),
    "another bug": RuntimeError("cannot reuse already awaited coroutine"),
}


@pytest.mark.parametrize("error", NOT.values(), ids=NOT.keys())
def test_anything_else_keeps_its_own_name(error: BaseException) -> None:
    assert not is_scarce(error)
    assert not is_scarce(rewrapped(error, wish=True))


def test_a_lock_that_somebody_else_holds_is_no_want() -> None:
    """What does not block says "not now" daily, and an error is raised while that is handled."""
    assert not is_scarce(rewrapped(BlockingIOError(errno.EAGAIN, "not now"), wish=False))
    assert not is_scarce(raised(lambda: _taken()))


def _taken() -> None:
    try:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    except BlockingIOError:
        raise Conflict("It is being written by somebody else.") from None


def test_a_chain_that_bites_its_own_tail_ends() -> None:
    one, two = ValueError("1"), ValueError("2")
    one.__context__, two.__context__ = two, one
    assert not is_scarce(one)


def test_callers_and_executions_are_told_the_same() -> None:
    for error in [*SCARCE.values(), *(rewrapped(each, wish=True) for each in SCARCE.values())]:
        assert failures.of_exception(error, NOTHING, "x").code == "OVERLOADED"
        told = as_error(error)
        assert (told.status, told.error_code) == (503, "OVERLOADED"), error
    assert isinstance(as_error(ValueError("bug")), CloutError)
    assert failures.of_exception(ValueError("bug"), NOTHING, "x").code == "INTERNAL"
