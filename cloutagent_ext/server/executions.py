"""Executions: accept one, wait for it, list, read, cancel, delete, page through its events.

Not here: streams (`server.stream`) and files (`server.files`).
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from ..engine.ports import Decision
from ..errors import BadGateway, CloutError, Forbidden, GatewayTimeout, InvalidRequest, Unavailable
from ..schema.client_tools import ClientAnswer
from ..schema.execution import (
    ApprovalDecision,
    Begun,
    ExecuteRequest,
    ExecutionState,
    ForkRequest,
    Origin,
    ResumeRequest,
)
from ..schema.query import EventsQuery, ExecutionQuery, TraceQuery
from . import stream
from .files import attachment
from .gate import foreign, revoked
from .reply import NO_CONTENT, Reply
from .spool import Spool
from .sse import KEY_CHECK_S, MEDIA_TYPE, either

if TYPE_CHECKING:
    from .handler import Endpoint

ORIGIN_HEADER = "X-CloutAgent-Origin"
_CALLER_ORIGINS = ("panel", "notebook", "cli", "mcp")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")

_WAITED: dict[str, type[CloutError]] = {
    "TIMEOUT": GatewayTimeout,
    "QUEUE_TIMEOUT": GatewayTimeout,
    "MCP_CONNECTION_FAILED": BadGateway,
}
"""How a waiting call hears of an execution that ended so; every other end is a 200."""


async def upload(call: Endpoint, project_id: str, body: Spool) -> Reply:
    await call.services.store.read(project_id)
    kept = await call.services.executions.inputs.keep(project_id, await body.open(), body.size)
    return Reply(kept, HTTPStatus.CREATED)


async def execute(call: Endpoint, project_id: str, body: ExecuteRequest) -> Reply | None:
    """Accept, then answer in the way that was asked for."""
    if not (body.stream or MEDIA_TYPE in (call.header("Accept") or "")):
        return await _execute(call, project_id, body)
    # A place first: a refusal after the beginning would make its caller begin another one.
    with call.context.streams.one():
        return await _execute(call, project_id, body, streams=True)


async def _execute(
    call: Endpoint, project_id: str, body: ExecuteRequest, *, streams: bool = False
) -> Reply | None:
    accepted = await call.services.executions.accept(
        project_id,
        body,
        principal=call.caller(),
        origin=_origin(call),
        idempotency_key=_idempotency_key(call),
    )
    execution_id = accepted.execution_id
    if streams:
        await stream.send(call, execution_id, 1, {"X-Execution-Id": execution_id})
        return None
    headers = {"X-Execution-Id": execution_id, "Location": call.url(f"executions/{execution_id}")}
    if body.wait:
        state = await _wait(call, execution_id)
        return None if state is None else Reply(_waited(state), headers=headers)
    url = call.url(f"executions/{execution_id}/stream")
    return Reply(accepted.model_copy(update={"stream_url": url}), HTTPStatus.ACCEPTED, headers=headers)


def _origin(call: Endpoint) -> Origin:
    if call.caller().kind == "key":
        return "key"
    origin = call.header(ORIGIN_HEADER) or "api"
    if origin not in (*_CALLER_ORIGINS, "api"):
        raise InvalidRequest(f"{ORIGIN_HEADER} is one of {', '.join(_CALLER_ORIGINS)}, or left out.")
    return cast(Origin, origin)


def _idempotency_key(call: Endpoint) -> str | None:
    key = call.header("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidRequest("Idempotency-Key is 1 to 255 printable ASCII characters without spaces.")
    return key


async def _wait(call: Endpoint, execution_id: str) -> ExecutionState | None:
    """Its state when it has ended or waits for a person; None when the client has gone.

    The execution goes on either way. A key that is revoked meanwhile is told nothing any more.
    """
    ended = asyncio.create_task(call.services.executions.wait(execution_id, for_people=False))
    left = asyncio.create_task(either(call.gone, call.context.closing))
    try:
        done: set[asyncio.Task[Any]] = set()
        while not done:
            done, _ = await asyncio.wait(
                (ended, left), timeout=KEY_CHECK_S, return_when=asyncio.FIRST_COMPLETED
            )
            if not await call.context.gate.still_valid(call.caller()):
                raise revoked()
        if ended.done():
            return await ended
        if call.gone.is_set():
            return None
        raise Unavailable("The server is shutting down; the execution is kept.", execution_id=execution_id)
    finally:
        for task in (ended, left):
            task.cancel()
        await asyncio.gather(ended, left, return_exceptions=True)


def _waited(state: ExecutionState) -> ExecutionState:
    error = state.error
    if error is None or error.code not in _WAITED:
        return state
    raise _WAITED[error.code](
        error.message, code=error.code, execution_id=state.execution_id, state=state.model_dump(mode="json")
    )


async def list_executions(call: Endpoint, query: ExecutionQuery) -> Reply:
    """Newest first; to a key, its own project's."""
    own = call.caller().project_id
    if own is not None and query.project not in (None, own):
        raise foreign()
    page = await call.services.executions.list(
        project=own or query.project,
        status=query.status,
        since=query.since,
        until=query.until,
        limit=query.limit,
        cursor=query.cursor,
        expired=query.expired,
    )
    return Reply(page)


