"""One running kernel of an execution: runs code, notices its death, ends with all it started.

The kernel is made the reaper of its own orphans before any code runs, so that what the code
daemonises stays below it and can be ended. What was below it is noted after each call, for the
case that the kernel itself dies first.

Whoever receives a message has to hold it whole. So a kernel of ours sends pieces, and of what is
larger than what is kept only a word (`prelude`). Code may undo that: then, and in a kernel that is
somebody else's, the connection ends instead (`channels`), and it is said here.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

from ..engine.tools import processes
from ..engine.tools.display import KEPT_CHARACTERS, TooMuchOutput
from ..schema.base import JsonObject
from . import prelude
from .channels import LARGEST, Channels

READY_S = 60.0
INTERRUPT_S = 5.0
"""How long interrupted code may take to stop before the kernel is killed."""
CANCEL_S = 1.0
"""The same when the call was cancelled: then everything has 5 s in all."""
_LOOK_S = 0.5
"""How often a silent kernel is asked whether it lives."""
_DEAF_S = 5.0
"""How long code may go on whose output cannot be received. A reply that is as large takes seconds to come."""
_PRELUDE = inspect.getsource(prelude.prepare)
_PIECE = 128 * 1024
"""Characters of what is printed that are sent as one message, about."""

_TRIES = 5
"""How often code is sent that somebody else's error threw out of the kernel's queue."""
_PAUSE_S = 0.1
"""Before it is sent again: the kernel empties its whole queue first."""
_THROWN_OUT = (
    "It was not run: each time the kernel threw it out of its queue, because a cell of somebody else that "
    "was before it raised. Try again when the notebook is idle."
)
_DIED = "it died as it started."
_TOO_LARGE = (
    f"What it raised or answered is larger than {LARGEST:,} bytes in one piece and was not received. "
    "The code has ended; its variables are kept."
)
_CUT = (
    f"[something that was shown is larger than {LARGEST:,} bytes in one piece: that, and what came after it, "
    "was not received]\n"
)

Outcome = Literal["ok", "error", "timeout", "dead"]
Followed = Outcome | Literal["aborted"]
"""`aborted`: the kernel threw it out of its queue; nothing of it has run."""
Answer = TypeVar("Answer")
OnOutput = Callable[[JsonObject], None]


class Died(RuntimeError):
    """It died before it had answered; another one may well live."""


async def unbroken(work: Awaitable[Answer]) -> Answer:
    """Jupyter's own `work`, as a task of its own: a cancel of ours does not stop it half way."""
    return await asyncio.shield(asyncio.ensure_future(work))


