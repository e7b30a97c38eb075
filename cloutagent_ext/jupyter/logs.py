"""Where people see our warnings: among Jupyter's own lines. Not here: the log in files."""

from __future__ import annotations

import copy
import logging
import re

_ODD = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What ends a line or moves a terminal's cursor; tabs stay."""


class Visible:
    """Shows records by the handlers of the server's log, at their level."""

    def __init__(self, server: logging.Logger) -> None:
        self._server = server

    def __call__(self, record: logging.LogRecord) -> None:
        if record.levelno < self._server.getEffectiveLevel():
            return
        shown = copy.copy(record)
        shown.msg, shown.args = plain(record.getMessage()), ()
        for handler in self._server.handlers:
            if record.levelno >= handler.level:
                handler.handle(shown)


def plain(text: str) -> str:
    """`text` on one line, odd characters spelled out: names and paths come from anybody."""
    return _ODD.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