async def read_execution(call: Endpoint, execution_id: str) -> Reply:
    return Reply(await call.services.executions.state(execution_id))


async def read_notebook(call: Endpoint, execution_id: str) -> Reply:
    """Reasoning as Markdown, each tool call a cell with its output; of one that runs, what there is."""
    data = await call.services.executions.results.notebook(execution_id)
    kind = "application/x-ipynb+json"
    return Reply(data, media_type=kind, headers=attachment(f"{execution_id}.ipynb", kind))


async def read_trace(call: Endpoint, execution_id: str, query: TraceQuery) -> Reply:
    """Its spans as far as it has come, in the order in which they began; no collector needed."""
    first = int(query.cursor or 0)
    return Reply(await call.services.executions.results.trace(execution_id, first=first, limit=query.limit))


async def delete_execution(call: Endpoint, execution_id: str) -> Reply:
    await call.services.executions.delete(execution_id)
    return NO_CONTENT


async def cancel_execution(call: Endpoint, execution_id: str, body: Any) -> Reply:
    return Reply(await call.services.executions.cancel(execution_id, by=call.caller().name))


async def decide_approval(call: Endpoint, execution_id: str, call_id: str, body: ApprovalDecision) -> Reply:
    """Answer a tool call that waits. With a key: yes or no to what is asked, nothing else."""
    caller = call.caller()
    if caller.kind == "key" and body.input is not None:
        raise Forbidden(
            "Changed arguments are for Jupyter users; a key allows a call as it is, or denies it."
        )
    call.noted["decision"] = body.decision
    decision = Decision(body.decision == "allow", caller.name, body.message, body.input)
    return Reply(await call.services.executions.decide(execution_id, call_id, decision))


async def answer_call(call: Endpoint, execution_id: str, call_id: str, body: ClientAnswer) -> Reply:
    """A sign of life from whoever runs a function of the caller's, or what came of it."""
    return Reply(await call.services.executions.answer(execution_id, call_id, body))


async def resume_execution(call: Endpoint, execution_id: str, body: ResumeRequest) -> Reply:
    begun = await call.services.executions.resume(execution_id, body, principal=call.caller())
    return _begun(call, begun)


async def fork_execution(call: Endpoint, execution_id: str, body: ForkRequest) -> Reply:
    begun = await call.services.executions.fork(execution_id, body, principal=call.caller())
    return _begun(call, begun)


def _begun(call: Endpoint, begun: Begun) -> Reply:
    place = call.url(f"executions/{begun.execution_id}")
    return Reply(
        begun, HTTPStatus.ACCEPTED, headers={"X-Execution-Id": begun.execution_id, "Location": place}
    )


async def list_events(call: Endpoint, execution_id: str, query: EventsQuery) -> Reply:
    """A page of the log as it stands; `next_cursor` is null when there is nothing more now."""
    first = query.from_event if query.cursor is None else _event_id(query.cursor)
    log = await call.services.executions.log(execution_id)
    lines, following = await log.lines(first, query.limit)
    # As they lie in the log: to read and write 50 MB of JSON again would hold up everybody else.
    cursor = b'"%d"' % following if following else b"null"
    return Reply(b'{"items":[%b],"next_cursor":%b}' % (b",".join(lines), cursor))


def _event_id(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 16):
        raise InvalidRequest("`cursor` is a `next_cursor` of this list.")
    return max(1, int(cursor))
