"""`notebook`, and `python` in a notebook's kernel, on a real server's contents, sessions and kernels."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.ports import ToolContext, ToolError
from cloutagent_ext.engine.tools.environment import child_environment
from cloutagent_ext.engine.tools.toolbox import Toolbox
from cloutagent_ext.jupyter.channels import LARGEST
from cloutagent_ext.jupyter.kernels import ServerKernels
from cloutagent_ext.jupyter.notebooks import ServerNotebooks
from tests.support.patience import Promised

from .caller import Caller

PATH = "work/report.ipynb"


def cell(source: str, name: str, kind: str = "code") -> dict[str, Any]:
    made: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {"kept": name}, "source": source}
    return {**made, "outputs": [], "execution_count": None} if kind == "code" else made


class Desk:
    """A notebook in the server's root, and a toolbox bound to it."""

    def __init__(self, app: Any, workspace: Path, kernel: str = "own") -> None:
        self.app = app
        self.file = Path(app.root_dir) / PATH
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.warnings: list[str] = []
        self.toolbox = Toolbox(kernels=ServerKernels(app.kernel_manager), execution_id="e-notebooks")
        self.toolbox.bind(ServerNotebooks(app), PATH, kernel)
        (workspace / "w").mkdir()

        async def warn(code: str, message: str) -> None:
            self.warnings.append(code)

        env = child_environment("e-notebooks", {}, home=workspace)
        self.context = ToolContext("e-notebooks", "main", "c", "s", workspace / "w", env, warn)

    def write(self, *cells: dict[str, Any], minor: int = 5) -> None:
        content = {"cells": list(cells), "metadata": {"mine": 1}, "nbformat": 4, "nbformat_minor": minor}
        self.file.write_text(json.dumps(content))

    def cells(self) -> list[dict[str, Any]]:
        cells: list[dict[str, Any]] = json.loads(self.file.read_text())["cells"]
        for each in cells:
            each["source"] = "".join(each["source"])
        return cells

    async def open(self) -> str:
        """As Lab does it: a session with a kernel. The kernel's id."""
        session = await self.app.session_manager.create_session(
            path=PATH, name="report.ipynb", type="notebook", kernel_name="python3"
        )
        return str(session["kernel"]["id"])

    async def text(self, tool: str = "notebook", **arguments: Any) -> str:
        parts = await self.toolbox.tools[tool].run(arguments, replace(self.context))
        return "".join(part.text for part in parts if part.type == "text")

    async def error(self, tool: str = "notebook", **arguments: Any) -> str:
        with pytest.raises(ToolError) as caught:
            await self.text(tool, **arguments)
        return str(caught.value)


@pytest.fixture
async def make_desk(server: Caller, tmp_path: Path) -> AsyncIterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(**options: Any) -> Desk:
        desks.append(Desk(server.app, tmp_path, **options))
        return desks[-1]

    yield make
    for desk in desks:
        await desk.toolbox.close()
    await server.app.kernel_manager.shutdown_all(now=True)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    desk = make_desk()
    desk.write(cell("# Report", "title", "markdown"), cell("x = 20\nprint(x + 1)", "sum"))
    return desk


async def test_cells_are_read_with_their_ids_and_outputs(desk: Desk) -> None:
    text = await desk.text(action="read")
    assert text.startswith("[work/report.ipynb: 2 cells]")
    assert "--- cell 0 (markdown, id title)\n# Report" in text
    assert "--- cell 1 (code, id sum, not run)\nx = 20" in text
    assert "print(x + 1)" in await desk.text(action="read", cell="sum")
    assert "no cell 7" in await desk.error(action="read", cell=7)


async def test_cells_are_added_replaced_and_deleted_and_the_rest_stays_as_it_was(desk: Desk) -> None:
    assert "Added markdown cell 1" in await desk.text(
        action="add", cell="sum", source="Text", cell_type="markdown"
    )
    await desk.text(action="add", source="y = 1")
    await desk.text(action="replace", cell="sum", source="x = 3")
    assert [each["source"] for each in desk.cells()] == ["# Report", "Text", "x = 3", "y = 1"]
    assert desk.cells()[2]["metadata"] == {"kept": "sum"}
    await desk.text(action="delete", cell=0)
    assert [each["source"] for each in desk.cells()] == ["Text", "x = 3", "y = 1"]
    assert json.loads(desk.file.read_text())["metadata"] == {"mine": 1}
    assert len({each["id"] for each in desk.cells()}) == 3


async def test_an_older_format_keeps_its_form(desk: Desk) -> None:
    old = {"cell_type": "markdown", "metadata": {}, "source": ["one\n", "two"]}
    desk.write(old, minor=2)
    await desk.text(action="add", source="y = 1")
    await desk.text(action="replace", cell=0, source="three")
    assert all("id" not in each for each in desk.cells())


