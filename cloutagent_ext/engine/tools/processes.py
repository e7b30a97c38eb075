"""The last word on processes: nothing that carries an execution's marker survives.

Supervisors end what is below them; this sweep is for what has no supervisor any more
(a supervisor was killed, a server died, a kernel's orphans). It knows processes by the
marker in their environment and by descent from those, never by name. Linux only: it
reads /proc through psutil. Not covered: a process that shed both, by `env -i` and by
outliving a supervisor or kernel that was itself killed with SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from typing import Any

import psutil

from .environment import MARKER

TERM_GRACE_S = 1.5
"""Longer than a supervisor's own grace: it tidies up what only it can find."""
HURRIED_S = 0.3
"""The same where there is no time for that: the kernel has them all in any case."""
GIVE_UP_S = 10.0
_POLL_S = 0.02
_OURS = ("engine/tools/supervisor.py", "engine/tools/warden.py")


async def end_all(*execution_ids: str, grace_s: float = TERM_GRACE_S) -> int:
    """End every process of these executions; how many there were (their supervisors not counted).

    Safe to call at any time, also for executions of a server that died. TERM, a grace,
    KILL until none is found.
    """
    return await asyncio.to_thread(_end_all, frozenset(execution_ids), grace_s)


async def end_tree(pid: int) -> list[int]:
    """Kill everything below `pid`, which is stopped first and left stopped; the pids that were below it."""
    return await asyncio.to_thread(end_below, pid)


async def below(pid: int) -> list[tuple[int, float]]:
    """`(pid, creation time)` of everything below `pid`: enough to know a process again."""
    return await asyncio.to_thread(lambda: [(p.pid, p.create_time()) for p in _living(_descendants([pid]))])


async def end_known(known: Iterable[tuple[int, float]]) -> int:
    """Kill those of `known` that still live; how many did."""
    return await asyncio.to_thread(_end_known, list(known))


def _end_all(execution_ids: frozenset[str], grace_s: float) -> int:
    found = _marked(execution_ids)
    everything = found | set(_descendants(p.pid for p in found))
    count = sum(not _is_supervisor(p) for p in everything)
    _signal(found, signal.SIGTERM)
    _signal(found, signal.SIGCONT)
    _wait(everything, grace_s)
    give_up = time.monotonic() + GIVE_UP_S
    while time.monotonic() < give_up:
        everything = {p for p in everything if _alive(p)} | _marked(execution_ids)
        everything |= set(_descendants(p.pid for p in everything))
        if not everything:
            break
        _signal(everything, signal.SIGKILL)
        _wait(everything, 0.2)
    return count


def end_below(pid: int) -> list[int]:
    _signal(_processes([pid]), signal.SIGSTOP)
    ended: set[int] = set()
    give_up = time.monotonic() + GIVE_UP_S
    while (living := _living(_descendants([pid]))) and time.monotonic() < give_up:
        _signal(living, signal.SIGSTOP)  # first all of them: a fork bomb cannot outrun that
        _signal(_living(_descendants([pid])), signal.SIGKILL)
        ended |= {p.pid for p in living}
        _wait(living, 0.2)
    return sorted(ended)


def _end_known(known: list[tuple[int, float]]) -> int:
    living = [
        p for p in _processes(pid for pid, _ in known) if (p.pid, p.create_time()) in set(known) and _alive(p)
    ]
    _signal(living, signal.SIGKILL)
    _wait(living, 1.0)
    return len(living)


def _marked(execution_ids: frozenset[str]) -> set[Any]:
    """Living processes that carry the marker of one of these executions; not this one, nor its ancestors."""
    marks = {f"{MARKER}={each}".encode() for each in execution_ids}
    me = psutil.Process()
    spared = {me.pid, *(p.pid for p in me.parents())}
    # Every process of the machine is looked at, several times where many executions end at once: as bytes,
    # a tenth of what it costs through psutil.
    marked = (pid for pid in psutil.pids() if pid not in spared and not marks.isdisjoint(_environment(pid)))
    return {process for process in _processes(marked) if _alive(process)}


def _environment(pid: int) -> list[bytes]:
    """The variables of a process; none of one that is gone, a zombie, or another user's."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 - a path object costs as much again
            return file.read().split(b"\0")
    except OSError:
        return []


def _descendants(pids: Iterable[int]) -> list[Any]:
    found = []
    for process in _processes(pids):
        try:
            found += process.children(recursive=True)
        except psutil.Error:
            continue
    return found


def _processes(pids: Iterable[int]) -> list[Any]:
    found = []
    for pid in pids:
        try:
            found.append(psutil.Process(pid))
        except psutil.Error:
            continue
    return found


def _alive(process: Any) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _living(processes: Iterable[Any]) -> list[Any]:
    return [process for process in processes if _alive(process)]


def _is_supervisor(process: Any) -> bool:
    """A supervisor, or the sandbox around an execution's commands."""
    try:
        return any(word.endswith(_OURS) for word in process.cmdline())
    except psutil.Error:
        return False


def _signal(processes: Iterable[Any], number: int) -> None:
    for process in processes:
        if process.pid in (0, 1, os.getpid()):
            continue
        try:
            process.send_signal(number)  # psutil makes sure that the pid was not given to another process
        except (psutil.Error, OSError):
            continue


def _wait(processes: Iterable[Any], seconds: float) -> None:
    end = time.monotonic() + seconds
    while _living(processes) and time.monotonic() < end:
        time.sleep(_POLL_S)
