"""`glob` and `grep`: finding files and lines.

Trust model. Confined as `files` is, to the workspace and the folders the project
names; no symbolic link is followed on the way down and only regular files are read.
The search runs in a child process with a time limit, because an unlucky regular
expression never ends. Walks are bounded (`search_child`).
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from ...schema.base import JsonObject
from ...schema.events import OutputPart, TextPart
from ..ports import ToolContext, ToolError
from .base import BuiltinTool, Resources
from .paths import Place, place
from .text import INLINE_BYTES, clean, head_and_tail

TIMEOUT_S = 20
DEFAULT_MATCHES = 200
MAX_MATCHES = 1000
MAX_PATHS = 1000
_CHILD = Path(__file__).with_name("search_child.py")
_FOLDER = {
    "type": "string",
    "minLength": 1,
    "default": ".",
    "description": "Where to search; the workspace if not given.",
}


class Glob(BuiltinTool):
    name = "glob"
    description = (
        "Find files by their name, for example `**/*.csv` (`**` is any number of folders). Hidden names "
        "only by a pattern that begins with a dot."
    )
    touches = "Lists names beneath the workspace and the folders this project names."
    input_schema = {
        "type": "object",
        "properties": {
            "pattern": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1000,
                "description": "Pattern relative to `path`.",
            },
            "path": _FOLDER,
        },
        "required": ["pattern"],
        "additionalProperties": False,
    }
    read_only = True

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """One path a line."""
        pattern = arguments["pattern"]
        if pattern.startswith("/") or ".." in pattern.split("/"):
            raise ToolError("The pattern is relative to `path` and has no `..` in it.")
        pattern = "/".join(part for part in pattern.split("/") if part not in ("", "."))
        request: JsonObject = {"do": "glob", "pattern": pattern, "limit": MAX_PATHS}
        rows, notes = await _search(request, arguments.get("path", "."), context, self.resources)
        return [TextPart(text=_text([row["path"] for row in rows], notes, "[no file matches]"))]


class Grep(BuiltinTool):
    name = "grep"
    description = (
        "Search lines of text files with a Python regular expression. Gives `file:line:text`. Hidden and "
        "binary files are left out."
    )
    touches = "Reads files beneath the workspace and the folders this project names."
    input_schema = {
        "type": "object",
        "properties": {
            "pattern": {
                "type": "string",
                "minLength": 1,
                "maxLength": 5000,
                "description": "Python regular expression.",
            },
            "path": {**_FOLDER, "description": "File or folder to search; the workspace if not given."},
            "glob": {
                "type": "string",
                "maxLength": 1000,
                "description": "Only files that match, for example `*.py`.",
            },
            "ignore_case": {"type": "boolean", "default": False},
            "max_results": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_MATCHES,
                "default": DEFAULT_MATCHES,
            },
        },
        "required": ["pattern"],
        "additionalProperties": False,
    }
    read_only = True

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """One match a line."""
        request = {
            "do": "grep",
            "pattern": arguments["pattern"],
            "glob": arguments.get("glob", ""),
            "ignore_case": arguments.get("ignore_case", False),
            "limit": arguments.get("max_results", DEFAULT_MATCHES),
        }
        rows, notes = await _search(request, arguments.get("path", "."), context, self.resources)
        lines = [f"{row['path']}:{row['line']}:{row['text']}" for row in rows]
        return [TextPart(text=_text(lines, notes, "[no line matches]"))]


async def _search(
    request: JsonObject, path: str, context: ToolContext, resources: Resources
) -> tuple[list[JsonObject], list[str]]:
    """Rows and remarks of the child; `ToolError` for what it refuses."""
    where: Place = await asyncio.to_thread(place, path, context)
    # Paths come back as the caller may use them again: relative in the workspace, else absolute.
    prefix = list(where.parts) if where.workspace else [where.root, *where.parts]
    request |= {
        "root": where.root,
        "parts": list(where.parts),
        "prefix": prefix,
        "follow_root": not where.workspace,
    }
    ran = await resources.commands.run(
        [sys.executable, "-I", "-S", str(_CHILD), json.dumps(request)],
        cwd="/",
        fallback="/",
        env=context.env,
        timeout_s=TIMEOUT_S,
    )
    rows, notes = await asyncio.to_thread(_parsed, ran.head)
    for row in rows:
        if "error" in row:
            raise ToolError(f"{path}: {row['error']}.")
    if ran.why == "timeout":
        notes.append(f"stopped after {TIMEOUT_S} s; narrow the pattern or the path")
    elif ran.why != "exit" or ran.exit_code != 0:
        raise ToolError(
            f"The search broke off ({ran.why}, exit code {ran.exit_code}): {clean(ran.head)[-500:]}"
        )
    return rows, notes


def _parsed(output: bytes) -> tuple[list[JsonObject], list[str]]:
    rows, notes = [], []
    for line in output.split(b"\n"):
        if not line.startswith(b"{") or not line.endswith(b"}"):
            continue  # cut off by the time limit
        try:
            row = json.loads(line)
        except ValueError:
            continue  # cut off at a bracket of the text that it shows
        if "note" in row:
            notes.append(str(row["note"]))
        else:
            rows.append(row)
    return rows, notes


def _text(lines: list[str], notes: list[str], nothing: str) -> str:
    shown = [clean(line) for line in lines] or [nothing]
    text = head_and_tail("\n".join(shown), whole="narrow the search to see them", limit=INLINE_BYTES - 1000)
    return "\n".join([text, *(f"[{note}]" for note in notes)])
