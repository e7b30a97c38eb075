"""Copies of projects: what an import could not take, backups, and what a restore did."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Model, Timestamp
from .project import CreatedProject

BACKUP_NAME = (
    r"^(backup-[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{6}(-[0-9]{1,4})?)?"
    r"|(deleted|replaced)-[0-9a-f-]{36}-[0-9T.-]{1,40}Z)\.zip$"
)
BackupKind = Literal["daily", "manual", "deleted", "replaced"]


class ImportedProject(CreatedProject):
    """Answer of POST projects/import: the new project, its first key, and what could not be taken."""

    warnings: list[str]
    """A sentence for each thing that was left out or has to be looked at."""


class BackupRow(Model):
    """A backup on the disk."""

    name: str
    """Its file name, by which it is downloaded and restored."""
    kind: BackupKind
    """Made every day, on demand, or because a project was deleted or replaced by a restore."""
    created_at: Timestamp
    size: int
    """Bytes."""


class RestoreRequest(Model):
    """Body of POST …/restore."""

    project: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")] | None = None
    """Id of the only project to restore; empty means all that the backup holds."""


class Restored(Model):
    """What a restore did. Restored projects start nothing until a person has trusted them."""

    restored: list[str]
    """Ids of the projects that are now as the backup has them."""
    kept: list[str]
    """Names of the backups that hold what was replaced."""
