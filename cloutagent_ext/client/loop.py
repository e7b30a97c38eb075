"""An event loop in a thread of its own, so that the plain face works inside a running loop.

A notebook's cell runs inside the kernel's loop, where `asyncio.run` is refused. One
thread per client; it ends with the client or the interpreter. `plain` makes of a method that awaits one
that does not, `plain_as` and `same_as` where a handle comes back: what they do and take is written once, in
the async face.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

A = TypeVar("A")
H = TypeVar("H")
P = ParamSpec("P")
T = TypeVar("T")


PIECE_S = 0.2
"""Longest that a caller waits without looking for an interrupt."""
LEAVING_S = 5.0
"""How long an interrupted caller waits for what it had begun to come to its end."""


class LoopThread:
    """Runs coroutines from any thread but its own, in the process that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._process = os.getpid()
        self._closing = False
        self._entering = threading.RLock()  # a garbage collection in between may end another client's
        self._left: set[asyncio.Task[None]] = set()
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
        """What `coroutine` returns or raises. An interrupt of the caller cancels it, and sees it end:
        what it held (a connection, a generator) is free again when the interrupt is seen."""
        over: Future[asyncio.Task[T]] = Future()
        begun: list[asyncio.Task[T]] = []

        def begin() -> None:
            task = self._loop.create_task(coroutine)
            begun.append(task)
            task.add_done_callback(over.set_result)

        def leave() -> None:
            if begun:
                begun[0].cancel()
            else:  # the interrupt came first
                coroutine.close()
                over.cancel()

        task: asyncio.Task[T] | None = None
        try:
            with self._entering:
                if (why := self._unusable()) is None:
                    self._loop.call_soon_threadsafe(begin)
            while why is None and task is None:
                # In pieces: an interrupt that comes just before the waiting begins would be seen after it.
                with contextlib.suppress(TimeoutError):
                    task = over.result(PIECE_S)
        except BaseException:
            with contextlib.suppress(RuntimeError):  # it is closed: all is over
                self._loop.call_soon_threadsafe(leave)
            with contextlib.suppress(TimeoutError, CancelledError):
                over.result(LEAVING_S)
            raise
        if task is None:
            coroutine.close()
            raise RuntimeError(why)
        if task.cancelled():
            raise RuntimeError("This client was closed meanwhile; connect() again.")
        return task.result()

    def _unusable(self) -> str | None:
        if os.getpid() != self._process:
            return "This client belongs to the process that made it; connect() again in this one."
        if self._closing or self._loop.is_closed():
            return "This client is closed; connect() again."
        if threading.current_thread() is self._thread:
            return "A client's own thread cannot wait for it."
        return None

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """`items`, one by one as they come; leaving the loop early closes them."""
        done = object()

        async def step() -> Any:
            return await anext(items, done)

        try:
            while (item := self.call(step())) is not done:
                yield item
        finally:
            self._leave(items)

    def _leave(self, items: AsyncGenerator[Any, None]) -> None:
        """Close `items`; where a garbage collection does it in the loop's own thread, without waiting."""
        if threading.current_thread() is self._thread and not self._loop.is_closed():
            task = self._loop.create_task(items.aclose())
            self._left.add(task)
            task.add_done_callback(self._left.discard)
        elif self._unusable() is None:
            self.call(items.aclose())

    def end_with(self, last: Coroutine[Any, Any, None]) -> None:
        """Do `last`, then end the thread. From the thread itself, where a garbage collection may call
        this, nothing is waited for: it would wait for itself. A process forked off has no such thread."""
        if os.getpid() != self._process:
            last.close()
            return
        if threading.current_thread() is self._thread:
            self._loop.call_soon(self._finish, last)
            return
        try:
            self.call(last)
        finally:
            self.stop()

    def _finish(self, last: Coroutine[Any, Any, None]) -> None:
        self._closing = True
        self._loop.create_task(last).add_done_callback(lambda _: self._loop.stop())

    def stop(self) -> None:
        """End the thread; safe to call twice."""
        with self._entering:
            if self._closing or self._loop.is_closed():
                return
            # Whoever has entered before has a task by now, and what comes later is refused.
            self._closing = True
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


def plain_as(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]], face: Callable[[Any, T], H]
) -> Callable[Concatenate[Plain[A], P], H]:
    """Like `plain`; `face` makes a plain handle of the one that comes back."""

    def called(self: Plain[A], /, *args: P.args, **kwargs: P.kwargs) -> H:
        return face(self, self._loop.call(method(self._awaited, *args, **kwargs)))

    return _told(called, method, face)


def same_as(
    method: Callable[Concatenate[A, P], T], face: Callable[[Any, T], H]
) -> Callable[Concatenate[Plain[A], P], H]:
    """Like `plain_as`, for a method that awaits nothing."""

    def called(self: Plain[A], /, *args: P.args, **kwargs: P.kwargs) -> H:
        return face(self, method(self._awaited, *args, **kwargs))

    return _told(called, method, face)


def _told(
    called: Callable[Concatenate[Plain[A], P], H], method: Callable[..., Any], face: Callable[..., H]
) -> Callable[Concatenate[Plain[A], P], H]:
    """Name, documentation and parameters of `method`; what comes back is `face`'s."""
    functools.update_wrapper(called, method)
    result = inspect.signature(face).return_annotation
    called.__signature__ = inspect.signature(method).replace(return_annotation=result)  # type: ignore[attr-defined]
    called.__annotations__ = {**method.__annotations__, "return": result}
    return called
