"""A clock that nobody sets, and that goes on while the machine sleeps.

For what ages by itself: how long somebody is believed, how much later one event is than another. Not for
what somebody works or waits in this process: a machine that slept for eight hours did not work for them.
"""

from __future__ import annotations

import time


def seconds() -> float:
    """Seconds since some moment, those included in which the machine slept, where the system counts them."""
    if (clock := getattr(time, "CLOCK_BOOTTIME", None)) is not None:
        return time.clock_gettime(clock)
    return time.monotonic()
