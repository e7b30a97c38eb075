"""Our spans, measurements and log lines in OpenTelemetry's words. The one room that imports its SDK,
inside functions: nobody pays for it who has no collector. Not here: queue and thread (`otlp`).
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from ..schema.trace import Span
from .logs import Line, hide_known
from .meters import Labels, Meters, Metric

_TIMEOUT_S = 5.0
"""How long one request may take, with its repetitions, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise."""
_LOUD = ("trace_exporter", "metric_exporter", "_log_exporter")

Hide = Callable[[str], str]


class Otel:
    """OpenTelemetry's own objects: exporters, a meter. Made in the thread that sends; raises ImportError."""

    def __init__(self, endpoint: str, meters: Meters, hide: Hide, version: str) -> None:
        http = "opentelemetry.exporter.otlp.proto.http"
        self._sdk_trace = import_module("opentelemetry.sdk.trace")
        self._trace = import_module("opentelemetry.trace")
        self._logs = import_module("opentelemetry._logs")
        self._sdk_logs = import_module("opentelemetry.sdk._logs")
        context = import_module("opentelemetry.context")
        metrics = import_module("opentelemetry.sdk.metrics")
        self._hide = hide
        # Whoever instruments HTTP clients of this process is not to see our own requests.
        context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
        me = threading.get_ident()
        for name in _LOUD:  # each failed request would be a line, with a traceback; `_work` says it in one
            logging.getLogger(f"{http}.{name}").addFilter(lambda record: record.thread != me)
        options = {"timeout": None if os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") else _TIMEOUT_S}
        if urlsplit(endpoint).hostname in ("localhost", "127.0.0.1", "::1"):
            session = import_module("requests").Session()
            session.trust_env = False  # a proxy of the machine is for the internet
            options["session"] = session

        def exporter(module: str, kind: str, path: str) -> Any:
            made = getattr(import_module(f"{http}.{module}"), kind)
            return made(endpoint=f"{endpoint}/{path}", **options)

        self._exporters = {
            "spans": exporter("trace_exporter", "OTLPSpanExporter", "v1/traces"),
            "logs": exporter("_log_exporter", "OTLPLogExporter", "v1/logs"),
        }
        self._metrics_exporter = exporter("metric_exporter", "OTLPMetricExporter", "v1/metrics")
        about = {"service.version": version, "service.instance.id": f"{os.uname().nodename}:{os.getpid()}"}
        named = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
        if not os.environ.get("OTEL_SERVICE_NAME") and "service.name=" not in named:
            about["service.name"] = "cloutagent"
        self._resource = import_module("opentelemetry.sdk.resources").Resource.create(about)
        scope = import_module("opentelemetry.sdk.util.instrumentation").InstrumentationScope
        self._scope = scope("cloutagent", version)
        self._result = import_module("opentelemetry.sdk.metrics.export").MetricExportResult
        self._reader = self._make_reader()
        self._provider = metrics.MeterProvider(
            metric_readers=[self._reader], resource=self._resource, shutdown_on_exit=False
        )
        self._meter = self._provider.get_meter("cloutagent", version)
        self._instruments: dict[str, Any] = {}
        observation = import_module("opentelemetry.metrics").Observation
        for metric, ask in meters.gauges():
            self._meter.create_observable_gauge(
                metric.name,
                callbacks=[lambda _, ask=ask: [observation(ask())]],
                unit=metric.unit,
                description=metric.help,
            )
        self._took = True

    def _make_reader(self) -> Any:
        """A reader that sends when it is told to, in this thread."""
        exporter, otel = self._metrics_exporter, self

        class Reader(import_module("opentelemetry.sdk.metrics.export").MetricReader):  # type: ignore[misc]
            def _receive_metrics(self, data: Any, timeout_millis: float = 0, **_: Any) -> None:
                otel._took = data is None or exporter.export(data) is otel._result.SUCCESS

            def shutdown(self, timeout_millis: float = 0, **_: Any) -> None:
                pass

        return Reader(
            preferred_temporality=exporter._preferred_temporality,
            preferred_aggregation=exporter._preferred_aggregation,
        )

    # ------------------------------------------------------------ metrics

    def measure(self, metric: Metric, value: float, labels: Labels) -> None:
        instrument = self._instruments.get(metric.name)
        if instrument is None:
            if metric.kind == "counter":
                made = self._meter.create_counter(metric.name, unit=metric.unit, description=metric.help)
                record = made.add
            else:
                made = self._meter.create_histogram(
                    metric.name,
                    unit=metric.unit,
                    description=metric.help,
                    explicit_bucket_boundaries_advisory=list(metric.buckets),
                )
                record = made.record
            instrument = self._instruments[metric.name] = record
        instrument(value, {name: label for name, label in zip(metric.labels, labels, strict=True) if label})

    def send_metrics(self) -> bool:
        """Whether the collector took them."""
        self._took = True
        self._reader.collect()
        return self._took

    # ------------------------------------------------------------ spans and log records

    def send(self, signal: str, items: list[Any]) -> bool:
        """Whether the collector took them."""
        make = self._span if signal == "spans" else self._record
        made = [make(item) for item in items]
        return bool(self._exporters[signal].export(made).name == "SUCCESS")

    def _span(self, item: tuple[str, Span]) -> Any:
        trace_id, span = item
        trace, kinds = self._trace, self._trace.SpanKind
        outgoing = span.kind in ("model", "mcp")
        failed = span.status in ("error", "interrupted")
        status = trace.Status(trace.StatusCode.ERROR, self._clean(span.message)) if failed else trace.Status()
        attributes = {
            **span.attributes,
            "cloutagent.span.kind": span.kind,
            "cloutagent.span.status": span.status,
            "cloutagent.agent": span.agent,
            "cloutagent.span.path": span.path,
        }
        return self._sdk_trace.ReadableSpan(
            name=self._clean(span.name),
            context=self._context(trace_id, span.span_id),
            parent=self._context(trace_id, span.parent_id) if span.parent_id else None,
            resource=self._resource,
            instrumentation_scope=self._scope,
            kind=kinds.CLIENT if outgoing else kinds.INTERNAL,
            status=status,
            attributes=self._plain(attributes),
            events=[
                self._sdk_trace.Event(each.name, self._plain(each.attributes), _nanos(each.ts))
                for each in span.moments
            ],
            links=self._links(span),
            start_time=_nanos(span.start),
            end_time=_nanos(span.end or span.start),
        )

    def _links(self, span: Span) -> list[Any]:
        """To the span of the program that asked for the execution."""
        caller = span.attributes.get("cloutagent.caller.traceparent")
        if not isinstance(caller, str):
            return []
        _, trace_id, span_id, flags = caller.split("-")
        told = self._trace.TraceFlags(int(flags, 16))
        there = self._trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, told)
        return [self._trace.Link(there)]

    def _context(self, trace_id: str, span_id: str) -> Any:
        return self._trace.SpanContext(
            int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=self._trace.TraceFlags(1)
        )

    def _record(self, line: Line) -> Any:
        fields = dict(line.fields)
        trace_id = fields.pop("trace_id", None)
        if line.exception:
            fields["exception.stacktrace"] = line.exception
        when = int(line.moment * 1e9)
        record = self._logs.LogRecord(
            timestamp=when,
            observed_timestamp=when,
            severity_text=line.level,
            severity_number=self._severity(line.levelno),
            body=line.message,
            attributes={"logger.name": line.logger, **self._plain(fields)},
        )
        if trace_id:
            record.trace_id = int(trace_id, 16)
            record.trace_flags = self._trace.TraceFlags(1)
        return self._sdk_logs.ReadableLogRecord(record, self._resource, self._scope)

    def _severity(self, level: int) -> Any:
        number = next(
            (n for least, n in ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5)) if level >= least), 1
        )
        return self._logs.SeverityNumber(number)

    def _clean(self, text: str) -> str:
        """Without secrets, and without what the protocol has no letters for."""
        return hide_known(self._hide(text)).encode("utf-8", "replace").decode()

    def _plain(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes as the protocol takes them, without secrets."""
        found: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, str):
                found[name] = self._clean(value)
            elif isinstance(value, bool | int | float):
                found[name] = value
            elif isinstance(value, list) and all(isinstance(each, str) for each in value):
                found[name] = [self._clean(each) for each in value]
            elif isinstance(value, dict):
                found |= {f"{name}.{inner}": each for inner, each in self._plain(value).items()}
            elif value is not None:
                found[name] = self._clean(str(value))
        return found

    # ------------------------------------------------------------ the end

    def give_up(self) -> None:
        """Stop trying; called from another thread."""
        for exporter in (*self._exporters.values(), self._metrics_exporter):
            exporter.shutdown()

    def close(self) -> None:
        self._provider.shutdown()


def _nanos(ts: str) -> int:
    return int(datetime.fromisoformat(ts).timestamp() * 1000) * 1_000_000
