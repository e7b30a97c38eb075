"""One MCP server as an actor: a task of its own connects, keeps watch, and lets go; others await calls.

The SDK wants a connection left by the task that entered it, so nobody else ever touches
it. A server that dies is connected again, at most `RESTARTS` times, with longer and longer
pauses; then it is lost. Imports the SDK: load this module in a thread. Not here: what the
tools are for a model (`mcp_listing`, `mcp_tool`), who needs which server (`mcp`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import anyio
import anyio.lowlevel
import mcp_types
from mcp import Client, MCPError
from pydantic import TypeAdapter, ValidationError

from ...schema.base import JsonObject
from ...schema.project import McpServer
from ..masking import Mask
from ..ports import EndExecution
from . import mcp_listing, mcp_session
from .mcp_link import Link, quiet, quieten
from .mcp_listing import Listing, Offer
from .mcp_session import About
from .mcp_sieve import Sieve
from .text import clean

START_S = 30.0
"""Longest time until a server is connected and has listed its tools."""
STOP_S = 4.5
"""Longest time that letting go of a server may take."""
RESTARTS = 3
"""Times that a server which was there is connected again, in one execution."""
BACKOFF_S = 1.0
"""Pause before the first of these; each further one is three times as long."""

_RELIST_S = 10.0
_RELIST_PAUSE_S = 1.0
_MOST_CHANGES_TOLD = 5
Happened = Literal["MCP_RECONNECTED", "MCP_TOOLS_CHANGED", "MCP_FAILED"]
Report = Callable[[Happened, str, JsonObject], Awaitable[None]]
"""Tells an execution's warnings: code, sentence, details."""

_CALL: TypeAdapter[Any] = TypeAdapter(mcp_types.CallToolResult | mcp_types.InputRequiredResult)
_LOST_SESSION = "Session terminated"
"""What the SDK says where an HTTP server no longer knows our session."""
_STATUS = "Server returned an error response"
"""What it says in place of an HTTP status."""
_ONE_ANSWER = "SSE stream failed"
"""How it begins where one answer could not be read, and nothing else is wrong."""

log = logging.getLogger(__name__)
quieten()


class CallFailed(Exception):
    """A call came to no result; the text says why, for the model."""


