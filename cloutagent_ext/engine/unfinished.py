"""What is said of tool calls that came to no result of their own: to the model, and in the log.

Not here: when it is said (`dispatch`, of an execution that goes on; `executions.unanswered`, of one that
ends; `executions.retelling`, of one that another begins from).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OUTCOME_UNKNOWN = "interrupted; outcome unknown."
"""It had begun, and was not seen to end."""
_NOT_RUN = "not run: "
NOT_RUN = f"{_NOT_RUN}the execution ended before this call."
AGENT_CUT_OFF = (
    f"{OUTCOME_UNKNOWN} Its agent was broken off while this call ran: it may have done all of its work, a "
    "part of it or nothing."
)
AGENT_NOT_RUN = f"{_NOT_RUN}its agent was broken off before this call."


def is_unfinished(output: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the output of a call, as its event tells it, says that it did not come to its end."""
    return bool(output) and str(output[0].get("text", "")).startswith((OUTCOME_UNKNOWN, _NOT_RUN))
