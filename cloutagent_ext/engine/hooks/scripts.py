"""The project's own copy of its hook scripts, out of the agent's reach.

A hook's working directory is the workspace, which the agent writes to: a guard started from
there could be rewritten by what it guards, or be handed a module of the agent's to import. So
what a hook's command *runs* is taken from a copy that was made when the execution began: the
program itself, the script behind an interpreter, and, in a line for a shell, what lies below
`.claude/hooks/`. Everything else that a command names is the workspace's. A script that has changed
since is not run: nobody has agreed to what it is now. All of it blocks.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

SHELL_SCRIPTS = ".claude/hooks/"
_INTERPRETERS = re.compile(r"(?:python|pypy)[\d.]*|bash|sh|dash|zsh|node|deno|bun|ruby|perl|php|Rscript|lua")
_SHELLS = frozenset({"bash", "sh", "dash", "zsh"})
_IN_A_LINE = re.compile(
    r"(?P<quote>['\"]?)"
    r"(?:\./|\$CLAUDE_PROJECT_DIR/|\$\{CLAUDE_PROJECT_DIR\}/"
    r"|\"\$CLAUDE_PROJECT_DIR\"/|\"\$\{CLAUDE_PROJECT_DIR\}\"/|(?<![\w./-]))"
    r"(?P<path>\.claude/hooks/[\w./-]+)(?P=quote)"
)


class ScriptChanged(Exception):
    """A script is not what it was when the execution began; the text says which."""


class Scripts:
    """The copy below `root`, as it was when this was made."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._sums = {
            path.relative_to(self.root).as_posix(): _sum(path)
            for path in self.root.rglob("*")
            if path.is_file() and not path.is_symlink()
        }

    def argv(self, command: Sequence[str]) -> list[str]:
        """`command` with what it runs taken from the copy. Raises `ScriptChanged`."""
        argv = list(command)
        place = _program(argv)
        if place is not None and (mine := self._mine(argv[place])) is not None:
            argv[place] = mine
        if (line := _line(argv)) is not None:
            argv[line] = _IN_A_LINE.sub(self._in_line, argv[line])
        return argv

    def _in_line(self, match: re.Match[str]) -> str:
        mine = self._mine(match["path"])
        return match[0] if mine is None else shlex.quote(mine)

    def _mine(self, argument: str) -> str | None:
        """Where the project's file `argument` lies in the copy; None where it is none."""
        path = PurePosixPath(argument).as_posix()
        if path not in self._sums:
            return None
        copy = self.root / path
        try:
            unchanged = not copy.is_symlink() and _sum(copy) == self._sums[path]
        except OSError:
            unchanged = False
        if not unchanged:
            raise ScriptChanged(f"{path} has changed since the execution began, so it was not run")
        return str(copy)


def _program(argv: list[str]) -> int | None:
    """Where in `argv` stands what is run, if that may be a project's file."""
    if not _INTERPRETERS.fullmatch(PurePosixPath(argv[0]).name):
        return 0 if "/" in argv[0] else None
    for place, argument in enumerate(argv[1:], 1):
        if not argument.startswith("-"):
            return place
        if argument in ("-c", "-e", "-m"):
            return None
    return None


def _line(argv: list[str]) -> int | None:
    """Where in `argv` stands a line for a shell."""
    if PurePosixPath(argv[0]).name in _SHELLS:
        for place, argument in enumerate(argv[1:-1], 1):
            if re.fullmatch(r"-[a-z]*c", argument):
                return place + 1
    return None


def _sum(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
