"""What the model is shown of the files that came with a task: pictures and PDFs in its first message.

Only for models that are known to take them; everything else, and what is too large, is
named, and lies in the workspace. Not here: how files get there (`executions.inputs`).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path

from .models.catalogue import facts_of
from .ports import Wire
from .results import MAX_IMAGE_BYTES
from .text import clean
from .tools import beneath
from .tools.files import image_type

MAX_SHOWN = 20
MAX_PDF_BYTES = 10 * 1024 * 1024
MAX_TOGETHER = 20 * 1024 * 1024
"""A request may have 32 MB, base64 included."""


async def shown(paths: Sequence[str], workspace: Path, model: str) -> list[Wire]:
    """Blocks for the first message: pictures, documents, and one text that names all files."""
    if not paths:
        return []
    return await asyncio.to_thread(_shown, paths, workspace, facts_of(model) is not None)


def _shown(paths: Sequence[str], workspace: Path, sees: bool) -> list[Wire]:
    blocks: list[Wire] = []
    rows, together = [], 0
    for path in paths:
        try:
            with beneath.located(str(workspace), beneath.normal(path)) as (directory, name):
                data = beneath.read(directory, name, limit=MAX_PDF_BYTES)
        except (beneath.Refused, OSError):
            rows.append(clean(path))
            continue
        block = _block(data, name) if sees and len(blocks) < MAX_SHOWN else None
        if block is not None and together + len(data) <= MAX_TOGETHER:
            together += len(data)
            blocks.append(block)
            rows.append(f"{clean(path)} (shown above)")
        else:
            rows.append(clean(path))
    named = "\n".join(f"- {row}" for row in rows)
    text = f"Files that came with this task, in your working folder:\n{named}"
    return [*blocks, {"type": "text", "text": text}]


def _block(data: bytes, name: str) -> Wire | None:
    if (kind := image_type(data)) is not None and len(data) <= MAX_IMAGE_BYTES:
        return {"type": "image", "source": _source(kind, data)}
    if data.startswith(b"%PDF-"):
        return {"type": "document", "source": _source("application/pdf", data), "title": clean(name)[:200]}
    return None


def _source(media_type: str, data: bytes) -> Wire:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
