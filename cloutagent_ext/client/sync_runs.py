"""One execution's plain face: the same as `runs`, without `await`.

Not here: clients and projects (`sync`), which make these handles.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CloutError, InvalidRequest
from ..schema.admin import FileRow
from ..schema.approvals import OpenApproval
from ..schema.execution import ExecutionState, Result
from ..schema.trace import Trace
from . import display
from .loop import LoopThread
from .runs import AsyncRun, Call

if TYPE_CHECKING:
    import pandas as pd

    from .monitor import Monitor
    from .sync import Client


class Run:
    """One execution. `for event in run` yields its events from the first, live, until it has ended."""

    def __init__(self, loop: LoopThread, run: AsyncRun, client: Client) -> None:
        self._loop = loop
        self._run = run
        self._client = client

    @property
    def id(self) -> str:
        """Its id for ever."""
        return self._run.id

    @property
    def project_name(self) -> str | None:
        """Name of its project, as far as it is known here."""
        return self._run.project_name

    @property
    def state(self) -> ExecutionState:
        """Its state now: status, usage, cost, result."""
        return self._loop.call(self._run.state())

    @property
    def status(self) -> str:
        """`queued`, `running`, `completed`, `failed`, `cancelled`, …, as of now."""
        return self.state.status

    @property
    def result(self) -> Result:
        """What it answered; waits until it has. Raises `ExecutionFailed` when it failed or was cancelled,
        and `ApprovalNeeded` when a tool call waits for a person."""
        return self._loop.call(self._run.result())

    def events(self, from_event: int = 1) -> Iterator[Any]:
        """Its events with id ≥ `from_event`, each once and in order, live until it has ended."""
        return self._loop.iterate(self._run.events(from_event))

    def event_pages(self, from_event: int = 1) -> Iterator[list[dict[str, Any]]]:
        """Its events so far with id ≥ `from_event`, as JSON, up to 1,000 at a time; it waits for no more."""
        return self._loop.iterate(self._run.event_pages(from_event))

    def events_df(self, from_event: int = 1) -> pd.DataFrame:
        """Its events so far as a DataFrame; columns in `tables.EVENTS`. Needs pandas."""
        return self._loop.call(self._run.events_df(from_event))

    def __iter__(self) -> Iterator[Any]:
        return self.events()

    def wait(self, timeout_s: float | None = None) -> ExecutionState:
        """Stay until it has ended, or waits for a person, and say how it stands.

        `TimeoutError` after `timeout_s` seconds (it runs on).
        """
        return self._loop.call(self._run.wait(timeout_s))

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
                self._run.tool(
                    function, name=name, ask=ask, read_only=read_only, timeout_s=timeout_s, into=into
                )

            self._loop.call(add())
            return function

        return added if function is None else added(function)

    def approvals(self) -> list[OpenApproval]:
        """The tool calls that wait for a person, oldest first, each with a preview of what it would do."""
        return self._loop.call(self._run.approvals())

    def allow(
        self, call: Call, input: Mapping[str, Any] | None = None, *, message: str = ""
    ) -> ExecutionState:
        """Let a tool call run (its id, one of `approvals`, or its event); `input`: with other arguments."""
        return self._loop.call(self._run.allow(call, input, message=message))

    def deny(self, call: Call, message: str = "") -> ExecutionState:
        """Do not let a tool call run; `message` is what the model is told."""
        return self._loop.call(self._run.deny(call, message))

    def cancel(self) -> ExecutionState:
        """Stop it. What it started is gone within seconds; raises `Conflict` when it had already ended."""
        return self._loop.call(self._run.cancel())

    def resume(self, limits: dict[str, Any] | None = None) -> Run:
        """Let it go on: this very execution where it was interrupted, a new one where it failed.

        `limits`: higher ones than before, at most the project's. Raises `Conflict` while it
        runs, and when it has completed.
        """
        return Run(self._loop, self._loop.call(self._run.resume(limits)), self._client)

    def fork(
        self,
        from_event: int,
        *,
        prompt: str | None = None,
        variables: dict[str, str] | None = None,
        limits: dict[str, Any] | None = None,
        model: str | None = None,
        tool_result: tuple[str, str] | None = None,
    ) -> Run:
        """A new execution that shares the history before the turn of an event.

        `tool_result`: a call's id, and the text that stands for its result.
        """
        forking = self._run.fork(
            from_event,
            prompt=prompt,
            variables=variables,
            limits=limits,
            model=model,
            tool_result=tool_result,
        )
        return Run(self._loop, self._loop.call(forking), self._client)

    def pin(self) -> None:
        """Keep it beyond the server's retention."""
        self._loop.call(self._run.pin())

    def unpin(self) -> None:
        """Let the retention have it again."""
        self._loop.call(self._run.unpin())

    def delete(self) -> None:
        """Remove it, log and workspace included. Raises `Conflict` while it has not ended."""
        self._loop.call(self._run.delete())

    def files(self) -> list[FileRow]:
        """The files of its workspace."""
        return self._loop.call(self._run.files())

    def download(self, path: str) -> bytes:
        """A file of its workspace."""
        return self._loop.call(self._run.download(path))

    def save(self, path: str, target: str | Path | None = None) -> Path:
        """A file of its workspace, written to `target` (here, under its own name, if None)."""
        return self._loop.call(self._run.save(path, target))

    def notebook(self) -> bytes:
        """It as an executed notebook, the bytes of an `.ipynb`: reasoning, tool calls, their outputs."""
        return self._loop.call(self._run.notebook())

    def trace(self) -> Trace:
        """Its spans as far as it has come: agents, model calls, tools, hooks, with times, tokens and cost."""
        return self._loop.call(self._run.trace())

    def save_cassette(self, *, tools: bool = False) -> str:
        """Record it for replay, once it has ended; the cassette's id.

        `tools`: with the results of its tools, so that a replay runs none. Secrets are taken out.
        """
        return self._loop.call(self._run.save_cassette(tools=tools))

    def _seen(self) -> None:
        """Refresh what is shown, as far as a server answers: showing a handle never fails."""
        with contextlib.suppress(CloutError):
            _ = self.state

    def __repr__(self) -> str:
        return display.run_text(type(self).__name__, self.id, self._run.project_name, self._run.last)

    def _repr_html_(self) -> str:
        self._seen()
        return display.run_html(self.id, self._run.project_name, self._run.last)
