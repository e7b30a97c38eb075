"""Who of an execution can go on: its clock stands, and its slot is free, while nobody can.

One unit of work is a conversation at its model, or a tool call that runs. A turn hands its
unit to its calls (`spread`); a call rests while it waits for a person, and a delegation
while it waits for a place that another instance holds. Not here: slots (`ports.Approvals`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Pace:
    """Counts what can go on. `rests` is called when nothing can, `wakes` when something can again."""

    def __init__(self, *, rests: Callable[[], None], wakes: Callable[[], None]) -> None:
        self._rests = rests
        self._wakes = wakes
        self._working = 1

    @contextmanager
    def resting(self) -> Iterator[None]:
        """What is inside waits for something that is not this execution's to hurry."""
        self.leave()
        try:
            yield
        finally:
            self.enter()

    @contextmanager
    def spread(self, calls: int) -> Iterator[Callable[[], None]]:
        """The unit of a turn becomes one for each of its `calls`; each says by the given word that it ended.

        The last one hands its unit back to the turn, and so do those that were broken off.
        """
        left = calls
        self._working += calls - 1

        def done() -> None:
            nonlocal left
            left -= 1
            if left:
                self.leave()

        try:
            yield done
        finally:
            if left:
                self._working -= left - 1

    def leave(self) -> None:
        """One less can go on."""
        self._working -= 1
        if self._working == 0:
            self._rests()

    def enter(self) -> None:
        """One more can."""
        self._working += 1
        if self._working == 1:
            self._wakes()


class Places:
    """So many at once, the others in order; who waits rests."""

    def __init__(self, pace: Pace, places: int) -> None:
        self._pace = pace
        self._free = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._pace.leave()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._hand_on()  # it had its turn, and leaves before it took it
            else:
                self._waiting.remove(turn)
                self._pace.enter()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        """Give the place to whoever waits longest. It counts as working from here on, not once it wakes."""
        if not self._waiting:
            self._free += 1
            return
        self._pace.enter()
        self._waiting.popleft().set_result(None)
