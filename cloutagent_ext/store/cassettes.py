"""Cassettes on the disk: `projects/<id>/cassettes/<cassette id>.jsonl.gz`.

Only bytes and their names; what is in them is `engine.models.cassette`'s business. They are no part
of versions, ETag or exports; they go with the project and into its backups. Everything blocks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .. import durable, filelocks
from ..errors import Conflict, NotFound
from ..guard import Guard
from .files import open_beneath
from .writer import lock_path

FOLDER = "cassettes"
ENDING = ".jsonl.gz"
MAX_FILE_BYTES = 50 * 1024 * 1024
"""Largest cassette, packed."""
MAX_CASSETTES = 1000
"""Of one project."""
_ID = re.compile(r"[0-9a-f]{16}")


class CassetteFiles:
    """The cassettes of all projects below `projects`."""

    def __init__(self, projects: Path, guard: Guard) -> None:
        self._projects = projects
        self._guard = guard

    def ids(self, project_id: str) -> list[str]:
        """Ids of a project's cassettes. Raises NotFound where there is no such project."""
        return sorted(self._names(project_id))

    def read(self, project_id: str, cassette_id: str) -> bytes:
        """The file of one. Raises NotFound."""
        missing = NotFound("This project has no such cassette.")
        if _ID.fullmatch(cassette_id) is None:
            raise missing
        try:
            descriptor = open_beneath(self._folder(project_id), f"{FOLDER}/{cassette_id}{ENDING}")
        except NotFound:
            raise missing from None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MAX_FILE_BYTES + 1)

    def write(self, project_id: str, cassette_id: str, data: bytes) -> None:
        """Keep a new one. Raises NotFound, Conflict (too many, or this id), DiskFull, Unavailable."""
        folder = self._folder(project_id)
        with self._guard.writing(), filelocks.locked(lock_path(self._projects, project_id)):
            if not folder.is_dir():
                raise NotFound("There is no such project.")
            if len(list(self._names(project_id))) >= MAX_CASSETTES:
                raise Conflict(f"A project keeps at most {MAX_CASSETTES} cassettes. Delete some first.")
            target = folder / FOLDER / f"{cassette_id}{ENDING}"
            if target.exists():
                raise Conflict("The project has this cassette already.")
            durable.make_folder(target.parent)
            with durable.staged_file(target, 0o600) as (sink, _):
                sink.write(data)

    def delete(self, project_id: str, cassette_id: str) -> None:
        """Raises NotFound."""
        folder = self._folder(project_id) / FOLDER
        with self._guard.writing(), filelocks.locked(lock_path(self._projects, project_id)):
            self.read(project_id, cassette_id)  # the project, too, may have gone while we waited
            durable.remove(folder / f"{cassette_id}{ENDING}")
            durable.sync_folder(folder)

    def _folder(self, project_id: str) -> Path:
        folder = self._projects / project_id
        if not folder.is_dir():
            raise NotFound("There is no such project.")
        return folder

    def _names(self, project_id: str) -> Iterator[str]:
        with suppress(FileNotFoundError), os.scandir(self._folder(project_id) / FOLDER) as entries:
            for entry in entries:
                name = entry.name.removesuffix(ENDING)
                if (
                    entry.name.endswith(ENDING)
                    and _ID.fullmatch(name)
                    and entry.is_file(follow_symlinks=False)
                ):
                    yield name
