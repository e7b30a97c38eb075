"""Which tools a hook is for: names between bars, with stars or small patterns.

Each part is a name (`bash`, or Claude Code's `Bash`), a name with stars (`mcp__time__*`), or a
pattern of letters, digits, `_ - . * + ? ^ $` and `[…]`. Groups are not possible, and no more
than `MOST_REPEATS` repetitions: nothing that a project says may keep the server busy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ...schema.claude_code import TOOLS
from ..wiring import PREFIX

MOST_REPEATS = 4
_EVERYTHING = frozenset({"", "*", ".*"})
_PLAIN = re.compile(r"[A-Za-z0-9_*-]+")
_SMALL = re.compile(r"\^?(?:[A-Za-z0-9_.-]|\[\^?[A-Za-z0-9_.-]+\]|[*+?](?![*+?]))+\$?")
_OURS = {**TOOLS, "Task": f"{PREFIX}*", "Agent": f"{PREFIX}*"}


class Matcher:
    """One hook's matcher, read once."""

    def __init__(self, text: str) -> None:
        self._names: list[str] = []
        self._patterns: list[re.Pattern[str]] = []
        self._all = text.strip() in _EVERYTHING
        for part in parts(text):
            if part in _EVERYTHING:
                self._all = self._all or part != ""
            elif _PLAIN.fullmatch(part):
                self._names.append(_OURS.get(part, part))
            elif problem(part) is None:
                self._patterns.append(re.compile(part))
            else:
                self._all = True  # `engine.plan` refuses it; a guard must not fall silent on one

    def takes(self, tool: str) -> bool:
        """Whether the hook is for `tool`."""
        if self._all or any(fnmatchcase(tool, name) for name in self._names):
            return True
        return any(each.fullmatch(name) for each in self._patterns for name in _names_of(tool))


def parts(text: str) -> list[str]:
    """What stands between the bars."""
    return [part.strip() for part in text.split("|")]


def problem(part: str) -> str | None:
    """Why `part` of a matcher cannot be used, or None."""
    if part in _EVERYTHING or _PLAIN.fullmatch(part):
        return None
    if not _SMALL.fullmatch(part):
        return "only letters, digits, `_ - . * + ? ^ $` and `[…]` may stand between the bars, no groups"
    if sum(part.count(sign) for sign in "*+?") > MOST_REPEATS:
        return f"it repeats in more than {MOST_REPEATS} places"
    try:
        re.compile(part)
    except re.error as error:
        return f"it is no pattern ({error})"
    return None


def matched(part: str, tools: Iterable[str]) -> bool:
    """Whether `part` of a matcher is for one of `tools`."""
    matcher = Matcher(part)
    return any(matcher.takes(tool) for tool in tools)


def _names_of(tool: str) -> list[str]:
    return [tool, *(theirs for theirs, ours in _OURS.items() if fnmatchcase(tool, ours))]
