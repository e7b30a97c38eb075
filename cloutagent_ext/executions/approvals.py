"""Who decides about a tool call that must ask.

Until a person can be asked, nobody: the call gets an error result that says so and how
to allow it, and the execution goes on at once. Not here: when a call must ask (`engine`).
"""

from __future__ import annotations

from ..engine.ports import Decision
from ..schema.base import JsonObject


class Unattended:
    """The engine's `Approvals` port where nobody can answer. Never waits, never allows."""

    async def decide(
        self, *, call_id: str, tool: str, arguments: JsonObject, agent: str, span: str
    ) -> Decision:
        """A refusal that the model can react to and a person can act on."""
        where = "the agent" if agent == "main" else f"the subagent {agent.partition('#')[0]}"
        return Decision(
            allow=False,
            by="policy",
            message=(
                f"This call of `{tool}` needs a person's approval, and nobody can give it here, so it was "
                f"not run. Do without it, or say what you would have done. (To allow it, set the "
                f'permission "{tool}": "allow" on {where} of this project, or a pattern such as '
                f'"{tool}(...)" for some of its calls.)'
            ),
        )
