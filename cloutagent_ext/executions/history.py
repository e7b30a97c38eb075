"""What an execution's files say about its earlier sittings, and whether it can go on from there.

Not here: what the records mean (`engine.past`), and who goes on when (`recovery`, `scheduler`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..engine.past import Past
from ..engine.remembered import PastCall, Spent
from ..errors import Conflict
from . import journal, logfile
from .workspace import Workspace


async def read(folder: Path) -> Past:
    """The past of the execution in `folder`; empty for one that never ran. Raises UnreadableFile, OSError."""
    return await asyncio.to_thread(_read, folder)


async def open_(folder: Path, workspace: Workspace) -> Past:
    """`read`, for one that is to go on in `workspace`. Raises as `check`, too."""
    past = await read(folder)
    await check(past, workspace)
    return past


async def check(past: Past, workspace: Workspace) -> None:
    """Raises Conflict where what its tools have made is gone: going on would pretend that it is there."""
    if past.tools_used and not await workspace.ready():
        raise Conflict(
            "The workspace of this execution is gone, and its tools have worked in it. It cannot go on; "
            "cancel it, or run it anew."
        )


async def calls(folder: Path) -> dict[str, PastCall]:
    """The tool calls that its journal knows, by span. Raises as `read` does."""
    return (await asyncio.to_thread(_fold, folder, ())).calls


async def spent(folder: Path) -> list[Spent]:
    """The model calls that its journal says were paid for, in their order. Raises as `read` does."""
    return (await asyncio.to_thread(_fold, folder, ())).spent


def _read(folder: Path) -> Past:
    return _fold(folder, _events(folder))


def _fold(folder: Path, events: Iterable[dict[str, Any]]) -> Past:
    try:
        return Past.of(journal.read(folder), events)
    except (KeyError, TypeError, AttributeError) as error:
        raise journal.JournalDamaged(
            f"The journal {folder.name}/{journal.NAME} cannot be followed: {error}. It may have been written "
            "by another version of CloutAgent. Cancel the execution, or run it anew.",
            file=journal.NAME,
            line=None,
            reason=str(error),
        ) from error


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    number, offset = 1, None
    while True:
        try:
            found = logfile.read(folder / logfile.NAME, number, offset)
        except FileNotFoundError:
            return
        if not found.lines:
            return
        yield from map(json.loads, found.lines)
        number, offset = number + len(found.lines), found.offset
