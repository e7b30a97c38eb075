"""What is said of tool calls that came to no result of their own: to the model, and in the log.

Not here: when it is said (`dispatch`, of an execution that goes on; `executions.unanswered`, of one that
ends; `executions.retelling`, of one that another begins from).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OUTCOME_UNKNOWN = "interrupted; outcome unknown."
"""It had begun, and was not seen to end."""
ENDED_WHILE = f"{OUTCOME_UNKNOWN} The execution ended"
"""How it begins where the execution ended with it."""
_NOT_RUN = "not run: "
NOT_RUN = f"{_NOT_RUN}the execution ended before this call."
AGENT_CUT_OFF = (
    f"{OUTCOME_UNKNOWN} Its agent was broken off while this call ran: it may have done all of its work, a "
    "part of it or nothing."
)
AGENT_NOT_RUN = f"{_NOT_RUN}its agent was broken off before this call."


def is_unfinished(output: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the output of a call, as its event tells it, says that it did not come to its end."""
    return _says(output, OUTCOME_UNKNOWN, _NOT_RUN)


def ended_with_it(output: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it says that the execution ended with the call: its last event comes next."""
    return _says(output, ENDED_WHILE, NOT_RUN)


def _says(output: Sequence[Mapping[str, Any]], *what: str) -> bool:
    return bool(output) and str(output[0].get("text", "")).startswith(what)
