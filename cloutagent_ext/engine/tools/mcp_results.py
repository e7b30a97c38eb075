"""What an MCP tool gave back, as parts of a tool's result: text, pictures, files.

Text is cleaned and, where it is long, kept whole in a file of the workspace; pictures,
sound and embedded files become files there. Structured content is shown where the text
does not say the same. Not here: whether it fits the tool's output schema (`mcp_tool`).
"""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
from typing import Any

from ...schema.events import FilePart, ImagePart, OutputPart, TextPart
from ..ports import ToolContext
from . import artifacts
from .files import MAX_IMAGE_BYTES, image_type
from .text import INLINE_BYTES, clean, head_and_tail, size_of

MAX_FILES = 32
"""Files of one result that are kept."""
MAX_IMAGES = 10
"""Pictures of one result that the model sees; more are files."""

_SMALL = INLINE_BYTES // 8
"""Characters; with all that is put around them they stay inline in any alphabet."""
_SUFFIX = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}


def parts(content: list[Any], structured: Any, context: ToolContext) -> list[OutputPart]:
    """`content` (blocks of the SDK) and `structured` as parts. Writes files: call it in a thread."""
    made = _Parts(context)
    for block in content:
        made.add(block)
    if structured is not None and not made.says(structured):
        made.text(json.dumps(structured, ensure_ascii=False, indent=2))
    return made.finished()


def is_small(content: list[Any], structured: Any) -> bool:
    """Whether it is little text and nothing else: no file will be written."""
    size = 0
    for block in content:
        if block.type != "text":
            return False
        size += len(block.text)
        if size > _SMALL:
            return False
    return structured is None or len(json.dumps(structured, ensure_ascii=False)) <= _SMALL


class _Parts:
    def __init__(self, context: ToolContext) -> None:
        self._context = context
        self._texts: list[str] = []
        self._said: list[str] = []
        """The same as they came."""
        self._others: list[OutputPart] = []
        self._files = self._images = self._lost = 0

    def add(self, block: Any) -> None:
        kind = block.type
        if kind == "text":
            self.text(block.text)
        elif kind in ("image", "audio"):
            self._file(block.data, block.mime_type)
        elif kind == "resource_link":
            self.text(f"[{block.title or block.name}: {block.uri}{_of(block.mime_type)}]")
        elif kind == "resource":
            resource = block.resource
            if hasattr(resource, "blob"):
                self.text(f"[{resource.uri}{_of(resource.mime_type)}]")
                self._file(resource.blob, resource.mime_type or "application/octet-stream")
            else:
                self.text(f"[{resource.uri}{_of(resource.mime_type)}]\n{resource.text}")
        else:
            self.text(f"[content of a kind that is not known here: {kind}]")

    def text(self, text: str) -> None:
        self._said.append(text)
        self._texts.append(self._context.mask(clean(text)))

    def says(self, structured: Any) -> bool:
        """Whether one of the texts is `structured` as JSON, or as a single value that was wrapped."""
        wrapped = isinstance(structured, dict) and list(structured) == ["result"]
        wanted = [structured, structured["result"]] if wrapped else [structured]
        if any(isinstance(each, str) and each in self._said for each in wanted):
            return True
        for text in self._said:
            try:
                if json.loads(text) in wanted:
                    return True
            except (ValueError, RecursionError):
                continue
        return False

    def _file(self, data: str, media_type: str) -> None:
        if self._files >= MAX_FILES:
            self._lost += 1
            return
        try:
            raw = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            self.text(f"[a file ({clean(media_type)[:100]}) that cannot be read: it is not base64]")
            return
        media_type = clean(media_type)[:100].partition(";")[0].strip().lower()
        picture = image_type(raw) if media_type.startswith("image/") else None
        suffix = _SUFFIX[picture] if picture else mimetypes.guess_extension(media_type) or ".bin"
        path = artifacts.keep(self._context, f"-{self._files}{suffix}", raw)
        self._files += 1
        if path is None:
            self._lost += 1
        elif picture and len(raw) <= MAX_IMAGE_BYTES and self._images < MAX_IMAGES:
            self._images += 1
            self._others.append(ImagePart(media_type=picture, path=path))
        else:
            media_type = picture or media_type or "application/octet-stream"
            self._others.append(FilePart(path=path, media_type=media_type, size=len(raw)))

    def finished(self) -> list[OutputPart]:
        if self._lost:
            self._texts.append(f"[{self._lost} more files could not be kept]")
        text = "\n".join(self._texts)
        if not text.strip():
            return self._others
        if size_of(text) <= INLINE_BYTES:
            return [TextPart(text=text), *self._others]
        path = artifacts.keep(self._context, ".txt", text.encode("utf-8", "replace"))
        whole = f"whole result: {path}" if path else "the whole could not be kept"
        return [TextPart(text=head_and_tail(text, whole=whole), path=path), *self._others]


def _of(media_type: str | None) -> str:
    return f", {media_type}" if media_type else ""
