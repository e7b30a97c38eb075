"""Everything around projects and executions: keys, secrets, files, tools, models, health, errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from .base import JsonObject, Model, Name, Timestamp
from .project import Definition, Effort

Scope = Literal["read", "execute", "approve"]
ModelCredentials = Literal["setting", "secret", "environment", "base_url", "none"]
"""Where the key of the model service comes from."""


class ErrorBody(Model):
    code: str
    """UPPER_SNAKE, stable."""
    message: str
    """What is wrong and how to mend it."""
    details: JsonObject = {}


class ErrorEnvelope(Model):
    """The one shape of every error."""

    error: ErrorBody


class Health(Model):
    status: Literal["ok", "unavailable"]
    version: str
    reason: str | None = None
    """Why it is unavailable."""


class KeyCreate(Model):
    """Body of POST …/keys."""

    name: Name
    scopes: list[Scope] = Field(["read", "execute"], min_length=1, max_length=3)


class KeyRow(Model):
    """A key without its secret."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    name: str
    scopes: list[Scope]
    created_at: Timestamp
    last_used_at: Timestamp | None = None


class CreatedKey(KeyRow):
    """A new key; `api_key` will not be shown again."""

    api_key: str


SecretName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
"""As an environment variable: what `{{secret:NAME}}` can name."""


class SecretCreate(Model):
    """Body of POST …/secrets. An existing name is replaced."""

    name: SecretName
    value: Annotated[SecretStr, Field(min_length=1, max_length=64 * 1024)]
    """Goes in and never comes out of any route."""


class SecretRow(Model):
    """A secret without its value."""

    name: str
    created_at: Timestamp
    updated_at: Timestamp
    locked: bool = False
    """Whether the key it is encrypted with is missing: nobody can use or change it until that is back."""


class RotationFailure(Model):
    """A project whose secrets could not be encrypted anew; they are as they were."""

    project_id: str
    code: str
    message: str


class RotationKey(Model):
    """A key of the ring."""

    id: str
    uses: int
    """Projects that are encrypted with it now. At 0 it can be removed, unless a backup still needs it."""


class Rotation(Model):
    """What `jupyter cloutagent secrets rotate` did."""

    key_id: str
    """Id of the key that writes."""
    rewrapped: list[str]
    """Ids of the projects that were encrypted anew."""
    failed: list[RotationFailure]
    keys: list[RotationKey]


class FileRow(Model):
    """A file of a project or of an execution's workspace."""

    path: str
    """Relative, with forward slashes."""
    size: int
    """Bytes."""
    modified_at: Timestamp
    media_type: str


class ToolRow(Model):
    """A tool: a built-in one, or one that an installed package brings."""

    name: str
    description: str
    """What the model reads."""
    touches: str
    """In one line, what it may touch."""
    read_only: bool
    default_permission: Literal["allow", "ask"]
    input_schema: JsonObject
    source: str = "builtin"
    """`builtin`, or the package that brings it."""


class ModelPrice(Model):
    """US dollars per million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write_5m: float


class ModelRow(Model):
    """A model that an agent can think with."""

    id: str
    name: str
    context_window: int
    """Tokens."""
    max_output_tokens: int
    price: ModelPrice | None
    """Null when unknown."""
    thinking: Literal["always", "optional", "never"] = "never"
    """Whether it thinks before it answers."""
    efforts: list[Effort] = []
    """How hard it can be asked to think."""
    sees: bool = False
    """Whether it takes pictures and PDFs."""


class ModelList(Model):
    items: list[ModelRow]
    next_cursor: str | None = None
    credentials: ModelCredentials
    """Where the model key comes from, as far as the server's settings say (a project's own secret
    `ANTHROPIC_API_KEY` is in its `validate`); `none` means that the simulated model plays."""
    base_url: str | None = None
    """Where model calls go when not to Anthropic."""


class TemplateRow(Model):
    """A starter project."""

    id: str
    name: str
    description: str
    definition: Definition
    """What a project made from it starts with: a gallery draws its picture from it."""
