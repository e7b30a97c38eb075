"""Short looks for garbage: what lives for ever is looked at no more.

Now and then Python goes through all objects that could be part of a cycle, on the event loop: with the
model SDK, Jupyter and everything that they import these are a third of a million, and all streams stand
still meanwhile. Modules live as long as the process, so they are set aside (`gc.freeze`) once they are
there: with ours, when the server has started, and when the first executions have ended, which load the
rest. A few times only: a cycle that is set aside by chance is never collected.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

MANY = 40_000
"""Objects that are not worth setting aside: going through them takes a few milliseconds."""
TIMES = 4


@contextmanager
def loading() -> Iterator[None]:
    """Around imports: no look for garbage while they are under way, which doubles their time, and none at
    what is there afterwards, ours and what the server had loaded before."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


class Settled:
    """Sets aside what has been loaded; also an `executions.observers.Observer`."""

    def __init__(self) -> None:
        self._left = TIMES

    def saw(self, live: object, event: Mapping[str, Any]) -> None:
        """What the first executions have loaded is there when they end."""
        if self._left and event["type"] in ("complete", "error", "cancelled"):
            self.look()

    def look(self, *, sure: bool = False) -> None:
        """Set aside what is there, if it is much; `sure`: it is, and counting them takes a while."""
        if self._left and (sure or len(gc.get_objects()) > MANY):
            self._left -= 1
            gc.freeze()
