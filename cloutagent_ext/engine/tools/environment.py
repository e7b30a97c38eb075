"""The environment of child processes: built from an allow-list, never inherited.

The server's environment holds its keys, tokens, proxies with passwords. None of it
reaches a command, a kernel or a hook, unless the project itself names it. What a
child of the same user can still do is read `/proc/<server>/environ`: only a sandbox
prevents that (`isolation`).
"""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping
from pathlib import Path

MARKER = "CLOUTAGENT_EXECUTION"
"""Variable that every child process carries; its value is the execution's id (`processes.end_all`)."""

_PASSED_ON = ("LOGNAME", "USER", "SHELL", "LANG", "LC_ALL", "TZ")


def child_environment(execution_id: str, extra: Mapping[str, str], *, home: Path) -> dict[str, str]:
    """The whole environment of this execution's children.

    `extra` is the project's own (`agent.env`) and wins, except over the marker. `home`
    is a private folder: configuration and caches of tools go there, and the user's own
    (`~/.aws`, `~/.config`, `~/.ipython`) are not found by accident.
    """
    own = os.environ
    env = {name: own[name] for name in _PASSED_ON if not own.get(name, "()").startswith("()")}
    env.setdefault("LANG", "C.UTF-8")
    env["HOME"] = str(home)
    env["TERM"] = "dumb"  # no terminal: programs that ask need not colour
    # `python` in a command is the one the server runs on, with its libraries, also when its
    # environment was never activated.
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)])
    if site.ENABLE_USER_SITE and (base := site.USER_BASE):
        env["PYTHONUSERBASE"] = base  # libraries of `pip install --user`, which HOME would hide
    return {**env, **extra, MARKER: execution_id}


def must_fit(env: Mapping[str, str]) -> None:
    """Raises OSError that names a variable which no program can be given, as the system itself would not."""
    for name, value in env.items():
        try:
            fits = b"\0" not in os.fsencode(f"{name}{value}")
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise OSError(
                f"the variable {name!a} holds a NUL or half a character, which no program can be given"
            )
