"""What a person is asked about a call, their answer, and the port that brings one to the other.

Part of `ports`, which is where to import it from. Not here: when a call asks (`gate`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..schema.approvals import Preview
from ..schema.base import JsonObject

NOBODY = "policy"
"""Who decides where no person can be asked."""


@dataclass(frozen=True)
class Question:
    """A call that must ask."""

    call_id: str
    tool: str
    arguments: JsonObject
    agent: str
    """Who wants it, by its name in events."""
    agent_id: str
    """The same without an instance's number: whose rules hold."""
    span: str
    schema: JsonObject
    """What changed arguments have to fit."""
    preview: Preview | None = None
    reason: str = ""
    """Why it asks, in words."""
    told: Callable[[], None] = lambda: None
    """To be called when it has been put to a person."""
    again: int = 0
    """Which time the same call is asked about: 0 before it runs; later, whether it shall go on running.

    Such a question does not outlive the call: where the server stops it is withdrawn. Its answer does.
    """


@dataclass(frozen=True)
class Shown:
    """What a person was shown of the call that they allowed."""

    arguments: JsonObject
    preview: Preview


@dataclass(frozen=True)
class Decision:
    allow: bool
    by: str
    message: str = ""
    arguments: JsonObject | None = None
    """Changed arguments, where the person changed them."""


class Approvals(Protocol):
    async def decide(self, question: Question) -> Decision:
        """Somebody's decision about a call that must ask; the execution has its slot when this returns.

        May wait for days; never raises.
        """
        ...

    def rest(self) -> None:
        """Nothing of the execution can go on before one of the decisions that are waited for."""
        ...
