"""How children are started: the one place where a sandbox goes around them.

With bubblewrap (`bubblewrap`), a child sees a read-only system, its execution's own
folder and the folders the project names; not the user's home, not the data folder, not
other projects, not the server's processes, and no network unless the project has it.
Where bubblewrap does not work (no user namespaces, as in many containers), `auto` starts
children as the server's own user and says so (`NOT_ISOLATED`), `require` starts none.

Either way hold: process groups, the limits below, an allow-list environment
(`environment`), and the supervisor, which leaves nothing behind. Not here: what
bubblewrap is told (`bubblewrap`), the sandbox that all commands of an execution share (`room`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..ports import EndExecution
from . import bubblewrap

Mode = Literal["auto", "off", "require"]

NOT_ISOLATED = (
    "Commands and kernels of this execution run as the server's own user, without a sandbox: they can read "
    "what that user can read and reach the network. Their environment holds none of the server's keys."
)

NOTEBOOK_NOT_ISOLATED = (
    "Python code of this execution runs in a notebook's own kernel: it can do what that kernel can, and has "
    "what the person who started it gave it."
)

MAX_PROCESSES = 1024
"""Most processes that one command may have at a time, all its descendants counted."""
MAX_OUTPUT_BYTES = 100 * 1024 * 1024
"""Output at which a command is stopped."""
LIMITS = {
    "RLIMIT_CORE": 0,  # a core dump of 1 GB helps nobody here
    "RLIMIT_FSIZE": 8 * 1024**3,  # bytes of one file: keeps a runaway writer from filling the disk at once
}
"""Limits of every command, as names of `resource`."""


@dataclass(frozen=True)
class Wrapped:
    """A command line as it is really started."""

    argv: list[str]
    isolated: bool
    """False: nothing is around it, and `NOT_ISOLATED` has to be said."""


@dataclass(frozen=True)
class Isolation:
    """The sandbox of this machine, as its operator wants it."""

    mode: Mode = "auto"
    secret: tuple[Path, ...] = ()
    """Never visible to a child, whatever a project names: data folder, keys."""
    find_secret: Callable[[], tuple[Path, ...]] = tuple
    """More of them, found in a thread when they are needed: Jupyter's runtime folder."""
    hidden: tuple[Path, ...] = ()
    """Not visible beyond the folders that a project names: the Jupyter server's root."""
    readable: tuple[Path, ...] = ()
    """Visible though they lie in a home folder: what the operator installed there."""
    memory_bytes: int = 0
    """Memory at which a command is stopped, with all it started; 0: three quarters of the machine's."""
    disk_bytes: int = 20 * 1024**3
    """Size of an execution's folder at which a command is stopped."""
    program: str = field(default="bwrap", repr=False)
    """Name or path of bubblewrap."""

    async def problem(self) -> str | None:
        """Why children cannot be isolated here; None: they can be. Tried once per process, in a thread."""
        if self.mode == "off":
            return "the setting `isolation` is off"
        return await asyncio.to_thread(bubblewrap.problem, self.program)

    async def isolates(self) -> bool:
        """Whether children are isolated here. Raises TOOL_ERROR where they must be and cannot be."""
        problem = await self.problem()
        if problem is not None and self.mode == "require":
            raise EndExecution(
                "TOOL_ERROR",
                f"The setting `isolation` is `require`, and children cannot be isolated here: {problem}. "
                "Install bubblewrap and allow user namespaces, or set it to `auto`.",
            )
        return problem is None

    async def around(
        self,
        argv: Sequence[str],
        *,
        workspace: Path,
        home: Path | None = None,
        folders: Mapping[Path, Literal["read", "write"]] | None = None,
        network: bool = False,
        readable: Sequence[Path] = (),
        own_readable: Sequence[Path] = (),
        tmp: Path | None = None,
        options: Sequence[str] = ("--die-with-parent",),
    ) -> Wrapped:
        """`argv` with a sandbox around it, where there is one; start it in `workspace` or below.

        `workspace`, `home` and the `write` ones of `folders` can be written to, the others
        and `readable` (paths of this command alone, such as an interpreter's prefix) can
        be read; so can `own_readable`, wherever it lies. `tmp` is the command's /tmp;
        without it that is in memory, and its own.
        All it starts ends with it. `--die-with-parent` looks at the *thread* that starts
        it: start it from one that lives as long as it shall, or below `supervisor`.

        Raises `EndExecution` TOOL_ERROR where it must be isolated and cannot be.
        """
        if not await self.isolates():
            return Wrapped(list(argv), isolated=False)
        named = folders or {}
        found = await asyncio.to_thread(self.find_secret)
        view = bubblewrap.View(
            own=tuple(path for path in (workspace, home) if path is not None),
            own_read=tuple(own_readable),
            write=tuple(path for path, mode in named.items() if mode == "write"),
            read=(*(path for path, mode in named.items() if mode == "read"), *self.readable, *readable),
            hidden=self.hidden,
            secret=(*self.secret, *found),
            network=network,
            tmp=tmp,
        )
        prefix = await asyncio.to_thread(bubblewrap.arguments, self.program, view, options)
        return Wrapped([*prefix, *argv], isolated=True)
