"""Versions of a project, what differs between two of them, and what a person confirms by trust.

Not here: the definition that a version holds (`schema.project`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .base import Model, Name, Timestamp
from .project import Definition


class VersionCreate(Model):
    """Body of POST …/versions."""

    label: Name | None = None
    """What to call it; labelled versions are never pruned."""


class VersionRow(Model):
    """An immutable snapshot of a project."""

    version: int
    label: str | None = None
    """What a person called it."""
    author: str | None = None
    """Who made it; `disk` for a change by hand in the project's folder, null when nobody is known."""
    created_at: Timestamp
    unreadable: str | None = None
    """Why it cannot be read, with file and line; null when it can."""


class Version(VersionRow):
    """A version with what it holds."""

    definition: Definition
    files: list[str]
    """Paths of its project files."""


class FileChange(Model):
    """A file that differs between two versions."""

    path: str
    """Relative to the project."""
    change: Literal["added", "removed", "changed"]
    diff: str | None = None
    """Unified diff; null for bytes that are no text, or too long to compare."""


class FieldChange(Model):
    """A field of the definition that differs between two versions."""

    path: str
    """Dotted; what has an id is named by it: `subagents.researcher.prompt`."""
    before: Any = None
    """Its value in the first version; null where it is not there."""
    after: Any = None
    """Its value in the second version; null where it is not there."""


class VersionDiff(Model):
    """What differs between two versions, per file and per field."""

    before: int
    after: int
    files: list[FileChange]
    fields: list[FieldChange]


class HookProgram(Model):
    """A hook that would run: its command, or the address that is called."""

    id: str
    name: str
    event: str
    command: list[str] | None = None
    url: str | None = None
    headers: list[str] = []
    """Names; values are never shown."""
    env: list[str]
    """Names."""


class ServerProgram(Model):
    """An MCP server that would be started or called."""

    id: str
    name: str
    transport: str
    command: str | None = None
    args: list[str] = []
    url: str | None = None
    headers: list[str] = []
    """Names."""
    env: list[str]
    """Names."""
    credentials: dict[str, str] = {}
    """Names of variables with the names of the secrets that they are given."""


class ScriptFile(Model):
    """A file of the project that these may run."""

    path: str
    sha256: str
    executable: bool


class WouldRun(Model):
    """Exactly what a project would start or call."""

    hooks: list[HookProgram] = []
    mcps: list[ServerProgram] = []
    scripts: list[ScriptFile] = []


class Agreement(Model):
    """What a project would run as it is saved, and whether a person has agreed to it."""

    trusted: bool
    hash: str | None
    """Stands for exactly this; null where there is nothing to agree to."""
    would_run: WouldRun


class TrustConfirm(Model):
    """Body of POST …/trust: the hash that NOT_TRUSTED showed."""

    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Stands for exactly what would run."""
