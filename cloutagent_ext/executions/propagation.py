"""What the requests that an execution makes say of the trace they belong to: W3C's `traceparent`.

Sent to the model's address, to MCP servers at an address and to hooks that are one: those that the
operator or the project names, never to pages that an agent fetches. With a collector it names the
execution's own span, so that what those services record hangs below it. Without one an execution records
no span that anybody could hang theirs below, so the caller's own header is passed on as it came. With
neither, nothing is sent. Not here: the header that a request to us brings (`telemetry.context`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ..schema.execution import Spec
from .spans import span_id
from .trace import ROOT, trace_id

HEADER = "traceparent"


def headers(spec: Spec, *, traced: bool) -> Mapping[str, str]:
    """The header, or nothing. `traced`: whether the execution's spans go to a collector."""
    if traced:
        return {HEADER: f"00-{trace_id(spec.execution_id)}-{span_id(spec.execution_id, *ROOT)}-01"}
    return {HEADER: spec.traceparent} if spec.traceparent else {}


def beside(own: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """`own` headers, and of `more` what they do not say themselves."""
    named = {name.lower() for name in own}
    return {**own, **{name: value for name, value in more.items() if name not in named}}
