"""A real OpenTelemetry collector, as small as can be: takes OTLP over HTTP and decodes the protobuf.

In a thread of its own, so that it answers whatever the test's event loop does. It can be slow, refuse, or
accept and never answer. Not here: what should arrive.
"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


class Receiver:
    """What arrived, as plain values."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.spans: list[dict[str, Any]] = []
        self.logs: list[dict[str, Any]] = []
        self.metrics: dict[str, list[dict[str, Any]]] = {}
        """The newest points of each metric."""
        self.resource: dict[str, Any] = {}
        self.refuse: int | None = None
        """Status to answer with instead of taking anything."""
        self.silent = threading.Event()
        """While set, requests are taken and not answered."""
        self.url = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.raw.append(body)
        self.requests.append((path, headers))
        request = REQUESTS[path]()
        request.ParseFromString(body)
        if path == "/v1/traces":
            for group in request.resource_spans:
                self.resource = attributes(group.resource.attributes)
                for scope in group.scope_spans:
                    self.spans += [_span(span, scope.scope.name) for span in scope.spans]
        elif path == "/v1/logs":
            for group in request.resource_logs:
                for scope in group.scope_logs:
                    self.logs += [_record(record) for record in scope.log_records]
        else:
            for group in request.resource_metrics:
                for scope in group.scope_metrics:
                    for metric in scope.metrics:
                        points = getattr(metric, metric.WhichOneof("data")).data_points
                        self.metrics[metric.name] = [_point(point) for point in points]


def attributes(values: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in values}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return None if kind is None else getattr(value, kind)


def _span(span: Any, scope: str) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id.hex(), "span_id": span.span_id.hex(),
        "parent_id": span.parent_span_id.hex() or None, "name": span.name, "scope": scope,
        "start": span.start_time_unix_nano, "end": span.end_time_unix_nano,
        "status": span.status.code, "message": span.status.message,
        "attributes": attributes(span.attributes), "events": [event.name for event in span.events],
        "links": [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
    }  # fmt: skip


def _record(record: Any) -> dict[str, Any]:
    return {
        "body": _value(record.body), "severity": record.severity_text, "trace_id": record.trace_id.hex(),
        "attributes": attributes(record.attributes),
    }  # fmt: skip


def _point(point: Any) -> dict[str, Any]:
    found = {"attributes": attributes(point.attributes)}
    if hasattr(point, "bucket_counts"):
        return found | {"count": point.count, "sum": point.sum}
    return found | {"value": getattr(point, point.WhichOneof("value"))}


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A collector on a port of loopback."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            while found.silent.is_set():
                time.sleep(0.02)
            if found.refuse is None:
                packed = self.headers.get("Content-Encoding") == "gzip"
                found.take(self.path, dict(self.headers), gzip.decompress(body) if packed else body)
            self.send_response(found.refuse or 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        found.silent.clear()
        server.shutdown()
        thread.join(5)
        server.server_close()
