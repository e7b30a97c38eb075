"""Notebooks of the Jupyter server, read and changed through its own services.

Where real-time collaboration is installed (jupyter-collaboration or its server part,
jupyter-server-ydoc) and somebody has the notebook open, changes go into the shared
document: every open tab shows them at once, and saves them. Else they go through the
contents manager, like any client's: the file is read, the one cell changed, and written
if its time stamp is still the one that was read.

The limit of the latter: the server does not know what an open tab holds unsaved. The
tab keeps what it has; at its next save JupyterLab sees that the file is newer and asks
the person whether to revert or to overwrite. `NotebookState.note` tells the model, and
so the person, that the tab has to be reloaded. Not here: what a cell is (`engine.tools.cells`).
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable
from typing import Any
from weakref import WeakValueDictionary

from ..engine.notebooks import CellChange, NotebookState
from ..engine.ports import Kernel, ToolError
from ..loading import loaded
from ..schema.base import JsonObject

_COLLABORATION = "jupyter_server_ydoc"
_STALE = (
    "[the notebook is open in a kernel session, and this server has no real-time collaboration: a tab that "
    "shows it does not see this until it is reloaded (File > Reload Notebook from Disk)]"
)


class ServerNotebooks:
    """`engine.notebooks.Notebooks` of one Jupyter server; `server` is its ServerApp."""

    def __init__(self, server: Any) -> None:
        self._server = server
        # Gone with whoever holds them: a server lives for months, and notebooks and kernels come and go.
        self._changing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._kernels: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, path: str) -> NotebookState:
        """See `engine.notebooks.Notebooks.read`."""
        path = _plain(path)
        document = await self._document(path)
        if document is not None:
            return NotebookState(_cells(document.get()))
        model = await self._get(path)
        return NotebookState(_cells(model["content"]), _STALE if await self._session(path) else "")

    async def change(self, path: str, change: CellChange) -> NotebookState:
        """See `engine.notebooks.Notebooks.change`."""
        path = _plain(path)
        async with self._changing.setdefault(path, asyncio.Lock()):
            document = await self._document(path)
            if document is not None:
                # No await from here on: nobody's change comes in between.
                _change_document(document, change)
                return NotebookState(_cells(document.get()))
            model = await self._get(path)
            content = model["content"]
            _change_content(content, change)
            now = await self._call(self._server.contents_manager.get(path, content=False))
            if now["last_modified"] != model["last_modified"]:
                raise ToolError(f"{path} was changed by somebody else meanwhile: read it again.")
            try:
                saved = {"type": "notebook", "format": "json", "content": content}
                await self._call(self._server.contents_manager.save(saved, path))
            except Exception as error:  # whatever a contents manager says
                raise ToolError(f"{path} cannot be saved: {error}") from error
            return NotebookState(_cells(content), _STALE if await self._session(path) else "")

    async def kernel(self, path: str) -> Kernel:
        """See `engine.notebooks.Notebooks.kernel`."""
        path = _plain(path)
        session = await self._session(path)
        kernel_id = ((session or {}).get("kernel") or {}).get("id")
        if kernel_id is None or kernel_id not in self._server.kernel_manager:
            raise ToolError(
                f"{path} is not open with a running kernel: ask the user to open the notebook first, then "
                "try again."
            )
        manager = self._server.kernel_manager.get_kernel(kernel_id)
        if getattr(getattr(manager, "provisioner", None), "pid", None) is None:
            raise ToolError(f"The kernel of {path} does not run on this machine, or is only starting.")
        await loaded("jupyter.attached")
        from .attached import AttachedKernel

        return AttachedKernel(manager, self._kernels.setdefault(kernel_id, asyncio.Lock()))

    async def _session(self, path: str) -> JsonObject | None:
        """The session of the notebook, as Lab makes one for each that is open with a kernel."""
        for session in await self._call(self._server.session_manager.list_sessions()):
            found: JsonObject = session
            if _plain(str(session.get("path", "")).removeprefix("RTC:")) == path:
                return found
        return None

    async def _document(self, path: str) -> Any:
        """The shared document that open tabs edit, or None: no collaboration, or nobody has it open."""
        for extension in self._server.extension_manager.extension_apps.get(_COLLABORATION, ()):
            found = await extension.get_document(
                path=path, content_type="notebook", file_format="json", copy=False
            )
            if found is not None:
                return found
        return None

    async def _get(self, path: str) -> JsonObject:
        try:
            model: JsonObject = await self._call(
                self._server.contents_manager.get(path, content=True, type="notebook")
            )
        except Exception as error:  # tornado's HTTPError, or whatever a contents manager says
            said = getattr(error, "log_message", None) or str(error) or type(error).__name__
            raise ToolError(f"The notebook {path} cannot be read: {said}") from error
        return model

    async def _call(self, answer: Any) -> Any:
        """Managers answer at once or later, as they were made."""
        return await answer if isinstance(answer, Awaitable) else answer


def _plain(path: str) -> str:
    return path.strip("/")


def _cells(content: Any) -> list[JsonObject]:
    """Copies of the cells, their sources as one text."""
    cells = copy.deepcopy(list(content.get("cells", [])))
    for cell in cells:
        if isinstance(cell.get("source"), list):
            cell["source"] = "".join(cell["source"])
    return cells


def _place(cells: list[JsonObject], change: CellChange) -> int:
    """Where the cell that was seen is now. Raises `ToolError` where it is gone or another."""
    before = change.before
    if before is None:
        return min(change.index, len(cells))
    index = change.index
    if before.get("id"):
        index = next((i for i, cell in enumerate(cells) if cell.get("id") == before["id"]), -1)
    if not 0 <= index < len(cells) or cells[index].get("source") != before.get("source"):
        raise ToolError(
            "That cell was changed or removed by somebody else meanwhile: read the notebook again."
        )
    return index


def _change_content(content: JsonObject, change: CellChange) -> None:
    index = _place(_cells(content), change)
    cells = content["cells"]
    if change.kind == "delete":
        del cells[index]
        return
    after = _fitting(change.after or {}, content)
    if change.kind == "insert":
        cells.insert(index, after)
    else:
        cells[index] = after


def _change_document(document: Any, change: CellChange) -> None:
    content = document.get()
    index = _place(_cells(content), change)
    if change.kind == "delete":
        del document.ycells[index]
        return
    cell = _fitting(change.after or {}, content)
    if change.kind == "insert":
        document.ycells.insert(index, document.create_ycell(cell))
    else:
        document.set_cell(index, cell)


def _fitting(cell: JsonObject, content: Any) -> JsonObject:
    """`cell` as the notebook's own version of the format wants it: ids since 4.5."""
    fitting = dict(cell)
    if (content.get("nbformat", 4), content.get("nbformat_minor", 0)) < (4, 5):
        fitting.pop("id", None)
    return fitting
