"""One execution's plain face: the same as `runs`, without `await`.

Not here: clients and projects (`sync`), which make these handles.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import CloutError, InvalidRequest
from ..schema.execution import ExecutionState, Result
from . import display
from .loop import LoopThread, Plain, plain, plain_as
from .runs import AsyncRun

if TYPE_CHECKING:
    from .monitor import Monitor
    from .sync import Client


def _run(run: Run, begun: AsyncRun) -> Run:
    return Run(run._loop, begun, run._client)


class Run(Plain[AsyncRun]):
    """One execution. `for event in run` yields its events from the first, live, until it has ended."""

    def __init__(self, loop: LoopThread, run: AsyncRun, client: Client) -> None:
        super().__init__(loop, run)
        self._client = client

    @property
    def id(self) -> str:
        """Its id for ever."""
        return self._awaited.id

    @property
    def project_name(self) -> str | None:
        """Name of its project, as far as it is known here."""
        return self._awaited.project_name

    @property
    def state(self) -> ExecutionState:
        """Its state now: status, usage, cost, result."""
        return self._loop.call(self._awaited.state())

    @property
    def status(self) -> str:
        """`queued`, `running`, `completed`, `failed`, `cancelled`, …, as of now."""
        return self.state.status

    @property
    def result(self) -> Result:
        """What it answered; waits until it has. Raises `ExecutionFailed` when it failed or was cancelled,
        and `ApprovalNeeded` when a tool call waits for a person."""
        return self._loop.call(self._awaited.result())

    def events(self, from_event: int = 1) -> Iterator[Any]:
        """Its events with id ≥ `from_event`, each once and in order, live until it has ended."""
        return self._loop.iterate(self._awaited.events(from_event))

    def event_pages(self, from_event: int = 1) -> Iterator[list[dict[str, Any]]]:
        """Its events so far with id ≥ `from_event`, as JSON, up to 1,000 at a time; it waits for no more."""
        return self._loop.iterate(self._awaited.event_pages(from_event))

    events_df = plain(AsyncRun.events_df)

    def __iter__(self) -> Iterator[Any]:
        return self.events()

    wait = plain(AsyncRun.wait)

    def monitor(self, *, wait: bool = True) -> Monitor:
        """Show it live: figures against its limits, its steps, what it asks, Stop; lines in a terminal.

        Stays until it has ended (interrupting the cell ends only that); with `wait=False` the cell is
        over at once and its output goes on. Without ipywidgets the output is replaced as a whole.
        """
        from .monitor import Monitor

        monitor = Monitor(self)
        if wait:
            monitor.wait()
        return monitor

    def tool(
        self,
        function: Any = None,
        *,
        name: str | None = None,
        ask: bool = False,
        read_only: bool = False,
        timeout_s: float = 60.0,
        into: str | None = None,
    ) -> Any:
        """Answer its calls of the tool of this name, after the notebook that had brought it is gone.

        An execution's tools are frozen when it begins: for new ones see `Project.tool`.
        """
        there = self.state.client_tools

        def added(function: Any) -> Any:
            called = name or function.__name__
            if called not in there:
                raise InvalidRequest(
                    f"This execution has no tool {called!r} of its caller's; it has: "
                    f"{', '.join(there) or 'none'}. Tools are frozen when an execution begins: "
                    "`@project.tool`, then `project.run(...)`."
                )

            async def add() -> None:
                self._awaited.tool(
                    function, name=name, ask=ask, read_only=read_only, timeout_s=timeout_s, into=into
                )

            self._loop.call(add())
            return function

        return added if function is None else added(function)

    approvals = plain(AsyncRun.approvals)
    allow = plain(AsyncRun.allow)
    deny = plain(AsyncRun.deny)
    cancel = plain(AsyncRun.cancel)

    resume = plain_as(AsyncRun.resume, _run)
    fork = plain_as(AsyncRun.fork, _run)
    pin = plain(AsyncRun.pin)
    unpin = plain(AsyncRun.unpin)
    delete = plain(AsyncRun.delete)
    files = plain(AsyncRun.files)
    download = plain(AsyncRun.download)
    save = plain(AsyncRun.save)
    notebook = plain(AsyncRun.notebook)
    trace = plain(AsyncRun.trace)
    save_cassette = plain(AsyncRun.save_cassette)

    def _seen(self) -> None:
        """Refresh what is shown, as far as a server answers: showing a handle never fails."""
        with contextlib.suppress(CloutError):
            _ = self.state

    def __repr__(self) -> str:
        known = self._awaited
        return display.run_text(type(self).__name__, self.id, known.project_name, known.last, known.seen_at)

    def _repr_html_(self) -> str:
        self._seen()
        known = self._awaited
        return display.run_html(self.id, known.project_name, known.last, known.seen_at, ".monitor()")
