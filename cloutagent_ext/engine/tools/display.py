"""What a kernel says while code runs, collected and turned into parts of a tool's result.

Text is cleaned; errors lose their colours; pictures become files of the workspace that
the model sees too; tables and other rich output are for people, the model gets their
plain text. Not here: running the code (`kernel`).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from ...schema.base import JsonObject
from ...schema.events import DisplayPart, FilePart, ImagePart, OutputPart, TextPart
from ..ports import ToolContext
from ..results import masked
from . import artifacts
from .files import MAX_IMAGE_BYTES, image_type
from .text import INLINE_BYTES, clean, head_and_tail, size_of

KEPT_CHARACTERS = 16 * 1024 * 1024
STOP_CHARACTERS = 100 * 1024 * 1024
"""Output at which the code is interrupted."""
MAX_DISPLAY_BYTES = 1024 * 1024
"""Largest rich output that is kept; of a larger one, its plain text."""
MAX_IMAGES = 10
"""Pictures of one call that the model sees; more are files."""
_SUFFIX = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}


class TooMuchOutput(Exception):
    """The code says more than `STOP_CHARACTERS`, or what cannot be received; its text tells which."""


@dataclass
class _Item:
    """Text as it came (`text`), or one mime bundle (`data`)."""

    text: list[str] = field(default_factory=list)
    data: dict[str, Any] | None = None
    display_id: str | None = None


class Collector:
    """Takes iopub messages in order; `parts` gives the result."""

    def __init__(self) -> None:
        self._items: list[_Item] = []
        self._clear_next = False
        self._total = 0
        self.error: str | None = None
        """`ValueError: no such column`, where the code raised."""

    def take(self, message: JsonObject) -> None:
        """One message: `{"msg_type", "content"}`. Raises `TooMuchOutput`."""
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            self._clear_next = True
            if not content.get("wait"):
                self._clear()
            return
        if kind not in ("stream", "error", "display_data", "execute_result", "update_display_data"):
            return
        if self._clear_next:
            self._clear()
        if kind == "stream":
            self._say(content.get("text", ""))
        elif kind == "error":
            self.error = f"{content.get('ename', 'Error')}: {content.get('evalue', '')}"
            self._say("\n".join(content.get("traceback") or [self.error]) + "\n")
        else:
            self._show(kind, content)

    def _clear(self) -> None:
        self._items.clear()
        self._clear_next = False

    def _say(self, text: str) -> None:
        self._count(len(text))
        if self._total - len(text) > KEPT_CHARACTERS:
            return
        if not self._items or self._items[-1].data is not None:
            self._items.append(_Item())
        self._items[-1].text.append(text)

    def _show(self, kind: str, content: JsonObject) -> None:
        data = content.get("data") or {}
        self._count(sum(len(value) for value in data.values() if isinstance(value, str)))
        display_id = (content.get("transient") or {}).get("display_id")
        if kind == "update_display_data":
            for item in self._items:
                if item.data is not None and item.display_id == display_id:
                    item.data = data
            return
        if self._total <= KEPT_CHARACTERS:
            self._items.append(_Item(data=data, display_id=display_id))

    def _count(self, characters: int) -> None:
        self._total += characters
        if self._total > STOP_CHARACTERS:
            raise TooMuchOutput(f"{STOP_CHARACTERS:,} characters of output")

    def parts(self, context: ToolContext) -> list[OutputPart]:
        """The result. Writes files: call it in a thread."""
        parts: list[OutputPart] = []
        images = 0
        for item in self._items:
            if item.data is None:
                parts.append(TextPart(text=clean("".join(item.text))))
                continue
            number = len(parts)
            image = _image(item.data, context, number)
            if image is not None:
                images += 1
                parts.append(image if images <= MAX_IMAGES else _as_file(image, item.data))
                continue
            if (rich := _rich(item.data)) is not None:
                parts.append(rich)
            if plain := item.data.get("text/plain"):
                parts.append(TextPart(text=clean(_joined(plain)) + "\n"))
        return _within_limits(
            masked(_merged(parts), context.mask), context, cut=max(self._total - KEPT_CHARACTERS, 0)
        )


def _joined(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _image(data: dict[str, Any], context: ToolContext, number: int) -> ImagePart | None:
    for mime in ("image/png", "image/jpeg", "image/gif", "image/webp"):
        if mime not in data:
            continue
        try:
            picture = base64.b64decode(_joined(data[mime]))
        except (binascii.Error, ValueError):
            return None
        kind = image_type(picture)
        if kind is None or len(picture) > MAX_IMAGE_BYTES:
            return None
        if path := artifacts.keep(context, f"-{number}{_SUFFIX[kind]}", picture):
            return ImagePart(media_type=kind, path=path, alt=clean(_joined(data.get("text/plain", "")))[:500])
    return None


def _as_file(image: ImagePart, data: dict[str, Any]) -> FilePart:
    size = len(_joined(data[image.media_type])) * 3 // 4
    return FilePart(path=image.path, media_type=image.media_type, size=size)


def _rich(data: dict[str, Any]) -> DisplayPart | None:
    """What people see instead of the plain text, if there is anything; without pictures in base64."""
    kept = {
        mime: value
        for mime, value in data.items()
        if not mime.startswith("image/") or mime == "image/svg+xml"
    }
    if set(kept) <= {"text/plain"}:
        return None
    if len(json.dumps(kept, default=str)) > MAX_DISPLAY_BYTES:
        return None
    return DisplayPart(data=kept)


def _merged(parts: list[OutputPart]) -> list[OutputPart]:
    """Neighbouring texts as one."""
    merged: list[OutputPart] = []
    for part in parts:
        if isinstance(part, TextPart) and merged and isinstance(merged[-1], TextPart):
            merged[-1] = TextPart(text=merged[-1].text + part.text)
        elif not isinstance(part, TextPart) or part.text:
            merged.append(part)
    return merged


def _within_limits(parts: list[OutputPart], context: ToolContext, *, cut: int) -> list[OutputPart]:
    """All text within `INLINE_BYTES`; if there is more, it is one part, with a file that holds the whole."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    if sum(map(size_of, texts)) <= INLINE_BYTES:
        return parts
    whole = "\n".join(text.rstrip("\n") for text in texts)
    path = artifacts.keep(context, ".txt", whole.encode("utf-8", "replace"))
    says = f"whole output: {path}" if path else "the whole could not be kept"
    if cut:
        says += f", but for the last {cut:,} characters"
    shown = TextPart(text=head_and_tail(whole, whole=says), path=path)
    return [shown, *(part for part in parts if not isinstance(part, TextPart))]
