"""Answers an execution's calls of the notebook's functions, for as long as it runs and this program lives.

It follows the log and takes what concerns its tools. A call that another program has taken, or that
nobody waits for any more, is left alone; an answer that a cut connection swallowed is given again,
never made again. Not here: running a function (`kernel_tools`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..errors import CloutError, Conflict, NotFound, Unreachable
from ..schema.base import JsonObject
from .kernel_tools import CallFailed, Toolset
from .stream import follow
from .transport import Transport, pause, segment

if TYPE_CHECKING:
    from .runs import AsyncRun

_log = logging.getLogger(__name__)

BEATS = 4
"""Signs of life in the time after which the server would give the caller up."""
PATIENCE_S = 120.0
"""How long an answer is offered to a server that cannot be reached."""


class Serving:
    """Of one execution. Belongs to the client's loop."""

    def __init__(self, transport: Transport, run: AsyncRun, toolset: Toolset) -> None:
        self._transport = transport
        self._id = run.id
        self._toolset = toolset
        self._caller = uuid4().hex
        self._answers: dict[str, asyncio.Task[JsonObject]] = {}
        """What came of each call, by its id: a call is run once here, however often it is asked for."""
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._task = asyncio.get_running_loop().create_task(self._serve(), name=f"tools of {run.id}")
        transport.background.add(self._task)
        self._task.add_done_callback(transport.background.discard)

    async def _serve(self) -> None:
        try:
            async with aclosing(follow(self._transport, self._id)) as events:
                async for event in events:
                    if event.type == "client_call" and event.tool in self._toolset.tools:
                        self._begin(event)
                    elif event.type == "tool_result" and event.call_id in self._calls:
                        self._calls.pop(event.call_id).cancel()
        except CloutError as error:
            _log.warning("The tools of execution %s are served no more: %s", self._id, error)
        finally:
            for call in self._calls.values():
                call.cancel()
            await asyncio.gather(*self._calls.values(), return_exceptions=True)

    def _begin(self, event: Any) -> None:
        if (before := self._calls.pop(event.call_id, None)) is not None:
            before.cancel()  # asked for again, by a server that took the execution up
        self._calls[event.call_id] = asyncio.create_task(self._one(event), name=f"call {event.call_id}")

    async def _one(self, event: Any) -> None:
        path = f"v1/executions/{segment(self._id)}/calls/{segment(event.call_id)}"
        try:
            await self._say(path, {"status": "working"})
            answer = self._answers.get(event.call_id)
            if answer is None:
                made = self._made(event.tool, event.input)
                answer = self._answers[event.call_id] = asyncio.create_task(made)
            while not answer.done():
                await asyncio.wait({answer}, timeout=event.silence_s / BEATS)
                if not answer.done():
                    await self._say(path, {"status": "working"})
            await self._say(path, answer.result())
        except (Conflict, NotFound):
            pass  # an old call, or another's: nobody waits for ours
        except TimeoutError:
            _log.warning("The answer to %s did not reach the server.", event.tool)
        except CloutError as error:
            _log.warning("The answer to %s could not be given: %s", event.tool, error)
            with contextlib.suppress(CloutError):
                message = f"Its result could not be sent: {error.message}"
                await self._say(path, {"status": "failed", "message": message})

    async def _made(self, tool: str, arguments: JsonObject) -> JsonObject:
        try:
            outputs = await self._toolset.call(tool, arguments)
            return {"status": "done", "outputs": [_sendable(each) for each in outputs]}
        except CallFailed as failure:
            return {"status": "failed", "message": _text(str(failure)[:100_000])}

    async def _say(self, path: str, body: JsonObject) -> None:
        """The same answer twice counts once, so it is sent until it has arrived."""
        async with asyncio.timeout(PATIENCE_S):
            attempt = 0
            while True:
                try:
                    await self._transport.json(
                        "POST", path, body={"caller": self._caller, **body}, repeatable=True
                    )
                    return
                except Unreachable:
                    attempt += 1
                    await pause(attempt, longest=5.0)


def _sendable(bundle: dict[str, Any]) -> dict[str, Any]:
    return {mime: _text(value) if isinstance(value, str) else value for mime, value in bundle.items()}


def _text(value: str) -> str:
    """Without the halves of characters that file names may have and JSON on the wire may not."""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
