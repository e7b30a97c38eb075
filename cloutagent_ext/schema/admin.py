"""Everything around projects and executions: keys, files, tools, models, templates, health, errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import JsonObject, Model, Name, Timestamp

Scope = Literal["read", "execute", "approve"]


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


class FileRow(Model):
    """A file of a project or of an execution's workspace."""

    path: str
    """Relative, with forward slashes."""
    size: int
    """Bytes."""
    modified_at: Timestamp
    media_type: str


class ToolRow(Model):
    """A built-in tool."""

    name: str
    description: str
    """What the model reads."""
    touches: str
    """In one line, what it may touch."""
    read_only: bool
    default_permission: Literal["allow", "ask"]
    input_schema: JsonObject


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


class ModelList(Model):
    items: list[ModelRow]
    next_cursor: str | None = None
    credentials: Literal["setting", "environment", "base_url", "none"]
    """Where the model key comes from; `none` means that the simulated model plays."""
    base_url: str | None = None
    """Where model calls go when not to Anthropic."""


class TemplateRow(Model):
    """A starter project."""

    id: str
    name: str
    description: str
