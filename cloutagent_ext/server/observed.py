"""What is remembered of a request once it is answered: its time, a line in the log, an audit line.

Paths are those of the route table, so that neither ids nor anything a caller made up becomes a label.
Not here: how lines and numbers are kept (`telemetry`).
"""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..errors import CloutError

if TYPE_CHECKING:
    from .handler import Endpoint

_log = logging.getLogger("cloutagent.server")

_NAMED = ("project_id", "execution_id", "key_id", "name", "version", "call_id")
"""Parts of a path that an audit line names."""
_LOOKS = ("GET", "HEAD", "OPTIONS")
_KEY_ID = re.compile(r"ca_([0-9a-f]{32}-[0-9a-f]{8})_")


def finished(call: Endpoint, refusal: CloutError | None) -> None:
    """`call` is answered (a stream: has ended); `refusal`: with this error. Never raises."""
    try:
        _remember(call, refusal)
    except Exception:
        _log.exception("request %s could not be remembered", call.request_id)


def _remember(call: Endpoint, refusal: CloutError | None) -> None:
    row, request = call.row, call.request
    status, seconds = call.get_status(), request.request_time()
    method, path = request.method or "", row.path if row is not None else "(unknown)"
    telemetry = call.services.telemetry
    if row is None or not row.stream:
        known = method if row is not None else "OTHER"
        telemetry.meters.observe("http.server.request.duration", seconds, known, path, str(status))
    quiet = row is None or method in _LOOKS
    if _log.isEnabledFor(level := logging.DEBUG if quiet else logging.INFO):
        fields: dict[str, Any] = {
            "request_id": call.request_id, "method": method, "route": path, "status": status,
            "duration_ms": round(seconds * 1000, 1), "address": request.remote_ip,
        }  # fmt: skip
        if refusal is not None:
            fields["code"] = refusal.error_code
        if "execution_id" in call.path_kwargs and row is not None and status < HTTPStatus.BAD_REQUEST:
            fields["execution_id"] = call.path_kwargs["execution_id"]
        _log.log(level, "%s %s: %d", method, path, status, extra={"fields": fields})
    if row is not None:
        _audit(call, path, refusal)


def admitted(call: Endpoint) -> None:
    """A key opens what `call` asks for: told now, since a stream may go on for a day."""
    row = call.row
    assert row is not None
    audit, address = call.services.telemetry.audit, call.request.remote_ip or ""
    looks = (call.request.method or "") in _LOOKS
    if not looks or audit.due(str(call.principal and call.principal.key_id), address, row.path):
        audit.tell("key.use", who=_who(call), address=address, outcome="ok", **_what(call, row.path))


def _audit(call: Endpoint, path: str, refusal: CloutError | None) -> None:
    row, audit = call.row, call.services.telemetry.audit
    assert row is not None
    outcome = "ok" if refusal is None else refusal.error_code
    address, who = call.request.remote_ip or "", _who(call)
    if row.audit is not None:
        audit.tell(
            row.audit, who=who, address=address, outcome=outcome, **{**_what(call, path), **call.noted}
        )
    if refusal is None or call.principal is not None:
        return
    if who["kind"] == "key" and audit.due(str(who["key_id"]), address, path, outcome):
        audit.tell("key.use", who=who, address=address, outcome=outcome, **_what(call, path))
    elif who["kind"] == "unknown key" and refusal.status == HTTPStatus.UNAUTHORIZED:
        audit.tell("key.refused", who=who, address=address, outcome=outcome, **_what(call, path))


def _what(call: Endpoint, path: str) -> dict[str, Any]:
    named = {name: call.path_kwargs[name][:200] for name in _NAMED if call.path_kwargs.get(name)}
    return {"request_id": call.request_id, "method": call.request.method, "route": path, **named}


def _who(call: Endpoint) -> dict[str, Any]:
    """Who called, as far as anything is proved; of a key that is none, at most its id."""
    principal = call.principal or call.proved_key
    if principal is not None and principal.kind == "key":
        return {"kind": "key", "key_id": principal.key_id, "name": principal.name}
    if principal is not None:
        return {"kind": "user", "name": principal.name, "display_name": principal.display_name or None}
    if (presented := call.header("X-API-Key")) is not None:
        found = _KEY_ID.match(presented)
        return {"kind": "unknown key", "key_id": found[1] if found else None}
    return {"kind": "nobody"}
