"""Two tools: a function is enough; a class says more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from cloutagent_ext.engine.ports import ToolError


def word_count(text: str, unique: bool = False) -> int:
    """Count the words of a text."""
    words = text.split()
    return len(set(words)) if unique else len(words)


class WordCountFile:
    description = "Count the words of a text file in the workspace."
    input_schema = {
        "type": "object",
        "properties": {"path": {"type": "string", "description": "Beneath the workspace"}},
        "required": ["path"],
        "additionalProperties": False,
    }
    touches = "Reads files of the workspace."
    read_only = True
    default_permission = "allow"

    async def run(self, arguments: dict[str, Any], context: Any) -> str:
        # Nothing may block the server's event loop, so files are read in a thread.
        return await asyncio.to_thread(_count, Path(context.workspace), arguments["path"])


def _count(workspace: Path, path: str) -> str:
    file = (workspace / path).resolve()
    # Such code runs in the server, not in the sandbox: what it may touch is for it to see to.
    if not file.is_relative_to(workspace.resolve()):
        raise ToolError("Only files of the workspace can be counted.")
    try:
        return f"{len(file.read_text(encoding='utf-8').split())} words"
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"{path} cannot be read as text: {error}") from error
