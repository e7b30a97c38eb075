"""Audit lines: who did what to keys, secrets, trust and copies, when, and from which address.

They name things and never hold a value. One line is one line of JSON in `audit-<day>.jsonl`, at
whatever `LOG_LEVEL`. Uses of a key that only look (GET) are told once a minute for each key, address
and route; all that start, change or stop something are told each time. Not here: which routes are told
of (`server.routes`).
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .logs import AUDIT

_log = logging.getLogger(AUDIT)

QUIET_S = 60.0
"""How long the same look with the same key is not told again."""
_MOST = 10_000


class Audit:
    """Writes audit lines."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def tell(self, action: str, *, who: dict[str, Any], address: str, outcome: str, **what: Any) -> None:
        """`action` is a noun and a verb, `secret.set`; `outcome` is `ok` or the code of the refusal."""
        fields = {"stream": "audit", "action": action, "who": who, "address": address, "outcome": outcome}
        named = {name: value for name, value in what.items() if value is not None}
        _log.info("%s: %s", action, outcome, extra={"fields": {**fields, **named}})

    def due(self, *what: str) -> bool:
        """Whether the same look was not told within the last minute; counts as told."""
        now = self._clock()
        last = self._told.get(what)
        if last is not None and now - last < QUIET_S:
            return False
        self._told[what] = now
        self._told.move_to_end(what)
        while len(self._told) > _MOST:
            self._told.popitem(last=False)
        return True
