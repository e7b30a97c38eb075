"""`notebook`: cells of the one notebook that the project names, read, changed and run.

Trust model. Bound to `agent.notebook`, whatever tab is active: no argument names another.
Changes go through Jupyter's own services (`notebooks.Notebooks`), so that an open notebook
shows them where it can, and nothing that somebody else wrote meanwhile is lost. Running
a cell is running code in the user's own kernel, with everything that is in it: reading
is allowed by default, changing and running ask.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Literal

from ...schema.approvals import Preview
from ...schema.base import JsonObject
from ...schema.events import OutputPart, TextPart
from .. import previews
from ..notebooks import CellChange, Notebooks, NotebookState
from ..ports import ToolContext, ToolError
from .base import BuiltinTool
from .cells import Outputs, outline, whole
from .display import Collector, TooMuchOutput
from .isolation import NOTEBOOK_NOT_ISOLATED

DEFAULT_TIMEOUT_S = 120
MAX_TIMEOUT_S = 600


class Notebook(BuiltinTool):
    name = "notebook"
    description = (
        "Work on the notebook that this project is bound to. `read` shows its cells with their numbers and "
        "ids (a single one in full with `cell`), `add` puts a new cell before `cell` (at the end without), "
        "`replace` changes a cell's source, `delete` removes it, `run` runs a code cell in the notebook's "
        "own kernel and keeps its outputs in it. Cells are named by their id or number; numbers move when "
        "cells are added or deleted, ids do not."
    )
    touches = "The notebook that the project names, and its kernel."
    input_schema = {
        "type": "object",
        "properties": {
            "action": {"enum": ["read", "add", "replace", "delete", "run"], "description": "What to do."},
            "cell": {
                "type": ["string", "integer"],
                "description": "Id or number of the cell; needed for replace, delete and run.",
            },
            "source": {
                "type": "string",
                "maxLength": 500_000,
                "description": "Text of the cell; needed for add and replace.",
            },
            "cell_type": {
                "enum": ["code", "markdown", "raw"],
                "description": "Kind of a new cell (code if not given), or what a replaced one becomes.",
            },
            "timeout_s": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_TIMEOUT_S,
                "default": DEFAULT_TIMEOUT_S,
                "description": "Seconds after which a running cell is interrupted.",
            },
        },
        "required": ["action"],
        "additionalProperties": False,
    }
    default_permission = "ask"

    def permission_for(self, arguments: JsonObject) -> Literal["allow", "ask"]:
        """Reading asks nobody."""
        return "allow" if arguments.get("action") == "read" else "ask"

    def lock(self, arguments: JsonObject) -> str | None:
        """One call at a time, and none beside code in the same kernel."""
        return "kernel"

    async def preview(self, arguments: JsonObject, context: ToolContext) -> Preview | None:
        """The cell that comes, goes, changes or runs; the notebook is only read."""
        notebooks, path = self._bound()
        action = arguments["action"]
        state = await notebooks.read(path)
        if action == "read":
            return None
        if action == "add":
            last = len(state.cells)
            index = _find(state, arguments["cell"], "add") if "cell" in arguments else last
            kind = arguments.get("cell_type", "code")
            note = f"A new {kind} cell, number {index}. It is not run."
            return previews.code(_source(arguments, "add"), where=path, note=note)
        index = _find(state, arguments.get("cell"), action)
        source = _text(state.cells[index])
        if action == "run":
            return previews.code(source, where=path, note=f"Runs cell {index} in the notebook's kernel.")
        new = "" if action == "delete" else _source(arguments, action)
        note = f"Deletes cell {index}." if action == "delete" else f"Replaces cell {index}. It is not run."
        return await asyncio.to_thread(previews.diff, source, new, path=path, note=note)

    async def run(self, arguments: JsonObject, context: ToolContext) -> list[OutputPart]:
        """What was asked for, as text. What cannot be done: `ToolError`."""
        notebooks, path = self._bound()
        action = arguments["action"]
        await previews.hold(self, context)
        state = await notebooks.read(path)
        if action == "read":
            return await self._read(arguments, state, path, context)
        if action == "add":
            return await self._add(notebooks, path, arguments, state)
        index = _find(state, arguments.get("cell"), action)
        if action == "run":
            return await self._run(notebooks, path, index, state, arguments, context)
        cell = state.cells[index]
        if action == "delete":
            state = await notebooks.change(path, CellChange("delete", index, cell, None))
            return _done(f"Deleted cell {index} ({_name(cell)}).", state)
        new = _changed(cell, _source(arguments, action), arguments.get("cell_type"))
        state = await notebooks.change(path, CellChange("replace", index, cell, new))
        return _done(f"Replaced cell {index} ({_name(cell)}); it has not been run.", state)

    def _bound(self) -> tuple[Notebooks, str]:
        resources = self.resources
        if resources.notebook is None:
            raise ToolError("This project is bound to no notebook: a person names one in `agent.notebook`.")
        if resources.notebooks is None:
            raise ToolError("Notebooks are there in a Jupyter server only; this execution runs without one.")
        return resources.notebooks, resources.notebook

    async def _read(
        self, arguments: JsonObject, state: NotebookState, path: str, context: ToolContext
    ) -> list[OutputPart]:
        if "cell" in arguments:
            index = _find(state, arguments["cell"], "read")
            return [TextPart(text=await asyncio.to_thread(whole, index, state.cells[index], context))]
        return [TextPart(text=await asyncio.to_thread(outline, path, state.cells, context))]

    async def _add(
        self, notebooks: Notebooks, path: str, arguments: JsonObject, state: NotebookState
    ) -> list[OutputPart]:
        last = len(state.cells)
        index = _find(state, arguments["cell"], "add") if "cell" in arguments else last
        cell = _new(_source(arguments, "add"), arguments.get("cell_type", "code"))
        before = state.cells[index] if index < last else None
        state = await notebooks.change(path, CellChange("insert", index, before, cell))
        return _done(f"Added {cell['cell_type']} cell {index} ({_name(cell)}).", state)

    async def _run(
        self,
        notebooks: Notebooks,
        path: str,
        index: int,
        state: NotebookState,
        arguments: JsonObject,
        context: ToolContext,
    ) -> list[OutputPart]:
        cell = state.cells[index]
        if cell.get("cell_type") != "code":
            raise ToolError(f"Cell {index} is {cell.get('cell_type')}, not code: there is nothing to run.")
        timeout_s = arguments.get("timeout_s", DEFAULT_TIMEOUT_S)
        shown, outputs = Collector(), Outputs()

        def take(message: JsonObject) -> None:
            outputs.take(message)
            shown.take(message)

        await self.resources.warn_not_isolated(context, NOTEBOOK_NOT_ISOLATED)
        kernel = await notebooks.kernel(path)
        problem, outcome = None, "dead"
        try:
            outcome = await kernel.execute(_text(cell), timeout_s=timeout_s, on_output=take)
        except TooMuchOutput as error:
            outcome = "error"
            problem = f"[interrupted after {error}]"
        finally:
            await kernel.close()
            # Also of a call that was cancelled: what the kernel did say belongs into the notebook.
            kept = {**cell, "outputs": outputs.all(), "execution_count": outputs.count}
            keeping = asyncio.ensure_future(notebooks.change(path, CellChange("replace", index, cell, kept)))
            await asyncio.shield(keeping)
        parts = await asyncio.to_thread(shown.parts, context)
        if outcome == "timeout":
            problem = f"[interrupted after {timeout_s} s; `timeout_s` allows more]"
        elif outcome == "dead":
            problem = (
                "[the notebook's kernel died, was restarted, or does not stop when interrupted; it was left "
                "as it is: do not count on its variables]"
            )
        if problem:
            parts.append(TextPart(text=problem))
        if outcome != "ok":
            text = "\n".join(part.text.rstrip("\n") for part in parts if isinstance(part, TextPart))
            raise ToolError(text or "The cell failed.", parts=parts)
        return parts or [TextPart(text="[ran, and showed nothing]")]


def _find(state: NotebookState, name: Any, action: str) -> int:
    """Where the cell called `name` is now."""
    if name is None:
        raise ToolError(f"`cell` is needed to {action}: the id or number of a cell.")
    for index, cell in enumerate(state.cells):
        if isinstance(name, str) and cell.get("id") == name:
            return index
    if isinstance(name, str) and name.isdecimal():
        name = int(name)
    if isinstance(name, int) and 0 <= name < len(state.cells):
        return name
    raise ToolError(f"There is no cell {name!r}: the notebook has {len(state.cells)}, numbered from 0.")


def _source(arguments: JsonObject, action: str) -> str:
    if "source" not in arguments:
        raise ToolError(f"`source` is needed to {action} a cell.")
    return str(arguments["source"])


def _new(source: str, kind: str) -> JsonObject:
    cell: JsonObject = {"cell_type": kind, "id": uuid.uuid4().hex[:8], "metadata": {}, "source": source}
    return {**cell, "outputs": [], "execution_count": None} if kind == "code" else cell


def _changed(cell: JsonObject, source: str, kind: str | None) -> JsonObject:
    """`cell` with another source; outputs of the old one go."""
    new = _new(source, kind or str(cell.get("cell_type", "code")))
    new["metadata"] = cell.get("metadata", {})
    if "id" in cell:
        new["id"] = cell["id"]
    else:
        del new["id"]  # a format that knows none
    return new


def _text(cell: JsonObject) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def _name(cell: JsonObject) -> str:
    return f"id {cell['id']}" if cell.get("id") else "no id"


def _done(text: str, state: NotebookState) -> list[OutputPart]:
    return [TextPart(text=text + (f" {state.note}" if state.note else ""))]
