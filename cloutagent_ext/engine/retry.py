"""Sending a failed model request again: when, how long to wait, and never silently.

Full jitter, so that parallel subagents do not come back at once; at most 8 tries and
10 minutes in all; a sane Retry-After is honoured, a longer one ends the run at once
instead of a sleep nobody asked for. Not here: what failed (`models.anthropic`).
"""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from .ports import Clock, ModelFailure

if TYPE_CHECKING:
    import tenacity

MAX_TRIES = 8
MAX_TOTAL_S = 600.0
"""Longest time from the first try to the last one."""
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 60.0
"""Bounds of the back-off: 1, 2, 4, … 60 s, of which a random part is waited."""

T = TypeVar("T")
Say = Callable[[ModelFailure, int, float], Awaitable[None]]
"""Told before each sleep: what failed, how many tries there were, seconds until the next."""


async def retrying(attempt: Callable[[], Awaitable[T]], *, clock: Clock, say: Say) -> T:
    """`attempt()`, again after each retryable `ModelFailure`; the last failure when it is over.

    Cancelling while it waits ends it at once.
    """
    started = clock.monotonic()
    try:
        return await attempt()  # nearly always: without the machinery of retrying, which has its price
    except ModelFailure as failure:
        first: ModelFailure | None = failure
    again_and_again = await asyncio.to_thread(importlib.import_module, "tenacity")

    async def again() -> T:
        nonlocal first
        if first is not None:
            failure, first = first, None
            raise failure
        return await attempt()

    def wait(state: tenacity.RetryCallState) -> float:
        failure = _failure(state)
        back_off = random.uniform(0, min(MAX_WAIT_S, FIRST_WAIT_S * 2 ** (state.attempt_number - 1)))  # noqa: S311
        if failure.retry_after_s is None:
            return back_off
        return failure.retry_after_s + min(back_off, failure.retry_after_s / 4)

    def enough(state: tenacity.RetryCallState) -> bool:
        spent = clock.monotonic() - started
        return state.attempt_number >= MAX_TRIES or spent + state.upcoming_sleep > MAX_TOTAL_S

    async def before_sleep(state: tenacity.RetryCallState) -> None:
        await say(_failure(state), state.attempt_number, state.upcoming_sleep)

    policy = again_and_again.AsyncRetrying(
        sleep=clock.sleep,
        wait=wait,
        stop=enough,
        retry=again_and_again.retry_if_exception(
            lambda error: isinstance(error, ModelFailure) and error.retryable
        ),
        before_sleep=before_sleep,
        reraise=True,
    )
    reply: T = await policy(again)
    return reply


def _failure(state: tenacity.RetryCallState) -> ModelFailure:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ModelFailure)
    return error
