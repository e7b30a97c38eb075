"""Calls from pages of other origins: off, unless the operator lists origins.

Listed origins reach the routes that take keys, never with credentials (a cookie of the
Jupyter server is worth nothing there). Jupyter's own setting `ServerApp.allow_origin`
keeps its meaning for callers that Jupyter has recognised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gate import HEADER
from .route import Route

if TYPE_CHECKING:
    from .handler import Endpoint

_EXPOSED = "ETag, Location, Retry-After, X-Execution-Id, X-Request-Id"
_TAKEN = f"{HEADER}, Accept, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"
_REMEMBER_S = 600


def _listed(endpoint: Endpoint, row: Route | None) -> str | None:
    origin = endpoint.header("Origin")
    if origin is None or row is None or row.access.kind != "key":
        return None
    return origin if origin in endpoint.services.settings.allow_origins else None


def allow_listed(endpoint: Endpoint) -> bool:
    """Answer a listed origin; False when this is none."""
    origin = _listed(endpoint, endpoint.row)
    if origin is None:
        return False
    endpoint.set_header("Access-Control-Allow-Origin", origin)
    endpoint.set_header("Access-Control-Expose-Headers", _EXPOSED)
    endpoint.add_header("Vary", "Origin")
    return True


def answer_preflight(endpoint: Endpoint) -> None:
    """204, with what is allowed for listed origins; to everybody else nothing is allowed."""
    row = endpoint.rows.get(endpoint.header("Access-Control-Request-Method") or "")
    origin = _listed(endpoint, row)
    endpoint.set_status(204)
    endpoint.clear_header("Content-Type")
    endpoint.set_header("Allow", ", ".join([*endpoint.rows, "OPTIONS"]))
    endpoint.add_header("Vary", "Origin")
    if origin is not None and row is not None:
        endpoint.set_header("Access-Control-Allow-Origin", origin)
        endpoint.set_header("Access-Control-Allow-Methods", row.method)
        endpoint.set_header("Access-Control-Allow-Headers", _TAKEN)
        endpoint.set_header("Access-Control-Max-Age", str(_REMEMBER_S))
    endpoint.finish()
