"""The live model: the Messages API through Anthropic's SDK. The only file that imports it.

The SDK does the request, the authentication and the errors; the body that goes out and
the events that come in are bytes of ours, so what came is what goes back. Every way a
call can fail becomes one `ModelFailure`. Retrying is the engine's (`engine.retry`).

Nothing is read from the machine's environment: key and address are always passed, and
headers that `ANTHROPIC_CUSTOM_HEADERS` would add are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ..ports import CASSETTE_MISS, PROMPT_TOO_LONG, ModelFailure, Wire
from .sse import BadStream, EventDecoder

if TYPE_CHECKING:
    import anthropic
    import httpx2

ANTHROPIC_URL = "https://api.anthropic.com"
NO_KEY = "none"
"""What is sent as the key where there is none."""
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 600.0
"""Longest silence between two bytes; the service sends pings far more often."""
COUNT_TIMEOUT_S = 20.0
READ_OUT_S = 0.5
"""How long to wait for the end of a body after its `message_stop`; usually it is there already."""

FILE_LIFE_S = 30 * 24 * 3600
"""After this the service forgets a file that nobody has deleted: its execution's server is gone for good."""
_PLAIN = {"Accept-Encoding": "identity"}

_RETRYABLE_STATUS = frozenset({408, 409, 429})
_RETRYABLE_EVENTS = frozenset({"overloaded_error", "api_error", "rate_limit_error", "timeout_error"})
_SPENT = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
_TOO_LONG = (
    "prompt is too long",
    "exceed context limit",
    "maximum context length",
    "exceeds the available context size",
    "context window",
)
"""How the service, and the local servers that speak its API, say that a prompt has outgrown the model."""
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})
"""How OpenSSL says that the other side's first bytes are no TLS."""
_ADVICE = {
    400: "The model service refused the request",
    401: "The model service does not accept the key: check `CloutAgent.api_key` or ANTHROPIC_API_KEY",
    402: "The account of the model key has no credit left",
    403: "The model key may not do this",
    404: "The model service does not know this model or address",
    413: "The conversation is too large for the model service: attach less, or let tools answer shorter",
    429: "The model service is busy with this key's other calls",
    529: "The model service is overloaded",
}


def build_client(
    api_key: str | None, base_url: str | None, *, transport: httpx2.AsyncBaseTransport | None = None
) -> anthropic.AsyncAnthropic:
    """A client of the SDK. Blocks for seconds at its first call (imports, certificates): use a thread."""
    import anthropic
    import httpx2

    address = base_url or ANTHROPIC_URL
    if transport is None and is_loopback(address):
        # A proxy of the machine is for the internet, never for a model on this machine.
        transport = httpx2.AsyncHTTPTransport(trust_env=False, limits=anthropic.DEFAULT_CONNECTION_LIMITS)
    http_client = (
        anthropic.DefaultAsyncHttpxClient()
        if transport is None
        else httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=True)
    )
    return anthropic.AsyncAnthropic(
        api_key=api_key or NO_KEY,  # without one the SDK would look for the machine's credentials
        base_url=address,
        max_retries=0,
        timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        http_client=http_client,
        default_headers=_without_ambient_headers(),
        open_telemetry=False,  # it is a span of the execution's trace; not twice
    )


def _without_ambient_headers() -> Mapping[str, str]:
    """Marks each header of ANTHROPIC_CUSTOM_HEADERS, which the SDK would add, as to be left out."""
    import anthropic

    lines = os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines()
    names = [line.partition(":")[0].strip() for line in lines if ":" in line]
    return cast("Mapping[str, str]", dict.fromkeys(names, anthropic.Omit()))


async def connect(api_key: str | None, base_url: str | None) -> anthropic.AsyncAnthropic:
    """`build_client` in a thread."""
    return await asyncio.to_thread(build_client, api_key, base_url)


def is_loopback(address: str) -> bool:
    """Whether `address` is on this machine."""
    host = urlsplit(address).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


