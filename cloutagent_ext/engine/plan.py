"""Can this definition run? Every finding with its card, its field and how to mend it.

Pure and dry: no model is called, no tool runs, nothing is read from disk. Errors keep
an execution from starting; warnings and hints do not. Not here: the schema of the
definition itself (`schema.project`), and the values of one execution's variables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..schema.base import Severity
from ..schema.project import Agent, Definition, Problem, Subagent
from .budget import MIN_OUTPUT_TOKENS
from .estimate import estimate
from .models.catalogue import facts_of
from .permissions import parse
from .ports import Prices
from .prompt import secrets_in, variables_in
from .wiring import MAX_DEPTH, PREFIX, by_id, children, paths

__all__ = ["estimate", "validate"]

_LONGEST_TOOL_NAME = 64


def validate(
    definition: Definition, *, prices: Prices | None = None, tools: Collection[str] | None = None
) -> list[Problem]:
    """All findings, errors first.

    `prices`: None where no price is needed (a simulated run, or a base URL that is not
    Anthropic's). `tools`: names of the built-in tools (None: those there are).
    """
    if tools is None:
        from .tools.registry import builtin

        tools = builtin()
    found = [
        *_not_built(definition),
        *_prompts(definition),
        *_tools(definition, frozenset(tools)),
        *_wiring(definition),
        *_permissions(definition, frozenset(tools)),
        *_models(definition),
        *_limits(definition, prices),
        *_output_schema(definition),
    ]
    order: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda problem: order[problem.severity])


def _error(code: str, node: str | None, path: str, message: str) -> Problem:
    return Problem(severity="error", code=code, node=node, path=path, message=message)


def _warning(code: str, node: str | None, path: str, message: str) -> Problem:
    return Problem(severity="warning", code=code, node=node, path=path, message=message)


def _agents(definition: Definition) -> Iterator[tuple[str, str, Agent | Subagent]]:
    """Node, path prefix and agent of the main agent and each subagent that is switched on."""
    yield "agent", "agent", definition.agent
    for index, one in enumerate(definition.subagents):
        if one.enabled:
            yield f"subagent:{one.id}", f"subagents.{index}", one


def _not_built(definition: Definition) -> Iterator[Problem]:
    """What this version cannot do is refused: a guard that silently does not run would be worse."""
    for index, hook in enumerate(definition.hooks):
        if hook.enabled:
            yield _error(
                "NOT_SUPPORTED",
                f"hook:{hook.id}",
                f"hooks.{index}",
                f"Hooks do not run yet: switch {hook.name} off to run this project without it.",
            )
    for index, server in enumerate(definition.mcps):
        if server.enabled:
            yield _error(
                "NOT_SUPPORTED",
                f"mcp:{server.id}",
                f"mcps.{index}",
                f"MCP servers are not connected yet: switch {server.name} off to run without it.",
            )
    agent = definition.agent
    if agent.kernel == "notebook":
        yield _error(
            "NOT_SUPPORTED",
            "agent",
            "agent.kernel",
            "Using a notebook's kernel is not possible yet: choose own.",
        )
    if agent.notebook is not None:
        yield _warning(
            "NOT_SUPPORTED",
            "agent",
            "agent.notebook",
            "The agent cannot be bound to a notebook yet; it runs unbound.",
        )
    if agent.memory:
        yield _error("NOT_SUPPORTED", "agent", "agent.memory", "Memory is not kept yet: switch it off.")
    for name, value in agent.env.items():
        if secrets_in(value):
            yield _error(
                "NOT_SUPPORTED",
                "agent",
                f"agent.env.{name}",
                f"Secrets are not kept yet: give {name} another value.",
            )


def _prompts(definition: Definition) -> Iterator[Problem]:
    agent = definition.agent
    texts = [("agent", "agent.system_prompt", agent.system_prompt), ("agent", "agent.task", agent.task)]
    for node, path, one in _agents(definition):
        if isinstance(one, Subagent):
            texts.append((node, f"{path}.prompt", one.prompt))
    for node, path, text in texts:
        for name in sorted(secrets_in(text)):
            yield _error(
                "SECRET_IN_PROMPT",
                node,
                path,
                f"A model must never see a secret: take {{{{secret:{name}}}}} out and give it to "
                "an MCP server, a hook or `agent.env`.",
            )
        for name in sorted(variables_in(text) - definition.variables.keys()):
            yield _error(
                "UNDECLARED_VARIABLE",
                node,
                path,
                f"{{{{{name}}}}} is not declared: add {name} to the variables, or take it out of the text.",
            )
    if not agent.task.strip():
        yield Problem(
            severity="info",
            code="NO_TASK",
            node="agent",
            path="agent.task",
            message="There is no task, so every execution must bring a prompt.",
        )


def _tools(definition: Definition, known: frozenset[str]) -> Iterator[Problem]:
    for node, path, one in _agents(definition):
        for index, name in enumerate(one.tools):
            if name not in known:
                yield _error(
                    "UNKNOWN_TOOL",
                    node,
                    f"{path}.tools.{index}",
                    f"There is no tool called {name}. There are: {', '.join(sorted(known))}.",
                )


def _wiring(definition: Definition) -> Iterator[Problem]:
    known = by_id(definition)
    servers = {server.id for server in definition.mcps}
    for node, path, one in _agents(definition):
        for index, child in enumerate(one.subagents or []):
            if child not in known:
                yield _error(
                    "UNKNOWN_SUBAGENT",
                    node,
                    f"{path}.subagents.{index}",
                    f"There is no subagent {child}: make it, or take it off the list.",
                )
        for index, server in enumerate(one.mcps or []):
            if server not in servers:
                yield _error(
                    "UNKNOWN_MCP",
                    node,
                    f"{path}.mcps.{index}",
                    f"There is no MCP server {server}: make it, or take it off the list.",
                )
    yield from _shape(definition)
    for node, path, one in _agents(definition):
        if isinstance(one, Subagent):
            if len(PREFIX + one.id) > _LONGEST_TOOL_NAME:
                yield _error(
                    "ID_TOO_LONG",
                    node,
                    f"{path}.id",
                    f"The id becomes the tool {PREFIX}{one.id}, and a tool's name has at most "
                    f"{_LONGEST_TOOL_NAME} characters: shorten it.",
                )
            if not one.description.strip():
                yield _warning(
                    "NO_DESCRIPTION",
                    node,
                    f"{path}.description",
                    f"Nothing says when to delegate to {one.name}: describe it, or it will hardly be called.",
                )


def _shape(definition: Definition) -> Iterator[Problem]:
    """Cycles, depth, and subagents that nobody calls."""
    index = {one.id: number for number, one in enumerate(definition.subagents)}
    reached: set[str] = set()
    reported: set[tuple[str, str]] = set()
    # A cycle that nobody enters is a cycle all the same: with `null`, the agent calls none of its members.
    starts = [((one,), f"subagent:{one.id}") for one in definition.subagents if one.enabled]
    for path in paths(definition):
        reached.update(one.id for one in path)
        if len(path) > MAX_DEPTH and ("depth", path[-2].id) not in reported and path[-1] not in path[:-1]:
            reported.add(("depth", path[-2].id))
            yield _error(
                "SUBAGENTS_TOO_DEEP",
                f"subagent:{path[-1].id}",
                f"subagents.{index[path[-2].id]}.subagents",
                f"{path[-1].name} stands {len(path)} levels below the agent, and {MAX_DEPTH} are possible: "
                "let one higher up delegate to it.",
            )
    for (start,), node in starts:
        if _returns(definition, start):
            yield _error(
                "SUBAGENT_CYCLE",
                node,
                f"subagents.{index[start.id]}.subagents",
                f"{start.name} delegates to itself, directly or through others: take a connection away.",
            )
        elif start.id not in reached:
            yield _warning(
                "SUBAGENT_UNUSED",
                node,
                f"subagents.{index[start.id]}",
                f"Nobody delegates to {start.name}: connect it, or switch it off.",
            )


def _returns(definition: Definition, start: Subagent) -> bool:
    """Whether delegating downwards from `start` can come back to it."""
    pending, seen = list(children(definition, start)), set[str]()
    while pending:
        one = pending.pop()
        if one.id == start.id:
            return True
        if one.id not in seen:
            seen.add(one.id)
            pending.extend(children(definition, one))
    return False


def _permissions(definition: Definition, tools: frozenset[str]) -> Iterator[Problem]:
    names = tools | {PREFIX + one.id for one in definition.subagents}
    for node, path, one in _agents(definition):
        bare_denied = {text for text, verdict in one.permissions.items() if verdict == "deny"}
        for text, verdict in one.permissions.items():
            place = f"{path}.permissions.{text}"
            rule = parse(text, verdict)
            if rule is None:
                yield _error(
                    "BAD_PERMISSION",
                    node,
                    place,
                    f"The permission {text!r} cannot be read: write a tool's name, alone or with a pattern "
                    "in parentheses, as in bash(git *).",
                )
            elif "*" not in rule.tool and rule.tool not in names and not rule.tool.startswith("mcp__"):
                yield _warning(
                    "UNKNOWN_PERMISSION",
                    node,
                    place,
                    f"The permission {text!r} is about no tool there is: check the name {rule.tool}.",
                )
            elif rule.pattern is not None and verdict != "deny" and rule.tool in bare_denied:
                yield _warning(
                    "PERMISSION_WITHOUT_EFFECT",
                    node,
                    place,
                    f"{text!r} never applies, because {rule.tool} is denied: set {rule.tool} to ask.",
                )


def _models(definition: Definition) -> Iterator[Problem]:
    agent = definition.agent
    facts = facts_of(agent.model)
    if facts is None:
        return
    if agent.max_tokens > facts.max_output_tokens:
        yield _error(
            "MAX_TOKENS_TOO_HIGH",
            "agent",
            "agent.max_tokens",
            f"{facts.name} writes at most {facts.max_output_tokens} tokens at once: lower `max_tokens`.",
        )
    if agent.effort is not None and agent.effort not in facts.efforts:
        yield _warning(
            "EFFORT_IGNORED",
            "agent",
            "agent.effort",
            f"{facts.name} takes no effort {agent.effort}: it is left out.",
        )
    if agent.thinking == "off" and facts.always_thinks:
        yield _warning(
            "THINKING_STAYS_ON",
            "agent",
            "agent.thinking",
            f"{facts.name} always thinks; it cannot be switched off.",
        )
    elif agent.thinking == "off" and facts.off_up_to_high and agent.effort in {"xhigh", "max"}:
        yield _error(
            "EFFORT_NEEDS_THINKING",
            "agent",
            "agent.effort",
            f"{facts.name} without thinking takes an effort up to high: lower it, or set thinking to auto.",
        )


def _limits(definition: Definition, prices: Prices | None) -> Iterator[Problem]:
    limits, agent = definition.limits, definition.agent
    first = estimate(definition, "", {}, prices)
    if first.input_tokens + MIN_OUTPUT_TOKENS > limits.max_tokens:
        yield _warning(
            "LIMIT_TOO_SMALL",
            None,
            "limits.max_tokens",
            f"The first call alone takes about {first.input_tokens + MIN_OUTPUT_TOKENS} tokens: "
            f"raise the limit of {limits.max_tokens}.",
        )
    if prices is None or limits.max_cost_usd is None:
        return
    models = {"agent": agent.model}
    models |= {f"subagent:{one.id}": one.model for one in definition.subagents if one.enabled and one.model}
    for node, model in models.items():
        if prices.of(model) is None:
            yield _error(
                "PRICE_UNKNOWN",
                node,
                "agent.model" if node == "agent" else "subagents",
                f"No price is known for {model}, so the limit of ${limits.max_cost_usd:g} cannot be kept: "
                "choose another model, give it a price in the settings, or remove the money limit.",
            )
    price = prices.of(agent.model)
    if price is None:
        return
    least = (first.input_tokens * price.cache_write_5m + MIN_OUTPUT_TOKENS * price.output) / 1_000_000
    if least > limits.max_cost_usd:
        yield _warning(
            "LIMIT_TOO_SMALL",
            None,
            "limits.max_cost_usd",
            f"The first call alone may cost ${least:.4f}: raise the limit of ${limits.max_cost_usd:g}.",
        )


def _output_schema(definition: Definition) -> Iterator[Problem]:
    schema = definition.agent.output_schema
    if schema is None:
        return
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield _error(
            "BAD_OUTPUT_SCHEMA", "agent", "agent.output_schema", f"It is no JSON Schema: {error.message}"
        )
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield _warning(
            "OUTPUT_SCHEMA_OPEN",
            "agent",
            "agent.output_schema",
            'The model service takes only closed objects: add "additionalProperties": false.',
        )
