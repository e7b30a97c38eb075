"""Cells of a notebook as text for a model, and what a kernel says as outputs of a cell.

Not here: where a notebook is and how it is changed (`notebooks.Notebooks`).
"""

from __future__ import annotations

from typing import Any

from ...schema.base import JsonObject
from ..ports import ToolContext
from . import artifacts
from .text import INLINE_BYTES, clean, head_and_tail

_SHOWN = 4000
"""Characters of one cell's source or output in the outline."""
MAX_OUTPUT_CHARACTERS = 1_000_000
"""Text that is kept in a cell; a longer one would make the notebook unusable."""


def outline(path: str, cells: list[JsonObject], context: ToolContext) -> str:
    """Every cell, long ones cut; too much for a result goes into a file. Blocks."""
    rows = [f"[{path}: {len(cells)} cells]"]
    rows += [_cell(index, cell, _SHOWN) for index, cell in enumerate(cells)]
    return _fit("\n\n".join(rows), context)


def whole(index: int, cell: JsonObject, context: ToolContext) -> str:
    """One cell with everything that is text in it. Blocks."""
    return _fit(_cell(index, cell, MAX_OUTPUT_CHARACTERS), context)


def _fit(text: str, context: ToolContext) -> str:
    text = context.mask(clean(text))
    if len(text.encode("utf-8", "replace")) <= INLINE_BYTES:
        return text
    path = artifacts.keep(context, ".txt", text.encode("utf-8", "replace"))
    return head_and_tail(text, whole=f"all of it: {path}" if path else "read single cells")


def _cell(index: int, cell: JsonObject, most: int) -> str:
    kind = cell.get("cell_type", "raw")
    count = cell.get("execution_count")
    run = f", run as [{count}]" if count else (", not run" if kind == "code" else "")
    name = f", id {cell['id']}" if cell.get("id") else ""
    rows = [f"--- cell {index} ({kind}{name}{run})", _cut(_joined(cell.get("source", "")), most)]
    said = "\n".join(filter(None, (_output(each) for each in cell.get("outputs", []))))
    return "\n".join([*rows, *(["--- output", _cut(said, most)] if said else [])])


def _output(output: JsonObject) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        return _joined(output.get("text", ""))
    if kind == "error":
        return "\n".join(output.get("traceback") or [f"{output.get('ename')}: {output.get('evalue')}"])
    data = output.get("data") or {}
    pictures = [mime for mime in data if mime.startswith("image/")]
    return _joined(data.get("text/plain", "")) + "".join(f" [{mime}]" for mime in pictures)


def _joined(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n[… {len(text) - most:,} more characters]"


class Outputs:
    """Takes iopub messages in order; `all` is what a cell keeps of them, in the notebook's own format."""

    def __init__(self) -> None:
        self._outputs: list[JsonObject] = []
        self._display_ids: list[str | None] = []
        self._clear_next = False
        self._characters = 0
        self.count: int | None = None

    def take(self, message: JsonObject) -> None:
        """One message: `{"msg_type", "content"}`."""
        kind, content = message["msg_type"], message["content"]
        if kind == "execute_input":
            self.count = content.get("execution_count")
        elif kind == "clear_output":
            self._clear_next = True
            if not content.get("wait"):
                self._clear()
        elif kind == "update_display_data":
            self._update(content)
        elif kind in ("stream", "error", "display_data", "execute_result"):
            if self._clear_next:
                self._clear()
            self._add(kind, content)

    def all(self) -> list[JsonObject]:
        return self._outputs

    def _clear(self) -> None:
        self._outputs, self._display_ids, self._clear_next = [], [], False

    def _add(self, kind: str, content: JsonObject) -> None:
        if kind == "stream":
            text = str(content.get("text", ""))
            room = MAX_OUTPUT_CHARACTERS - self._characters
            self._characters += len(text)
            text = text[: max(room, 0)]
            last = self._outputs[-1] if self._outputs else {}
            if not text:
                return
            if last.get("output_type") == "stream" and last["name"] == content.get("name", "stdout"):
                last["text"] += text
                return
            made = {"output_type": "stream", "name": content.get("name", "stdout"), "text": text}
        elif kind == "error":
            made = {
                "output_type": "error",
                "ename": str(content.get("ename", "Error")),
                "evalue": str(content.get("evalue", "")),
                "traceback": [str(line) for line in content.get("traceback") or []],
            }
        else:
            made = {
                "output_type": kind,
                "data": content.get("data") or {},
                "metadata": content.get("metadata") or {},
            }
            if kind == "execute_result":
                made["execution_count"] = content.get("execution_count")
        self._outputs.append(made)
        self._display_ids.append((content.get("transient") or {}).get("display_id"))

    def _update(self, content: JsonObject) -> None:
        wanted = (content.get("transient") or {}).get("display_id")
        for output, display_id in zip(self._outputs, self._display_ids, strict=True):
            if wanted is not None and display_id == wanted:
                output["data"] = content.get("data") or {}
                output["metadata"] = content.get("metadata") or {}
