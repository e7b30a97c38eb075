"""`memory`: notes that an agent keeps from one execution to the next.

The commands are those of the service's own `memory_20250818`, so that models know them:
`view`, `create`, `str_replace`, `insert`, `delete`, `rename` below `/memories`. Trust
model: a path is taken apart into plain names here, and nothing but names reaches the
files (`ports.MemoryFiles`), which hold text only and are bounded there. Not here: where
the files lie.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ...schema.base import JsonObject
from ...schema.events import OutputPart, TextPart
from ..ports import MemoryFiles, MemoryPath, ToolContext, ToolError
from ..text import INLINE_BYTES, clean
from .base import BuiltinTool

NAME = "memory"
ROOT = "/memories"
MAX_DEPTH = 10
MAX_NAME_BYTES = 200
_SHOWN_DEPTH = 2
"""Levels of folders that a listing shows, as the service's tool does it."""
_NEEDED = {
    "view": ("path",),
    "create": ("path", "file_text"),
    "str_replace": ("path", "old_str"),
    "insert": ("path", "insert_line", "insert_text"),
    "delete": ("path",),
    "rename": ("old_path", "new_path"),
}


class Memory(BuiltinTool):
    name = NAME
    description = (
        "Notes that stay when this run is over: text files below /memories, shared by all runs of this "
        "project. View /memories before you start, since an earlier run may have left what you need. Write "
        "down what a later run should know, keep it short and in order, and correct what is no longer true.\n"
        "view: a file with its line numbers (or the lines `view_range` names), or the list of a folder. "
        "create: a new file with `file_text`. str_replace: `old_str`, which must occur once, becomes "
        "`new_str`. insert: `insert_text` after line `insert_line` (0: at the beginning). delete: a file, or "
        "a folder with all in it. rename: `old_path` becomes `new_path`."
    )
    touches = "Reads and changes the project's notes, which outlive the run."
    input_schema = {
        "type": "object",
        "properties": {
            "command": {"type": "string", "enum": list(_NEEDED)},
            "path": {"type": "string", "description": "/memories, or a file or folder below it."},
            "view_range": {
                "type": "array",
                "items": {"type": "integer"},
                "minItems": 2,
                "maxItems": 2,
                "description": "view: first and last line, from 1; -1 is the end.",
            },
            "file_text": {"type": "string", "description": "create: all of the file's text."},
            "old_str": {"type": "string", "description": "str_replace: the text as it stands."},
            "new_str": {"type": "string", "description": "str_replace: what takes its place."},
            "insert_line": {"type": "integer", "minimum": 0},
            "insert_text": {"type": "string"},
            "old_path": {"type": "string"},
            "new_path": {"type": "string"},
        },
        "required": ["command"],
        "additionalProperties": False,
    }

    def __init__(self, files: MemoryFiles) -> None:
        super().__init__()
        self._files = files

    def lock(self, arguments: JsonObject) -> str | None:
        """One change at a time, in the order of the calls."""
        return NAME

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """See the description."""
        command = arguments["command"]
        if missing := [name for name in _NEEDED[command] if name not in arguments]:
            raise ToolError(f"`{command}` needs {' and '.join(f'`{name}`' for name in missing)}.")
        said = await _COMMANDS[command](self, arguments)
        return [TextPart(text=said)]

    async def _view(self, arguments: JsonObject) -> str:
        shown = arguments["path"]
        path = parse(shown)
        files = await self._files.list()
        if path in files:
            text = await self._files.read(path)
            return f"Here's the content of {shown} with line numbers:\n{_numbered(text, arguments)}"
        below = {name: size for name, size in files.items() if name[: len(path)] == path}
        if path and not below:
            raise ToolError(f"The path {shown} does not exist. `view` of {ROOT} shows what there is.")
        return _listing(shown, path, below)

    async def _create(self, arguments: JsonObject) -> str:
        path = _file(arguments["path"])

        def new(before: str | None) -> str:
            if before is not None:
                raise ToolError(
                    f"File {arguments['path']} already exists: change it with `str_replace` or `insert`, "
                    "or `delete` it first."
                )
            return _text(arguments["file_text"])

        await self._files.change(path, new)
        return f"File created successfully at: {arguments['path']}"

    async def _str_replace(self, arguments: JsonObject) -> str:
        shown, old, new = arguments["path"], arguments["old_str"], _text(arguments.get("new_str", ""))
        if not old:
            raise ToolError("`old_str` is empty: give the text that shall be replaced.")
        lines = ""

        def replaced(before: str | None) -> str:
            nonlocal lines
            text = _there(before, shown)
            found = text.count(old)
            if found == 0:
                raise ToolError(f"No replacement was made: `old_str` does not occur in {shown}.")
            if found > 1:
                raise ToolError(
                    f"No replacement was made: `old_str` occurs {found} times in {shown}; give more of the "
                    "lines around it."
                )
            at = text.index(old)
            after = text[:at] + new + text[at + len(old) :]
            first = after.count("\n", 0, at)
            around = after.split("\n")[max(0, first - 2) : first + new.count("\n") + 3]
            lines = "\n".join(around)[:2000]
            return after

        await self._files.change(_file(shown), replaced)
        return f"The memory file has been edited. It now reads there:\n{lines}"

    async def _insert(self, arguments: JsonObject) -> str:
        shown, number, text = arguments["path"], arguments["insert_line"], _text(arguments["insert_text"])

        def inserted(before: str | None) -> str:
            # As `view` counts them: `splitlines` would also end a line at a form feed or U+2028.
            lines = [f"{line}\n" for line in _there(before, shown).split("\n")]
            lines[-1] = lines[-1].removesuffix("\n")
            if not lines[-1]:
                lines.pop()
            if number > len(lines):
                raise ToolError(
                    f"`insert_line` is {number}, and {shown} has {len(lines)} lines: give 0 to {len(lines)}."
                )
            if number and not lines[number - 1].endswith("\n"):
                lines[number - 1] += "\n"
            added = text if text.endswith("\n") or number == len(lines) else text + "\n"
            return "".join([*lines[:number], added, *lines[number:]])

        await self._files.change(_file(shown), inserted)
        return f"The file {shown} has been edited."

    async def _delete(self, arguments: JsonObject) -> str:
        if not (path := parse(arguments["path"])):
            raise ToolError(f"{ROOT} itself cannot be deleted; name what is in it.")
        await self._files.delete(path)
        return f"Successfully deleted {arguments['path']}"

    async def _rename(self, arguments: JsonObject) -> str:
        old, new = parse(arguments["old_path"]), parse(arguments["new_path"])
        if not old or not new:
            raise ToolError(f"{ROOT} itself cannot be renamed; name what is in it.")
        if new[: len(old)] == old:
            raise ToolError("Nothing can be moved into itself.")
        await self._files.rename(old, new)
        return f"Successfully renamed {arguments['old_path']} to {arguments['new_path']}"


