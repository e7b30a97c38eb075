"""The things that an execution's past is made of: conversations, calls, questions, payments.

Plain records. Not here: how they are read from a journal (`past`), what is done with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..schema.approvals import Preview
from ..schema.base import JsonObject
from ..schema.execution import Usage
from .assembly import Reply
from .ports import Decision, Wire


@dataclass
class PastCall:
    """One tool call, as far as it came."""

    tool: str = ""
    arguments: JsonObject = field(default_factory=dict)
    started: bool = False
    """It was allowed and may have had its effect."""
    read_only: bool = False
    result: Wire | None = None
    """What the model is told, once it is known; never made again."""
    added: list[Wire] = field(default_factory=list)
    """What hooks added to it."""
    output: list[JsonObject] = field(default_factory=list)
    """The same as the log tells it."""
    duration_ms: int = 0
    ended: list[JsonObject] | None = None
    """What it gave back, where hooks were told of it and had not answered when the sitting ended."""


@dataclass
class PastQuestion:
    """A call that was put to a person."""

    call_id: str
    tool: str
    arguments: JsonObject
    """As hooks had left them: they are not asked about it again."""
    agent: str
    agent_id: str
    schema: JsonObject
    reason: str
    span: str
    """The call's."""
    again: int = 0
    """As `asking.Question.again`."""
    decision: Decision | None = None
    waited_s: float = 0.0  # for an answer while a server ran, as last noted
    preview: Preview | None = None
    """What was shown of it."""


@dataclass
class Spent:
    """One model call that was paid for."""

    agent: str
    span: str
    usage: Usage
    cost: float | None


@dataclass(frozen=True)
class Held:
    """A reservation whose call was never seen to end: what it may have cost stays taken."""

    span: str
    cost: float
    tokens: int


@dataclass
class PastConversation:
    """One agent's conversation, byte for byte, and where it stands."""

    agent: str
    span: str
    request: Wire | None
    """Its frozen parts; None where they are to be made anew (a fork with another system prompt)."""
    messages: list[Wire]
    turns: int = 0
    """Number of the last turn that is over."""
    turns_before: int = 0
    """Those of them that another execution has made."""
    last: Reply | None = None
    """The reply it ends with, not yet acted upon."""
    last_span: str = ""
    counted: tuple[int, Wire] | None = None
    """How many messages the newest usage of the service covers, and that usage."""
    room: int = 0
    """Room that the newest reply was asked with."""
    pauses: int = 0
    repairs: int = 0
    sent_back: int = 0
    """How often a hook did not let it stop."""
    text: str = ""
    usage: Usage = field(default_factory=Usage)
    cost: float | None = 0.0
