"""`view`, `file_create`, `str_replace`: one file at a time.

Trust model. Confined to the execution's workspace and the folders the project names
(those marked `read` are never written): every component is opened without following
links, so neither a symbolic link nor a race leads out, and only regular files are
touched (`beneath`). Files are replaced in one step. Size is capped. Not confined: what
the names inside those folders contain; a hard link to an outside file is a file of the
folder for reading, and is replaced, not written through.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import stat
from collections.abc import Callable
from typing import Literal, ParamSpec

from ...schema.approvals import Preview
from ...schema.base import JsonObject
from ...schema.events import ImagePart, OutputPart, TextPart
from .. import previews
from ..ports import ToolContext, ToolError
from . import artifacts, beneath
from .base import BuiltinTool
from .paths import Place, place, reached
from .text import INLINE_BYTES, clean, size_of

MAX_TEXT_BYTES = 16 * 1024 * 1024
"""Largest text file that is viewed or changed."""
MAX_IMAGE_BYTES = 5 * 1024 * 1024
"""Largest picture that the Messages API takes."""
MAX_LINE = 2000
"""Characters of one line that are shown."""
MAX_ENTRIES = 1000
"""Names of one folder that are shown."""

Arguments = ParamSpec("Arguments")
ImageType = Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
_SUFFIX: dict[ImageType, str] = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
}
_PATH = {"type": "string", "minLength": 1, "description": "File, relative to the workspace."}


def image_type(data: bytes) -> ImageType | None:
    """What picture `data` begins with, by its first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


class View(BuiltinTool):
    name = "view"
    description = (
        "Show a text file with line numbers, a picture (PNG, JPEG, GIF, WebP), or the names in a folder. "
        "`view_range` shows some lines of a long file."
    )
    touches = "Reads files beneath the workspace and the folders this project names."
    input_schema = {
        "type": "object",
        "properties": {
            "path": {
                "type": "string",
                "minLength": 1,
                "description": "File or folder, relative to the workspace.",
            },
            "view_range": {
                "type": "array",
                "items": {"type": "integer"},
                "minItems": 2,
                "maxItems": 2,
                "description": "First and last line, from 1; -1 as the last means to the end.",
            },
        },
        "required": ["path"],
        "additionalProperties": False,
    }
    read_only = True

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """Numbered lines, an image, or a list of names."""
        return await asyncio.to_thread(_view, arguments["path"], arguments.get("view_range"), context)


class FileCreate(BuiltinTool):
    name = "file_create"
    description = "Write a text file, with the folders it needs. A file that is there already is replaced."
    touches = "Writes files beneath the workspace and the folders this project lets it write."
    input_schema = {
        "type": "object",
        "properties": {
            "path": _PATH,
            "content": {"type": "string", "description": "All of the file's text."},
        },
        "required": ["path", "content"],
        "additionalProperties": False,
    }

    def lock(self, arguments: JsonObject) -> str | None:
        """One change of a file at a time."""
        return file_lock(arguments)

    async def preview(self, arguments: JsonObject, context: ToolContext) -> Preview:
        """How the file changes, as it is now."""
        return await asyncio.to_thread(_shown_creation, arguments["path"], arguments["content"], context)

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """Says how many lines were written."""
        async with self.resources.writing:
            await previews.hold(self, context)
            return await _undisturbed(_create, arguments["path"], arguments["content"], context)