class Connection:
    """One server. `start`, then `ready`, `call` as often as wanted, and `close` always."""

    def __init__(
        self,
        server: McpServer,
        open_link: Callable[[], Link],
        *,
        mask: Mask,
        report: Report,
        start_s: float = START_S,
        backoff_s: float = BACKOFF_S,
    ) -> None:
        self.server = server
        self.listing = Listing()
        """Its tools, as it listed them last."""
        self.about = About()
        self.lost: str | None = None
        """Why it is out of reach for good; None while it is there, or may come back."""
        self.said: Sequence[str] = ()
        """Last lines that it wrote for people before it went."""
        self._open_link = open_link
        self._mask = mask
        self._report = report
        self._start_s = start_s
        self._backoff_s = backoff_s
        self._task: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._link: Link | None = None
        self._was_there = False
        self._stop = asyncio.Event()
        self._settled = asyncio.Event()
        """It is there, or lost."""
        self._broken = asyncio.Event()
        """A call found the connection dead."""
        self._dirty = asyncio.Event()
        """It says that its tools have changed."""
        self._news = asyncio.Event()
        """Set, and replaced, when it is there or lost."""
        self._reconnecting = ""
        """Why it is being connected again."""
        self._changes_told = 0

    # ------------------------------------------------------------ for everybody

    def start(self) -> None:
        """Connect in the background; nothing happens where that has begun."""
        if self._task is None and not self._stop.is_set():
            with quiet():
                self._task = asyncio.create_task(self._own(), name=f"mcp server {self.server.id}")

    async def ready(self) -> bool:
        """Wait until it is there (True) or lost (False)."""
        await self._settled.wait()
        return self.lost is None

    def offers(self, offer: Offer) -> bool:
        """Whether the server, as it lists its tools now, still has this one."""
        return any(each.name == offer.name for each in self.listing.offers.values())

    async def call(
        self, name: str, arguments: JsonObject, timeout_s: float, alive: Callable[[], None] = lambda: None
    ) -> mcp_types.CallToolResult:
        """The result of a tool, also one that says it is an error. Raises `CallFailed`.

        `alive` is called whenever the server reports progress; `timeout_s` holds whatever it reports.
        """
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                return await self._call(name, arguments, alive)
        except TimeoutError:
            if not deadline.expired():
                raise
            waited = " It was being connected again." if self._client is None else ""
            raise CallFailed(
                f"{self.server.name} did not answer within {timeout_s:g} s; the call was given up.{waited}"
            ) from None

    async def close(self, *, hurried: bool = False) -> None:
        """Let go. Nothing of the server is left when this returns; safe to call twice."""
        self._stop.set()
        task = self._task
        if task is None:
            return
        if self._link is not None:
            self._link.hurried = hurried
        if self._client is None:
            task.cancel()  # in the middle of connecting: that may take its time
        await asyncio.wait({task}, timeout=STOP_S)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=1.0)

    # ------------------------------------------------------------ calls

    async def _call(
        self, name: str, arguments: JsonObject, alive: Callable[[], None]
    ) -> mcp_types.CallToolResult:
        client = await self._usable()

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            alive()
            await anyio.lowlevel.checkpoint()

        request = mcp_types.CallToolRequest(
            params=mcp_types.CallToolRequestParams(name=name, arguments=arguments)
        )
        try:
            with quiet():
                # Not `call_tool`: that checks results against the server's own schemas, whatever they are.
                result = await client.session.send_request(request, _CALL, progress_callback=progressed)
        except MCPError as error:
            lost = error.code == mcp_types.CONNECTION_CLOSED or error.message == _LOST_SESSION
            if not lost or error.message.startswith(_ONE_ANSWER):
                raise CallFailed(await self._refused(error.message)) from None
            self._broken.set()
            raise CallFailed(await self._gone(error.message)) from None
        except (ValidationError, RuntimeError, ValueError, KeyError, TypeError):
            raise CallFailed(
                f"{self.server.name} answered in a way that the protocol does not allow."
            ) from None
        except (OSError, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._broken.set()
            raise CallFailed(await self._gone("")) from None
        if isinstance(result, mcp_types.InputRequiredResult):
            raise CallFailed(
                f"{self.server.name} asks a person or a model something before it answers, which is not "
                "possible here. Call it with everything it needs."
            )
        return result  # type: ignore[no-any-return]

    async def _refused(self, message: str) -> str:
        if message == _STATUS and self._link is not None and (words := await self._link.last_words()):
            return f"{self.server.name} refused the call: {self._words(words)}."
        return self._words(message)

    async def _usable(self) -> Client:
        while (client := self._client) is None or self._dead:
            if self.lost is not None or self._stop.is_set():
                raise CallFailed(f"{self.server.name} is out of reach: {self.lost or 'it was stopped'}.")
            await self._news.wait()
        return client

    @property
    def _dead(self) -> bool:
        return self._broken.is_set() or self._link is None or self._link.closed.is_set()

    def _announce(self) -> None:
        """Wake those who wait for it to be there, or lost."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _gone(self, fallback: str) -> str:
        """Why the connection went away in the middle of a call."""
        link = self._link
        why = await link.last_words() if link is not None else ""
        return (
            f"{self.server.name} went away before it answered ({self._words(why or fallback)}). "
            "Whether the call had an effect is not known."
        )

    def _words(self, text: str) -> str:
        return mcp_listing.visible(clean(self._mask(text)), 2000) or "no reason given"

    # ------------------------------------------------------------ the owner

    async def _own(self) -> None:
        attempt = 0
        try:
            while True:
                why = await self._once(attempt)
                if self._stop.is_set():
                    return
                if not self._was_there or attempt >= RESTARTS:
                    await self._lose(why)
                    return
                self._settled.clear()
                pause = self._backoff_s * 3**attempt
                attempt += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._stop.wait()
                if self._stop.is_set():
                    return
                self._reconnecting = why
        finally:
            self._client = None
            if self.lost is None and not self._was_there:
                self.lost = "it was stopped"
            self._settled.set()
            self._announce()

    async def _lose(self, why: str) -> None:
        self.lost = why
        self._settled.set()
        self._announce()
        if self._was_there:
            message = f"The MCP server {self.server.name} is lost for this execution: {why}."
            await self._tell("MCP_FAILED", message, server=self.server.id, stderr=list(self.said))

    async def _once(self, attempt: int) -> str:
        """Connect, keep watch until it is over, let go; why it is over."""
        link = self._link = self._open_link()
        sieve = Sieve(link)
        self._broken.clear()
        self._dirty.clear()
        failure: BaseException | None = None
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(self._start_s) as deadline:
                    client = await stack.enter_async_context(mcp_session.client(sieve, self._dirty.set))
                    listing = await mcp_session.tools(client, sieve, self.server, self._mask)
                    await stack.enter_async_context(mcp_session.listening(client))
                await self._there(client, listing, attempt)
                await self._watch(client, link, sieve)
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, KeyboardInterrupt | SystemExit) or (task is not None and task.cancelling()):
                raise
            failure = mcp_session.leaf(error)
            if not isinstance(failure, mcp_session.EXPECTED):
                trace = self._mask("".join(traceback.format_exception(failure)))
                log.error("The connection to the MCP server %s failed\n%s", self.server.id, trace)
        finally:
            self._client = None
            self.said = [self._words(line) for line in link.said()]
        if isinstance(failure, TimeoutError) and deadline.expired():
            return f"it was not ready within {self._start_s:g} s{self._last_line()}"
        words = await link.last_words()
        return (self._words(words) if words else self._of(failure)) + self._last_line()

    def _of(self, failure: BaseException | None) -> str:
        if failure is None:
            return "the connection ended"
        if isinstance(failure, MCPError):
            return self._words(failure.message)
        if isinstance(failure, ValidationError):
            first = failure.errors(include_url=False, include_input=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"]))
            return self._words(
                f"it answers in a way that the protocol does not allow ({place}: {first['msg']})"
            )
        return self._words(str(failure) or type(failure).__name__)

    def _last_line(self) -> str:
        return f". It said: {self.said[-1]}" if self.said else ""

    async def _there(self, client: Client, listing: Listing, attempt: int) -> None:
        before, self.listing = self.listing, listing
        info = client.server_info
        self.about = About(
            name=self._words(info.name) if info else "",
            version=self._words(info.version) if info else "",
            protocol_version=client.protocol_version,
            instructions=mcp_listing.visible(clean(self._mask(client.instructions or "")), 10_000),
        )
        self._client = client
        self._settled.set()
        self._announce()
        if self._was_there:
            message = (
                f"The MCP server {self.server.name} was connected again ({attempt} of {RESTARTS}): "
                f"{self._reconnecting}."
            )
            await self._tell("MCP_RECONNECTED", message, server=self.server.id, attempt=attempt)
            await self._compare(before, listing)
        self._was_there = True

    async def _watch(self, client: Client, link: Link, sieve: Sieve) -> None:
        """Until it is to stop, or gone. Lists again when the server says that its tools have changed."""
        ends = [asyncio.ensure_future(e.wait()) for e in (self._stop, link.closed, self._broken)]
        try:
            while not any(end.done() for end in ends):
                changed = asyncio.ensure_future(self._dirty.wait())
                try:
                    await asyncio.wait({*ends, changed}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                if not self._dirty.is_set() or any(end.done() for end in ends):
                    continue
                self._dirty.clear()
                with contextlib.suppress(MCPError, TimeoutError, ValidationError):
                    async with asyncio.timeout(_RELIST_S):
                        listing = await mcp_session.tools(client, sieve, self.server, self._mask)
                    before, self.listing = self.listing, listing
                    await self._compare(before, listing)
                await asyncio.wait(ends, timeout=_RELIST_PAUSE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()

    async def _compare(self, before: Listing, now: Listing) -> None:
        changes = before.differences(now)
        if not changes or self._changes_told >= _MOST_CHANGES_TOLD:
            return
        self._changes_told += 1
        last = " Further changes are not told." if self._changes_told == _MOST_CHANGES_TOLD else ""
        message = (
            f"The MCP server {self.server.name} changed its tools while the execution was running "
            f"({'; '.join(changes)}). A conversation that has begun keeps the list it began with.{last}"
        )
        await self._tell("MCP_TOOLS_CHANGED", message, server=self.server.id, changes=changes)

    async def _tell(self, code: Happened, message: str, **details: Any) -> None:
        try:
            await self._report(code, message, details)
        except (asyncio.CancelledError, OSError, EndExecution):
            # An execution that is over, or cannot write, takes no more warnings; it stops its servers itself.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
