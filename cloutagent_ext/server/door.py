"""The way to our routes, which are loaded when somebody first comes: a server's start does not pay for them.

Tornado asks a router who takes a request, before its body is read; ours lets the first ones wait until
the table is there. Not here: the table (`routes`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.routing import Router, RuleRouter
from tornado.web import Application, RequestHandler

from ..loading import Late

Rows = list[tuple[str, Any, dict[str, Any]]]
"""Patterns below the server's address with their handlers, as an extension gives them."""


class Table(RuleRouter):
    """Our routes in their order; the handlers are `application`'s, as those of its own routes are."""

    def __init__(self, application: Application, rows: Rows) -> None:
        self._application = application
        super().__init__(rows)

    def get_target_delegate(
        self, target: type[RequestHandler], request: HTTPServerRequest, **parameters: Any
    ) -> HTTPMessageDelegate:
        """The handler that takes `request`."""
        return self._application.get_handler_delegate(request, target, **parameters)


class Door(Router):
    """Takes everything below our address. `rows` is called once, when the module `routes` is loaded."""

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = ()
    """Jupyter looks through these for a handler's functions that nobody guards; a router has none."""

    def __init__(self, application: Application, base_url: str, rows: Callable[[], Rows]) -> None:
        self._application = application
        self._base_url = base_url
        self._rows = rows
        self._behind = Late("server.routes", self._made)

    @property
    def behind(self) -> Router | None:
        """The routes, once somebody has come."""
        return self._behind.made

    async def open(self) -> Router:
        """The routes."""
        return await self._behind.get()

    def _made(self) -> Router:
        rows = [(f"{self._base_url}{pattern}", handler, more) for pattern, handler, more in self._rows()]
        return Table(self._application, rows)

    def find_handler(self, request: HTTPServerRequest, **_: Any) -> HTTPMessageDelegate | None:
        """Who takes `request`."""
        behind = self.behind
        return _FirstToCome(self, request) if behind is None else behind.find_handler(request)


class _FirstToCome(HTTPMessageDelegate):
    """A request that waits for the routes; Tornado reads its body only then."""

    def __init__(self, door: Door, request: HTTPServerRequest) -> None:
        self._door = door
        self._request = request
        self._taken: HTTPMessageDelegate | None = None
        self._gone = False

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        routes = await self._door.open()
        if self._gone:
            return
        self._taken = routes.find_handler(self._request)
        if self._taken is not None:  # the last row takes all that no other takes
            ready = self._taken.headers_received(start_line, headers)
            if ready is not None:
                await ready

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._taken.data_received(chunk) if self._taken is not None else None

    def finish(self) -> None:
        if self._taken is not None:
            self._taken.finish()

    def on_connection_close(self) -> None:
        self._gone = True
        if self._taken is not None:
            self._taken.on_connection_close()
