"""The metrics of a server, in one table, and their values.

A value is remembered here (Prometheus reads it) and told to whoever listens (OpenTelemetry). Gauges are
asked for when somebody looks. Labels are few and bounded: no ids of executions, projects or people. Not
here: what counts as what (`executions.observers`), and how they are shown (`prometheus`, `otlp`).
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Labels = tuple[str, ...]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304)
_MOST_SERIES = 500
"""Most label values of one metric; what comes then counts as `other`: a model may invent tool names."""
OTHER = "other"


@dataclass(frozen=True)
class Metric:
    """One row of the table."""

    name: str
    """As OpenTelemetry writes it; Prometheus' name follows (`prometheus_name`)."""
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def prometheus_name(self) -> str:
        """Without the `_total` of counters, which Prometheus' library adds."""
        name = self.name.replace(".", "_").replace("-", "_")
        suffix = {"s": "_seconds", "USD": "_usd", "{token}": "_tokens"}.get(self.unit, "")
        name = name if name.endswith(suffix) else name + suffix
        return name if name.startswith("cloutagent_") else f"cloutagent_{name}"


METRICS: tuple[Metric, ...] = (
    Metric("cloutagent.executions", "counter", "{execution}", "Executions that have ended.",
           ("status", "origin", "simulated")),
    Metric("cloutagent.execution.duration", "histogram", "s", "Running time of executions that have ended.",
           ("status",), _SECONDS),
    Metric("cloutagent.cost", "counter", "USD", "Money spent on models; simulated ones are free.",
           ("model",)),
    Metric("gen_ai.client.token.usage", "histogram", "{token}", "Tokens of model calls.",
           ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.token.type"),
           _TOKENS),
    Metric("gen_ai.client.operation.duration", "histogram", "s", "Time of model calls.",
           ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "error.type"), _SECONDS),
    Metric("cloutagent.model.retries", "counter", "{retry}", "Model calls that were tried again.", ("kind",)),
    Metric("cloutagent.tool.duration", "histogram", "s", "Time of tool calls.", ("tool", "status"), _SECONDS),
    Metric("cloutagent.approvals", "counter", "{decision}", "Decisions on tool calls that asked.",
           ("decision",)),
    Metric("cloutagent.hooks", "counter", "{run}", "Runs of hooks.", ("on", "outcome")),
    Metric("cloutagent.executions.running", "gauge", "{execution}", "Executions that run."),
    Metric("cloutagent.executions.queued", "gauge", "{execution}", "Executions that wait for their turn."),
    Metric("cloutagent.executions.waiting", "gauge", "{execution}", "Executions that wait for a person."),
    Metric("cloutagent.streams", "gauge", "{stream}", "Event streams that are open."),
    Metric("http.server.request.duration", "histogram", "s", "Time of API calls; streams are not counted.",
           ("http.request.method", "http.route", "http.response.status_code"), _SECONDS),
    Metric("cloutagent.telemetry.dropped", "counter", "{item}",
           "Spans and log records that found no room or no collector.", ("signal",)),
)  # fmt: skip
"""Every metric there is."""


@dataclass
class Series:
    """The values of one metric for one set of labels."""

    sum: float = 0.0
    count: int = 0
    buckets: list[int] = field(default_factory=list)
    """Observations per bucket, the last one of those beyond all; empty for counters."""


Listener = Callable[[Metric, float, Labels], None]
Gauge = Callable[[], float]


class Meters:
    """The values of all metrics of one server. May be used from any thread."""

    def __init__(self) -> None:
        self._metrics = {metric.name: metric for metric in METRICS}
        self._series: dict[str, dict[Labels, Series]] = {name: {} for name in self._metrics}
        self._gauges: dict[str, Gauge] = {}
        self._lock = threading.Lock()
        self.listener: Listener | None = None

    def add(self, name: str, value: float = 1.0, *labels: str) -> None:
        """One more event of a counter, or `value` more."""
        self._record(self._metrics[name], value, labels)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """One observation of a histogram."""
        self._record(self._metrics[name], value, labels)

    def gauge(self, name: str, ask: Gauge) -> None:
        """Where the value of a gauge comes from; asked in any thread, so it only looks."""
        assert self._metrics[name].kind == "gauge"
        self._gauges[name] = ask

    def _record(self, metric: Metric, value: float, labels: Labels) -> None:
        assert len(labels) == len(metric.labels), f"{metric.name} takes {metric.labels}"
        table = self._series[metric.name]
        with self._lock:
            if (series := table.get(labels)) is None:
                if len(table) >= _MOST_SERIES:
                    labels = (OTHER,) * len(labels)
                series = table.setdefault(labels, Series())
            series.sum += value
            series.count += 1
            if metric.kind == "histogram":
                if not series.buckets:
                    series.buckets = [0] * (len(metric.buckets) + 1)
                series.buckets[bisect_left(metric.buckets, value)] += 1
        if self.listener is not None:
            self.listener(metric, value, labels)

    def read(self, name: str) -> list[tuple[Labels, Series]]:
        """The values of a counter or histogram, as of now."""
        with self._lock:
            found = self._series[name].items()
            return [(labels, Series(each.sum, each.count, list(each.buckets))) for labels, each in found]

    def gauges(self) -> Iterator[tuple[Metric, Gauge]]:
        """The gauges that somebody answers for."""
        for name, ask in self._gauges.items():
            yield self._metrics[name], ask
