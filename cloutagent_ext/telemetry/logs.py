"""Structured logs: what our loggers say, as lines of JSON in the data folder, written by a thread.

A line has `ts`, `level`, `logger`, `message`, and where there are such: `execution_id`, `trace_id`,
`request_id`, fields of its own, `exception`. JSON in ASCII: nothing that somebody put into a name, a
path or a header can end a line, forge another one or move a terminal's cursor. Secrets that the server
knows are taken out.

The event loop only puts a record into a queue. What finds no room there, or on the disk, is counted and
said later. Lines of level WARNING and above also go where they would have gone without all this
(`visible`).
"""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from typing import Any

from . import context
from .logfiles import FOLDER, DailyFile

LOGGERS = ("cloutagent", "cloutagent_ext")
"""Ours; libraries' and Jupyter's own go where Jupyter sends them."""
AUDIT = "cloutagent.audit"
"""Who used and changed what; in files of its own, which other lines cannot push out."""
OWN = "cloutagent.telemetry"
"""What telemetry says of itself; never sent on by it."""
KEPT_DAYS, AUDIT_KEPT_DAYS = 7, 90
_MAX_WAITING = 10_000
"""Most lines on their way to the disk."""
_MAX_MESSAGE, _MAX_EXCEPTION = 8_192, 32_768
"""Longest texts of a line, in characters."""
_STOP_S = 2.0
"""How long the end of a process waits for its last lines."""

Hide = Callable[[str], str]

_KNOWN = (
    (re.compile(r"(ca_[0-9a-f]{32}-[0-9a-f]{8}_)[A-Za-z0-9_-]{20,}"), r"\1[masked]"),
    (re.compile(r"sk-ant-[A-Za-z0-9_-]{8,}"), "[masked]"),
    (re.compile(r"([?&]token=)[^&\s\"']+"), r"\1[masked]"),
    (re.compile(r"(?i)(authorization['\"]?[:=]\s*['\"]?(?:bearer|token|basic)\s+)[^\s'\"]+"), r"\1[masked]"),
)
"""What looks like a secret of any caller, though nobody has told us of it."""


def hide_known(text: str) -> str:
    """`text` without what looks like a key or token."""
    for found, instead in _KNOWN:
        text = found.sub(instead, text)
    return text


class Line:
    """One record on its way: its time, level and logger, and what it says."""

    __slots__ = ("exception", "fields", "level", "levelno", "logger", "message", "moment")

    def __init__(self, record: logging.LogRecord) -> None:
        self.moment = record.created
        self.levelno = record.levelno
        self.level = record.levelname
        self.logger = record.name
        self.message = _message(record)
        self.fields: dict[str, Any] = {**context.ids(), **getattr(record, "fields", {})}
        self.exception: Any = record.exc_info

    def finish(self, hide: Hide) -> None:
        """What takes time: the traceback's text (it reads source files), and taking secrets out."""
        self.message = hide(_cut(self.message, _MAX_MESSAGE))
        self.fields = {name: _hidden(value, hide) for name, value in self.fields.items()}
        if self.exception and self.exception[0] is not None:
            text = "".join(traceback.format_exception(*self.exception))
            self.exception = hide(text[-_MAX_EXCEPTION:])  # its end says what went wrong
        else:
            self.exception = None

    def json(self) -> bytes:
        moment = datetime.fromtimestamp(self.moment, UTC)
        shown: dict[str, Any] = {
            "ts": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
            "level": self.level,
            "logger": self.logger,
            "message": self.message,
            **self.fields,
        }
        if self.exception:
            shown["exception"] = self.exception
        return json.dumps(shown, ensure_ascii=True, default=str, separators=(",", ":")).encode() + b"\n"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # as `logging` itself: a wrong line must not break who writes it
        return f"{record.msg!r} (its arguments do not fit: {type(error).__name__})"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most} characters more)"


def _hidden(value: Any, hide: Hide) -> Any:
    if isinstance(value, str):
        return hide(_cut(value, _MAX_MESSAGE))
    if isinstance(value, dict):
        return {str(name): _hidden(item, hide) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(item, hide) for item in value]
    return value


