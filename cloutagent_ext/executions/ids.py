"""Ids of executions: UUIDs (version 7) that sort by the time they were made.

So the newest are found by name, without opening a file. Strictly increasing within one
process, also within one millisecond and when the clock is set back.
"""

from __future__ import annotations

import math
import os
import re
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_COUNTS = 1 << 12
"""Ids per millisecond."""


class Ids:
    """Makes ids; one per service."""

    def __init__(self) -> None:
        self._ticket = 0

    def new(self) -> str:
        """An id greater than all before it."""
        self._ticket = max(self._ticket + 1, time.time_ns() // 1_000_000 * _COUNTS)
        milliseconds, count = divmod(self._ticket, _COUNTS)
        low = int.from_bytes(os.urandom(8)) >> 2
        return str(UUID(int=milliseconds << 80 | 0x7 << 76 | count << 64 | 0b10 << 62 | low))


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id of ours (and so is safe as a folder's name)."""
    return _PATTERN.fullmatch(text) is not None


def made_at(execution_id: str) -> datetime:
    """When the id was made, to the millisecond."""
    milliseconds = UUID(execution_id).int >> 80
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return moment.replace(microsecond=milliseconds % 1000 * 1000)


def first_of(moment: datetime) -> str:
    """What all ids made at `moment` or later are not less than, and all earlier ones are."""
    milliseconds = max(0, math.ceil((moment - datetime.fromtimestamp(0, UTC)) / timedelta(milliseconds=1)))
    return str(UUID(int=min(milliseconds, (1 << 48) - 1) << 80))
