"""The live model: the Messages API through Anthropic's SDK. The only file that imports it.

The SDK does the client, the authentication and the errors; the body that goes out and
the events that come in are bytes of ours, so what came is what goes back. A conversation's
requests are put on the SDK client's transport as they are: its `post` would build the same
address, headers and options anew for each, which is as much work as all the rest of sending it.
Every way a call can fail becomes one `ModelFailure` (`refusals`). Retrying is the engine's
(`engine.retry`).

Nothing is read from the machine's environment: key and address are always passed, and
headers that `ANTHROPIC_CUSTOM_HEADERS` would add are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit
from urllib.request import getproxies

from .. import names
from ..ports import ModelFailure, Wire
from .refusals import failed_midway, refused, unreachable
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


class Connection:
    """A client of the SDK, and the way of a conversation's requests on the transport beneath it."""

    def __init__(self, client: anthropic.AsyncAnthropic, transport: httpx2.AsyncClient) -> None:
        """Blocks at its first call: the SDK looks at the machine to say what it runs on."""
        import httpx2

        self.client = client
        self._transport = transport
        # Uncompressed: a small stream gains nothing, and no few bytes can become very many.
        headers = {**client.default_headers, "X-Stainless-Async": "async:asyncio", **_PLAIN}
        self._headers = {name: value for name, value in headers.items() if isinstance(value, str)}
        self._base = httpx2.URL(client.base_url)
        self._urls: dict[str, httpx2.URL] = {}

    async def post(
        self, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> httpx2.Response:
        """The answer to a request, its body not read yet.

        Raises `APIStatusError` for what is refused (none of its kinds: its fields say which), and
        `APITimeoutError`, `APIConnectionError` as the SDK does.
        """
        import anthropic
        import httpx2

        url = self._urls.get(path)
        if url is None:
            base = self._base.raw_path.rstrip(b"/")
            url = self._urls[path] = self._base.copy_with(raw_path=base + path.encode())
        limits = httpx2.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        request = httpx2.Request(
            "POST",
            url,
            headers={**self._headers, **headers},
            content=body,
            extensions={"timeout": limits.as_dict()},
        )
        try:
            response = await self._transport.send(request, stream=True)
        except httpx2.TimeoutException as error:
            raise anthropic.APITimeoutError(request=request) from error
        except Exception as error:
            raise anthropic.APIConnectionError(request=request) from error
        if response.is_success:
            return response
        try:
            said = (await response.aread()).decode("utf-8", "replace").strip()
        finally:
            await response.aclose()
        try:
            told = json.loads(said)
        except (ValueError, RecursionError):
            told = said
        raise anthropic.APIStatusError(said, response=response, body=told)

    async def close(self) -> None:
        """Close its connections."""
        await self.client.close()


def build_connection(
    api_key: str | None, base_url: str | None, *, transport: httpx2.AsyncBaseTransport | None = None
) -> Connection:
    """A client of the SDK. Blocks for seconds at its first call (imports, certificates): use a thread."""
    import anthropic
    import httpx2

    address = base_url or ANTHROPIC_URL
    if transport is not None:
        http_client = httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=True)
    elif getproxies() and not is_loopback(address):
        # httpx2's own transport, which knows more kinds of proxies. One of the machine is for the internet,
        # never for a model on this machine.
        http_client = anthropic.DefaultAsyncHttpxClient()
    else:  # aiohttp reads streams in C: a turn costs a third less
        http_client = anthropic.DefaultAioHttpClient(trust_env=not is_loopback(address))
    client = anthropic.AsyncAnthropic(
        api_key=api_key or NO_KEY,  # without one the SDK would look for the machine's credentials
        base_url=address,
        max_retries=0,
        timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
        http_client=http_client,
        default_headers=_without_ambient_headers(),
        open_telemetry=False,  # it is a span of the execution's trace; not twice
    )
    return Connection(client, http_client)


def _without_ambient_headers() -> Mapping[str, str]:
    """Marks each header of ANTHROPIC_CUSTOM_HEADERS, which the SDK would add, as to be left out."""
    import anthropic

    lines = os.environ.get("ANTHROPIC_CUSTOM_HEADERS", "").splitlines()
    names = [line.partition(":")[0].strip() for line in lines if ":" in line]
    return cast("Mapping[str, str]", dict.fromkeys(names, anthropic.Omit()))


async def connect(api_key: str | None, base_url: str | None) -> Connection:
    """`build_connection` in a thread."""
    return await asyncio.to_thread(build_connection, api_key, base_url)


def is_loopback(address: str) -> bool:
    """Whether `address` is on this machine."""
    host = urlsplit(address).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


class LiveModel:
    """`ports.Model` on one connection."""

    def __init__(
        self,
        connection: Connection,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        far: bool = False,
    ) -> None:
        """`headers`: what each request carries besides. `far`: its address has a name to be found."""
        self._connection = connection
        self._client = connection.client
        self._far = far
        self._headers = headers

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
                        raise self.without_key(failed_midway(event, request_id))
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
        if self._far:
            await self._found(str(self._client.base_url))
        try:
            return await self._connection.post(path, _encode(body), {**self._headers, **more}, timeout_s)
        except Exception as error:
            raise self.without_key(_classify(error, None)) from error

    async def _found(self, address: str) -> None:
        """Return when the host of `address` is known: the SDK's own lookup could not be cancelled."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await names.reachable(address, proxies=not is_loopback(address))
        except TimeoutError:
            raise ModelFailure(
                "The name of the model service was not found in time.", retryable=True, kind="timeout"
            ) from None
        except OSError as error:
            raise unreachable(error) or ModelFailure(
                f"The connection to the model service failed: {error}.", retryable=True, kind="connection"
            ) from error

    def without_key(self, failure: ModelFailure) -> ModelFailure:
        """`failure` without the key: some gateways quote the key that they refuse."""
        key = self._client.api_key
        if key and key != NO_KEY:
            failure.message = failure.message.replace(key, "[the model key]")
            failure.args = (failure.message,)
        return failure


class LiveFiles:
    """`ports.ModelFiles` on the Files API, by the same client."""

    def __init__(self, connection: Connection) -> None:
        self._client = connection.client
        self._model = LiveModel(connection)

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


def _classify(error: Exception, request_id: str | None) -> ModelFailure:
    """`error` as a `ModelFailure`; what is no failure of a call is raised as it is."""
    import anthropic
    import httpx2

    if isinstance(error, anthropic.APIStatusError):
        return refused(error)
    cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else error
    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return ModelFailure(
            "The base URL of the model service is no http or https address: check `CloutAgent.base_url`.",
            retryable=False,
            kind="bad_address",
        )
    if isinstance(cause, httpx2.LocalProtocolError | UnicodeError) or type(cause) is ValueError:
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
        if (failure := unreachable(error)) is not None:
            return failure
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
