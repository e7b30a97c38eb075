"""Sixty projects, each broken in one way, with what the validator must say about it and where.

Each row: what is wrong, in a few words · what is changed in a sound project (`sound`) · code, card
and field of the finding. A change is a dotted path into the definition and its value there; lists
take a number. Sound means: no finding at all, apart from what this version cannot run yet.
"""

# ruff: noqa: E501  (one row a line reads best)

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloutagent_ext.schema.project import Definition

SECRETS = ("TIME_TOKEN", "HOOK_KEY")
"""Names of the secrets that the project has."""

_SOUND: dict[str, Any] = {
    "name": "Sound",
    "agent": {
        "model": "claude-opus-5-5",
        "system_prompt": "You study {{topic}} at {{timestamp}}.",
        "task": "Summarise {{topic}}.",
        "tools": ["bash", "view"],
        "permissions": {"bash": "ask", "bash(git *)": "allow", "mcp__time__*": "allow"},
        "folders": [{"path": "data/in", "mode": "read"}],
        "env": {"LANG": "C.UTF-8"},
        "output_schema": {
            "type": "object",
            "properties": {"total": {"type": "number"}},
            "additionalProperties": False,
        },
    },
    "subagents": [
        {"id": "reader", "name": "Reader", "description": "reads", "prompt": "Read.", "tools": ["view"]},
        {"id": "writer", "name": "Writer", "description": "writes", "prompt": "Write."},
    ],
    "hooks": [
        {
            "id": "guard",
            "name": "Guard",
            "event": "PreToolUse",
            "matcher": "bash|mcp__time__*",
            "action": {"type": "command", "command": ["python", "guard.py"]},
            "env": {"KEY": "{{secret:HOOK_KEY}}"},
        },
        {
            "id": "tell",
            "name": "Tell",
            "event": "Stop",
            "action": {"type": "http", "url": "https://example.org/told", "headers": {"X-From": "us"}},
        },
    ],
    "mcps": [
        {
            "id": "time",
            "name": "Time",
            "command": "mcp-server-time",
            "args": ["--local"],
            "credentials": {"TOKEN": "TIME_TOKEN"},
        },
        {"id": "docs", "name": "Docs", "transport": "http", "url": "https://example.org/mcp"},
    ],
    "variables": {"topic": {"default": "sales"}},
    "ui": {"nodes": [{"id": "agent", "position": {"x": 0, "y": 0}}], "notes": [{"id": "n", "text": "Steps"}]},
}


@dataclass(frozen=True)
class Broken:
    """One project of the corpus."""

    what: str
    change: Mapping[str, Any]
    code: str
    node: str | None
    path: str

    @property
    def definition(self) -> Definition:
        return sound(self.change)


def sound(change: Mapping[str, Any] | None = None) -> Definition:
    """The sound project, with `change` applied."""
    raw = copy.deepcopy(_SOUND)
    for path, value in (change or {}).items():
        *steps, last = path.split("/")
        place: Any = raw
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        if isinstance(place, list):
            place[int(last) : int(last) + 1] = [value]
        else:
            place[last] = value
    return Definition.model_validate(raw)


def _chain(*ids: str) -> list[dict[str, Any]]:
    below = [*ids[1:], None]
    return [
        {"id": i, "name": i, "description": i, "prompt": i, "subagents": [b] if b else []}
        for i, b in zip(ids, below, strict=True)
    ]


A, R, G, T, M, D = "agent", "subagent:reader", "hook:guard", "hook:tell", "mcp:time", "mcp:docs"
_LONG = "x" * 60

