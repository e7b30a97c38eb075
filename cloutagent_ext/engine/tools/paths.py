"""Which folder a path of a tool call lies in, and what the model is told when it may not go there.

Paths are relative to the execution's workspace, or absolute beneath it or beneath a
folder that the project names. Not here: how the file is then reached (`beneath`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..ports import ToolContext, ToolError
from .beneath import Refused, located, normal

MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_SAYS = {
    errno.ENOENT: "there is no such file or folder",
    errno.ENOTDIR: "a part of the path is not a folder",
    errno.EISDIR: "it is a folder",
    errno.EACCES: "the system denies access",
    errno.EPERM: "the system denies access",
    errno.ELOOP: "symbolic links go round in a circle, or the path was changed meanwhile",
    errno.ENAMETOOLONG: "the path or a name in it is too long",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.ENOTEMPTY: "a folder is there",
}


@dataclass(frozen=True)
class Place:
    """A path inside one of the folders that tools may touch. Names only: nothing was looked up yet."""

    root: str
    parts: tuple[str, ...]
    text: str
    """As the model wrote it, for messages."""
    workspace: bool
    """Whether it lies in the workspace, rather than in a named folder."""

    @property
    def relative(self) -> str:
        return "/".join(self.parts) or "."


def place(text: str, context: ToolContext, *, write: bool = False) -> Place:
    """Where `text` points, or `ToolError`. Looks up real paths of the folders: call it in a thread."""
    _check_spelling(text, write)
    workspace = str(context.workspace)
    if not text.startswith("/"):
        return Place(workspace, _beneath(text, text), text, True)
    roots = [(workspace, "write", True)]
    roots += [(str(folder), mode, False) for folder, mode in context.folders.items()]
    whole = "/" + "/".join(_beneath(text, text))
    for root, mode, own in sorted(roots, key=lambda row: -len(row[0])):
        for spelled in (root, os.path.realpath(root)):
            if whole == spelled or whole.startswith(spelled.rstrip("/") + "/"):
                if write and mode != "write":
                    raise ToolError(f"{text}: this folder may only be read.")
                return Place(root, normal(whole[len(spelled) :]), text, own)
    raise ToolError(
        f"{_shown(text)}: outside the workspace and the folders this project names. {_hint(context)}"
    )


@contextlib.contextmanager
def reached(where: Place, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """`beneath.located` for a place, with every refusal as a sentence for the model."""
    try:
        with located(where.root, where.parts, make=make, follow_root=not where.workspace) as found:
            yield found
    except Refused as error:
        raise ToolError(f"{_shown(where.text)}: {error}.") from error
    except OSError as error:
        says = _SAYS.get(error.errno or 0, error.strerror or "it cannot be used")
        raise ToolError(f"{_shown(where.text)}: {says}.") from error


def _check_spelling(text: str, write: bool) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ToolError("The path is not valid Unicode.") from None
    if not text.strip():
        raise ToolError("The path is empty.")
    if _CONTROL.search(text):
        raise ToolError("The path has control characters in it.")
    if len(data) > MAX_PATH_BYTES or any(len(name) > MAX_NAME_BYTES for name in data.split(b"/")):
        raise ToolError(f"{_shown(text)}: the path or a name in it is too long.")
    if text == "~" or text.startswith("~/"):
        raise ToolError(f"{_shown(text)}: `~` means nothing here; paths are relative to the workspace.")
    if write and "\\" in text:
        raise ToolError(f"{_shown(text)}: use forward slashes; names with a backslash are not made here.")


def _beneath(path: str, text: str) -> tuple[str, ...]:
    try:
        return normal(path)
    except Refused:
        raise ToolError(f"{_shown(text)}: outside the workspace.") from None


def _shown(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"


def _hint(context: ToolContext) -> str:
    named = ", ".join(f"{folder} ({mode})" for folder, mode in context.folders.items())
    return f"The workspace is {context.workspace}" + (f"; named folders: {named}." if named else ".")