class LiveModel:
    """`ports.Model` on one client of the SDK."""

    def __init__(self, client: anthropic.AsyncAnthropic, *, headers: Mapping[str, str] | None = None) -> None:
        self._client = client
        # Uncompressed: a small stream gains nothing, and no few bytes can become very many.
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **(headers or {})}

    async def stream(self, request: Wire) -> AsyncIterator[Wire]:
        """See `ports.Model.stream`."""
        body = {**request, "stream": True}
        response = await self._send("/v1/messages", body, READ_TIMEOUT_S, _betas(request))
        request_id = response.headers.get("request-id")
        decoder = EventDecoder()
        seen = False
        chunks = response.aiter_bytes()
        try:
            async for chunk in chunks:
                for event in decoder.feed(chunk):
                    seen = True
                    kind = event["type"]
                    if kind == "error":
                        raise self.without_key(_failed_midway(event, request_id))
                    yield event
                    if kind == "message_stop":
                        await _read_out(chunks)
                        return
        except BadStream as error:
            raise ModelFailure(
                f"The model service's reply cannot be read: {error}.",
                retryable=True,
                kind="malformed",
                request_id=request_id,
            ) from error
        except Exception as error:
            if isinstance(error, ModelFailure):
                raise
            raise self.without_key(_classify(error, request_id)) from error
        finally:
            await response.aclose()
        if not seen and "event-stream" not in response.headers.get("content-type", ""):
            raise ModelFailure(
                "What answers at the base URL is no Messages API: its reply is not an event stream. "
                "Check `CloutAgent.base_url`.",
                retryable=False,
                kind="not_an_event_stream",
                request_id=request_id,
            )
        raise ModelFailure(
            "The model service closed the connection before its reply was complete.",
            retryable=True,
            kind="incomplete",
            request_id=request_id,
        )

    async def count_tokens(self, request: Wire) -> int | None:
        """See `ports.Model.count_tokens`; any failure is None, since a reservation can do without."""
        body = {name: value for name, value in request.items() if name not in _NOT_COUNTED}
        try:
            response = await self._send("/v1/messages/count_tokens", body, COUNT_TIMEOUT_S, _betas(request))
            try:
                answer = json.loads(await response.aread())
            finally:
                await response.aclose()
        except (ModelFailure, ValueError):
            return None
        except Exception as error:
            _classify(error, None)  # what is no failure of the call comes out as what it is
            return None
        counted = answer.get("input_tokens") if isinstance(answer, dict) else None
        return counted if isinstance(counted, int) else None

    async def _send(
        self, path: str, body: Wire, timeout_s: float, more: Mapping[str, str]
    ) -> httpx2.Response:
        import httpx2

        try:
            return await self._client.post(
                path,
                cast_to=httpx2.Response,
                content=_encode(body),
                options={
                    "headers": {**self._headers, **more},
                    "timeout": httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
                },
                stream=True,
                stream_cls=None,
            )
        except Exception as error:
            raise self.without_key(_classify(error, None)) from error

    def without_key(self, failure: ModelFailure) -> ModelFailure:
        """`failure` without the key: some gateways quote the key that they refuse."""
        key = self._client.api_key
        if key and key != NO_KEY:
            failure.message = failure.message.replace(key, "[the model key]")
            failure.args = (failure.message,)
        return failure


class LiveFiles:
    """`ports.ModelFiles` on the Files API, by the same client."""

    def __init__(self, client: anthropic.AsyncAnthropic) -> None:
        self._client = client
        self._model = LiveModel(client)

    async def upload(self, name: str, media_type: str, data: bytes) -> str:
        """See `ports.ModelFiles.upload`."""
        try:
            kept = await self._client.files.upload(
                file=(name, data, media_type), expires_in_seconds=FILE_LIFE_S, extra_headers=_PLAIN
            )
        except Exception as error:
            raise self._model.without_key(_classify(error, None)) from error
        if not isinstance(getattr(kept, "id", None), str):
            raise ModelFailure("What answers at the base URL keeps no files.", retryable=False, kind="no_id")
        return kept.id

    async def delete(self, file_id: str) -> None:
        """See `ports.ModelFiles.delete`."""
        try:
            await self._client.files.delete(file_id, extra_headers=_PLAIN)
        except Exception as error:
            raise self._model.without_key(_classify(error, None)) from error


async def _read_out(chunks: AsyncIterator[bytes]) -> None:
    """Reach the end of a body whose reply is complete: only then can its connection be used again."""
    with contextlib.suppress(Exception):  # the reply is whole; how its connection ends is nobody's concern
        async with asyncio.timeout(READ_OUT_S):
            async for _ in chunks:
                pass


_NOT_COUNTED = frozenset({"max_tokens", "stream", "metadata", "compaction"})
_COMPACTION_BETA = "compact-2026-09-04"


def _betas(request: Wire) -> Mapping[str, str]:
    """The header that names what of `request` is a beta of the service; nothing where nothing is."""
    messages = request.get("messages") or [{}]
    first = messages[0].get("content")
    begins_with_a_summary = isinstance(first, list) and bool(first) and first[0].get("type") == "compaction"
    if "compaction" in request or begins_with_a_summary:
        return {"anthropic-beta": _COMPACTION_BETA}
    return {}


