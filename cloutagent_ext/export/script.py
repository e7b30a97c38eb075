"""A project as one plain Python program on the `anthropic` SDK, without CloutAgent and without a server.

The program is `standalone` with the project in it. It says at its top what it is and what it does not
do; a reader is to find nothing out by surprise. Pure: tools, models' settings and prices are handed in.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pprint import pformat
from typing import Any

from ..schema.base import JsonObject
from ..schema.project import Definition, Subagent
from .source import body, functions, imports_of

IMPLEMENTED = ("bash", "view", "file_create", "str_replace", "glob", "grep", "python")
"""Tools that the program has."""
_HERE = "# === the rooms ===\n"
"""Where what `standalone` imports stands in the program."""
_PROJECT = "PROJECT: dict[str, Any] = {}\n"
_PART = re.compile(r"^ *# >>> (\w+)\n.*?^ *# <<< \1\n", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"^ *# (?:>>>|<<<) \w+\n", re.MULTILINE)


@dataclass(frozen=True)
class Equipment:
    """What only the product knows about a definition."""

    tools: Sequence[JsonObject]
    """Name, description and input schema of the built-in tools, as a model reads them."""
    settings: Mapping[str, JsonObject]
    """Agent (`main` or a subagent's id) → fields of its requests about thinking and answering."""
    delegation: Mapping[str, JsonObject]
    """Subagent → description and input schema of the tool that calls it."""
    children: Mapping[str, Sequence[str]]
    """Agent → the subagents that it may call."""
    prices: Mapping[str, Mapping[str, float]]
    """Model → US dollars per million tokens: input, output, cache_read, cache_write."""


def script(definition: Definition, equipment: Equipment, *, version: int | None, written_by: str) -> str:
    """The program's source."""
    project = _project(definition, equipment)
    rooms = ["standalone_limits", "standalone_permissions", "standalone_children"]
    if project["mcps"]:
        rooms.append("standalone_servers")
    source = body("standalone")
    if not project["mcps"]:
        source = _PART.sub("", source)
    source = _MARK.sub("", source)
    tools = functions("file_tools", ["inside", "view", "file_create", "str_replace", "glob", "grep"])
    files = f"# ---------------------------------------------------------------- files\n\n\n{tools}"
    source = source.replace(_HERE, "\n\n".join([files, *(body(room) for room in rooms)]), 1)
    source = source.replace(
        _PROJECT, f"PROJECT: dict[str, Any] = {pformat(project, width=100, sort_dicts=False)}\n", 1
    )
    head = _head(definition, version=version, written_by=written_by)
    return f'#!/usr/bin/env python3\n"""{head}"""\n\n{imports_of("standalone", *rooms)}\n\n{source}'


def _project(definition: Definition, equipment: Equipment) -> JsonObject:
    agent, limits = definition.agent, definition.limits
    mcps = [server for server in definition.mcps if server.enabled]
    agents: JsonObject = {"main": _agent(definition, None, equipment)}
    for subagent in definition.subagents:
        if subagent.enabled:
            agents[subagent.id] = _agent(definition, subagent, equipment)
    used = {name for each in agents.values() for name in each["tools"]}
    return {
        "name": definition.name,
        "description": definition.description,
        "task": agent.task,
        "variables": {name: each.model_dump() for name, each in definition.variables.items()},
        "limits": limits.model_dump(),
        "agents": agents,
        "tools": [dict(tool) for tool in equipment.tools if tool["name"] in used],
        "prices": {model: dict(price) for model, price in equipment.prices.items()},
        "hooks": [hook.name for hook in definition.hooks if hook.enabled],
        "mcps": [
            {
                "id": server.id,
                "command": server.command,
                "args": list(server.args),
                "env": dict(server.env),
                "credentials": dict(server.credentials),
                "url": server.url,
                "enabled_tools": server.enabled_tools,
            }
            for server in mcps
        ],
    }


def _agent(definition: Definition, subagent: Subagent | None, equipment: Equipment) -> JsonObject:
    main = definition.agent
    one = subagent or main
    key = subagent.id if subagent else "main"
    known = [server.id for server in definition.mcps if server.enabled]
    servers = known if one.mcps is None else [each for each in one.mcps if each in known]
    turns = definition.limits.max_turns
    if subagent and subagent.limits and subagent.limits.max_turns:
        turns = min(turns, subagent.limits.max_turns)
    return {
        "name": one.name,
        "model": one.model or main.model,
        "system": subagent.prompt if subagent else main.system_prompt,
        "tools": [name for name in one.tools if name in IMPLEMENTED],
        "subagents": list(equipment.children.get(key, ())),
        "mcps": servers,
        "permissions": dict(one.permissions),
        "settings": dict(equipment.settings.get(key, {})),
        "max_tokens": main.max_tokens,
        "max_turns": turns,
        "as_tool": dict(equipment.delegation.get(key, {})),
    }


def _head(definition: Definition, *, version: int | None, written_by: str) -> str:
    """What the program is, how it is run, and what it does not do."""
    agents: list[Any] = [definition.agent, *(each for each in definition.subagents if each.enabled)]
    missing = sorted({name for each in agents for name in each.tools if name not in IMPLEMENTED})
    needs = "anthropic mcp" if any(each.enabled for each in definition.mcps) else "anthropic"
    which = f", version {version}" if version is not None else ""
    lacks = [
        "limits on cost, tokens and time are looked at after each turn: the last turn may go over them (the "
        "product reserves before each call and never does)",
        "limits of single subagents on cost, tokens and time, and how many run at once, are not kept; only "
        "their turns are counted",
        "commands and code run as you, without any sandbox; permissions are asked for on the terminal, or "
        "given by --yes",
        "a conversation that outgrows the model's window fails: nothing is summarised",
        "nothing is kept: no events, no journal, no resuming, no files of results besides what tools write",
        "pictures are not shown to the model, and long output is cut",
        "the Python tool is a plain process, not a Jupyter kernel: no tables, plots or magics",
    ]
    if missing:
        lacks.insert(0, f"these tools are left out: {', '.join(missing)}")
    if hooks := [hook.name for hook in definition.hooks if hook.enabled]:
        lacks.insert(0, f"its hooks are NOT run ({', '.join(hooks)}); it starts only with --without-hooks")
    if any(each.enabled for each in definition.mcps):
        lacks.append("secrets of MCP servers come from environment variables of the same names")
        lacks.append("an MCP server that cannot be reached ends the program; headers are not sent")
    if definition.agent.output_schema is not None:
        lacks.append("the answer is asked for as JSON, and not checked against the schema")
    lines = [f"{definition.name}{which}: an agent on the Claude API, as one program."]
    lines += [f"Written by {written_by}; it needs neither CloutAgent nor a server.", ""]
    lines += [
        f"    pip install {needs}",
        "    export ANTHROPIC_API_KEY=…",
        "    python this_file.py --help",
        "",
    ]
    lines += ["Run it in a folder with the project's files, or name one with --workspace. The answer goes to"]
    lines += ["standard output, what happens on the way to standard error.", "", "What it does not do:", ""]
    for each in lacks:
        lines += textwrap.wrap(each, 96, initial_indent="- ", subsequent_indent="  ")
    text = "\n".join([*lines, ""])
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
