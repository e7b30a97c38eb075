"""The async face of one execution: follow it, wait for it, take its result and files, stop it.

An execution belongs to the server: dropping this handle, or closing the notebook, does
not stop it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ApprovalNeeded, ExecutionFailed
from ..schema.admin import FileRow
from ..schema.approvals import OpenApproval
from ..schema.execution import ENDED, ExecutionState, Result
from ..schema.trace import Span, Trace
from . import display
from .answers import pages, raw_pages
from .kernel_tools import Toolset
from .serving import Serving
from .stream import follow
from .tables import events_frame
from .transport import Transport, file_path, segment

if TYPE_CHECKING:
    import pandas as pd

_SETTLED = ENDED | {"interrupted"}
"""Statuses in which nothing happens by itself; an interrupted execution goes on when somebody resumes it."""
_SETTLE_S = 5.0
"""How long the state may lag behind the event that ends the log."""


class HasCall(Protocol):
    """One of `approvals`, or an event about a call."""

    call_id: str


Call = str | HasCall


class HasId(Protocol):
    """An execution's handle, of either face."""

    @property
    def id(self) -> str: ...


def id_of(execution: HasId | str) -> str:
    """The id of an execution, given by its handle or as it is."""
    return execution if isinstance(execution, str) else execution.id


def needed(state: ExecutionState) -> ApprovalNeeded:
    """The error of asking for a result that a person has to let happen first."""
    first = state.approvals[0] if state.approvals else None
    named = f"`{first.tool}` of {first.agent}" if first else "a tool call"
    return ApprovalNeeded(
        f"It waits for somebody to allow or deny {named}: look at `approvals`, then call `allow` or `deny`.",
        execution_id=state.execution_id,
        approvals=[approval.model_dump(mode="json") for approval in state.approvals],
    )


