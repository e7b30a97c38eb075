"""Limits that cannot fit one call, or that have no effect."""

from __future__ import annotations

from collections.abc import Iterator

from ...schema.project import Definition, PartialLimits, Problem
from ..budget import MIN_OUTPUT_TOKENS
from ..estimate import estimate
from ..ports import Prices
from ..text import likely_tokens
from ..wiring import children
from .findings import subagents, warning


def check(definition: Definition, prices: Prices | None) -> Iterator[Problem]:
    limits, agent = definition.limits, definition.agent
    first = estimate(definition, "", {}, prices)
    if first.input_tokens + MIN_OUTPUT_TOKENS > limits.max_tokens:
        yield warning(
            "LIMIT_TOO_SMALL",
            None,
            "limits.max_tokens",
            f"The first call alone takes about {first.input_tokens + MIN_OUTPUT_TOKENS} tokens: "
            f"raise the limit of {limits.max_tokens}.",
        )
    if limits.max_turns == 1 and (agent.tools or children(definition, None)):
        yield warning(
            "LIMIT_TOO_SMALL",
            None,
            "limits.max_turns",
            "With one turn the agent can call a tool and never read its result: allow at least two.",
        )
    yield from _subagents(definition)
    price = prices.of(agent.model) if prices else None
    if price is None or limits.max_cost_usd is None:
        return
    least = (first.input_tokens * price.cache_write_5m + MIN_OUTPUT_TOKENS * price.output) / 1_000_000
    if least > limits.max_cost_usd:
        yield warning(
            "LIMIT_TOO_SMALL",
            None,
            "limits.max_cost_usd",
            f"The first call alone may cost ${least:.4f}: raise the limit of ${limits.max_cost_usd:g}.",
        )


def _subagents(definition: Definition) -> Iterator[Problem]:
    for node, path, one in subagents(definition):
        if one.limits is None:
            continue
        for name in PartialLimits.model_fields:
            mine, theirs = getattr(one.limits, name), getattr(definition.limits, name)
            if mine is not None and theirs is not None and mine > theirs:
                yield warning(
                    "LIMIT_WITHOUT_EFFECT",
                    node,
                    f"{path}.limits.{name}",
                    f"The project's own limit of {theirs:g} comes first: lower this one, or clear it.",
                )
        least = likely_tokens(len(one.prompt.encode("utf-8", "replace"))) + MIN_OUTPUT_TOKENS
        if one.limits.max_tokens is not None and least > one.limits.max_tokens:
            yield warning(
                "LIMIT_TOO_SMALL",
                node,
                f"{path}.limits.max_tokens",
                f"The first call of {one.name} alone takes about {least} tokens: raise the limit of "
                f"{one.limits.max_tokens}.",
            )
