"""The end of a Jupyter server that was told to end: nothing of ours holds it up.

Two bounds. What we stop has so many seconds; what is not done by then is left as a killed
server would leave it, which the next start mends. And once the main thread is through, Python
would wait for ever for a thread that hangs (in the lookup of a name, on a dead network mount):
a watch ends the process instead. Not here: what is stopped (`services`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

STOP_S = 3.5
"""Longest time for stopping what is ours, after the grace that running executions have."""
THREADS_S = 1.0
"""How long threads may go on once the main thread is through."""
_LOOK_S = 0.2

_log = logging.getLogger("cloutagent.leaving")


def has_the_process(serverapp: ServerApp) -> bool:
    """Whether the process is this server's: it has its signals, and ends with it."""
    return (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) == serverapp._signal_stop
    )


async def within(seconds: float, work: Awaitable[None]) -> None:
    """Wait for `work`, but no longer than `seconds`. Raises what it raises."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if done:
        task.result()
        return
    task.add_done_callback(_seen)
    _log.critical(
        "Not everything had stopped after %.1f s; the server ends without it. Executions that had not said "
        "how they ended are interrupted at the next start.",
        seconds,
    )


def _seen(task: asyncio.Future[None]) -> None:
    if not task.cancelled():
        task.exception()


def end_with_main_thread() -> None:
    """See to it that this process ends soon after its main thread, with exit code 0, whatever hangs."""
    through = threading.Event()
    # As `concurrent.futures` does to end its own threads, which it then waits for; ours comes before that.
    threading._register_atexit(through.set)  # type: ignore[attr-defined]
    threading.Thread(target=_watch, args=(through,), name="end of the process", daemon=True).start()


def _watch(through: threading.Event) -> None:
    through.wait()
    time.sleep(THREADS_S)
    while not (hanging := [each.name for each in threading.enumerate() if _holds_up(each)]):
        time.sleep(_LOOK_S)  # Python tidies up, and ends by itself
    sys.stderr.write(f"The server has ended; threads that hang are left behind: {', '.join(hanging)}\n")
    sys.stderr.flush()
    os._exit(0)


def _holds_up(thread: threading.Thread) -> bool:
    return thread is not threading.main_thread() and not thread.daemon and thread.is_alive()