class StrReplace(BuiltinTool):
    name = "str_replace"
    description = (
        "Replace one passage of a text file. `old_str` must occur exactly once, character for character; "
        "give enough lines around it to make it unique. An empty `new_str` deletes it."
    )
    touches = "Changes files beneath the workspace and the folders this project lets it write."
    input_schema = {
        "type": "object",
        "properties": {
            "path": _PATH,
            "old_str": {
                "type": "string",
                "minLength": 1,
                "description": "The passage as it stands in the file.",
            },
            "new_str": {"type": "string", "default": "", "description": "What takes its place."},
        },
        "required": ["path", "old_str"],
        "additionalProperties": False,
    }

    def lock(self, arguments: JsonObject) -> str | None:
        """One change of a file at a time."""
        return file_lock(arguments)

    async def preview(self, arguments: JsonObject, context: ToolContext) -> Preview:
        """How the file changes, as it is now."""
        old, new = arguments["old_str"], arguments.get("new_str", "")
        return await asyncio.to_thread(_shown_replacement, arguments["path"], old, new, context)

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """Shows the changed lines."""
        async with self.resources.writing:
            old, new = arguments["old_str"], arguments.get("new_str", "")
            return await _undisturbed(_replace, arguments["path"], old, new, context)


def file_lock(arguments: JsonObject) -> str:
    """`file:<path>`, the same for each spelling of a path."""
    return "file:" + posixpath.normpath(str(arguments["path"]))


