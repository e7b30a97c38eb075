"""Files that tools leave in the workspace for what is too long or no text: `.artifacts/<call>…`."""

from __future__ import annotations

import re

from ..ports import ToolContext, ToolError
from . import beneath
from .paths import place, reached

FOLDER = ".artifacts"


def keep(context: ToolContext, suffix: str, data: bytes) -> str | None:
    """Write `data` as this call's artifact and give its path in the workspace. Blocks: call it in a thread.

    None where it cannot be written (a full disk, a file in the folder's place): the
    call's own result is worth more than the copy of it.
    """
    # A model's call ids are its own: two agents of one execution may use the same.
    whose = "" if context.agent == "main" else f"{context.agent}-"
    name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{whose}{context.call_id}")[:150] or "call"
    path = f"{FOLDER}/{name}{suffix}"
    try:
        with reached(place(path, context, write=True), make=True) as (directory, last):
            beneath.replace(directory, last, data)
    except ToolError:
        return None
    return path
