"""The face of telemetry: what the rest of the program says, and nothing of how it is kept or sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .audit import Audit
from .logs import Logs
from .meters import Meters

if TYPE_CHECKING:
    import logging

    from ..schema.trace import Span
    from ..settings import Settings


class Telemetry:
    """One server's. `start` and `stop` frame its life; both may be called twice."""

    def __init__(
        self, settings: Settings, *, version: str, hide: Callable[[Iterable[str]], Callable[[str], str]]
    ) -> None:
        """`hide` makes of secrets a function that takes them out of text."""
        self._make_hide = hide
        self._secrets = {each for each in (settings.api_key, settings.encryption_key) if each}
        self._hide = hide(self._secrets)
        self.meters = Meters()
        self.audit = Audit()
        self._logs = Logs(
            settings.data_dir, level=settings.logs_level, max_mb=settings.logs_max_mb, hide=self._clean
        )
        self._exporter = None
        if settings.otlp_endpoint:
            from .otlp import Exporter

            self._exporter = Exporter(settings.otlp_endpoint, self.meters, hide=self._clean, version=version)
            self._logs.also(self._exporter.line)

    @property
    def exporting(self) -> bool:
        """Whether spans are wanted."""
        return self._exporter is not None

    def spans(self, trace_id: str, ended: Iterable[Span]) -> None:
        """Spans that have ended, for the collector."""
        if self._exporter is not None:
            for span in ended:
                self._exporter.span(trace_id, span)

    def confide(self, *secrets: str) -> None:
        """Take these out of logs and spans, too."""
        self._secrets |= {each for each in secrets if each}
        self._hide = self._make_hide(self._secrets)

    def show_in(self, visible: Callable[[logging.LogRecord], None]) -> None:
        """Where warnings are shown to people."""
        self._logs.visible = visible

    def _clean(self, text: str) -> str:
        return self._hide(text)

    def start(self, *, export: bool = True) -> None:
        """Nothing is waited for. Without `export` only the log is kept, for a command that is soon over."""
        self._logs.start()
        if self._exporter is not None and export:
            self._exporter.start()

    async def stop(self) -> None:
        """Write and send what waits, for a few seconds at most."""
        if self._exporter is not None:
            await asyncio.to_thread(self._logs.settled, 1.0)
            await asyncio.to_thread(self._exporter.stop)
        await asyncio.to_thread(self._logs.stop)
