"""Somebody who proved who they are. Not here: how (`auth.keys`, or Jupyter itself)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Principal:
    """A Jupyter user, who may do what the server's authorizer allows, or a key of one project."""

    kind: Literal["user", "key"]
    name: str
    """The user's name, or the key's."""
    project_id: str | None = None
    """The one project that a key opens; None for users."""
    key_id: str | None = None
    scopes: frozenset[str] = frozenset()
    """What a key may do: `read`, `execute`, `approve`. Empty for users, whom scopes do not bind."""
