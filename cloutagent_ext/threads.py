"""The threads that do blocking work, all of them there before there is any.

Python starts them one by one as work comes, behind the work that it has queued already: where the system
has no thread left the caller hears of a failure, and another thread does the work all the same, later.
Threads that exist cannot be missing. Not here: threads with work of their own (`auth.keys`, `telemetry`).
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

MOST = max(16, min(32, (os.cpu_count() or 1) + 4))
"""Python's own default, but on a small machine no fewer than executions may run at once: each may wait for
a slow disk, and who only reads must not wait behind them."""


def started(most: int = MOST) -> ThreadPoolExecutor:
    """A pool for an event loop's `set_default_executor`. Raises RuntimeError where there are no threads."""
    pool = ThreadPoolExecutor(most, thread_name_prefix="cloutagent")
    all_there = threading.Event()
    try:
        for _ in range(most):  # each waits, so the next one needs a thread of its own
            pool.submit(all_there.wait)
    finally:
        all_there.set()
    return pool
