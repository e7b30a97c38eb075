"""Threads that a test holds where it wants, so that what interleaves once in a thousand runs does in each.

Everything of ours that blocks goes through `asyncio.to_thread`, that is through the loop's own pool, which
this one takes the place of. Not here: what must hold afterwards (the tests).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

PATIENCE_S = 60.0
"""A test that forgets one ends all the same."""


class Stop:
    """One call that is held: before it begins, or when it is done and nobody knows."""

    def __init__(self, which: str | int, *, after: bool) -> None:
        self.which, self.after = which, after
        self._loop = asyncio.get_running_loop()
        self._reached = asyncio.Event()
        self._go = threading.Event()

    async def reached(self) -> None:
        """Return when the call is held."""
        async with asyncio.timeout(PATIENCE_S):
            await self._reached.wait()

    def go(self) -> None:
        """Let it go on."""
        self._go.set()

    def hold(self) -> None:
        """In the thread."""
        self._loop.call_soon_threadsafe(self._reached.set)
        self._go.wait(PATIENCE_S)


class HeldThreads(ThreadPoolExecutor):
    """The pool of this loop from now on."""

    def __init__(self) -> None:
        super().__init__(32, thread_name_prefix="held")
        self._stops: list[Stop] = []
        self.count = 0
        """Calls so far."""
        asyncio.get_running_loop().set_default_executor(self)

    def before(self, name: str) -> Stop:
        """The next call of a function of this name that begins waits."""
        return self._add(Stop(name, after=False))

    def after(self, name: str) -> Stop:
        """The next call of a function of this name waits with its result."""
        return self._add(Stop(name, after=True))

    def number(self, number: int, *, after: bool) -> Stop:
        """That call, counted from now on, waits before it begins or with its result."""
        return self._add(Stop(self.count + number, after=after))

    def _add(self, stop: Stop) -> Stop:
        self._stops.append(stop)
        return stop

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        # `to_thread` runs its function within a context: partial(context.run, function, …).
        function = fn.args[0] if isinstance(fn, partial) and fn.args else fn
        name = getattr(function, "__name__", "")
        self.count += 1
        stop = next((each for each in self._stops if each.which in (name, self.count)), None)
        if stop is None:
            return super().submit(fn, *args, **kwargs)
        self._stops.remove(stop)

        def held() -> Any:
            if not stop.after:
                stop.hold()
            try:
                return fn(*args, **kwargs)
            finally:
                if stop.after:
                    stop.hold()

        return super().submit(held)