class AsyncRun:
    """One execution. `async for event in run` yields its events from the first, live, until it has ended.

    One that its server's death has left interrupted counts as ended here: it does nothing until
    somebody resumes it, and can be followed again then.
    """

    def __init__(
        self,
        transport: Transport,
        execution_id: str,
        last: ExecutionState | None = None,
        *,
        project_name: str | None = None,
    ) -> None:
        self._transport = transport
        self._path = f"v1/executions/{segment(execution_id)}"
        self.project_name = project_name or (last.project_name if last else None)
        self.id = execution_id
        """Its id for ever."""
        self.last = last
        """The state as last seen, or None; nothing is asked."""
        self.seen_at = time.strftime("%H:%M:%S")
        """The time of day of that."""
        self.tools: Toolset | None = None
        """Functions of this notebook that answer its calls."""
        self._serving: Serving | None = None

    async def state(self) -> ExecutionState:
        """Its state now: status, usage, cost, result. Once it has ended, nothing is asked any more."""
        if self.last is not None and self.last.status in ENDED:
            return self.last
        state = self._saw(await self._transport.json("GET", self._path))
        self.project_name = state.project_name
        return state

    def _saw(self, answer: Any) -> ExecutionState:
        self.last = state = ExecutionState.model_validate(answer, extra="ignore")
        self.seen_at = time.strftime("%H:%M:%S")
        return state

    def events(self, from_event: int = 1) -> AsyncGenerator[Any, None]:
        """Its events with id ≥ `from_event`, each once and in order, live until it has ended."""
        return self._events(from_event)

    async def _events(self, from_event: int) -> AsyncGenerator[Any, None]:
        async with aclosing(follow(self._transport, self.id, from_event=from_event)) as events:
            async for event in events:
                yield event
                if event.type == "interrupted":
                    state = await self.state()
                    if state.status == "interrupted" and state.last_event_id <= event.id:
                        return

    def event_pages(self, from_event: int = 1) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Its events so far with id ≥ `from_event`, as JSON, up to 1,000 at a time; it waits for no more."""
        return self._event_pages(from_event)

    async def _event_pages(self, from_event: int) -> AsyncGenerator[list[dict[str, Any]], None]:
        async for page in raw_pages(self._transport, f"{self._path}/events", from_event=from_event):
            yield page

    async def events_df(self, from_event: int = 1) -> pd.DataFrame:
        """Its events so far as a DataFrame; columns in `tables.EVENTS`. Needs pandas."""
        return events_frame([event async for page in self.event_pages(from_event) for event in page])

    def __aiter__(self) -> AsyncIterator[Any]:
        return self.events()

    async def wait(self, timeout_s: float | None = None) -> ExecutionState:
        """Stay until it has ended, or waits for a person, and say how it stands.

        One that waits (`state.status == "waiting"`, or `running` with a call in `approvals` that has gone
        silent) goes on when `allow` or `deny` has answered all of `approvals`. `TimeoutError` after
        `timeout_s` seconds (it runs on).
        """
        async with asyncio.timeout(timeout_s):
            state = await self.state()
            while state.status not in _SETTLED and not state.asks_people:
                # Everything before is known from the state; what remains is the end.
                async with aclosing(self.events(state.last_event_id + 1)) as events:
                    async for event in events:
                        asks = event.type == "waiting" or getattr(event, "running", False)
                        if asks and (state := await self.state()).asks_people:
                            return state
                state = await self._settled()
        return state

    async def result(self) -> Result:
        """What it answered, once it has ended; raises `ExecutionFailed` when it failed or was cancelled.

        Raises `ApprovalNeeded` when a tool call waits for a person.
        """
        state = await self.wait()
        if state.asks_people:
            raise needed(state)
        if state.status == "completed" and state.result is not None:
            return state.result
        if state.error is not None:
            error = ExecutionFailed(state.error.message, code=state.error.code)
            error.details = {**state.error.details, "execution_id": self.id}
            raise error
        raise ExecutionFailed(
            f"The execution was {state.status}, so there is no result.",
            code=state.status.upper(),
            execution_id=self.id,
        )

    def _serve(self, tools: Toolset) -> None:
        """Answer its calls of these functions from now on, in the loop that is running."""
        self.tools = tools
        if tools and self._serving is None:
            self._serving = Serving(self._transport, self, tools)

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

        An execution's tools are frozen when it begins: for new ones see `AsyncProject.tool`.
        """
        tools = self.tools or Toolset()
        found = tools.tool(function, name=name, ask=ask, read_only=read_only, timeout_s=timeout_s, into=into)
        if function is None:

            def added(function: Any) -> Any:
                found(function)
                self._serve(tools)
                return function

            return added
        self._serve(tools)
        return found

    async def approvals(self) -> list[OpenApproval]:
        """The tool calls that wait for a person, oldest first, each with a preview of what it would do."""
        return list((await self.state()).approvals)

    async def allow(
        self, call: Call, input: Mapping[str, Any] | None = None, *, message: str = ""
    ) -> ExecutionState:
        """Let a tool call run: its id, or one of `approvals`, or its event.

        `input`: other arguments to run with. Raises `NotFound`, `InvalidRequest` for arguments that do not
        fit, and `Conflict` when it was denied already or the execution has ended.
        """
        body: dict[str, Any] = {"decision": "allow", "message": message}
        return await self._decide(call, body if input is None else {**body, "input": dict(input)})

    async def deny(self, call: Call, message: str = "") -> ExecutionState:
        """Do not let a tool call run; `message` is what the model is told. Raises as `allow` does."""
        return await self._decide(call, {"decision": "deny", "message": message})

    async def _decide(self, call: Call, body: dict[str, Any]) -> ExecutionState:
        call_id = call if isinstance(call, str) else call.call_id
        # The same decision twice is one: a cut connection may be tried again.
        path = f"{self._path}/approvals/{segment(call_id)}"
        answer = await self._transport.json("POST", path, body=body, repeatable=True)
        return self._saw(answer)

    async def cancel(self) -> ExecutionState:
        """Stop it. What it started is gone within seconds; raises `Conflict` when it had already ended."""
        answer = await self._transport.json("POST", f"{self._path}/cancel")
        return self._saw(answer)

    async def resume(self, limits: dict[str, Any] | None = None) -> AsyncRun:
        """Let it go on: this very execution where it was interrupted, a new one where it failed.

        `limits`: higher ones than before, at most the project's. Raises `Conflict` while it
        runs, and when it has completed.
        """
        return await self._begin("resume", {"limits": limits} if limits else {})

    async def fork(
        self,
        from_event: int,
        *,
        prompt: str | None = None,
        variables: dict[str, str] | None = None,
        limits: dict[str, Any] | None = None,
        model: str | None = None,
        tool_result: tuple[str, str] | None = None,
    ) -> AsyncRun:
        """A new execution that shares the history before the turn of an event.

        `tool_result`: a call's id, and the text that stands for its result.
        """
        body: dict[str, Any] = {"from_event": from_event}
        body |= {"prompt": prompt, "variables": variables, "limits": limits, "model": model}
        if tool_result is not None:
            body["tool_result"] = {"call_id": tool_result[0], "text": tool_result[1]}
        return await self._begin("fork", {name: value for name, value in body.items() if value is not None})

    async def _begin(self, verb: str, body: dict[str, Any]) -> AsyncRun:
        answer = await self._transport.json("POST", f"{self._path}/{verb}", body=body)
        execution_id = answer["execution_id"]
        if execution_id == self.id:
            self.last = None
            return self
        begun = AsyncRun(self._transport, execution_id, project_name=self.project_name)
        if self.tools:
            begun._serve(self.tools)
        return begun

    async def pin(self) -> None:
        """Keep it beyond the server's retention."""
        await self._transport.request("POST", f"{self._path}/pin", repeatable=True)

    async def unpin(self) -> None:
        """Let the retention have it again."""
        await self._transport.request("DELETE", f"{self._path}/pin")

    async def delete(self) -> None:
        """Remove it, log and workspace included. Raises `Conflict` while it has not ended."""
        await self._transport.request("DELETE", self._path)

    async def files(self) -> list[FileRow]:
        """The files of its workspace."""
        page = await self._transport.json("GET", f"{self._path}/files")
        return [FileRow.model_validate(item, extra="ignore") for item in page["items"]]

    async def download(self, path: str) -> bytes:
        """A file of its workspace."""
        return (await self._transport.request("GET", f"{self._path}/files/{file_path(path)}")).content

    async def save(self, path: str, target: str | Path | None = None) -> Path:
        """A file of its workspace, written to `target` (here, under its own name, if None)."""
        to = Path(path).name if target is None else target
        data = await self.download(path)
        await asyncio.to_thread(Path(to).write_bytes, data)
        return Path(to)

    async def notebook(self) -> bytes:
        """It as an executed notebook, the bytes of an `.ipynb`: reasoning, tool calls, their outputs."""
        return (await self._transport.request("GET", f"{self._path}/notebook")).content

    async def trace(self) -> Trace:
        """Its spans as far as it has come: agents, model calls, tools, hooks, with times, tokens and cost."""
        path, cursor, spans = f"{self._path}/trace", None, list[Span]()
        while True:
            answer = await self._transport.json("GET", path, params={"cursor": cursor})
            page = Trace.model_validate(answer, extra="ignore")
            spans += page.items
            if (cursor := page.next_cursor) is None:
                return page.model_copy(update={"items": spans})

    async def save_cassette(self, *, tools: bool = False) -> str:
        """Record it for replay, once it has ended; the cassette's id.

        `tools`: with the results of its tools, so that a replay runs none. Secrets are taken out.
        """
        made = await self._transport.json("POST", f"{self._path}/cassette", body={"tools": tools})
        return str(made["cassette_id"])

    async def _settled(self) -> ExecutionState:
        """The final state; the log's last event may be visible a moment before it.

        Where it does not come, what it is now: somebody has taken the execution up again meanwhile.
        """
        until = time.monotonic() + _SETTLE_S
        while True:
            state = await self.state()
            if state.status in _SETTLED or time.monotonic() >= until:
                return state
            await asyncio.sleep(0.02)

    def __repr__(self) -> str:
        return display.run_text(type(self).__name__, self.id, self.project_name, self.last, self.seen_at)

    def _repr_html_(self) -> str:
        return display.run_html(self.id, self.project_name, self.last, self.seen_at)


async def latest(
    transport: Transport, *, project: str | None, status: str | None, limit: int
) -> list[AsyncRun]:
    """The latest executions, newest first; `project` is an id."""
    found: list[AsyncRun] = []
    listed = pages(transport, ExecutionState, "v1/executions", project=project, status=status, limit=limit)
    async for state in listed:
        found.append(AsyncRun(transport, state.execution_id, state))
        if len(found) == limit:
            break
    return found
