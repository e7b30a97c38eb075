"""What the model is shown of the files that came with a task: pictures and PDFs beside its prompt.

Only for models that are known to take them. What is too large for a request goes through the
service that keeps files for it (`kept`), where there is one; everything else, and what is too
large without one, is named, and lies in the workspace. Not here: how files get there
(`executions.inputs`).
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..schema.events import WarningCode
from .kept import MAX_BYTES, KeptFiles
from .ports import ModelFailure, Wire
from .results import MAX_IMAGE_BYTES
from .text import clean
from .tools import beneath
from .tools.files import image_type

MAX_SHOWN = 20
MAX_PDF_BYTES = 10 * 1024 * 1024
MAX_TOGETHER = 20 * 1024 * 1024
"""A request may have 32 MB, base64 included."""
_PDF = "application/pdf"
_HEAD = 64
"""Bytes that tell what a file is."""

Warn = Callable[[WarningCode, str], Awaitable[None]]


@dataclass
class _Found:
    """A picture or a PDF, open."""

    media_type: str
    name: str
    file: BinaryIO
    size: int

    @property
    def fits(self) -> bool:
        return self.size <= (MAX_PDF_BYTES if self.media_type == _PDF else MAX_IMAGE_BYTES)

    def read(self) -> bytes:
        """All of it, as long as it was when it was looked at."""
        return self.file.read(self.size)

    def block(self, source: Wire) -> Wire:
        if self.media_type == _PDF:
            return {"type": "document", "source": source, "title": clean(self.name)[:200]}
        return {"type": "image", "source": source}


async def shown(
    paths: Sequence[str],
    workspace: Path,
    *,
    sees: bool,
    warn: Warn,
    kept: KeptFiles | None = None,
) -> list[Wire]:
    """Blocks for a message: pictures, documents, and one text that names all files.

    `sees`: whether the model takes them. `kept`: where large ones are kept. `warn` is told of those that
    the service did not take.
    """
    if not paths:
        return []

    async def say(failure: ModelFailure, tries: int, seconds: float) -> None:
        await warn("RETRYING", f"{failure.message} Uploading again in {seconds:.1f} s.")

    blocks: list[Wire] = []
    rows, together = [], 0
    for path in paths:
        rows.append(clean(path))
        if not sees or len(blocks) == MAX_SHOWN:
            continue
        found = await asyncio.to_thread(_open, path, workspace)
        if found is None:
            continue
        try:
            if found.fits and together + found.size <= MAX_TOGETHER:
                data = await asyncio.to_thread(found.read)
                together += len(data)
                source = {"type": "base64", "media_type": found.media_type}
                encoded = await asyncio.to_thread(base64.b64encode, data)
                blocks.append(found.block({**source, "data": encoded.decode()}))
            elif kept is not None and found.size <= MAX_BYTES:
                file_id = await kept.keep(path, found.media_type, found.read, say=say)
                blocks.append(found.block({"type": "file", "file_id": file_id}))
            else:
                continue
        except ModelFailure as failure:
            why = f"{clean(path)} is not shown to the model, only named: {failure.message}"
            await warn("FILE_NOT_SHOWN", why)
            continue
        finally:
            await asyncio.to_thread(found.file.close)
        rows[-1] += " (shown above)"
    named = "\n".join(f"- {row}" for row in rows)
    text = f"Files that came with this task, in your working folder:\n{named}"
    return [*blocks, {"type": "text", "text": text}]


def _open(path: str, workspace: Path) -> _Found | None:
    """The file where it is a picture or a PDF; its bytes decide, not its name."""
    try:
        with beneath.located(str(workspace), beneath.normal(path)) as (directory, name):
            file = os.fdopen(beneath.open_regular(directory, name), "rb")
    except (beneath.Refused, OSError):
        return None
    head = file.read(_HEAD)
    media_type = _PDF if head.startswith(b"%PDF-") else image_type(head)
    if media_type is None:
        file.close()
        return None
    file.seek(0)
    return _Found(media_type, name, file, os.fstat(file.fileno()).st_size)
