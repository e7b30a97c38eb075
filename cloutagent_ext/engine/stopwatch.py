"""Time that counts: of an execution, or of a subagent with a limit of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from .ports import Clock


class Stopwatch:
    """Running time of an execution or a subagent; it stands while a person is being waited for.

    `ran_s`: what earlier sittings took.
    """

    def __init__(self, clock: Clock, limit_s: float, *, ran_s: float = 0.0) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._started = clock.monotonic()
        self._paused = 0
        self._paused_at = 0.0
        self._left_out = -ran_s
        self.timeout: asyncio.Timeout | None = None
        """The deadline that moves with the pauses; set by whoever runs against it."""

    def elapsed_s(self) -> float:
        """Seconds of running so far."""
        now = self._paused_at if self._paused else self._clock.monotonic()
        return now - self._started - self._left_out

    def ran(self, seconds: float) -> None:
        """Count these, too."""
        self._left_out -= seconds

    @property
    def stands(self) -> bool:
        return self._paused > 0

    def pause(self) -> None:
        """What follows does not count, until as many `go_on` have come."""
        if self._paused == 0:
            self._paused_at = self._clock.monotonic()
            self._move_deadline(None)
        self._paused += 1

    def go_on(self) -> None:
        """Count again."""
        self._paused -= 1
        if self._paused == 0:
            self._left_out += self._clock.monotonic() - self._paused_at
            self._move_deadline(self.limit_s - self.elapsed_s())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time inside does not count."""
        self.pause()
        try:
            yield
        finally:
            self.go_on()

    def _move_deadline(self, seconds: float | None) -> None:
        if self.timeout is not None and not self.timeout.expired():
            now = asyncio.get_running_loop().time()
            self.timeout.reschedule(None if seconds is None else now + seconds)
