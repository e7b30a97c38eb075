"""A project as the rest of the program gets it, and a definition as the store takes it.

Pure. Not here: reading and writing (`store.projects`).
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ..schema.project import Definition, Project
from . import layout
from .layout import Loaded


@dataclass(frozen=True)
class Stored:
    """A project and the strong ETag of its definition (view state does not count)."""

    project: Project
    etag: str


def plain(definition: Definition) -> Definition:
    """`definition` without what a subclass adds: a stored project may be handed back as it was read."""
    if type(definition) is Definition:
        return definition
    return Definition(**{name: getattr(definition, name) for name in Definition.model_fields})


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
