"""Agents and their models: names, sizes, thinking, prices, notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...schema.project import Agent, Definition, Problem, Subagent
from ..models.catalogue import ABOVE_HIGH, MODELS, ModelFacts
from ..ports import Prices
from ..text import likely_tokens
from .findings import agents, error, nearest, warning

_CAN_DO_WITHOUT = next(facts.name for facts in MODELS if not facts.always_thinks and not facts.off_up_to_high)
_OURS = "claude-"
"""How the names of the models begin that the catalogue ought to know."""


def check(
    definition: Definition, prices: Prices | None, facts_of: Callable[[str], ModelFacts | None]
) -> Iterator[Problem]:
    for node, path, one in agents(definition):
        model = one.model
        if model is None:
            continue
        facts = facts_of(model)
        if facts is None:
            yield from _unknown(definition, prices, node, f"{path}.model", model)
        else:
            yield from _sizes(definition.agent, one, facts, node, path)
            yield from _thinking(definition.agent, one, facts, node, path)
    yield from _notebook(definition.agent)


def _unknown(
    definition: Definition, prices: Prices | None, node: str, path: str, model: str
) -> Iterator[Problem]:
    near = nearest(model, [facts.id for facts in MODELS])
    limit = definition.limits.max_cost_usd
    unpriced = prices is not None and prices.of(model) is None
    if unpriced and limit is not None:
        yield error(
            "PRICE_UNKNOWN",
            node,
            path,
            f"No price is known for {model}, so the limit of ${limit:g} cannot be kept: choose another "
            f"model, give it a price in the settings, or remove the money limit.{near}",
        )
    elif unpriced or model.startswith(_OURS):
        yield warning(
            "UNKNOWN_MODEL",
            node,
            path,
            f"{model} is none of the known models, and the service may refuse it: check the name.{near}",
        )


def _sizes(agent: Agent, one: Agent | Subagent, facts: ModelFacts, node: str, path: str) -> Iterator[Problem]:
    if agent.max_tokens > facts.max_output_tokens:
        yield error(
            "MAX_TOKENS_TOO_HIGH",
            node,
            "agent.max_tokens" if one is agent else f"{path}.model",
            f"{facts.name} writes at most {facts.max_output_tokens} tokens at once: lower the agent's "
            f"`max_tokens` of {agent.max_tokens}.",
        )
    if one is agent and agent.compact_at_tokens > facts.context_window:
        yield warning(
            "COMPACTION_TOO_LATE",
            node,
            "agent.compact_at_tokens",
            f"{facts.name} is full at {facts.context_window:,} tokens, so it is summarised only just before "
            "that: lower `compact_at_tokens`.",
        )
    field, text = (
        ("prompt", one.prompt) if isinstance(one, Subagent) else ("system_prompt", one.system_prompt)
    )
    if (tokens := likely_tokens(len(text.encode("utf-8", "replace")))) > facts.context_window:
        yield error(
            "PROMPT_TOO_LONG",
            node,
            f"{path}.{field}",
            f"The prompt alone takes about {tokens:,} tokens, and {facts.name} has room for "
            f"{facts.context_window:,}: shorten it.",
        )


def _thinking(
    agent: Agent, one: Agent | Subagent, facts: ModelFacts, node: str, path: str
) -> Iterator[Problem]:
    """What `facts` takes of the agent's thinking and effort, which hold for its subagents too."""

    def field(name: str) -> str:
        return f"agent.{name}" if one is agent else f"{path}.model"

    if agent.effort is not None and agent.effort not in facts.efforts:
        instead = f"choose {_either(facts.efforts)}" if facts.efforts else "leave it empty"
        yield warning(
            "EFFORT_IGNORED",
            node,
            field("effort"),
            f"{facts.name} takes no effort {agent.effort}, so it is left out: {instead}, or another model.",
        )
    if agent.thinking == "off" and facts.always_thinks:
        yield warning(
            "THINKING_STAYS_ON",
            node,
            field("thinking"),
            f"{facts.name} always thinks: set thinking to auto, or choose a model that can do without "
            f"({_CAN_DO_WITHOUT}).",
        )
    elif agent.thinking == "off" and facts.off_up_to_high and agent.effort in ABOVE_HIGH:
        yield error(
            "EFFORT_NEEDS_THINKING",
            node,
            field("effort"),
            f"{facts.name} without thinking takes an effort up to high: lower it, or set thinking to auto.",
        )


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _notebook(agent: Agent) -> Iterator[Problem]:
    if agent.kernel == "notebook" and not agent.notebook:
        yield error(
            "NO_NOTEBOOK",
            "agent",
            "agent.notebook",
            "The kernel shall be a notebook's, and none is named: name one, or choose a kernel of its own.",
        )
    elif agent.notebook is not None and not agent.notebook.endswith(".ipynb"):
        yield error(
            "NOT_A_NOTEBOOK",
            "agent",
            "agent.notebook",
            f"{agent.notebook!a} is no notebook: name a file that ends in .ipynb, or leave the field empty.",
        )
