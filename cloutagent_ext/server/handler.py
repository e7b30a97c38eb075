"""The base handler: judges the caller, reads the request, runs the row's function, answers or refuses.

Every class made from it (one per path) gets its rows of the route table and adds nothing.
That the verbs are marked `allow_unauthenticated` is not an open door: `prepare` judges
every call by its row, before the body is looked at, and a test walks all rows to prove it.

Two ways to prove oneself, never mixed: a request that bears X-API-Key is judged by that
key alone, whatever cookie rides along; any other by Jupyter's own identity, XSRF check
and Authorizer. Not here: what a route does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from .._version import __version__
from ..auth.principal import Principal
from ..errors import (
    CloutError,
    DiskFull,
    Forbidden,
    Internal,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unavailable,
)
from ..schema.base import Model
from ..telemetry import context
from . import access_log, arguments, body, cors, failures, observed
from .context import Context
from .gate import HEADER, foreign, missing
from .rate_limits import client
from .reply import Reply
from .route import Action, RawBody, Route
from .spool import spool_of

_log = logging.getLogger("cloutagent.server")

RESOURCE = "cloutagent"
"""What Jupyter's `Authorizer` is asked about."""

_DRAIN_BYTES = 64 * 1024 * 1024
"""A refused request with a body up to this size is read to its end (and forgotten), so that
the refusal arrives; a longer one is cut off."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IDS = ("project_id", "execution_id")


@stream_request_body
class Endpoint(APIHandler):
    """One path of the contract; `rows` maps its methods to rows of the table."""

    auth_resource = RESOURCE
    _track_activity = False

    def initialize(self, context: Context, rows: Mapping[str, Route]) -> None:
        self.context = context
        self.services = context.services
        self.rows = rows
        self.principal: Principal | None = None
        self.proved_key: Principal | None = None
        """The key that was shown, also where it does not open what was asked for."""
        self.gone = asyncio.Event()
        """Set when the client has closed the connection."""
        self.noted: dict[str, Any] = {}
        """What an audit line says beyond the path: names, never values."""
        self._answered_with: CloutError | None = None
        self._query: Model | None = None
        self._refusal: Exception | None = None
        self._chunks: list[bytes] = []
        row = self.row
        spooled = row is not None and isinstance(row.body, RawBody) and row.body.spooled
        self._spool = spool_of(self) if spooled else None
        """Where the body goes that is too large for memory."""
        self._running = False
        self._received = 0
        self._etag: str | None = None

    # ------------------------------------------------------------ what functions use

    @property
    def row(self) -> Route | None:
        method = self.request.method or ""
        row = self.rows.get("GET" if method == "HEAD" else method)
        return None if row is not None and row.stream and method == "HEAD" else row

    @property
    def address(self) -> str:
        """The client, for limits; Tornado's own trusted-proxy handling has the last word about it."""
        return client(self.request.remote_ip or "")

    @property
    def request_id(self) -> str:
        if not hasattr(self, "_request_id"):
            self._request_id = uuid.uuid4().hex
        return self._request_id

    def caller(self) -> Principal:
        """Who calls; routes that are not public always have one."""
        if self.principal is None:
            raise missing()
        return self.principal

    async def must(self, action: Action) -> None:
        """For what asks more than its row says: a Jupyter user who may `action`. Raises Forbidden."""
        if self._by_key() or self.current_user is None:
            raise Forbidden("This is for Jupyter users; a key cannot do it.")
        if not await ensure_async(self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)):
            raise Forbidden(f"This user may not {action} here.")

    def url(self, path: str) -> str:
        """Address of `path` (below `API/`), from the root of this host."""
        return f"{self.base_url}cloutagent/api/v1/{path}"

    def header(self, name: str) -> str | None:
        return self.request.headers.get(name)

    # ------------------------------------------------------------ judging

    async def prepare(self) -> None:  # type: ignore[override]
        """Judge the caller. A refusal waits until the body has passed by, so that it is heard."""
        context.REQUEST.set(self.request_id)
        context.CALLER.set(context.traceparent(self.header("traceparent")))
        try:
            await self._judge()
        except Exception as refusal:
            if self._announced_bytes() > _DRAIN_BYTES:
                raise
            self._refusal = refusal

    async def _judge(self) -> None:
        self.current_user = None
        row = self.row
        if self.request.method == "OPTIONS":
            return
        if not self.rows:
            raise NotFound("There is no such address here; GET cloutagent/api/v1/openapi.json lists all.")
        if row is None:
            raise MethodNotAllowed(f"This address takes {', '.join(self.rows)}.", allow=", ".join(self.rows))
        if row.access.kind == "public":
            self.set_cors_headers()
        elif HEADER in self.request.headers:
            await self._judge_key(row)
        else:
            await self._judge_user(row)
        if self.context.closing.is_set() and row.access.kind != "public":
            raise Unavailable("The server is shutting down; ask again in a moment.", code="SHUTTING_DOWN")
        self._check_request(row)
        self._track_activity = self.current_user is not None and not (row.poll or row.stream)

    async def _judge_key(self, row: Route) -> None:
        if not self.check_host():
            raise Forbidden("This host name is not one of this server's; see ServerApp.allow_remote_access.")
        self.set_cors_headers()
        gate = self.context.gate
        principal = await gate.identify(self.request.headers.get_list(HEADER), self.address)
        self.proved_key = principal
        opens = row.stream and row.method == "GET"
        if not (opens and gate.limits.is_reconnect(self.address, self.request.path)):
            gate.limits.count(self.address)
        await gate.allow(principal, row, self.path_kwargs)
        if opens:
            gate.limits.stream_seen(self.address, self.request.path)
        self.principal = principal
        observed.admitted(self)

    async def _judge_user(self, row: Route) -> None:
        # Not APIHandler's: it would answer a foreign Origin with 404, and this is no secret address.
        await JupyterHandler.prepare(self)
        user = self.current_user
        if user is None:
            raise missing()
        if not self.check_origin() or self._embedded_elsewhere():
            raise Forbidden("Calls from pages of another origin are refused; see ServerApp.allow_origin.")
        if not await ensure_async(self.authorizer.is_authorized(self, user, row.action, RESOURCE)):
            raise Forbidden(f"This user may not {row.action} here.")
        shown = user.display_name or user.name or user.username
        self.principal = Principal(kind="user", name=user.username, display_name=shown)

    def _embedded_elsewhere(self) -> bool:
        """Whether a page of another site wants this as its image or script: such calls name no origin."""
        asked = self.header("Sec-Fetch-Site") == "cross-site" and self.header("Sec-Fetch-Mode") == "no-cors"
        return asked and not self.token_authenticated

    def check_xsrf_cookie(self) -> None:
        """Jupyter's check, for callers that Jupyter has recognised.

        A key in a header cannot be forged across sites, and an anonymous call has nothing
        to forge: `prepare` refuses it.
        """
        if HEADER in self.request.headers or getattr(self, "_jupyter_current_user", None) is None:
            return
        if not self.check_origin():
            raise Forbidden("Calls from pages of another origin are refused; see ServerApp.allow_origin.")
        super().check_xsrf_cookie()

    def _check_request(self, row: Route) -> None:
        for name in _IDS:
            if name in self.path_kwargs and not _UUID.fullmatch(self.path_kwargs[name] or ""):
                noun = name.removesuffix("_id")
                raise foreign() if self._by_key() else NotFound(f"There is no {noun} with this id.")
        self._query = arguments.read(self.request.arguments, row.query)
        body.check_encoding(self.header("Content-Encoding"))
        if self._announced_bytes() > self._max_bytes(row):
            raise self._too_large(row)
        if row.body is not None and not isinstance(row.body, RawBody):
            body.check_json_type(self.header("Content-Type") if self._announced_bytes() else None)

    def _by_key(self) -> bool:
        return self.principal is not None and self.principal.kind == "key"

    # ------------------------------------------------------------ reading

    async def data_received(self, chunk: bytes) -> None:
        """A piece of the body. What is refused anyway is not kept."""
        row = self.row
        self._received += len(chunk)
        if self._refusal is None and row is not None and self._received > self._max_bytes(row):
            self._refusal = self._too_large(row)
        if self._refusal is not None:
            self._chunks.clear()
            return
        if self._spool is None:
            self._chunks.append(chunk)
            return
        try:
            await self._spool.write(chunk)
        except OSError as error:
            self._refusal = DiskFull(f"The upload could not be kept: {error.strerror}.")

    def _announced_bytes(self) -> int:
        length = self.header("Content-Length") or ""
        if length.isascii() and length.isdecimal():
            return int(length[:18])
        return 1 if self.header("Transfer-Encoding") else 0

    def _max_bytes(self, row: Route) -> int:
        if isinstance(row.body, RawBody):
            return row.body.max_bytes
        return int(self.services.settings.max_body_mb * 1024 * 1024)

    def _too_large(self, row: Route) -> TooLarge:
        return TooLarge(f"The body is too large: at most {self._max_bytes(row) / (1024 * 1024):g} MB here.")

    async def _run(self, *_: Any, **parameters: str) -> None:
        row = self.row
        if self._refusal is not None or row is None:
            if self._spool is not None:
                await self._spool.close()
            raise self._refusal or Internal("No row.")
        given: dict[str, Any] = dict(parameters)
        if row.query.model_fields:
            given["query"] = self._query
        if self._spool is not None:
            given["body"] = self._spool
        elif isinstance(row.body, RawBody):
            given["body"] = b"".join(self._chunks)
        elif row.body is not None:
            given["body"] = await body.read_model(b"".join(self._chunks), row.body)
        self._chunks.clear()
        self._running = True
        try:
            reply = await row.call(self, **given)
        finally:
            if self._spool is not None:
                await self._spool.close()
        if isinstance(reply, Reply):
            self._answer(reply)

    get = head = post = put = patch = delete = allow_unauthenticated(_run)

    @allow_unauthenticated
    def options(self, *_: Any, **__: Any) -> None:
        """A browser's question before a call from another origin, answered for key routes only."""
        cors.answer_preflight(self)

    # ------------------------------------------------------------ answering

    def _answer(self, reply: Reply) -> None:
        self.set_status(reply.status)
        for name, value in reply.headers.items():
            self.set_header(name, value)
        self._etag = reply.etag
        if reply.etag is not None and self.request.method not in ("GET", "HEAD"):
            self.set_header("ETag", reply.etag)  # of a GET, `compute_etag` tells Tornado, which compares it
        payload = reply.bytes()
        if reply.status == HTTPStatus.NO_CONTENT:
            self.clear_header("Content-Type")
        else:
            self.set_header("Content-Type", reply.media_type)
        self.finish(payload or None)

    def compute_etag(self) -> str | None:
        """Ours or none: a hash of the body would say nothing about what `If-Match` guards."""
        return self._etag

    def finish(self, chunk: Any = None, **_: Any) -> Any:
        """Unlike Jupyter's, leaves the content type alone (streams, files)."""
        if self._track_activity:
            self.update_api_activity()
        return RequestHandler.finish(self, chunk)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Request-Id", self.request_id)
        self.set_header("X-CloutAgent-Version", __version__)  # by this a page sees that it has grown old

    def set_cors_headers(self) -> None:
        if not cors.allow_listed(self) and (self.allow_origin or self.allow_origin_pat):
            super().set_cors_headers()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.gone.set()
        if self._spool is not None and not self._running:
            self._spool.discard()  # half an upload

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error in the one envelope, with the request id that the log carries too."""
        error = failures.as_error((kwargs.get("exc_info") or (None, None))[1], status_code)
        self._answered_with = error
        self.set_status(error.status)
        self.set_header("Content-Type", "application/json")
        self.set_cors_headers()
        if error.status == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", 'ApiKey realm="cloutagent"')
        if error.retry_after_s is not None:
            self.set_header("Retry-After", str(error.retry_after_s))
        if isinstance(error, MethodNotAllowed) and "allow" in error.details:
            self.set_header("Allow", error.details["allow"])
        envelope = error.envelope()
        envelope["error"]["details"] = {**envelope["error"]["details"], "request_id": self.request_id}
        self.finish(json.dumps(envelope, default=str))

    def on_finish(self) -> None:
        super().on_finish()
        observed.finished(self, self._answered_with)

    def _log(self) -> None:
        access_log.bound(self.request)
        super()._log()

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Only what is a bug gets a traceback; a caller's mistake is a line of the access log."""
        if isinstance(value, StreamClosedError | HTTPError):
            return
        error = failures.as_error(value)
        if isinstance(error, Internal) or (isinstance(value, OSError) and not isinstance(value, CloutError)):
            where = f"{self.request.method} {self.row.path if self.row else '?'}"
            _log.error("request %s: %s failed", self.request_id, where, exc_info=value)


class Unknown(Endpoint):
    """Any other address below `cloutagent/`: 404 in the envelope."""
