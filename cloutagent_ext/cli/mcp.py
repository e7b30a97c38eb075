"""`jupyter cloutagent mcp`: each project as a tool of an MCP server, for Claude Code or any other client.

Speaks the protocol on standard input and output and nothing else there. A call runs the project as
`run` does: at this user's running server, else in this process. Progress goes out as it happens; a
client that takes its call back, or goes away, cancels the execution. Projects that nobody has
trusted, or that cannot be read, are not offered. Not here: what a project looks like as a tool (`offers`).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack, aclosing, suppress
from typing import TYPE_CHECKING, Any

from .._version import __version__
from ..client.display import facts
from ..errors import CloutError, NotFound, Unreachable
from ..schema.execution import ExecuteRequest
from . import exits
from .desk import Desk, Started, open_desk
from .offers import OUTPUT_SCHEMA, Offer, answer, offers, refusal
from .progress import printable, summary

if TYPE_CHECKING:
    import mcp_types as types
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server

_CANCEL_S = 10.0
"""Longest wait for a cancelled execution, in seconds; it is gone within 5."""
_INSTRUCTIONS = (
    "Each tool runs an agent project of this user's CloutAgent. A call may take minutes and cost money, up "
    "to the limit that its description names; progress is reported. Taking a call back stops its execution."
)
_log = logging.getLogger("cloutagent.mcp")


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], parents: list[argparse.ArgumentParser]
) -> None:
    parser = commands.add_parser(
        "mcp",
        parents=parents,
        help="offer projects as tools to MCP clients, on standard input and output",
        description="An MCP server on standard input and output: each project is a tool. For Claude Code: "
        "claude mcp add cloutagent -- jupyter cloutagent mcp",
    )
    parser.add_argument(
        "--project", action="append", default=[], metavar="NAME",
        help="offer only this project (name or id); repeatable",
    )  # fmt: skip
    parser.set_defaults(command=serve)


async def serve(arguments: argparse.Namespace) -> int:
    # Whatever is logged belongs on standard error: standard output is the protocol's.
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    from mcp.server.stdio import stdio_server

    async with AsyncExitStack() as stack:
        office = _Office(arguments)
        stack.push_async_callback(office.close)
        await office.desk()  # a wrong address is told now, not at the first call
        server = _server(office)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, office.leave)
        async with stdio_server() as (reading, writing):
            await server.run(reading, writing, server.create_initialization_options())
    return exits.OK


def _server(office: _Office) -> Server[Any]:
    import mcp_types as types
    from mcp.server.lowlevel import Server

    async def list_tools(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(offer) for offer in await office.offers()])

    async def call_tool(
        context: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await _call(office, context, params)

    return Server(
        "cloutagent",
        version=__version__,
        title="CloutAgent",
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _tool(offer: Offer) -> types.Tool:
    import mcp_types as types

    return types.Tool(
        name=offer.name,
        title=offer.title,
        description=offer.description,
        input_schema=offer.input_schema,
        output_schema=OUTPUT_SCHEMA,
    )


async def _call(
    office: _Office, context: ServerRequestContext[Any], params: types.CallToolRequestParams
) -> types.CallToolResult:
    import mcp_types as types
    from mcp.shared.exceptions import MCPError

    offer = await office.offer(params.name)
    if offer is None:
        raise MCPError(types.INVALID_PARAMS, f"There is no project offered as {params.name!r}.")
    try:
        request = offer.request(params.arguments or {})
        started = await office.start(offer, request)
    except CloutError as error:
        said = f"{error.error_code}: {error.message}"
        structured = refusal(error.error_code, error.message)
        return types.CallToolResult(content=[_text(said)], structured_content=structured, is_error=True)
    try:
        return await _followed(started, context)
    except BaseException:  # the client took it back, or is gone: nobody waits for the answer any more
        await _cancel(started)
        raise


async def _followed(started: Started, context: ServerRequestContext[Any]) -> types.CallToolResult:
    """Progress as it comes, and the answer."""
    import mcp_types as types

    async with aclosing(started.events()) as events:
        async for event in events:
            if (told := _told(event)) is not None:
                await context.session.report_progress(event.id, None, told)
    state = await started.state()
    structured = answer(state, [row.path for row in await started.files()])
    if state.status == "completed":
        content = [_text(structured["text"] or "(no text)"), _text(" · ".join(facts(state)))]
        return types.CallToolResult(content=content, structured_content=structured)
    code = state.error.code if state.error else state.status.upper()
    why = state.error.message if state.error else f"The execution was {state.status}."
    said = f"{code}: {why}\n{' · '.join(facts(state))}\nExecution {state.execution_id}"
    return types.CallToolResult(content=[_text(said)], structured_content=structured, is_error=True)


def _text(text: str) -> types.TextContent:
    import mcp_types as types

    return types.TextContent(text=text)


def _told(event: Any) -> str | None:
    """An event as one line of progress; None for what nobody waits for."""
    who = "" if getattr(event, "agent", "main") == "main" else f"{event.agent}: "
    match event.type:
        case "queued" if event.position:
            return f"waiting in the queue, place {event.position}"
        case "start":
            return f"running {printable(event.model)}"
        case "agent_start":
            return f"{printable(event.name)} begins"
        case "tool_call":
            return f"{who}{event.tool} {summary(event.input)}".strip()
        case "tool_result":
            return f"{who}{event.tool} {'failed' if event.is_error else 'done'}"
        case "approval_required":
            return f"{who}waits for a person to allow {event.tool}"
        case "warning":
            return printable(event.message)
        case "text" if event.final:
            return who + summary({"text": event.content}) if event.content.strip() else None
    return None


async def _cancel(started: Started) -> None:
    """Stop an execution, also while this task is itself being cancelled."""
    import anyio

    with anyio.move_on_after(_CANCEL_S, shield=True), suppress(CloutError):
        await started.cancel()


class _Office:
    """The desk that calls go to, opened anew where its server has gone away; and what it offers."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._stack = AsyncExitStack()
        self._desk: Desk | None = None
        self._opening = asyncio.Lock()
        self._known: dict[str, Offer] = {}
        self._leaving: asyncio.Task[None] | None = None

    async def desk(self, *, instead_of: Desk | None = None) -> Desk:
        """The open desk; another one than `instead_of`, whose server does not answer any more."""
        async with self._opening:
            if self._desk is None or self._desk is instead_of:
                opened = open_desk(self._arguments, executes=True, origin="mcp")
                self._desk = await self._stack.enter_async_context(opened)
            return self._desk

    async def close(self) -> None:
        await self._stack.aclose()

    def leave(self) -> None:
        """End at a signal: what runs here is ended first. The thread that waits for input cannot be."""

        async def leave() -> None:
            try:
                await self.close()
            finally:
                os._exit(128 + signal.SIGTERM)

        self._leaving = asyncio.create_task(leave())

    async def offers(self) -> list[Offer]:
        """What may be called now. Raises `MCPError`."""
        import mcp_types as types
        from mcp.shared.exceptions import MCPError

        try:
            desk = await self.desk()
            try:
                found = await self._read(desk)
            except Unreachable:
                found = await self._read(await self.desk(instead_of=desk))
        except CloutError as error:
            raise MCPError(types.INTERNAL_ERROR, f"{error.error_code}: {error.message}") from error
        self._known = {offer.name: offer for offer in found}
        return found

    async def _read(self, desk: Desk) -> list[Offer]:
        wanted = self._arguments.project
        rows = await desk.projects()
        for name in wanted:
            if not any(name in (row.name, str(row.id)) for row in rows):
                raise NotFound(f"There is no project {name!r} at {desk.where}.")
        found = []
        for row in sorted(rows, key=lambda row: (row.name.casefold(), str(row.id))):
            if row.unreadable or not row.trusted or (wanted and not {row.name, str(row.id)} & set(wanted)):
                continue
            try:
                found.append(await desk.definition(str(row.id)))
            except CloutError as error:
                _log.warning("Project %s is not offered: %s", row.name, error.message)
        return offers(found)

    async def offer(self, name: str) -> Offer | None:
        """The tool of this name; looked up anew where it is not known yet."""
        if name not in self._known:
            await self.offers()
        return self._known.get(name)

    async def start(self, offer: Offer, request: ExecuteRequest) -> Started:
        """Start it; also when the call is taken back just then, so that it can be cancelled. CloutError."""
        import anyio

        starting = asyncio.create_task(self._start(offer, request))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            with anyio.move_on_after(_CANCEL_S, shield=True), suppress(CloutError):
                await _cancel(await starting)
            raise

    async def _start(self, offer: Offer, request: ExecuteRequest) -> Started:
        desk = await self.desk()
        try:
            return await desk.start(offer.project_id, request)
        except Unreachable:
            return await (await self.desk(instead_of=desk)).start(offer.project_id, request)
