"""OpenTelemetry: spans, metrics and log records to a collector, by OTLP over HTTP (protobuf).

A thread of its own imports OpenTelemetry, turns what comes into its words, and sends; everybody else
puts things into a queue with an end, and wakes it for a whole batch only: waking a thread for each costs
whoever puts more than all the rest. So a slow collector, a dead one, and an import that takes a second
cost the event loop nothing: what finds no room is dropped and counted, with a warning once a minute. No
tracer or meter is registered for the whole process: what libraries would say of themselves through one
is neither sent nor doubled.

Further variables of OpenTelemetry's (`OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT`, `_CERTIFICATE`,
`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_SDK_DISABLED`) count as everywhere. Not here: its
words for things (`otel`).
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ..schema.trace import Span
from .logs import OWN, Line
from .meters import Labels, Meters, Metric
from .otel import Otel

_log = logging.getLogger(OWN)

_MAX_WAITING = 8_192
"""Most things on their way."""
_BATCH = 512
"""Most spans or records of one request."""
_FLUSH_S = 1.0
_METRICS_S = 10.0
_LAST_S = 2.0
"""How long the end of the process waits for the last ones."""
_SETUP_S = 4.0
_WOKEN_S = 0.5
_WARN_S = 60.0
_INSTALL = "pip install 'cloutagent-ext[telemetry]'"

Hide = Callable[[str], str]


def shown(endpoint: str) -> str:
    """An address without what may be a password in it."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


class Exporter:
    """Sends to one collector from `start` to `stop`."""

    def __init__(self, endpoint: str, meters: Meters, *, hide: Hide, version: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._meters = meters
        self._hide = hide
        self._version = version
        self._queue: deque[tuple[str, Any]] = deque()
        self._awake = threading.Event()
        """Set when a batch waits, and at the end."""
        self._thread: threading.Thread | None = None
        self._off = False
        self._stopping = threading.Event()
        self._otel: Any = None
        self._ready = threading.Event()
        """Set when it can send, or never will."""

    # ------------------------------------------------------------ from anywhere

    def start(self) -> None:
        """Begin; the imports happen in the thread."""
        self._meters.listener = self.measured
        self._thread = threading.Thread(target=self._run, name="cloutagent telemetry", daemon=True)
        self._thread.start()

    def span(self, trace_id: str, span: Span) -> None:
        """One span that has ended."""
        self._put("spans", (trace_id, span))

    def line(self, line: Line) -> None:
        """One line of the log."""
        self._put("logs", line)

    def measured(self, metric: Metric, value: float, labels: Labels) -> None:
        """One measurement."""
        self._put("metrics", (metric, value, labels))

    def _put(self, signal: str, item: Any) -> None:
        if self._off:
            return
        waiting = len(self._queue)
        if waiting >= _MAX_WAITING:
            if signal != "metrics":
                self._meters.add("cloutagent.telemetry.dropped", 1, signal)
            return
        self._queue.append((signal, item))
        if waiting >= _BATCH and not self._awake.is_set():
            self._awake.set()

    def stop(self) -> None:
        """Send what waits, for two seconds at most once it is set up. Blocking."""
        if self._thread is None or self._stopping.is_set():
            return
        self._meters.listener = None
        self._stopping.set()
        self._awake.set()
        self._ready.wait(_SETUP_S)  # a process that ends as soon as it has begun
        self._thread.join(_LAST_S)
        if self._thread.is_alive() and self._otel is not None:
            self._otel.give_up()  # wakes it from a pause between two tries
            self._thread.join(_WOKEN_S)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            self._set_up()
        finally:
            self._ready.set()
        if self._otel is None:
            return
        try:
            self._work(self._otel)
        except Exception as error:
            self._off = True
            _log.error("Telemetry stopped by a fault of its own; nothing more is sent", exc_info=error)
        finally:
            self._otel.close()

    def _set_up(self) -> None:
        if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            self._off = True
            return
        try:
            self._otel = Otel(self._endpoint, self._meters, self._hide, self._version)
        except ImportError as error:
            self._off = True
            _log.warning(
                "An OpenTelemetry collector is configured (%s), but OpenTelemetry is not installed (%s); "
                "nothing is sent. Install it with: %s",
                shown(self._endpoint), error.name or error, _INSTALL,
            )  # fmt: skip
            return
        except Exception as error:
            self._off = True
            _log.warning("OpenTelemetry could not be set up; nothing is sent: %s", self._hide(str(error)))
            return
        _log.info("Spans, metrics and logs go to the OpenTelemetry collector at %s", shown(self._endpoint))

    def _work(self, otel: Otel) -> None:
        waiting: dict[str, list[Any]] = {"spans": [], "logs": []}
        warned, lost = -math.inf, Counter[str]()
        flushed = measured = time.monotonic()
        going = True
        while going:
            if not self._queue:
                self._awake.wait(max(0.0, flushed + _FLUSH_S - time.monotonic()))
            self._awake.clear()
            ending = self._stopping.is_set()
            full = False
            while self._queue and not full:
                signal, item = self._queue.popleft()
                if signal == "metrics":
                    otel.measure(*item)
                else:
                    waiting[signal].append(item)
                    full = len(waiting[signal]) >= _BATCH
            going = not ending or full
            now = time.monotonic()
            if going and not full and now - flushed < _FLUSH_S:
                continue
            flushed = now
            for name, items in waiting.items():
                if items and not otel.send(name, items):
                    lost[name] += len(items)
                    self._meters.add("cloutagent.telemetry.dropped", len(items), name)
                items.clear()
            if not going or now - measured >= _METRICS_S:
                measured = now
                if not otel.send_metrics():
                    lost["metrics"] += 1
            if lost and time.monotonic() - warned > _WARN_S:
                warned = time.monotonic()
                what = ", ".join(f"{count} {name}" for name, count in lost.items())
                _log.warning(
                    "The OpenTelemetry collector at %s did not take: %s", shown(self._endpoint), what
                )
                lost.clear()
