"""What was frozen for executions: pruning leaves it alone, and nothing is read anew for the next one.

A version frozen for an execution may be the only thing that says so until that is on the disk.
In memory only: after a restart no such execution is under way. Not here: freezing (`store.writer`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..schema.project import Definition
from . import project_files, versions
from .definitions import KEPT, Definitions
from .held import Held
from .layout import Loaded

FROZEN_S = 600.0
"""How long a frozen version is safe without an execution on the disk that names it."""

Version = tuple[Definition, int]
Found = TypeVar("Found", Version, Version | None)


@dataclass(frozen=True)
class _Saved:
    """A saved state that is a version."""

    loaded: Loaded
    """As `Definitions` remembers it: the same object as long as nothing of it changed on the disk."""
    files: dict[str, str]
    content: str
    version: int


class Frozen:
    """What was frozen lately, of the projects below `projects`."""

    def __init__(self, projects: Path, definitions: Definitions, digests: project_files.Digests) -> None:
        self._projects = projects
        self._definitions = definitions
        self._digests = digests
        self._since: dict[tuple[str, int], float] = {}
        self._saved: dict[str, _Saved] = {}

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

    def keep(self, project_id: str, held: Held) -> Version:
        """What `held`, found under its lock, was frozen as; remembered for `saved`."""
        assert held.newest is not None
        loaded = self._definitions.get(project_id)
        if loaded.tree == held.loaded.tree:
            self._saved.pop(project_id, None)
            while len(self._saved) >= KEPT:
                self._saved.pop(next(iter(self._saved)), None)
            self._saved[project_id] = _Saved(loaded, held.files, held.content, held.newest.version)
        return self.note(project_id, (held.loaded.definition, held.newest.version))

    def saved(self, project_id: str) -> Version | None:
        """The saved state as the version that it was frozen as, where it is still the same; blocking.

        Takes no lock: what counts is the moment at which it is looked at. Raises as `Definitions.get`.
        """
        known = self._saved.get(project_id)
        if known is None or self._definitions.get(project_id) is not known.loaded:
            return None
        folder = self._projects / project_id
        if project_files.digests(project_files.live(folder), self._digests) != known.files:
            return None
        found = self.note(
            project_id, (known.loaded.definition, known.version)
        )  # before we see that it is there
        record = versions.record(folder, known.version)
        return found if record is not None and record.content == known.content else None
