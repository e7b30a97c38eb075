"""Tools that the caller brings: what they are, and what comes back when one is called.

Not here: the event by which a call reaches the caller (`events.ClientCall`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .base import JsonObject, Model

MOST_TOOLS = 32
"""Tools that one execution takes from its caller."""
LARGEST_SCHEMA = 64 * 1024
"""Characters of a tool's schema, as JSON."""


class ClientTool(Model):
    """A function of the caller's; the main agent may call it."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]{0,63}$")]
    """As the model calls it; no name of another tool."""
    description: Annotated[str, Field(min_length=1, max_length=10_000)]
    """What the model reads."""
    input_schema: JsonObject
    """JSON schema of its arguments, an object."""
    permission: Literal["allow", "ask"] = "allow"
    """Whether a call asks first, where no rule of the project says anything about it."""
    read_only: bool = False
    """It has no effect: a call that a crash broke off is made again."""
    timeout_s: float = Field(60.0, gt=0, le=3600)
    """Longest that a call may take."""
    silence_s: float = Field(30.0, ge=1, le=300)
    """Longest without a sign of life before the caller counts as gone."""


class ClientAnswer(Model):
    """Body of POST …/calls/{call_id}: a sign of life, or what came of the call."""

    caller: Annotated[str, Field(min_length=1, max_length=64)]
    """Any name; the first to take a call is the one whose answer counts."""
    status: Literal["working", "done", "failed"]
    """`working` takes the call, and later says that it is still alive."""
    outputs: list[dict[str, Any]] = Field([], max_length=100)
    """With `done`: mime bundles, as Jupyter shows them; text in the first instance, pictures in base64."""
    message: Annotated[str, Field(max_length=100_000)] = ""
    """With `failed`: why, for the model."""


class ClientCallTaken(Model):
    """The call is yours, and its answer is wanted."""

    call_id: str
    timeout_s: float
    """Seconds until nobody waits any more."""
