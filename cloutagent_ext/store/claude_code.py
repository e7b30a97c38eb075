"""Projects in the form of Claude Code: `.claude/agents/*.md`, `.mcp.json`, hooks, `CLAUDE.md`.

Read as data only. What has no place here is named in a warning, a sentence each: nothing is
dropped silently and nothing is guessed. References to environment variables in env and headers
become references to secrets of the same name, since a server's environment is nobody's business.

Not here: the way back (`store.claude_export`), unpacking (`store.unpack`), who may run what came
(`store.trust`). Everything blocks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from ..errors import UnreadableFile
from ..schema.base import JsonObject, field_errors
from ..schema.canvas import Ui
from ..schema.claude_code import TOOLS
from ..schema.project import Agent, Definition, Hook, HookEvent, McpServer, Subagent
from . import frontmatter, project_files
from .arrange import arrange
from .jsonfiles import load_object

AGENTS, SETTINGS, SERVERS, MEMORY = ".claude/agents", ".claude/settings.json", ".mcp.json", "CLAUDE.md"
HOOK_FILES = ".claude/hooks/"
PROJECT_DIR = "CLAUDE_PROJECT_DIR"
MAX_FILE = 1024 * 1024
"""Largest file that is read as text; a prompt may have as much."""
MAX_PROMPTS = 20 * 1024 * 1024
MAX_WARNINGS = 100

OURS = {mine: theirs for theirs, mine in reversed(TOOLS.items())}
MODELS = {"opus": "claude-opus-5-5", "sonnet": "claude-sonnet-5-5", "haiku": "claude-haiku-5-5"}
_ABOUT_TOOLS = ("PreToolUse", "PostToolUse", "PostToolUseFailure")
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,127})(?::-([^}]*))?\}")
SECRET = re.compile(r"\{\{\s*secret:([A-Za-z_][A-Za-z0-9_]{0,127})\s*\}\}")
RULE = re.compile(r"([A-Za-z_]+)(?:\((.*)\))?$")


@dataclass
class Found:
    """A Claude Code project as ours."""

    definition: Definition
    files: list[str]
    """Paths of what becomes project files."""
    warnings: list[str] = field(default_factory=list)


def is_one(root: Path) -> bool:
    """Whether the folder holds something of Claude Code."""
    return any((root / name).exists() for name in (".claude", SERVERS, MEMORY))


def read(root: Path) -> Found:
    """The project in `root`, which was unpacked and has regular files only. Raises `BadArchive`."""
    reader = _Reader(root)
    servers = reader.servers()
    settings = reader.object(SETTINGS)
    prompt = reader.memory()
    subagents = reader.agents([server.id for server in servers])
    hooks = reader.hooks(settings.get("hooks"))
    permissions = reader.permissions(settings.get("permissions"))
    model = reader.model(settings.get("model"), SETTINGS)
    for name in sorted(settings.keys() - {"hooks", "permissions", "model", "$schema"}):
        reader.warn(f"{SETTINGS}: the setting `{name}` has no place here.")
    agent = Agent(system_prompt=prompt, tools=sorted(OURS), permissions=permissions)
    if model is not None:
        agent = agent.model_copy(update={"model": model})
    definition = Definition(
        name="Claude Code project",
        description="Imported from a Claude Code project.",
        agent=agent,
        subagents=subagents[:1000],
        hooks=hooks[:1000],
        mcps=servers[:1000],
    )
    definition = definition.model_copy(update={"ui": Ui(nodes=arrange(definition))})
    return Found(definition, reader.files(), reader.warnings)


class _Reader:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._paths = sorted(path for path, _ in project_files.walk(root))
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)
        elif len(self.warnings) == MAX_WARNINGS:
            self.warnings.append("There is more that could not be taken.")

    def text(self, path: str) -> str | None:
        if path not in self._paths:
            return None
        if (self._root / path).lstat().st_size > MAX_FILE:
            self.warn(f"{path} was left out: it is larger than 1 MB.")
            return None
        try:
            return project_files.read(self._root, path)[0].decode("utf-8-sig")
        except UnicodeDecodeError:
            self.warn(f"{path} was left out: it is not text in UTF-8.")
            return None

    def object(self, path: str) -> JsonObject:
        text = self.text(path)
        if text is None:
            return {}
        try:
            return load_object(path, text.encode())
        except UnreadableFile as error:
            self.warn(f"{path} was left out: {error.details['reason']}.")
            return {}

    # ------------------------------------------------------------ prompts and agents

    def memory(self) -> str:
        found = [self.text(path) for path in (MEMORY, f".claude/{MEMORY}")]
        text = "\n\n".join(each.strip("\n") for each in found if each)
        if re.search(r"(?m)^\s*@[\w./~-]+", text):
            self.warn(f"{MEMORY} imports other files with `@`; they are not read, paste what is needed.")
        self._check_variables(MEMORY, text)
        return text

    def _check_variables(self, path: str, text: str) -> None:
        if "{{" in text:
            self.warn(f"{path} has double braces, which name variables here; declare or rewrite them.")

    def agents(self, servers: list[str]) -> list[Subagent]:
        found: list[Subagent] = []
        size = 0
        for path in self._paths:
            if not path.startswith(f"{AGENTS}/") or not path.endswith(".md"):
                continue
            text = self.text(path)
            if text is None:
                continue
            size += len(text)
            if size > MAX_PROMPTS:
                self.warn("The agents were left out from here on: they are more than 20 MB.")
                break
            try:
                subagent = self._agent(path, text, servers, {item.id for item in found})
            except frontmatter.NotPlain as error:
                self.warn(f"{path} was left out: {error}.")
            except ValidationError as error:
                self.warn(f"{path} was left out: {field_errors(error)[0].message}.")
            else:
                found.append(subagent)
        return found

    def _agent(self, path: str, text: str, servers: list[str], taken: set[str]) -> Subagent:
        fields, body = frontmatter.split(text)
        stem = path.rpartition("/")[2].removesuffix(".md")
        name = _one(fields.get("name")) or stem
        tools, used = sorted(OURS), list(servers)
        if "tools" in fields:
            tools, used = self._tools(path, fields["tools"], servers)
        for key in sorted(fields.keys() - {"name", "description", "tools", "model", "color"}):
            self.warn(f"{path}: `{key}` has no place here.")
        self._check_variables(path, body)
        return Subagent(
            id=_slug(name, taken),
            name=name,
            description=_one(fields.get("description")),
            prompt=body,
            model=self.model(_one(fields.get("model")) or None, path),
            tools=tools,
            mcps=used,
        )

    def _tools(self, path: str, given: str | list[str], servers: list[str]) -> tuple[list[str], list[str]]:
        names = [each.strip() for each in (given.split(",") if isinstance(given, str) else given)]
        tools, used = [], []
        for name in filter(None, names):
            server = name.split("__")[1] if name.startswith("mcp__") and name.count("__") else ""
            if name in TOOLS:
                tools.append(TOOLS[name])
            elif server in servers:
                used.append(server)
            else:
                self.warn(f"{path}: there is no tool like {name!r} here.")
        return list(dict.fromkeys(tools)), list(dict.fromkeys(used))

    def model(self, given: Any, path: str) -> str | None:
        if given in (None, "inherit"):
            return None
        if isinstance(given, str) and (given in MODELS or given.startswith("claude-")):
            return MODELS.get(given, given)
        self.warn(f"{path}: the model {str(given)[:80]!r} is not known; the agent's own is used.")
        return None

    # ------------------------------------------------------------ servers

    def servers(self) -> list[McpServer]:
        entries = self.object(SERVERS).get("mcpServers", {})
        found: list[McpServer] = []
        for key, raw in sorted(entries.items()) if isinstance(entries, dict) else []:
            where = f"{SERVERS}, server {key[:80]!r}"
            if not isinstance(raw, dict):
                self.warn(f"{where} was left out: it is no object.")
                continue
            known = {k: raw[k] for k in ("command", "args", "url") if k in raw}
            for extra in sorted(raw.keys() - {*known, "type", "env", "headers"}):
                self.warn(f"{where}: `{extra}` has no place here.")
            if any(_ENV.search(str(value)) for value in known.values()):
                self.warn(f"{where} names environment variables in its command or address; write them out.")
            try:
                found.append(
                    McpServer.model_validate(
                        {
                            **known,
                            "id": (slug := _slug(key, {item.id for item in found})),
                            "name": key,
                            "transport": raw.get("type", "http" if "url" in raw else "stdio"),
                            "env": self._secrets(where, raw.get("env", {})),
                            "headers": self._secrets(where, raw.get("headers", {})),
                        }
                    )
                )
            except ValidationError as error:
                first = field_errors(error)[0]
                self.warn(f"{where} was left out: {first.path}: {first.message}.")
                continue
            if slug != key:
                self.warn(f"{where} is called {slug!r} here.")
        return found

    def _secrets(self, where: str, values: Any) -> Any:
        if not isinstance(values, dict):
            return values

        def replaced(match: re.Match[str]) -> str:
            name, default = match[1], match[2]
            hint = f" (it had the default {default!r})" if default else ""
            self.warn(f"{where} needs the secret {name}{hint}: set it in the project.")
            return f"{{{{secret:{name}}}}}"

        return {k: _ENV.sub(replaced, v) if isinstance(v, str) else v for k, v in values.items()}

    # ------------------------------------------------------------ hooks and permissions

    def hooks(self, given: Any) -> list[Hook]:
        found: list[Hook] = []
        for event, groups in given.items() if isinstance(given, dict) else []:
            if event not in get_args(HookEvent):
                self.warn(f"{SETTINGS}: there is no hook event {str(event)[:80]!r} here.")
                continue
            for group in groups if isinstance(groups, list) else []:
                entries = group.get("hooks") if isinstance(group, dict) else None
                for entry in entries if isinstance(entries, list) else []:
                    if isinstance(entry, dict) and (
                        hook := self._hook(event, str(group.get("matcher", "")), entry, found)
                    ):
                        found.append(hook)
        if any(hook.event in _ABOUT_TOOLS for hook in found):
            self.warn(
                f"{SETTINGS}: hooks are told the tools' names here (bash for Bash, str_replace for Edit, …); "
                "look at scripts that compare `tool_name`."
            )
        return found

    def _hook(self, event: str, matcher: str, entry: JsonObject, known: list[Hook]) -> Hook | None:
        kind = entry.get("type", "command")
        action: JsonObject
        if kind == "command":
            action = {"type": "command", "command": ["bash", "-c", entry.get("command")]}
        elif kind == "http":
            action = {"type": "http", "url": entry.get("url"), "headers": entry.get("headers", {})}
        else:
            self.warn(f"{SETTINGS}: a {event} hook of type {str(kind)[:40]!r} was left out.")
            return None
        number = sum(hook.event == event for hook in known) + 1
        name = f"{event} {number}"
        timeout = entry.get("timeout", 60)
        try:
            return Hook.model_validate(
                {
                    "id": _slug(name, {hook.id for hook in known}),
                    "name": name,
                    "event": event,
                    "matcher": self._matcher(event, matcher),
                    "action": action,
                    "env": {PROJECT_DIR: "."} if PROJECT_DIR in str(entry.get("command")) else {},
                    "timeout_s": int(min(600, max(1, timeout))) if isinstance(timeout, int | float) else 60,
                }
            )
        except ValidationError as error:
            self.warn(f"{SETTINGS}: a {event} hook was left out: {field_errors(error)[0].message}.")
            return None

    def _matcher(self, event: str, matcher: str) -> str:
        if matcher in ("", "*", ".*"):
            return ""
        parts = matcher.split("|")
        if not all(re.fullmatch(r"[A-Za-z0-9_-]+", part) for part in parts):
            self.warn(
                f"{SETTINGS}: the {event} matcher {matcher[:80]!r} is a pattern; check what it matches."
            )
        return "|".join(dict.fromkeys(TOOLS.get(part, part) for part in parts))

    def permissions(self, given: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not isinstance(given, dict):
            return found
        for verdict in ("allow", "ask", "deny"):  # the strictest last, since it wins
            rules = given.get(verdict)
            if rules is not None and not isinstance(rules, list):
                self.warn(f"{SETTINGS}: the {verdict} rules were left out: they are no list.")
            for rule in rules if isinstance(rules, list) else []:
                match = RULE.match(rule) if isinstance(rule, str) and len(rule) < 400 else None
                tool = TOOLS.get(match[1]) if match else None
                if match is None or tool is None or (match[2] is not None and tool != "bash"):
                    self.warn(f"{SETTINGS}: the {verdict} rule {str(rule)[:80]!r} has no place here.")
                    continue
                pattern = match[2]
                if pattern is not None and pattern.endswith(":*"):
                    pattern = f"{pattern[:-2]} *"
                found[tool if pattern is None else f"{tool}({pattern})"] = verdict
        for name in sorted(given.keys() - {"allow", "ask", "deny"}):
            self.warn(f"{SETTINGS}: `permissions.{name}` has no place here.")
        return found

    # ------------------------------------------------------------ files

    def files(self) -> list[str]:
        """Hook scripts and all plain files become project files; the rest is named."""
        taken: list[str] = []
        left: list[str] = []
        for path in self._paths:
            if path in (SETTINGS, SERVERS, MEMORY, f".claude/{MEMORY}") or path.startswith(f"{AGENTS}/"):
                continue
            if path.endswith("/SKILL.md") or path == "SKILL.md":
                self.warn(f"The skill in {path.rpartition('/')[0] or '.'} is not a skill here.")
            hidden = any(part.startswith(".") for part in path.split("/"))
            (left if hidden and not path.startswith(HOOK_FILES) else taken).append(path)
        if left:
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            self.warn(f"Left out: {', '.join(left[:5])}{more}.")
        size = sum((self._root / path).lstat().st_size for path in taken)
        if size > project_files.MAX_TOTAL_BYTES:
            self.warn(f"{len(taken)} plain files were left out: {size:,} bytes are too many for a project.")
            return []
        return taken


def _one(value: str | list[str] | None) -> str:
    return ", ".join(value) if isinstance(value, list) else value or ""


def _slug(name: str, taken: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:56] or "item"
    found, number = base, 1
    while found in taken:
        number += 1
        found = f"{base}-{number}"
    return found
