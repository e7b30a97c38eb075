"""Versions that were frozen for an execution which may not be on the disk yet: pruning leaves them alone.

In memory only: after a restart no such execution is under way. Not here: freezing (`store.writer`).
"""

from __future__ import annotations

import time
from typing import TypeVar

from ..schema.project import Definition

FROZEN_S = 600.0
"""How long a frozen version is safe without an execution on the disk that names it."""

Version = tuple[Definition, int]
Found = TypeVar("Found", Version, Version | None)


class Frozen:
    """What was frozen lately."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, int], float] = {}

    def note(self, project_id: str, found: Found) -> Found:
        """Remember `found`, where there is one; gives it back."""
        now = time.monotonic()
        for known, moment in list(self._since.items()):
            if now - moment > FROZEN_S:
                self._since.pop(known, None)
        if found is not None:
            self._since[project_id, found[1]] = now
        return found

    def of(self, project_id: str) -> set[int]:
        """Numbers of the versions of this project frozen lately."""
        return {number for each, number in list(self._since) if each == project_id}
