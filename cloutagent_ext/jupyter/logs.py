"""Where people see our warnings: among Jupyter's own lines. Not here: the log in files."""

from __future__ import annotations

import logging


class Visible:
    """Shows records by the handlers of the server's log, at their level."""

    def __init__(self, server: logging.Logger) -> None:
        self._server = server

    def __call__(self, record: logging.LogRecord) -> None:
        if record.levelno < self._server.getEffectiveLevel():
            return
        for handler in self._server.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)
