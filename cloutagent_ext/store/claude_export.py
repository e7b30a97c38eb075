"""A project of ours in the form of Claude Code: the way back from `store.claude_code`.

What that form cannot say is left out: limits, variables, notes, disabled hooks. Pure.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from ..schema.base import JsonObject
from ..schema.project import Definition, Hook, McpServer, Subagent
from . import frontmatter
from .claude_code import AGENTS, MEMORY, OURS, RULE, SECRET, SERVERS, SETTINGS
from .jsonfiles import dump


def render(definition: Definition, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The files of a Claude Code project that means `definition`, as far as it can, sorted by path."""
    tree: dict[str, bytes] = {}
    if definition.agent.system_prompt:
        tree[MEMORY] = f"{definition.agent.system_prompt}\n".encode()
    for subagent in definition.subagents:
        tree[f"{AGENTS}/{subagent.id}.md"] = _agent_file(subagent).encode()
    if definition.mcps:
        tree[SERVERS] = dump({"mcpServers": {item.id: _server(item) for item in definition.mcps}})
    tree[SETTINGS] = dump(_settings(definition))
    for path in sorted({*tree, *files}):
        yield path, tree[path] if path in tree else files[path]


def _agent_file(subagent: Subagent) -> str:
    tools = [OURS.get(tool, tool) for tool in subagent.tools]
    fields = {"name": subagent.id, "description": subagent.description or subagent.name}
    fields["tools"] = ", ".join([*tools, *(f"mcp__{server}" for server in subagent.mcps)])
    if subagent.model is not None:
        fields["model"] = subagent.model
    return frontmatter.join(fields, subagent.prompt)


def _server(server: McpServer) -> JsonObject:
    entry: JsonObject = {"type": server.transport}
    if server.transport == "stdio":
        entry |= {"command": server.command, "args": server.args}
    else:
        entry["url"] = server.url
    for name, values in (("env", server.env), ("headers", server.headers)):
        if values:
            entry[name] = {k: SECRET.sub(lambda m: f"${{{m[1]}}}", v) for k, v in values.items()}
    for target, secret in server.credentials.items():
        entry.setdefault("env" if server.transport == "stdio" else "headers", {})[target] = f"${{{secret}}}"
    return entry


def _settings(definition: Definition) -> JsonObject:
    hooks: dict[str, list[JsonObject]] = {}
    for hook in definition.hooks:
        if not hook.enabled:
            continue
        matcher = "|".join(OURS.get(part, part) for part in hook.matcher.split("|"))
        hooks.setdefault(hook.event, []).append({"matcher": matcher, "hooks": [_hook_entry(hook)]})
    rules: dict[str, list[str]] = {}
    for rule, verdict in definition.agent.permissions.items():
        match = RULE.match(rule)
        name = OURS.get(match[1], match[1]) if match else rule
        rules.setdefault(verdict, []).append(f"{name}({match[2]})" if match and match[2] else name)
    settings: JsonObject = {"hooks": hooks, "model": definition.agent.model, "permissions": rules}
    return {name: value for name, value in settings.items() if value}


def _hook_entry(hook: Hook) -> JsonObject:
    if hook.action.type == "http":
        return {
            "type": "http",
            "url": hook.action.url,
            "headers": hook.action.headers,
            "timeout": hook.timeout_s,
        }
    command = hook.action.command
    shell = command[2] if len(command) == 3 and command[:2] == ["bash", "-c"] else shlex.join(command)
    return {"type": "command", "command": shell, "timeout": hook.timeout_s}