class _Handler(QueueHandler):
    """Puts records into the queue, and the loud ones where people see them."""

    def __init__(self, lines: queue.SimpleQueue[Any], visible: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(lines)
        self._lines = lines
        self._visible = visible
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Lines on their way."""
        return self._lines.qsize()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.enqueue(Line(record))
            # Who has set up logging for the whole process has its lines already.
            if record.levelno >= logging.WARNING and record.name != AUDIT and not logging.root.handlers:
                self._visible(record)
        except Exception:
            self.handleError(record)

    def enqueue(self, record: Any) -> None:
        if self._lines.qsize() >= _MAX_WAITING:
            self.dropped += 1
        else:
            self._lines.put(record)


class _Listener(QueueListener):
    """Writes lines to their files, and hands them on to `also`."""

    def __init__(self, lines: Any, handler: _Handler, folder: Path, max_bytes: int, hide: Hide) -> None:
        super().__init__(lines)
        self._handler = handler
        self._hide = hide
        self._lines = DailyFile(folder, "cloutagent", keep=KEPT_DAYS, max_bytes=max_bytes)
        self._audit = DailyFile(folder, "audit", keep=AUDIT_KEPT_DAYS, max_bytes=max_bytes)
        self._broken = 0
        self.also: list[Callable[[Line], None]] = []

    def handle(self, record: Any) -> None:
        line: Line = record
        try:
            line.finish(self._hide)
            for also in self.also if line.logger != OWN else ():
                also(line)
            if line.logger == AUDIT:
                self._audit.write(line.json())
                return
            if lost := self._broken + self._handler.dropped:
                line.fields["lines_lost_before"] = lost
            self._lines.write(line.json())
            self._broken = self._handler.dropped = 0
        except OSError:  # a full disk: said in the first line that there is room for again
            self._broken += 1
        except Exception:  # whatever a line holds, the next ones are written
            self._broken += 1

    def finish(self) -> None:
        """Write what waits, for a short while at most. Blocking."""
        thread: threading.Thread | None = self._thread
        self.enqueue_sentinel()
        if thread is not None:
            thread.join(_STOP_S)
        if thread is None or not thread.is_alive():
            self._thread = None
            self._lines.close()
            self._audit.close()


def last_resort(record: logging.LogRecord) -> None:
    """Where Python shows warnings of a program that has set up no logging."""
    if logging.lastResort is not None and record.levelno >= logging.lastResort.level:
        logging.lastResort.handle(record)


class Logs:
    """Our loggers' lines, kept as long as this is started."""

    def __init__(self, data_dir: Path, *, level: str, max_mb: float, hide: Hide) -> None:
        """`hide` takes secrets out that the server knows."""
        self._level = level
        self._hide = hide
        lines: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.visible: Callable[[logging.LogRecord], None] = last_resort
        self._handler = _Handler(lines, lambda record: self.visible(record))
        max_bytes = int(max_mb * 1024 * 1024)
        self._listener = _Listener(lines, self._handler, data_dir / FOLDER, max_bytes, self._clean)
        self._before: list[tuple[logging.Logger, int]] = []

    def _clean(self, text: str) -> str:
        return hide_known(self._hide(text))

    def also(self, take: Callable[[Line], None]) -> None:
        """Hand each line to `take` as well, in the log's thread."""
        self._listener.also.append(take)

    def start(self) -> None:
        """From now on; repeatable."""
        if self._before:
            return
        for name in LOGGERS:
            logger = logging.getLogger(name)
            self._before.append((logger, logger.level))
            logger.setLevel(self._level)
            logger.addHandler(self._handler)
        logging.getLogger(AUDIT).setLevel(logging.INFO)  # whatever the level of the others
        self._listener.start()

    def stop(self) -> None:
        """Write the last lines. Blocking, for two seconds at most."""
        if not self._before:
            return
        for logger, level in self._before:
            logger.removeHandler(self._handler)
            logger.setLevel(level)
        self._before = []
        self._listener.finish()

    def settled(self, timeout_s: float = 5.0) -> None:
        """Return when what was said so far is written. Blocking; for those who read the files."""
        until = time.monotonic() + timeout_s
        while self._handler.waiting and time.monotonic() < until:
            time.sleep(0.01)
