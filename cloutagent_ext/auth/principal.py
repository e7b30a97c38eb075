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
    display_name: str = ""
    """What people call a user; empty where the name is all there is."""

    @property
    def author(self) -> str | None:
        """What a version says about who made it."""
        return (self.display_name or self.name) if self.kind == "user" else None
