"""A tool call that waits for a person: what is asked, and what it would do."""

from __future__ import annotations

from typing import Literal

from .base import JsonObject, Model, Timestamp


class Preview(Model):
    """What a call would do, as far as that can be told without doing it."""

    kind: Literal["diff", "command", "code", "call", "url"]
    """`diff`: unified, of a file as it is now · `command` of a shell · `code` of a cell · `call`: arguments
    as JSON · `url` to be fetched."""
    content: str
    """Up to 32 KiB."""
    where: str = ""
    """File of a diff, working directory of a command, notebook of a cell, `<server> / <tool>` of a call."""
    note: str = ""
    """What a person should know besides: a new file, a passage that is not there."""
    truncated: bool = False
    """Whether `content` leaves something out."""


class OpenApproval(Model):
    """A call that waits; part of the execution's state until somebody has decided."""

    call_id: str
    tool: str
    agent: str = "main"
    """Who wants it: `main`, or `<subagent id>#k`."""
    asked_at: Timestamp
    input: JsonObject
    preview: Preview | None = None
    reason: str = ""
    """Why it asks: a rule, a hook, step mode, a silence."""
    running: bool = False
    """Whether the call runs already and gives no sign of life: allowed, it goes on; denied, all ends."""
