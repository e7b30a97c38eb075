"""What went wrong with a model call, in the service's own words, as one `ModelFailure`.

Which of them pass by waiting is the specification's table; what is said to a person names what to
mend. Pure, and without the SDK: its errors are read by their fields. Not here: the SDK's own kinds
of error (`anthropic`), trying again (`engine.retry`).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from ..ports import CASSETTE_MISS, PROMPT_TOO_LONG, ModelFailure, Wire

if TYPE_CHECKING:
    import anthropic

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


def failed_midway(event: Wire, request_id: str | None) -> ModelFailure:
    body = event.get("error")
    error: dict[str, Any] = body if isinstance(body, dict) else {}
    kind = str(error.get("type") or "error")
    return ModelFailure(
        f"The model service broke off its reply: {error.get('message') or kind}.",
        retryable=kind in _RETRYABLE_EVENTS,
        kind=kind,
        request_id=request_id or event.get("request_id"),
    )


def unreachable(error: BaseException) -> ModelFailure | None:
    """Where the address itself is at fault: a name that nobody knows, a TLS that cannot be agreed on.

    These do not pass by waiting, unless the name's server says that it might.
    """
    cause: BaseException | None = error
    while cause is not None:
        said = getattr(cause, "os_error", cause)  # aiohttp's errors hold what the system said
        if isinstance(said, ssl.SSLCertVerificationError):
            return ModelFailure(
                f"The certificate of the model service is not trusted: {said.verify_message}. Check "
                "`CloutAgent.base_url`, or make its authority known (SSL_CERT_FILE).",
                retryable=False,
                kind="tls",
            )
        if isinstance(said, ssl.SSLError) and said.reason in _NO_TLS:
            return ModelFailure(
                "What answers at the base URL of the model service does not speak TLS: check whether "
                "`CloutAgent.base_url` should begin with http:// instead of https://.",
                retryable=False,
                kind="tls",
            )
        if isinstance(said, socket.gaierror):
            return ModelFailure(
                f"The name of the model service cannot be resolved: {said.strerror}. Check "
                "`CloutAgent.base_url` and the network.",
                retryable=said.errno == socket.EAI_AGAIN,
                kind="dns",
            )
        cause = cause.__cause__ or cause.__context__
    return None


def refused(error: anthropic.APIStatusError) -> ModelFailure:
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
