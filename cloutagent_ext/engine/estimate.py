"""What one execution takes at least: its first model call, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..schema.project import Definition, Estimate
from .ports import Prices
from .prompt import BUILTINS, fill
from .text import likely_tokens
from .wiring import PREFIX, children

FIRST_REPLY_TOKENS = 300
"""What a first reply usually has: a sentence and a tool call."""
_TOOL_BYTES = 900
"""A built-in tool's description and schema, about."""
_PLACEHOLDERS = dict.fromkeys(BUILTINS, "x" * 24)


def estimate(
    definition: Definition, prompt: str, variables: Mapping[str, str], prices: Prices | None
) -> Estimate:
    """Tokens and price of the first model call of `prompt` (or, when it is empty, of the task)."""
    agent = definition.agent
    size = sum(
        len(fill(text, variables, _PLACEHOLDERS).encode("utf-8", "replace"))
        for text in (agent.system_prompt, prompt or agent.task)
    )
    size += _TOOL_BYTES * len(agent.tools)
    size += sum(len(PREFIX + one.id + one.description) + 300 for one in children(definition, None))
    if agent.output_schema is not None:
        size += len(json.dumps(agent.output_schema))
    tokens = likely_tokens(size)
    usage = {"input_tokens": tokens, "output_tokens": min(FIRST_REPLY_TOKENS, agent.max_tokens)}
    return Estimate(input_tokens=tokens, cost_usd=None if prices is None else prices.cost(agent.model, usage))
