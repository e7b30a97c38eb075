"""An event loop in a thread of its own, so that the plain face works inside a running loop.

A notebook's cell runs inside the kernel's loop, where `asyncio.run` is refused. One
thread per client; it ends with the client or the interpreter. `plain` makes a method that awaits one
that does not: what it does is written once, in the async face.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


class LoopThread:
    """Runs coroutines from any thread but its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="cloutagent-client", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            left = asyncio.all_tasks(self._loop)  # what served tools, for instance
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=5))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What `coroutine` returns or raises; an interrupt of the caller cancels it."""
        if self._loop.is_closed():
            coroutine.close()
            raise RuntimeError("This client is closed; connect() again.")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """`items`, one by one as they come; leaving the loop early closes them."""
        done = object()

        async def step() -> Any:
            return await anext(items, done)

        try:
            while (item := self.call(step())) is not done:
                yield item
        finally:
            if not self._loop.is_closed():
                self.call(items.aclose())

    def end_with(self, last: Coroutine[Any, Any, None]) -> None:
        """Do `last`, then end the thread. From the thread itself, where a garbage collection may call
        this, nothing is waited for: it would wait for itself."""
        if threading.current_thread() is self._thread:
            self._loop.call_soon(self._finish, last)
            return
        try:
            self.call(last)
        finally:
            self.stop()

    def _finish(self, last: Coroutine[Any, Any, None]) -> None:
        self._loop.create_task(last).add_done_callback(lambda _: self._loop.stop())

    def stop(self) -> None:
        """End the thread; safe to call twice."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Plain(Generic[A]):
    """A face without `await` over one with it, whose coroutines run in the client's loop."""

    def __init__(self, loop: LoopThread, awaited: A) -> None:
        self._loop = loop
        self._awaited = awaited


def plain(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Plain[A], P], T]:
    """The method of the same name, without `await`: same parameters, same documentation."""

    @functools.wraps(method)
    def called(self: Plain[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._loop.call(method(self._awaited, *args, **kwargs))

    return called
