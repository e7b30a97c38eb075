"""What a tool gave back, as the model and the log get it: clean, clipped, pictures as base64.

Everything is shortened here, before it enters the append-only transcript. Not here:
running the tool (`engine.dispatch`).
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from ..schema.events import DisplayPart, FilePart, ImagePart, OutputPart, TextPart
from .masking import Mask
from .ports import Wire
from .text import INLINE_BYTES, clean, clean_json, clip

MAX_IMAGE_BYTES = 3_750_000
"""Largest picture that the service takes: 5 MB of base64."""
_NOTHING = "(no output)"


def masked(parts: list[OutputPart], mask: Mask) -> list[OutputPart]:
    """`parts` without the secrets that `mask` knows."""
    if not mask:
        return parts
    return [
        part.model_copy(
            update={name: mask.deep(value) for name, value in part if name in ("text", "data", "alt")}
        )
        for part in parts
    ]


def tidy(parts: list[OutputPart]) -> list[OutputPart]:
    """`parts` with clean text, all of it together at most 32 KiB."""
    room = INLINE_BYTES
    tidied: list[OutputPart] = []
    for part in parts:
        if isinstance(part, TextPart):
            text = clip(clean(part.text), limit=max(room, 256))
            room -= len(text.encode())
            tidied.append(part.model_copy(update={"text": text}))
        elif isinstance(part, DisplayPart):
            tidied.append(DisplayPart(data=clean_json(part.data)))
        else:
            tidied.append(part)
    return tidied


async def to_wire(parts: list[OutputPart], workspace: Path) -> list[Wire]:
    """Content of a `tool_result` block from tidied `parts`; never empty, no text empty."""
    content: list[Wire] = []
    for part in parts:
        if isinstance(part, ImagePart):
            content.append(await asyncio.to_thread(_image, part, workspace))
        elif text := _text(part):
            content.append({"type": "text", "text": text})
    return content or [{"type": "text", "text": _NOTHING}]


def _text(part: OutputPart) -> str:
    if isinstance(part, TextPart):
        more = f"\n[all of it is in the file {part.path}]" if part.path and part.path not in part.text else ""
        return part.text + more if part.text.strip() else more.strip()
    if isinstance(part, FilePart):
        return f"[file {part.path}, {part.media_type}, {part.size} bytes]"
    if isinstance(part, DisplayPart):
        plain = part.data.get("text/plain", "")
        return clip(plain if isinstance(plain, str) else "".join(map(str, plain)))
    return ""


def _image(part: ImagePart, workspace: Path) -> Wire:
    try:
        path = (workspace / part.path).resolve()
        if not path.is_relative_to(workspace.resolve()):
            raise OSError("it lies outside the workspace")
        if (size := path.stat().st_size) > MAX_IMAGE_BYTES:
            raise OSError(f"it has {size} bytes, more than the {MAX_IMAGE_BYTES} that a model takes")
        data = base64.b64encode(path.read_bytes()).decode()
    except (OSError, ValueError) as error:
        return {"type": "text", "text": f"[picture {clean(part.path)} cannot be shown: {error}]"}
    return {"type": "image", "source": {"type": "base64", "media_type": part.media_type, "data": data}}
