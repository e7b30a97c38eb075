"""Notices an agent that goes in circles, and an execution in which nothing happens any more.

In circles: the same call four times in a row, two calls in turn again and again, turns
that bring nothing, one and the same request over and over. Nothing happens: something
that is waited for gives no sign of life for the agent's `stall_s`; a call is given to a
person to decide where somebody can answer, else the execution ends as STALLED, which says
what it waited for. Time in which a person is awaited does not count. Not here: limits
that end an execution however busy it is (`budget`, `loop`).
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from .assembly import Reply
from .ports import EndExecution

SAME_CALLS = 4
"""Equal calls in a row, of which the last is not made without asking."""
ROUNDS = 4
"""Rounds of two calls in turn, likewise."""
EMPTY_TURNS = 3
"""Turns in a row that may bring nothing: no call and no text."""
SAME_REQUESTS = 3
"""Times that one and the same request may be sent, retries of a failed one apart."""
NOTICE_AT = 0.5
"""Part of the stall limit after which a warning says what is waited for."""
_LOOK_S = 1.0
"""How often is looked whether anything is silent."""
_LATE_S = 1.0
"""What a look may be late by before we count as having been stopped ourselves."""


class Circles:
    """One agent's calls and turns, and whether they repeat themselves."""

    def __init__(self) -> None:
        self._calls: deque[str] = deque(maxlen=2 * ROUNDS)
        self._quiet = 0
        self._last_request: tuple[object, ...] = ()
        self._requests = 0

    def call(self, tool: str, arguments: object) -> str | None:
        """Why the call that is about to be made goes in circles, or None."""
        self._calls.append(json.dumps([tool, arguments], sort_keys=True, default=str))
        recent = list(self._calls)
        if len(recent) >= SAME_CALLS and len(set(recent[-SAME_CALLS:])) == 1:
            return f"the same call of {tool} {SAME_CALLS} times in a row"
        in_turn = len(recent) == 2 * ROUNDS and len({*recent[::2]}) == len({*recent[1::2]}) == 1
        if in_turn:
            return f"the same two calls in turn, {ROUNDS} times"
        return None

    def forget(self) -> None:
        """Somebody wants it to go on."""
        self._calls.clear()

    def turn(self, reply: Reply) -> None:
        """A reply has come. Raises `EndExecution` where replies bring nothing any more."""
        brings = bool(reply.tool_uses or reply.text.strip())
        self._quiet = 0 if brings else self._quiet + 1
        if self._quiet > EMPTY_TURNS:
            raise stalled(
                f"The model replied {self._quiet} times in a row without a word or a call.",
                kind="empty_turns",
            )

    def request(self, *what: object) -> None:
        """A request, by what tells it from others, is about to be sent. Raises `EndExecution`."""
        self._requests = self._requests + 1 if what == self._last_request else 1
        self._last_request = what
        if self._requests > SAME_REQUESTS:
            raise stalled(
                f"The same request was sent {SAME_REQUESTS} times and got nowhere.", kind="same_request"
            )


@dataclass(eq=False)
class Wait:
    """Something that is waited for."""

    what: str
    """In words that follow "waiting for"."""
    agent: str
    span: str
    since: float
    """Of its last sign of life, in seconds of running time."""
    call_id: str | None = None
    tool: str | None = None
    noticed: bool = False
    asking: bool = False


Tell = Callable[[Wait, float], Awaitable[None]]
Ask = Callable[[Wait, float], Coroutine[Any, Any, bool]]


class Guard:
    """Of one execution. `elapsed_s` is its running time, which stands while a person is awaited."""

    def __init__(self, elapsed_s: Callable[[], float], stall_s: float) -> None:
        self._elapsed_s = elapsed_s
        self._stall_s = stall_s
        self._circles: defaultdict[str, Circles] = defaultdict(Circles)
        self._waits: list[Wait] = []
        self._ended: EndExecution | None = None

    def circles(self, agent: str) -> Circles:
        """Those of `agent` (its name in events)."""
        return self._circles[agent]

    @contextmanager
    def waiting(
        self, what: str, *, agent: str, span: str, call_id: str | None = None, tool: str | None = None
    ) -> Iterator[Callable[[], None]]:
        """While something is waited for; the yielded word is its sign of life."""
        wait = Wait(what, agent, span, self._elapsed_s(), call_id, tool)
        self._waits.append(wait)

        def alive() -> None:
            wait.since = self._elapsed_s()
            wait.noticed = False

        try:
            yield alive
        finally:
            self._waits.remove(wait)

    @asynccontextmanager
    async def watching(self, tell: Tell, ask: Ask) -> AsyncIterator[None]:
        """Look after everything that is waited for inside; `EndExecution` where one of it stalls.

        `tell` warns of a silence, once for each; `ask` lets a person decide whether to go on.
        """
        questions: set[asyncio.Task[None]] = set()
        try:
            async with asyncio.timeout(None) as end:
                watch = asyncio.create_task(self._watch(end, tell, ask, questions))
                try:
                    yield
                finally:
                    for task in (watch, *questions):
                        task.cancel()
                    await asyncio.gather(watch, *questions, return_exceptions=True)
        except TimeoutError:
            if self._ended is None:
                raise
            raise self._ended from None

    async def _watch(
        self, end: asyncio.Timeout, tell: Tell, ask: Ask, questions: set[asyncio.Task[None]]
    ) -> None:
        pause = min(_LOOK_S, self._stall_s / 4)
        loop = asyncio.get_running_loop()
        while self._ended is None:
            planned = loop.time() + pause
            await asyncio.sleep(pause)
            if (late := loop.time() - planned) > _LATE_S:
                # We were stopped ourselves (a suspended machine, SIGSTOP): what came meanwhile is not read
                # yet, so nothing that is waited for has been silent in that time.
                for wait in self._waits:
                    wait.since += late
            for wait in list(self._waits):
                silent = self._elapsed_s() - wait.since
                if silent >= self._stall_s and not wait.asking:
                    wait.asking = True
                    question = asyncio.create_task(self._decide(wait, silent, end, ask))
                    questions.add(question)
                    question.add_done_callback(questions.discard)
                elif silent >= NOTICE_AT * self._stall_s and not wait.noticed:
                    wait.noticed = True
                    await tell(wait, silent)

    async def _decide(self, wait: Wait, silent: float, end: asyncio.Timeout, ask: Ask) -> None:
        """Ask about `wait`; end it all where the answer is no and it is silent still."""
        answer = asyncio.create_task(ask(wait, silent))
        try:
            while not answer.done():
                await asyncio.wait({answer}, timeout=_LOOK_S)
                if wait not in self._waits or self._elapsed_s() - wait.since < self._stall_s:
                    return  # it has come, or speaks again: the question is withdrawn
            if answer.result():
                wait.since = self._elapsed_s()
                wait.noticed = False
            elif self._ended is None:
                self._ended = stalled(
                    f"There was no sign of life for {silent:.0f} s while waiting for {wait.what}. Raise "
                    "`stall_s` of the agent if that is to be expected.",
                    kind="silent",
                    waited_s=round(silent, 1),
                    waited_for=wait.what,
                    agent=wait.agent,
                    call_id=wait.call_id,
                )
                end.reschedule(asyncio.get_running_loop().time())
        finally:
            wait.asking = False
            if not answer.done():
                answer.cancel()
                await asyncio.gather(answer, return_exceptions=True)


def stalled(message: str, **details: object) -> EndExecution:
    """The end of an execution that goes nowhere."""
    return EndExecution("STALLED", message, **details)