def _encode(body: Wire) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except UnicodeEncodeError:
        # The service sent half a surrogate pair, escaped; it goes back escaped, exactly as it came.
        return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def _failed_midway(event: Wire, request_id: str | None) -> ModelFailure:
    body = event.get("error")
    error: dict[str, Any] = body if isinstance(body, dict) else {}
    kind = str(error.get("type") or "error")
    return ModelFailure(
        f"The model service broke off its reply: {error.get('message') or kind}.",
        retryable=kind in _RETRYABLE_EVENTS,
        kind=kind,
        request_id=request_id or event.get("request_id"),
    )


def _classify(error: Exception, request_id: str | None) -> ModelFailure:
    """`error` as a `ModelFailure`; what is no failure of a call is raised as it is."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return _refused(error)
    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return ModelFailure(
            "The base URL of the model service is no http or https address: check `CloutAgent.base_url`.",
            retryable=False,
            kind="bad_address",
        )
    if isinstance(cause, httpx2.LocalProtocolError | UnicodeError):
        # Its text may quote the Authorization header.
        return ModelFailure(
            "The request cannot be sent: the model key holds characters that HTTP does not allow.",
            retryable=False,
            kind="bad_key",
        )
    if isinstance(error, anthropic.APITimeoutError) or isinstance(cause, httpx2.TimeoutException):
        return ModelFailure(
            "The model service did not answer in time.", retryable=True, kind="timeout", request_id=request_id
        )
    if isinstance(error, anthropic.APIConnectionError | httpx2.TransportError | httpx2.StreamError):
        if (unreachable := _unreachable(error)) is not None:
            return unreachable
        reason = str(cause or error).strip() or type(cause or error).__name__
        return ModelFailure(
            f"The connection to the model service failed: {reason}.",
            retryable=True,
            kind="connection",
            request_id=request_id,
        )
    if isinstance(error, httpx2.HTTPError):  # e.g. a body that says gzip and is not
        return ModelFailure(
            f"The model service's reply cannot be read: {error}.",
            retryable=True,
            kind="malformed",
            request_id=request_id,
        )
    if isinstance(error, anthropic.AnthropicError):
        return ModelFailure(f"The model call failed: {error}", retryable=False, kind=type(error).__name__)
    raise error


def _unreachable(error: BaseException) -> ModelFailure | None:
    """Where the address itself is at fault: a name that nobody knows, a TLS that cannot be agreed on.

    These do not pass by waiting, unless the name's server says that it might.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ModelFailure(
                f"The certificate of the model service is not trusted: {cause.verify_message}. Check "
                "`CloutAgent.base_url`, or make its authority known (SSL_CERT_FILE).",
                retryable=False,
                kind="tls",
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return ModelFailure(
                "What answers at the base URL of the model service does not speak TLS: check whether "
                "`CloutAgent.base_url` should begin with http:// instead of https://.",
                retryable=False,
                kind="tls",
            )
        if isinstance(cause, socket.gaierror):
            return ModelFailure(
                f"The name of the model service cannot be resolved: {cause.strerror}. Check "
                "`CloutAgent.base_url` and the network.",
                retryable=cause.errno == socket.EAI_AGAIN,
                kind="dns",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def _refused(error: anthropic.APIStatusError) -> ModelFailure:
    status = error.status_code
    said = error.api_message or ""
    if error.type == CASSETTE_MISS:
        return ModelFailure(said, retryable=False, kind=CASSETTE_MISS, details=_details(error.body))
    advice = _ADVICE.get(status) or f"The model service answered with status {status}"
    retry = error.response.headers.get("x-should-retry")
    retryable = status in _RETRYABLE_STATUS or status >= 500
    if retry in {"true", "false"}:
        retryable = retry == "true"
    kind = error.error_code or error.type or f"status_{status}"
    if status == 400 and any(words in said.lower() for words in _TOO_LONG):
        kind = PROMPT_TOO_LONG
    if error.error_code in _SPENT:
        advice, retryable = "The spend limit of the model account is reached", False
    return ModelFailure(
        f"{advice}: {said}" if said else f"{advice}.",
        retryable=retryable,
        retry_after_s=_retry_after(error.response.headers),
        kind=kind,
        request_id=error.request_id,
    )


def _details(body: object) -> dict[str, Any]:
    """`error.details` of a body of ours."""
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return details if isinstance(details, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the service asks to wait, from `retry-after-ms` or `retry-after` (seconds or a date)."""
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        text = headers.get(name)
        if not text:
            continue
        try:
            seconds = float(text) / scale
        except ValueError:
            try:
                seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
            except (TypeError, ValueError):
                continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None