class JupyterKernel:
    """`ports.Kernel` over a jupyter_client kernel manager; `end` takes the kernel out of its owner's list."""

    def __init__(self, manager: Any, end: Callable[[], Awaitable[None]]) -> None:
        self._manager = manager
        self._end = end
        self._pid: int = manager.provisioner.pid
        self._channels = Channels(manager)
        self._known: set[tuple[int, float]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._dead = False

    async def ready(self) -> None:
        """Wait until it answers, and prepare it. Raises as `_answers` does."""
        self._channels.start()
        await self._answers(READY_S)
        prepared = f"{_PRELUDE}\nprepare({_PIECE}, {KEPT_CHARACTERS})\ndel prepare"
        await self._run(prepared, timeout_s=READY_S, on_output=lambda _: None, silent=True)

    async def _answers(self, seconds: float) -> None:
        """Wait until it answers. Raises `Died`, or Jupyter's RuntimeError when it stays silent."""
        answering = asyncio.ensure_future(self._channels.ready(seconds))
        try:
            # Jupyter's own waiting does not see that the server has restarted a dead one, on other ports.
            while not answering.done():
                await asyncio.wait({answering}, timeout=_LOOK_S)
                if not answering.done() and not await self._alive():
                    raise Died(_DIED)
            answering.result()
        except RuntimeError as error:
            if isinstance(error, Died) or await self._alive():
                raise
            raise Died(_DIED) from error
        finally:
            answering.cancel()
            await asyncio.wait({answering})

    async def execute(self, code: str, *, timeout_s: float, on_output: OnOutput) -> Outcome:
        """See `ports.Kernel.execute`. An exception of `on_output` interrupts the code and is raised."""
        try:
            if self._channels.broken:
                await self._answers(timeout_s)
        except RuntimeError:
            self._dead = True
            return "dead"
        outcome = await self._run(code, timeout_s=timeout_s, on_output=on_output)
        self._known |= set(await processes.below(self._pid))
        return outcome

    async def close(self) -> None:
        """See `ports.Kernel.close`."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._dead = True
        try:
            # Not `self._pid`: a person may have restarted it, then another process is behind the kernel.
            if (pid := getattr(self._manager.provisioner, "pid", None)) is not None:
                await processes.end_tree(pid)
            await self._end()
        finally:
            self._channels.stop()
            await processes.end_known(self._known)

    async def _run(
        self, code: str, *, timeout_s: float, on_output: OnOutput, silent: bool = False
    ) -> Outcome:
        if not await self._alive():
            return "dead"
        deadline = time.monotonic() + timeout_s
        for _ in range(_TRIES):
            outcome = await self._once(code, deadline, on_output, silent=silent)
            if outcome != "aborted":
                return outcome
            await asyncio.sleep(_PAUSE_S)
        on_output(_error("Aborted", _THROWN_OUT))
        return "error"

    async def _once(self, code: str, deadline: float, on_output: OnOutput, *, silent: bool) -> Followed:
        # An error of ours must not throw out what others of the same kernel have queued.
        call = self._channels.client.execute(
            code, silent=silent, store_history=not silent, allow_stdin=False, stop_on_error=False
        )
        try:
            outcome = await self._follow(call, deadline, on_output, stop_when_cut=True)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closing is not None and task is not None and not task.cancelling():
                return "dead"  # not we were cancelled, the channels were closed under us
            await asyncio.shield(self._interrupt(call, CANCEL_S, lambda _: None))
            raise
        except Exception as error:
            if self._closing is not None:
                return "dead"
            stopped = await self._interrupt(call, INTERRUPT_S, lambda _: None)
            if stopped == "dead" and isinstance(error, TooMuchOutput):
                return "dead"
            raise
        if outcome == "timeout":
            outcome = await self._interrupt(call, INTERRUPT_S, on_output)
        if self._channels.cut("iopub") and outcome != "dead":
            on_output({"msg_type": "stream", "content": {"name": "stderr", "text": _CUT}})
        return outcome

    async def _interrupt(self, call: str, seconds: float, on_output: OnOutput) -> Outcome:
        """`timeout` when the code stopped, `dead` when it had to be killed with its kernel."""
        try:
            await unbroken(self._manager.interrupt_kernel())
        except RuntimeError:  # Jupyter's word for: there is no process any more
            self._dead = True
            return "dead"
        if await self._follow(call, time.monotonic() + seconds, on_output) in ("ok", "error", "aborted"):
            return "timeout"
        self._dead = True
        return "dead"

    async def _follow(
        self, call: str, deadline: float, on_output: OnOutput, *, stop_when_cut: bool = False
    ) -> Followed:
        """Pass on what `call` says until it is done, the deadline, or the kernel's death.

        Only messages whose parent is `call` count: others work in the same kernel, and what they say
        may never pause.
        """
        status: Followed | None = None
        deaf_s = 0.0
        heard = time.monotonic()
        while True:
            now = time.monotonic()
            left = deadline - now
            if left <= 0:
                return status or "timeout"
            if now - heard >= _LOOK_S:
                # A flood of output may have cost the message that says "idle", and some kernels send none
                # for what they throw out of the queue: the reply is enough then.
                if status is not None:
                    return status
                heard, status = now, await self._reply(call, 0)
                if status == "aborted":
                    return status
                if status is None and not await self._alive():
                    return "dead"
                if status is None and self._channels.cut("shell"):
                    return await self._unread(on_output)
                deaf_s += _LOOK_S if self._channels.cut("iopub") else 0.0
                if status is None and stop_when_cut and deaf_s > _DEAF_S:
                    raise TooMuchOutput(f"something that is larger than {LARGEST:,} bytes in one piece")
            try:
                message = await self._channels.client.get_iopub_msg(timeout=min(left, _LOOK_S))
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != call:
                await asyncio.sleep(0)
                continue
            heard = time.monotonic()
            if message["msg_type"] == "status":
                if message["content"]["execution_state"] == "idle":
                    status = status or await self._reply(call, min(max(left, 1.0), INTERRUPT_S))
                    return status or await self._unread(on_output)
                continue
            on_output({"msg_type": message["msg_type"], "content": message["content"]})
            await asyncio.sleep(0)  # a flood is received without waiting: the others have their turn here

    async def _reply(self, call: str, seconds: float) -> Followed | None:
        """How `call` ended, once the kernel says so; None if it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = await self._channels.client.get_shell_msg(
                    timeout=max(deadline - time.monotonic(), 0)
                )
            except queue.Empty:
                return None
            if message["parent_header"].get("msg_id") == call:
                said = message["content"]["status"]
                return said if said in ("ok", "aborted") else "error"

    async def _unread(self, on_output: OnOutput) -> Outcome:
        """How a call ended whose reply does not come: it was too large, or the kernel is gone."""
        await asyncio.sleep(_LOOK_S)  # one that dies loses its connections before Jupyter sees it dead
        if not self._channels.cut("shell") or not await self._alive():
            return "dead"
        on_output(_error("TooLarge", _TOO_LARGE))
        return "error"

    async def _alive(self) -> bool:
        """Whether the process that we started still is the kernel (Jupyter restarts dead ones by itself)."""
        if self._dead or getattr(self._manager.provisioner, "pid", None) != self._pid:
            return False
        return bool(await self._manager.is_alive())


def _error(name: str, text: str) -> JsonObject:
    """What a kernel says of an exception, of ours."""
    content = {"ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}
    return {"msg_type": "error", "content": content}