BROKEN = [
    Broken(*row)
    for row in (
        # prompts and variables
        ("no system prompt", {"agent/system_prompt": " \n"}, "NO_PROMPT", A, "agent.system_prompt"),
        ("no task", {"agent/task": ""}, "NO_TASK", A, "agent.task"),
        ("a subagent without a prompt", {"subagents/0/prompt": ""}, "NO_PROMPT", R, "subagents.0.prompt"),
        ("no description", {"subagents/0/description": ""}, "NO_DESCRIPTION", R, "subagents.0.description"),
        ("a variable misspelt", {"agent/task": "{{topic}} {{topik}}"}, "UNDECLARED_VARIABLE", A, "agent.task"),
        ("undeclared below", {"subagents/0/prompt": "{{x}}"}, "UNDECLARED_VARIABLE", R, "subagents.0.prompt"),
        ("an unused variable", {"variables/old": {}}, "UNUSED_VARIABLE", None, "variables.old"),
        ("a built-in's name", {"variables/timestamp": {}}, "VARIABLE_SHADOWED", None, "variables.timestamp"),
        ("a name with a space", {"agent/task": "{{topic}} {{my topic}}"}, "BAD_PLACEHOLDER", A, "agent.task"),
        ("a variable in env", {"agent/env/LANG": "{{topic}}"}, "VARIABLE_NOT_FILLED", A, "agent.env.LANG"),
        ("a variable in a URL", {"mcps/1/url": "https://e.org/{{topic}}"}, "VARIABLE_NOT_FILLED", D, "mcps.1.url"),
        # secrets
        ("a secret in a prompt", {"agent/task": "{{topic}} {{secret:K}}"}, "SECRET_IN_PROMPT", A, "agent.task"),
        ("an absent secret", {"hooks/0/env/KEY": "{{secret:K}}"}, "SECRET_MISSING", G, "hooks.0.env.KEY"),
        (
            "an absent credential",
            {"mcps/0/credentials/TOKEN": "NOPE"},
            "SECRET_MISSING", M, "mcps.0.credentials.TOKEN",
        ),
        ("a credential of nothing", {"mcps/0/credentials/T": ""}, "SECRET_MISSING", M, "mcps.0.credentials.T"),
        (
            "an absent secret in a header",
            {"mcps/1/headers": {"X-Key": "Bearer {{secret:GONE}}"}},
            "SECRET_MISSING", D, "mcps.1.headers.X-Key",
        ),
        (
            "a secret in the clear",
            {"mcps/1/headers": {"Authorization": "Bearer abc123"}},
            "SECRET_IN_CLEAR", D, "mcps.1.headers.Authorization",
        ),
        ("a secret as argument", {"mcps/0/args/0": "{{secret:HOOK_KEY}}"}, "SECRET_MISPLACED", M, "mcps.0.args.0"),
        ("a credential set twice", {"mcps/0/env": {"TOKEN": "1"}}, "CREDENTIAL_TWICE", M, "mcps.0.credentials.TOKEN"),
        # tools and permissions
        ("an unknown tool", {"agent/tools/1": "Bash"}, "UNKNOWN_TOOL", A, "agent.tools.1"),
        ("an unknown tool below", {"subagents/0/tools/0": "vew"}, "UNKNOWN_TOOL", R, "subagents.0.tools.0"),
        ("a tool twice", {"agent/tools": ["bash", "bash"]}, "LISTED_TWICE", A, "agent.tools.1"),
        ("half a rule", {"agent/permissions/bash(": "ask"}, "BAD_PERMISSION", A, "agent.permissions.bash("),
        ("a rule for nothing", {"agent/permissions/Bash": "ask"}, "UNKNOWN_PERMISSION", A, "agent.permissions.Bash"),
        (
            "a group of nothing",
            {"agent/permissions/mcp__gone__*": "allow"},
            "UNKNOWN_PERMISSION", A, "agent.permissions.mcp__gone__*",
        ),
        ("a tool denied", {"subagents/0/permissions": {"view": "deny"}}, "TOOL_DENIED", R, "subagents.0.permissions.view"),
        (
            "a rule that never decides",
            {"subagents/0/permissions": {"bash": "deny", "bash(ls)": "ask"}},
            "PERMISSION_WITHOUT_EFFECT", R, "subagents.0.permissions.bash(ls)",
        ),
        # models
        ("a model misspelt", {"agent/model": "claude-opus-55"}, "PRICE_UNKNOWN", A, "agent.model"),
        (
            "an unknown model without a money limit",
            {"subagents/0/model": "gpt-9", "limits/max_cost_usd": None},
            "UNKNOWN_MODEL", R, "subagents.0.model",
        ),
        (
            "too long replies",
            {"agent/model": "claude-haiku-4-5", "agent/max_tokens": 99_000},
            "MAX_TOKENS_TOO_HIGH", A, "agent.max_tokens",
        ),
        (
            "too long replies below",
            {"subagents/0/model": "claude-haiku-4-5", "agent/max_tokens": 99_000},
            "MAX_TOKENS_TOO_HIGH", R, "subagents.0.model",
        ),
        ("thinking off", {"agent/thinking": "off"}, "THINKING_STAYS_ON", A, "agent.thinking"),
        ("an effort", {"agent/model": "claude-haiku-4-5", "agent/effort": "low"}, "EFFORT_IGNORED", A, "agent.effort"),
        (
            "a prompt longer than the window",
            {"agent/model": "claude-haiku-4-5", "agent/system_prompt": "{{topic}} " * 90_000},
            "PROMPT_TOO_LONG", A, "agent.system_prompt",
        ),
        (
            "summarised too late",
            {"agent/model": "claude-haiku-4-5", "agent/compact_at_tokens": 500_000},
            "COMPACTION_TOO_LATE", A, "agent.compact_at_tokens",
        ),
        ("a kernel of no notebook", {"agent/kernel": "notebook"}, "NO_NOTEBOOK", A, "agent.notebook"),
        # limits and answers
        ("few tokens", {"limits/max_tokens": 256}, "LIMIT_TOO_SMALL", None, "limits.max_tokens"),
        ("no money", {"limits/max_cost_usd": 0.0001}, "LIMIT_TOO_SMALL", None, "limits.max_cost_usd"),
        ("one turn", {"limits/max_turns": 1}, "LIMIT_TOO_SMALL", None, "limits.max_turns"),
        (
            "few tokens below",
            {"subagents/0/limits": {"max_tokens": 300}, "subagents/0/prompt": "x" * 4000},
            "LIMIT_TOO_SMALL", R, "subagents.0.limits.max_tokens",
        ),
        (
            "a limit above the project's",
            {"subagents/0/limits": {"timeout_s": 9000}},
            "LIMIT_WITHOUT_EFFECT", R, "subagents.0.limits.timeout_s",
        ),
        ("no schema", {"agent/output_schema/type": "obj"}, "BAD_OUTPUT_SCHEMA", A, "agent.output_schema.type"),
        (
            "a reference to nothing",
            {"agent/output_schema/properties/total": {"$ref": "#/$defs/gone"}},
            "BAD_OUTPUT_SCHEMA", A, "agent.output_schema.properties.total.$ref",
        ),
        (
            "an open object inside",
            {"agent/output_schema/properties/rows": {"type": "array", "items": {"type": "object"}}},
            "OUTPUT_SCHEMA_OPEN", A, "agent.output_schema.properties.rows.items",
        ),
        # delegation
        ("a ghost", {"agent/subagents": ["reader", "writer", "ghost"]}, "UNKNOWN_SUBAGENT", A, "agent.subagents.2"),
        ("left alone", {"agent/subagents": ["writer"]}, "SUBAGENT_UNUSED", R, "subagents.0"),
        ("itself", {"subagents/0/subagents": ["reader"]}, "SUBAGENT_CYCLE", R, "subagents.0.subagents"),
        (
            "too deep",
            {"subagents": _chain("a", "b", "c", "d")},
            "SUBAGENTS_TOO_DEEP", "subagent:d", "subagents.2.subagents",
        ),
        ("a long id", {"subagents/0/id": _LONG}, "ID_TOO_LONG", f"subagent:{_LONG}", "subagents.0.id"),
        ("one name twice", {"subagents/1/name": " reader"}, "DUPLICATE_NAME", "subagent:writer", "subagents.1.name"),
        # hooks
        ("no program", {"hooks/0/action/command": [" "]}, "NO_COMMAND", G, "hooks.0.action.command.0"),
        ("a line", {"hooks/0/action/command": ["python guard.py"]}, "COMMAND_NOT_SPLIT", G, "hooks.0.action.command.0"),
        ("no address", {"hooks/1/action/url": "example.org/x"}, "BAD_URL", T, "hooks.1.action.url"),
        ("a matcher for nothing", {"hooks/0/matcher": "bash|Edti"}, "MATCHES_NOTHING", G, "hooks.0.matcher"),
        ("a matcher at the end", {"hooks/1/matcher": "bash"}, "MATCHER_IGNORED", T, "hooks.1.matcher"),
        # MCP servers, folders, canvas
        ("stdio without a program", {"mcps/0/command": None}, "NO_COMMAND", M, "mcps.0.command"),
        ("http without an address", {"mcps/1/url": None}, "NO_URL", D, "mcps.1.url"),
        ("an address nobody speaks", {"mcps/1/url": "ftp://example.org"}, "BAD_URL", D, "mcps.1.url"),
        ("a header of two lines", {"mcps/1/headers": {"X": "a\r\nY: b"}}, "BAD_HEADER", D, "mcps.1.headers.X"),
        ("out of the root", {"agent/folders/0/path": "data/../../x"}, "FOLDER_OUTSIDE", A, "agent.folders.0.path"),
        ("an unknown server", {"agent/mcps": ["time", "docs", "gone"]}, "UNKNOWN_MCP", A, "agent.mcps.2"),
        ("a server of nobody", {"agent/mcps": ["time"]}, "MCP_UNUSED", D, "mcps.1"),
    )
]  # fmt: skip
"""The corpus: at least sixty."""
