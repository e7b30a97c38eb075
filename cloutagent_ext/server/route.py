"""What one row of the route table says. Not here: the rows (`server.routes`).

A row is the whole truth about a route: who may call it, what it takes, what it
answers. The base handler enforces it, `openapi` describes it, the tests walk it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..schema.admin import Scope
from ..schema.base import Model
from ..schema.query import NoQuery

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Action = Literal["read", "write", "execute"]
"""What Jupyter's `Authorizer` is asked, always with the resource `cloutagent`."""

ROOT = "cloutagent/api"
"""Everything lives below `{base_url}cloutagent/api`."""

MAX_FILE_BYTES = 50 * 1024 * 1024
MAX_ARCHIVE_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True)
class Access:
    """Who may call: everybody, Jupyter users only, or also a key that has `scope`."""

    kind: Literal["public", "jupyter", "key"]
    scope: Scope | None = None


PUBLIC = Access("public")
JUPYTER = Access("jupyter")


def key(scope: Scope) -> Access:
    """Jupyter users, and keys with `scope` on their own project."""
    return Access("key", scope)


class Nothing(Model):
    """An empty body, or `{}`."""


@dataclass(frozen=True)
class RawBody:
    """Bytes as they come, of any type."""

    max_bytes: int = MAX_FILE_BYTES
    spooled: bool = False
    """Kept in a file (`server.spool.Spool`) instead of memory."""
    media_types: tuple[str, ...] = ("application/octet-stream",)


@dataclass(frozen=True)
class Answer:
    """One possible answer. `model`: JSON of it; `media_type`: something else, or one of several; neither: no
    body."""

    description: str
    model: Any = None
    media_type: str | tuple[str, ...] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One (method, path) of the contract."""

    method: Method
    path: str
    """Below `{base_url}cloutagent/api/`; `{name}` is one segment, `{name...}` the rest of the path."""
    call: Callable[..., Awaitable[Any]]
    summary: str
    tag: str
    access: Access
    action: Action
    answers: dict[int, Answer]
    query: type[Model] = NoQuery
    body: type[Model] | RawBody | None = None
    takes: Mapping[str, str] = field(default_factory=dict)
    """Headers that it heeds beyond those of every request (proof, body), and what each does."""
    stream: bool = False
    """Answers with server-sent events (always, or on wish)."""
    audit: str | None = None
    """Noun and verb of its audit line: who did it, to what, from where."""
    poll: bool = False
    """Monitors ask it again and again: not a sign of a person at work."""

    @property
    def operation_id(self) -> str:
        return self.call.__name__

    @property
    def parameters(self) -> list[str]:
        """Names in the path."""
        return [name.removesuffix("...") for name in re.findall(r"\{([a-z_.]+)\}", self.path)]

    @property
    def pattern(self) -> str:
        """The path as a regular expression with named groups, as Tornado wants it."""

        def group(match: re.Match[str]) -> str:
            name = match[1]
            return f"(?P<{name[:-3]}>.+)" if name.endswith("...") else f"(?P<{name}>[^/]+)"

        return re.sub(r"\{([a-z_.]+)\}", group, f"{ROOT}/{self.path}")
