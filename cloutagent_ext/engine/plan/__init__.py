"""Can this definition run? Every finding with its card, its field and how to mend it.

Pure and dry: no model is called, no tool runs, nothing is read from disk. Errors keep
an execution from starting; warnings and hints do not. One file per noun, each with a
`check` that yields its findings. Not here: the schema of the definition itself
(`schema.project`), and the values of one execution's variables.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ...schema.base import Severity
from ...schema.project import Definition, Problem
from ..estimate import estimate
from ..models.catalogue import ModelFacts, facts_of
from ..ports import Prices
from ..tools.memory import NAME as MEMORY
from . import (
    agents,
    answers,
    canvas,
    delegation,
    folders,
    hooks,
    limits,
    mcps,
    permissions,
    prompts,
    toolbox,
    vault,
)

broken_tools = toolbox.broken

__all__ = ["broken_tools", "estimate", "validate"]

_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


def validate(
    definition: Definition,
    *,
    prices: Prices | None = None,
    tools: Collection[str] | None = None,
    secrets: Collection[str] | None = None,
    facts: Callable[[str], ModelFacts | None] = facts_of,
) -> list[Problem]:
    """All findings, errors first.

    `prices`: None where no price is needed (a simulated run, or a base URL that is not
    Anthropic's). `tools`: names of the built-in tools (None: those there are). `secrets`:
    names of the project's secrets (None: not known, so that none is missed). `facts`: what is
    known about a model.
    """
    if tools is None:
        from ..tools.registry import builtin

        tools = builtin()
    known = frozenset(tools)
    callable_ = known | ({MEMORY} if definition.agent.memory else frozenset())
    found = [
        *prompts.check(definition),
        *agents.check(definition, prices, facts),
        *toolbox.check(definition, known),
        *permissions.check(definition, callable_),
        *delegation.check(definition),
        *hooks.check(definition, callable_),
        *mcps.check(definition),
        *vault.check(definition, None if secrets is None else frozenset(secrets)),
        *limits.check(definition, prices),
        *answers.check(definition),
        *folders.check(definition),
        *canvas.check(definition),
    ]
    return sorted(found, key=lambda problem: _ORDER[problem.severity])