_COMMANDS: dict[str, Callable[[Memory, JsonObject], Awaitable[str]]] = {
    "view": Memory._view,
    "create": Memory._create,
    "str_replace": Memory._str_replace,
    "insert": Memory._insert,
    "delete": Memory._delete,
    "rename": Memory._rename,
}


def parse(text: str) -> MemoryPath:
    """The names below `/memories` that `text` consists of; raises `ToolError` for anything else."""
    if text != ROOT and not text.startswith(f"{ROOT}/"):
        raise ToolError(f"A path must begin with {ROOT}/, and {clean(text[:200])!r} does not.")
    names = tuple(text.removeprefix(ROOT).removeprefix("/").removesuffix("/").split("/"))
    if names == ("",):
        return ()
    if len(names) > MAX_DEPTH:
        raise ToolError(f"A path may have {MAX_DEPTH} levels at most.")
    for name in names:
        if reason := _wrong(name):
            raise ToolError(f"The path {clean(text[:200])!r} cannot be used: {reason}.")
    return names


def _wrong(name: str) -> str | None:
    if not name.strip() or name != name.strip():
        return "a name in it is empty, or begins or ends with a space"
    if name.startswith("."):
        return "a name in it begins with a dot"
    if "\\" in name or any(not character.isprintable() for character in name):
        return "a name in it has a character that no name may have"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "a name in it is not valid Unicode"
    return f"a name in it is longer than {MAX_NAME_BYTES} bytes" if size > MAX_NAME_BYTES else None


def _file(text: str) -> MemoryPath:
    if not (path := parse(text)) or text.endswith("/"):
        raise ToolError(f"{text} names a folder: name a file below it.")
    return path


def _there(before: str | None, shown: str) -> str:
    if before is None:
        raise ToolError(f"The path {shown} does not exist. `view` of {ROOT} shows what there is.")
    return before


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ToolError("The text is not valid Unicode: it has half of a surrogate pair in it.") from None
    return text


def _numbered(text: str, arguments: JsonObject) -> str:
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    first, last = arguments.get("view_range") or (1, -1)
    last = len(lines) if last == -1 else min(last, len(lines))
    if lines and not 1 <= first <= last:
        raise ToolError(f"`view_range` does not fit: the file has {len(lines)} lines, counted from 1.")
    shown, room = [], INLINE_BYTES - 300
    for number in range(first, last + 1):
        row = f"{number:6}\t{clean(lines[number - 1])}"
        room -= len(row.encode()) + 1
        if room < 0:
            shown.append(f"[line {number} and those after it: name them in `view_range`]")
            break
        shown.append(row)
    return "\n".join(shown) or "[an empty file]"


def _listing(shown: str, path: MemoryPath, files: dict[MemoryPath, int]) -> str:
    rows: dict[MemoryPath, int] = {path: 0}
    for name, size in files.items():
        rows[path] += size
        for depth in range(len(path) + 1, min(len(name), len(path) + _SHOWN_DEPTH) + 1):
            rows[name[:depth]] = rows.get(name[:depth], 0) + size
    folders = {name[:depth] for name in files for depth in range(len(name))}
    lines = [
        f"{_size(size)}\t{'/'.join([ROOT, *name])}{'/' if name in folders or not name else ''}"
        for name, size in sorted(rows.items())
    ]
    head = f"Here're the files and directories up to {_SHOWN_DEPTH} levels deep in {shown}:"
    return "\n".join([head, *lines])[: INLINE_BYTES - 300]


def _size(size: int) -> str:
    return f"{size / 1024:.1f}K" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f}M"
