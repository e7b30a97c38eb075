"""Whether a person has agreed to what a project would run, by what lies on the disk now.

Not here: what counts as running and how an agreement is kept (`store.trust`), giving one
(`store.history`). Everything blocks.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import TooLarge
from ..schema.versions import Agreement, WouldRun
from . import history, project_files, trust
from .layout import Loaded


class Consent:
    """Looks at the projects of one data folder; `digests` remembers their files' sums."""

    def __init__(self, projects: Path, agreed: trust.Trust, digests: project_files.Digests) -> None:
        self._projects = projects
        self._agreed = agreed
        self._digests = digests

    def given(self, project_id: str, loaded: Loaded) -> bool:
        """Whether the live state may start what it would start."""
        if not trust.starts_anything(loaded.definition):
            return True
        try:
            files = self._live(project_id)
        except TooLarge:  # put there by hand; what cannot be looked through is not trusted
            return False
        return self._agreed.holds(project_id, loaded.definition, files, loaded.metadata.trust)

    def shown(self, project_id: str, loaded: Loaded) -> Agreement:
        """What the live state would start, with the hash that stands for it. Raises `TooLarge`."""
        definition = loaded.definition
        files = self._live(project_id) if trust.starts_anything(definition) else {}
        return Agreement(
            trusted=self._agreed.holds(project_id, definition, files, loaded.metadata.trust),
            hash=trust.digest(definition, files),
            would_run=WouldRun.model_validate(trust.would_run(definition, files)),
        )

    def require_off(self, project_id: str, loaded: Loaded) -> None:
        """Raises `NotTrusted` unless agreed to a trial of the hooks of `loaded` that are switched off."""
        files = self._live(project_id)
        if not self._agreed.holds_off(project_id, loaded.definition, files, loaded.metadata.trust):
            raise trust.refused_off(loaded.definition, files)

    def require(self, project_id: str, loaded: Loaded, version: int | None) -> None:
        """Raises `NotTrusted` unless agreed; `version`: to that snapshot, else to the live state `loaded`."""
        definition = loaded.definition
        if version is not None:
            record, definition = history.found(self._projects / project_id, version)
            files = record.files()
        elif trust.starts_anything(definition):
            files = self._live(project_id)
        else:
            return
        if not self._agreed.holds(project_id, definition, files, loaded.metadata.trust):
            raise trust.refused(definition, version, files)

    def _live(self, project_id: str) -> dict[str, str]:
        return project_files.digests(project_files.live(self._projects / project_id), self._digests)
