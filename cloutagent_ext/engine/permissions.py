"""May this call run? Rules per tool (`bash`), per group (`mcp__time__*`) or per pattern (`bash(git *)`).

Order: any `deny` that matches wins. Then the most specific level that has a matching
rule decides (pattern, then exact name, then group), `ask` before `allow` on each. Then
the tool's own default.

A pattern on a command line is a promise in one direction only: `allow` needs *every*
part of a compound command to match and refuses what it cannot read (substitutions,
redirections), `deny` and `ask` are content with one part. It does not see through
wrappers, aliases or scripts; what a command can reach is the sandbox's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ..schema.base import JsonObject
from ..schema.project import Permission

_RULE = re.compile(r"^(?P<tool>[A-Za-z0-9_*-]+)(?:\((?P<pattern>.*)\))?$", re.DOTALL)
_SUBJECTS = ("command", "action", "path", "file_path", "url", "code", "pattern", "prompt")
"""Arguments that say what a call is about, in the order in which they are looked for."""
_SEPARATORS = re.compile(r"&&|\|\||[;|&\n]")
_OPAQUE = re.compile(r"\$\(|`|<\(|>\(|[<>]|\$\{|\\\n")
_INNER = re.compile(r"&&|\|\||[;|&\n`(){}]|\$\(")
_ASSIGNMENT = re.compile(r"^(?:[A-Za-z_][A-Za-z0-9_]*=\S*\s+)+")


@dataclass(frozen=True)
class Rule:
    """One line of a project's permissions."""

    text: str
    tool: str
    pattern: str | None
    verdict: Permission

    @property
    def level(self) -> int:
        """How specific it is: 0 pattern, 1 exact name, 2 group."""
        if self.pattern is not None:
            return 0
        return 2 if "*" in self.tool else 1


@dataclass(frozen=True)
class Verdict:
    permission: Permission
    rule: str | None
    """The rule that decided; None means the tool's default."""


def parse(text: str, verdict: Permission) -> Rule | None:
    """The rule written as `text`, or None where it cannot be read."""
    match = _RULE.match(text.strip())
    if match is None or match["pattern"] == "":
        return None
    return Rule(text, match["tool"], match["pattern"], verdict)


class Rules:
    """The permissions of one agent."""

    def __init__(self, permissions: Mapping[str, Permission]) -> None:
        parsed = [parse(text, verdict) for text, verdict in permissions.items()]
        # A rule that cannot be read must not widen anything: `engine.plan` reports it as an error.
        self._rules = [rule for rule in parsed if rule is not None]

    def decide(self, tool: str, arguments: JsonObject, default: Permission) -> Verdict:
        """What the rules say about calling `tool` with `arguments`."""
        subject = _subject(arguments)
        command = "command" in arguments
        hits = [rule for rule in self._rules if _applies(rule, tool, subject, command=command)]
        for rule in hits:
            if rule.verdict == "deny":
                return Verdict("deny", rule.text)
        for level in (0, 1, 2):
            for verdict in ("ask", "allow"):
                for rule in hits:
                    if rule.level == level and rule.verdict == verdict:
                        return Verdict(rule.verdict, rule.text)
        return Verdict(default, None)


def _subject(arguments: JsonObject) -> str:
    for name in _SUBJECTS:
        if isinstance(value := arguments.get(name), str):
            return value
    return ""


def _applies(rule: Rule, tool: str, subject: str, *, command: bool) -> bool:
    if not fnmatchcase(tool, rule.tool):
        return False
    if rule.pattern is None or rule.pattern == "*":
        return True
    if not command:
        return _matches(rule.pattern, subject)
    if rule.verdict == "allow":
        if _OPAQUE.search(subject):
            return False
        parts = [part.strip() for part in _SEPARATORS.split(subject)]
        return any(parts) and all(_matches(rule.pattern, part) for part in parts if part)
    parts = [subject, *_SEPARATORS.split(subject), *_INNER.split(subject)]
    return any(_matches(rule.pattern, _ASSIGNMENT.sub("", part.strip())) for part in parts)


def _matches(pattern: str, text: str) -> bool:
    if pattern.endswith(":*"):  # Claude Code's older spelling of a prefix
        pattern = pattern[:-2] + " *"
    if pattern.endswith(" *") and text == pattern[:-2]:
        return True
    # Only `*` is special: `[` and `?` are ordinary characters of commands and paths.
    expression = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    return re.fullmatch(expression, text, re.DOTALL) is not None
