"""A machine that sleeps: its wall and its boot clock go on, and its monotonic clock does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import time_machine


@contextmanager
def slept(seconds: float) -> Iterator[None]:
    """As if the machine had slept for so long, just now."""
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True):
        real, boot = time.clock_gettime, time.CLOCK_BOOTTIME

        def told(clock: int) -> float:
            return real(clock) + (seconds if clock == boot else 0.0)

        with patch.object(time, "clock_gettime", told):
            yield