async def _undisturbed(
    function: Callable[Arguments, list[OutputPart]], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> list[OutputPart]:
    """`asyncio.to_thread`, but a cancelled caller leaves only when the thread has: no write after the end."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


# ---------------------------------------------------------------- in a thread


def _view(path: str, view_range: list[int] | None, context: ToolContext) -> list[OutputPart]:
    where = place(path, context)
    with reached(where) as (directory, name):
        if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return [TextPart(text=_listing(directory, name))]
        data = beneath.read(directory, name, limit=MAX_TEXT_BYTES)
    if kind := image_type(data):
        return [_image(where, data, kind, context)]
    if b"\0" in data[:8192]:
        raise ToolError(f"{path}: a binary file of {len(data):,} bytes; `bash` or `python` can look into it.")
    return [TextPart(text=_numbered(data, view_range), path=where.relative if where.workspace else None)]


def _image(where: Place, data: bytes, kind: ImageType, context: ToolContext) -> ImagePart:
    if len(data) > MAX_IMAGE_BYTES:
        raise ToolError(f"{where.text}: {len(data):,} bytes; a picture may have {MAX_IMAGE_BYTES:,}.")
    path = where.relative if where.workspace else artifacts.keep(context, _SUFFIX[kind], data)
    if path is None:
        raise ToolError(f"{where.text}: the picture could not be copied into the workspace.")
    return ImagePart(media_type=kind, path=path, alt=where.parts[-1])


def _listing(directory: int, name: str) -> str:
    folder = beneath.open_directory(directory, name)
    try:
        with os.scandir(folder) as entries:
            rows = []
            for entry in entries:
                rows.append(clean(entry.name) + ("/" if entry.is_dir(follow_symlinks=False) else ""))
                if len(rows) > MAX_ENTRIES:
                    break
    finally:
        os.close(folder)
    more = (
        [f"[more than {MAX_ENTRIES:,} names; `glob` finds the ones you want]"]
        if len(rows) > MAX_ENTRIES
        else []
    )
    return "\n".join(sorted(rows[:MAX_ENTRIES]) + more) or "[an empty folder]"


def _numbered(data: bytes, view_range: list[int] | None) -> str:
    lines = data.decode("utf-8", "replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if not lines:
        return "[an empty file]"
    first, last = view_range or (1, -1)
    last = len(lines) if last == -1 else min(last, len(lines))
    if not 1 <= first <= max(last, 0):
        raise ToolError(f"`view_range` does not fit: the file has {len(lines):,} lines, counted from 1.")
    shown, room = [], INLINE_BYTES - 200
    for number in range(first, last + 1):
        line = lines[number - 1]
        text = clean(line[:MAX_LINE]) + (
            f" [… {len(line) - MAX_LINE:,} more]" if len(line) > MAX_LINE else ""
        )
        row = f"{number:6}\t{text}"
        room -= size_of(row) + 1
        if room < 0:
            shown.append(
                f"[lines {first:,} to {number - 1:,} of {len(lines):,}; `view_range` shows the others]"
            )
            break
        shown.append(row)
    return "\n".join(shown)


def _create(path: str, content: str, context: ToolContext) -> list[OutputPart]:
    data = _encoded(content)
    where = _new_file(path, context)
    with reached(where, make=True) as (directory, name):
        was_there = beneath.replace(directory, name, data)
    lines = content.count("\n") + (not content.endswith("\n") if content else 0)
    done = "Replaced" if was_there else "Created"
    return [TextPart(text=f"{done} {path} ({lines:,} lines, {len(data):,} bytes).")]


def _new_file(path: str, context: ToolContext) -> Place:
    where = place(path, context, write=True)
    if not where.parts or path.endswith("/"):
        raise ToolError(f"{path}: this names a folder, not a file.")
    return where


def _replace(path: str, old: str, new: str, context: ToolContext) -> list[OutputPart]:
    before, after = _encoded(old), _encoded(new)
    where = place(path, context, write=True)
    with reached(where) as (directory, name):
        data = beneath.read(directory, name, limit=MAX_TEXT_BYTES)
        at, changed = _replaced(path, data, before, after)
        beneath.replace(directory, name, _sized(changed))
    first = max(changed[:at].count(b"\n") - 2, 0)
    last = min(first + after.count(b"\n") + 6, first + 40)
    rows = changed.decode("utf-8", "replace").split("\n")[first:last]
    shown = "\n".join(f"{first + i + 1:6}\t{clean(row[:MAX_LINE])}" for i, row in enumerate(rows))
    return [TextPart(text=f"Changed {path}. It now reads:\n{shown}"[: INLINE_BYTES // 4])]


def _replaced(path: str, data: bytes, before: bytes, after: bytes) -> tuple[int, bytes]:
    """Where `before` stands in the file, and the file with `after` in its place."""
    if (count := data.count(before)) != 1:
        raise ToolError(_not_once(path, count))
    at = data.index(before)
    return at, data[:at] + after + data[at + len(before) :]


def _shown_creation(path: str, content: str, context: ToolContext) -> Preview:
    where = _new_file(path, context)
    return _shown(_found(where), _encoded(content), where, context)


def _shown_replacement(path: str, old: str, new: str, context: ToolContext) -> Preview:
    where = place(path, context, write=True)
    with reached(where) as (directory, name):
        data = beneath.read(directory, name, limit=MAX_TEXT_BYTES)
    _, changed = _replaced(path, data, _encoded(old), _encoded(new))
    return _shown(data, changed, where, context)


def _found(where: Place) -> bytes | None:
    """What the file holds now, or None where there is none (nor the folders on the way)."""
    try:
        with reached(where) as (directory, name):
            return beneath.read(directory, name, limit=MAX_TEXT_BYTES)
    except ToolError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


def _shown(before: bytes | None, after: bytes, where: Place, context: ToolContext) -> Preview:
    path = where.relative if where.workspace else where.text
    if before is not None and b"\0" in before[:8192]:
        note = f"A binary file of {len(before):,} bytes is replaced by this text."
        return previews.diff(None, _text(after, context), path=path, note=note)
    return previews.diff(None if before is None else _text(before, context), _text(after, context), path=path)


def _text(data: bytes, context: ToolContext) -> str:
    return context.mask(data.decode("utf-8", "replace"))


def _not_once(path: str, count: int) -> str:
    if count == 0:
        return f"{path}: `old_str` does not occur; `view` shows the text as it stands (less the numbers)."
    return f"{path}: `old_str` occurs {count} times; give more of the lines around it."


def _encoded(text: str) -> bytes:
    try:
        return _sized(text.encode())
    except UnicodeEncodeError:
        raise ToolError("The text is not valid Unicode: it has half of a surrogate pair in it.") from None


def _sized(data: bytes) -> bytes:
    if len(data) > MAX_TEXT_BYTES:
        raise ToolError(f"The text has {len(data):,} bytes; a file made here may have {MAX_TEXT_BYTES:,}.")
    return data