async def test_what_a_call_lacks_is_said(desk: Desk, make_desk: Callable[..., Desk]) -> None:
    assert "`cell` is needed" in await desk.error(action="delete")
    assert "`source` is needed" in await desk.error(action="add")
    assert "not code" in await desk.error(action="run", cell="title")
    desk.toolbox.bind(ServerNotebooks(desk.app), "work/missing.ipynb", "own")
    assert "work/missing.ipynb cannot be read" in await desk.error(action="read")
    desk.toolbox.bind(ServerNotebooks(desk.app), None, "own")
    assert "bound to no notebook" in await desk.error(action="read")
    desk.toolbox.bind(None, PATH, "own")
    assert "Jupyter server" in await desk.error(action="read")


async def test_a_notebook_that_is_not_open_is_not_run(desk: Desk) -> None:
    assert "open the notebook first" in await desk.error(action="run", cell="sum")


async def test_a_cell_runs_in_the_notebooks_kernel_and_keeps_its_outputs(desk: Desk) -> None:
    kernel = await desk.open()
    assert await desk.text(action="run", cell="sum") == "21\n"
    await desk.text(action="add", source="import sys; print('e', file=sys.stderr); x * 2")
    await desk.text(action="run", cell=2)
    run, second = desk.cells()[1:]
    assert run["outputs"] == [{"output_type": "stream", "name": "stdout", "text": ["21\n"]}]
    assert (run["execution_count"], second["execution_count"]) == (1, 2)
    assert [each["output_type"] for each in second["outputs"]] == ["stream", "execute_result"]
    await desk.text(action="replace", cell=2, source="1 / 0")
    assert "ZeroDivisionError" in await desk.error(action="run", cell=2)
    assert desk.cells()[2]["outputs"][0]["ename"] == "ZeroDivisionError"
    await desk.toolbox.close()
    assert kernel in desk.app.kernel_manager, "it is the user's: the execution's end leaves it running"


