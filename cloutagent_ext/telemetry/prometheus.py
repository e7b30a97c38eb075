"""Our metrics at Jupyter's own `/metrics`, where `prometheus_client` is installed.

Nothing is counted twice: the collector reads `meters` when somebody asks. Not here: the page
(Jupyter's, with Jupyter's authentication).
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from .meters import METRICS, Meters

_log = logging.getLogger(__name__)


class Collector:
    """What Prometheus' registry asks."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def collect(self) -> Iterator[Any]:
        """Every metric of the table, also those without a value yet."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        asked = {metric.name: ask for metric, ask in self._meters.gauges()}
        for metric in METRICS:
            name, labels = metric.prometheus_name, [label.replace(".", "_") for label in metric.labels]
            family: Any
            if metric.kind == "gauge":
                if metric.name in asked:
                    yield GaugeMetricFamily(name, metric.help, value=asked[metric.name]())
                continue
            if metric.kind == "counter":
                family = CounterMetricFamily(name, metric.help, labels=labels)
                for values, series in self._meters.read(metric.name):
                    family.add_metric(values, series.sum)
            else:
                family = HistogramMetricFamily(name, metric.help, labels=labels)
                for values, series in self._meters.read(metric.name):
                    bounds = [*(f"{bound:g}" for bound in metric.buckets), "+Inf"]
                    counts = list(accumulate(series.buckets))
                    family.add_metric(values, list(zip(bounds, counts, strict=True)), series.sum)
            yield family


def register(meters: Meters) -> Collector | None:
    """Show `meters` at `/metrics`; None without `prometheus_client`, or where somebody is there already."""
    if importlib.util.find_spec("prometheus_client") is None:
        return None
    from prometheus_client import REGISTRY

    collector = Collector(meters)
    try:
        REGISTRY.register(collector)
    except ValueError:
        _log.warning("Metrics of another CloutAgent in this process are shown at /metrics; ours are not.")
        return None
    return collector


def unregister(collector: Collector) -> None:
    from prometheus_client import REGISTRY

    REGISTRY.unregister(collector)
