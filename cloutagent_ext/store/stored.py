"""A project as the rest of the program gets it, and a definition as the store takes it.

Pure. Not here: reading and writing (`store.projects`).
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ..schema.project import Definition, Project
from . import layout
from .arrange import without_strays
from .layout import Loaded


@dataclass(frozen=True)
class Stored:
    """A project and the strong ETag of its definition (view state does not count)."""

    project: Project
    etag: str


def plain(definition: Definition) -> Definition:
    """`definition` without what a subclass adds, as a stored project that is handed back has, and without
    positions of cards that it does not have (any more)."""
    if type(definition) is not Definition:
        definition = Definition(**{name: getattr(definition, name) for name in Definition.model_fields})
    return without_strays(definition)


def stored(project_id: str, loaded: Loaded, trusted: bool) -> Stored:
    """What was loaded, with its id and whether it is trusted."""
    metadata, definition = loaded.metadata, loaded.definition
    project = Project(
        **{name: getattr(definition, name) for name in Definition.model_fields},
        id=UUID(str(project_id)),
        version=metadata.version,
        published_version=metadata.published_version,
        trusted=trusted,
        updated_at=metadata.updated_at,
    )
    return Stored(project, layout.etag(definition))
