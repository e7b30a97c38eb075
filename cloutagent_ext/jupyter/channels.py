"""The channels to one kernel: what is said there is received in pieces of a known size, or not at all.

Whoever receives a message has to hold it whole, and what is in it is up to the code that runs. ZeroMQ ends
the connection to whoever sends a larger one, for good: `cut` tells of it, `ready` connects again.

Not here: what the messages say, and when code is run (`kernel`). Imports jupyter_client: load this module
in a thread.
"""

from __future__ import annotations

import queue
import time
from typing import Any, Literal

import zmq
import zmq.asyncio
from jupyter_client.session import Session

from ..engine.tools.display import KEPT_CHARACTERS

LARGEST = 2 * KEPT_CHARACTERS
"""Bytes of one message. What is kept of a result fits in, unless most of it is beyond ASCII."""
WAITING = 4
"""Messages that have arrived and are not read yet; behind them the kernel has to wait, or to drop some."""
BEHIND_S = 5.0
"""How long what a kernel shows may come behind its answers: in a flood the message waited for may be lost."""

Name = Literal["shell", "iopub"]


class Channels:
    """Requests and answers (shell), and what is shown (iopub). `manager` is jupyter_client's."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._monitors: dict[Name, Any] = {}
        self._connect()

    def _connect(self) -> None:
        # One of our own: what is set here would hold for each socket of the server's.
        self._context = zmq.asyncio.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, LARGEST)
        self._context.setsockopt(zmq.RCVHWM, WAITING)
        # The manager's session is the kernel's name for whoever has it: of two clients that share one, the
        # kernel answers the newer only.
        own = self._manager.session
        session = Session(key=own.key, signature_scheme=own.signature_scheme)
        self.client: Any = self._manager.client(session=session, context=self._context)
        """jupyter_client's; another one after `ready`, where a connection was cut."""

    def start(self) -> None:
        """Connect. No heartbeat (its thread is joined when stopping) and no stdin: nobody types here."""
        self.client.start_channels(shell=True, iopub=True, stdin=False, hb=False, control=False)  # noqa: S604
        for name in ("shell", "iopub"):
            socket = getattr(self.client, f"{name}_channel").socket
            self._monitors[name] = socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)

    def cut(self, name: Name) -> bool:
        """Whether this connection has ended: of a kernel that lives, because it sent more than `LARGEST`."""
        monitor = self._monitors.get(name)
        return monitor is not None and bool(monitor.getsockopt(zmq.EVENTS) & zmq.POLLIN)

    @property
    def broken(self) -> bool:
        """Whether `ready` has to connect anew."""
        return self.cut("shell") or self.cut("iopub")

    async def ready(self, seconds: float) -> None:
        """Wait until the kernel answers, on new connections where one was cut. RuntimeError when it does not.

        What was said before is forgotten.
        """
        while True:
            if self.broken:
                self.stop()
                self._connect()
                self.start()
            await self.client.wait_for_ready(timeout=seconds)
            await self._heard_all()
            if not self.cut("iopub"):  # by what somebody else's code showed meanwhile
                return

    async def _heard_all(self) -> None:
        """Return once all has arrived that was shown before now, or was too large to arrive.

        The kernel shows in order, but later than it answers: a large message takes it seconds to send.
        """
        call, deadline = self.client.kernel_info(), time.monotonic() + BEHIND_S
        while time.monotonic() < deadline and not self.cut("iopub"):
            try:
                message = await self.client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") == call and message["msg_type"] == "status":
                return

    def stop(self) -> None:
        """Let go of the kernel; safe to call twice."""
        for name, monitor in self._monitors.items():
            getattr(self.client, f"{name}_channel").socket.disable_monitor()
            monitor.close(linger=0)
        self._monitors.clear()
        self.client.stop_channels()
        self._context.destroy(linger=100)