async def test_what_somebody_else_changes_meanwhile_is_never_lost(desk: Desk, tmp_path: Path) -> None:
    """The person edits the same cell while it runs: their text stays, and the call says so."""
    await desk.open()
    began, gate = tmp_path / "began", tmp_path / "gate"
    code = (
        f"import os, time\nopen({str(began)!r}, 'w').close()\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    )
    await desk.text(action="replace", cell="sum", source=code)
    running = asyncio.create_task(desk.error(action="run", cell="sum"))
    async with asyncio.timeout(90):
        while not began.exists():
            await asyncio.sleep(0.02)
    cells = desk.cells()
    cells[1]["source"] = "mine"
    desk.write(*cells)
    gate.touch()
    assert "by somebody else meanwhile" in await running
    assert desk.cells()[1]["source"] == "mine"
    desk.write(cells[1], cell("new", "new"), cells[0])
    assert "Replaced" in await desk.text(action="replace", cell="title", source="# Found again")
    assert [each["source"] for each in desk.cells()] == ["mine", "new", "# Found again"]


async def test_a_tab_that_cannot_see_a_change_is_told_to_reload(desk: Desk) -> None:
    assert "reloaded" not in await desk.text(action="add", source="y = 1")
    await desk.open()
    assert "reloaded" in await desk.text(action="add", source="z = 1")


async def test_reading_asks_nobody_and_everything_else_does(server: Caller) -> None:
    server.app.root_dir  # noqa: B018
    file = Path(server.app.root_dir) / "n.ipynb"
    content = {"cells": [cell("1", "one")], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    await asyncio.to_thread(file.write_text, json.dumps(content))
    agent = {"tools": ["notebook"], "notebook": "n.ipynb", "task": "Do it."}
    project = await server.create(agent=agent)
    calls = [{"action": "read"}, {"action": "delete", "cell": "one"}]
    turns = [{"text": "I do.", "tools": [{"name": "notebook", "as": f"c{i}", "input": call}]} for i, call in
             enumerate(calls)]  # fmt: skip
    await server.script(project["id"], *turns, {"text": "Done."})
    execution = await server.execute(project["id"], key=project["api_key"])
    await server.ended(execution)
    results = [each for each in await server.events(execution) if each["type"] == "tool_result"]
    assert [each["is_error"] for each in results] == [False, True]
    assert "one" in json.dumps(results[0]["output"])
    assert "one" in await asyncio.to_thread(file.read_text)


@pytest.fixture
def shared(make_desk: Callable[..., Desk]) -> Desk:
    desk = make_desk(kernel="notebook")
    desk.write(cell("shared = 41", "one"))
    return desk


async def test_python_runs_in_the_open_notebooks_kernel(shared: Desk) -> None:
    assert "open the notebook first" in await shared.error("python", code="1")
    kernel = await shared.open()
    await shared.text(action="run", cell="one")
    assert await shared.text("python", code="shared + 1") == "42\n"
    assert len(shared.app.kernel_manager.list_kernel_ids()) == 1, "no kernel of its own beside"
    await shared.toolbox.close()
    assert kernel in shared.app.kernel_manager


async def test_a_time_limit_interrupts_and_the_variables_stay(shared: Desk) -> None:
    await shared.open()
    await shared.text("python", code="kept = 1")
    error = await shared.error("python", code="import time; time.sleep(60)", timeout_s=1)
    assert "interrupted after 1 s" in error
    assert await shared.text("python", code="kept") == "1\n"


async def test_what_is_too_large_is_said_and_the_kernel_stays_and_answers(shared: Desk) -> None:
    await shared.open()
    error = await shared.error("python", code="kept = 1\nraise KeyError('x' * 50_000_000)")
    assert f"TooLarge: What it raised or answered is larger than {LARGEST:,} bytes" in error
    assert await shared.text("python", code="kept") == "1\n"
    assert "larger than" in await shared.text("python", code="print('x' * 50_000_000)")
    assert await shared.text("python", code="kept") == "1\n"


async def test_what_the_user_shows_meanwhile_is_not_told_as_ours_however_large(shared: Desk) -> None:
    kernel = await shared.open()
    await shared.text("python", code="1")
    client = shared.app.kernel_manager.get_kernel(kernel).client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    client.execute("import time; time.sleep(1); print('x' * 50_000_000)")
    assert await shared.text("python", code="print('mine')", timeout_s=60) == "mine\n"
    client.stop_channels()


async def test_a_cancelled_call_interrupts_the_code_and_leaves_the_kernel(
    shared: Desk, promised: Promised
) -> None:
    kernel = await shared.open()
    await shared.text("python", code="kept = 1")
    flag = shared.context.workspace / "runs"
    code = f"open({str(flag)!r}, 'w').close(); import time; time.sleep(60)"
    call = asyncio.create_task(shared.text("python", code=code))
    while not flag.exists():
        assert not call.done()
        await asyncio.sleep(0.02)
    call.cancel()
    with promised(5), pytest.raises(asyncio.CancelledError):
        await call
    assert await shared.text("python", code="kept") == "1\n"
    assert kernel in shared.app.kernel_manager


async def test_what_the_user_runs_is_waited_for_and_never_interrupted(shared: Desk) -> None:
    kernel = await shared.open()
    manager = shared.app.kernel_manager.get_kernel(kernel)
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    client.execute("import time\nfor _ in range(30): time.sleep(0.1)\nmine = 'whole'")
    assert "busy" in await shared.error("python", code="1", timeout_s=1)
    assert await shared.text("python", code="mine", timeout_s=60) == "'whole'\n"
    client.stop_channels()


async def test_a_kernel_that_died_is_lost_state_and_the_next_call_finds_the_new_one(shared: Desk) -> None:
    kernel = await shared.open()
    await shared.text("python", code="kept = 1")
    pid = shared.app.kernel_manager.get_kernel(kernel).provisioner.pid
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(90):
        while "state lost" not in (said := await shared.error("python", code="kept")):
            assert "does not answer" in said or "No Python" in said or "busy" in said, said
    async with asyncio.timeout(60):
        while True:
            said = await shared.error("python", code="kept")
            if "NameError" in said:
                break
    assert shared.app.kernel_manager.get_kernel(kernel).provisioner.pid != pid


@pytest.mark.skipif(importlib.util.find_spec("jupyter_server_ydoc") is None, reason="no jupyter-server-ydoc")
class TestCollaboration:
    """With the shared document of jupyter-server-ydoc."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
        extensions = {"jupyter_server_ydoc": True, "jupyter_server_fileid": True}
        jp_server_config["ServerApp"]["jpserver_extensions"] |= extensions
        jp_server_config["YDocExtension"] = {"document_save_delay": 0.1}
        jp_server_config["BaseFileIdManager"] = {"db_path": str(tmp_path / "ids.db")}
        return jp_server_config

    async def test_an_open_document_gets_the_change_and_saves_it(self, desk: Desk) -> None:
        await desk.open()
        (extension,) = desk.app.extension_manager.extension_apps["jupyter_server_ydoc"]
        document = await extension.get_document(
            path=PATH, content_type="notebook", file_format="json", copy=False, create=True
        )
        document.set_cell(0, cell("# Unsaved in the tab", "title", "markdown"))
        assert "Unsaved in the tab" in await desk.text(action="read")
        said = await desk.text(action="add", source="y = 5")
        assert "reloaded" not in said
        assert [each["source"] for each in document.get()["cells"]] == [
            "# Unsaved in the tab", "x = 20\nprint(x + 1)", "y = 5",
        ]  # fmt: skip
        await desk.text(action="run", cell="sum")
        assert document.get()["cells"][1]["outputs"][0]["text"].strip() == "21"
        await desk.text(action="delete", cell=2)
        async with asyncio.timeout(60):
            while "Unsaved in the tab" not in await asyncio.to_thread(desk.file.read_text):
                await asyncio.sleep(0.05)
