"""Notes outlive an execution, and nothing but notes can be reached through them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from cloutagent_ext.engine.ports import ToolError
from cloutagent_ext.engine.tools.memory import Memory
from cloutagent_ext.executions import memory as notes
from cloutagent_ext.executions.memory import ProjectMemory
from cloutagent_ext.schema.project import Definition
from tests.support.traversal import SECRET, names, plant

from .conftest import Office, agent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "project" / "memory"


@pytest.fixture
def tool(folder: Path, tmp_path: Path) -> Memory:
    return Memory(ProjectMemory(folder, tmp_path / "locks" / "p.lock"))


async def do(tool: Memory, command: str, **arguments: object) -> str:
    asked = {"command": command, **arguments}
    jsonschema.validate(asked, tool.input_schema)
    [part] = await tool.run(asked, None)  # type: ignore[arg-type]
    return part.text


async def test_a_file_is_made_read_changed_moved_and_removed(tool: Memory, folder: Path):
    assert await do(tool, "create", path="/memories/plan.md", file_text="one\ntwo\n")
    assert (folder / "plan.md").read_text() == "one\ntwo\n"
    assert await do(tool, "view", path="/memories/plan.md") == (
        "Here's the content of /memories/plan.md with line numbers:\n     1\tone\n     2\ttwo"
    )
    await do(tool, "str_replace", path="/memories/plan.md", old_str="two", new_str="2")
    await do(tool, "insert", path="/memories/plan.md", insert_line=1, insert_text="and a half")
    assert (folder / "plan.md").read_text() == "one\nand a half\n2\n"
    assert "and a half" in await do(tool, "view", path="/memories/plan.md", view_range=[2, 2])
    await do(tool, "rename", old_path="/memories/plan.md", new_path="/memories/old/2025/plan.md")
    await do(tool, "create", path="/memories/pages.md", file_text="one\x0cstill one\u2028and on\ntwo")
    assert await do(tool, "insert", path="/memories/pages.md", insert_line=2, insert_text="three")
    await do(tool, "insert", path="/memories/pages.md", insert_line=1, insert_text="1.5")
    written = (folder / "pages.md").read_text()
    assert written == "one\x0cstill one\u2028and on\n1.5\ntwo\nthree", "lines are those that `view` counts"
    shown = await do(tool, "view", path="/memories")
    assert "/memories/old/\n" in shown
    assert "/memories/old/2025/" in shown
    assert "plan.md" not in shown  # two levels are shown
    assert "plan.md" in await do(tool, "view", path="/memories/old/")
    await do(tool, "delete", path="/memories/old")
    assert "old" not in await do(tool, "view", path="/memories")
    assert not (folder / "old").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"command": "view", "path": "/memories/gone"}, "does not exist"),
        ({"command": "create", "path": "/memories/a", "file_text": "x"}, "already exists"),
        ({"command": "create", "path": "/memories", "file_text": "x"}, "names a folder"),
        ({"command": "create", "path": "/memories/a/b", "file_text": "x"}, "is a file"),
        ({"command": "create", "path": "/memories/new"}, "needs `file_text`"),
        ({"command": "str_replace", "path": "/memories/a", "old_str": "zz", "new_str": ""}, "does not occur"),
        ({"command": "str_replace", "path": "/memories/a", "old_str": "same", "new_str": ""}, "occurs 2 "),
        ({"command": "str_replace", "path": "/memories/no", "old_str": "x", "new_str": ""}, "does not exist"),
        ({"command": "insert", "path": "/memories/a", "insert_line": 9, "insert_text": "x"}, "has 2 lines"),
        ({"command": "delete", "path": "/memories"}, "cannot be deleted"),
        ({"command": "delete", "path": "/memories/gone"}, "does not exist"),
        ({"command": "rename", "old_path": "/memories/a", "new_path": "/memories/d"}, "already exists"),
        ({"command": "rename", "old_path": "/memories/d", "new_path": "/memories/d/e"}, "into itself"),
        ({"command": "view", "path": "/etc/passwd"}, "must begin with /memories/"),
        ({"command": "create", "path": "/memories/.hidden", "file_text": "x"}, "begins with a dot"),
        ({"command": "create", "path": "/memories/u", "file_text": "\ud800"}, "not valid Unicode"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_said_and_changes_nothing(tool: Memory, folder: Path, arguments, words):
    await do(tool, "create", path="/memories/a", file_text="same\nsame\n")
    await do(tool, "create", path="/memories/d/x", file_text="x")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ToolError, match=words):
        await tool.run(arguments, None)  # type: ignore[arg-type]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def outside_of(tmp_path: Path, folder: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for top, folders, files in os.walk(tmp_path):
        folders[:] = [name for name in folders if Path(top, name) != folder]
        for name in [*folders, *files]:
            path = Path(top, name)
            plain = path.is_file() and not path.is_symlink() and path.suffix != ".lock"
            found[str(path)] = (path.lstat().st_mode, path.read_bytes() if plain else b"")
    return found


async def test_no_name_of_the_corpus_reads_writes_moves_or_removes_anything_outside(
    tool: Memory, folder: Path, tmp_path: Path
):
    folder.mkdir(parents=True)
    outside = folder.parent / "outside"
    await do(tool, "create", path="/memories/mine", file_text="mine")
    plant(folder, outside)
    before = outside_of(tmp_path, folder)
    for name in names(folder, outside):
        for path in (name, f"/memories/{name}", f"/memories{name}"):
            for arguments in (
                {"command": "view", "path": path},
                {"command": "create", "path": path, "file_text": "written by the model"},
                {"command": "str_replace", "path": path, "old_str": SECRET, "new_str": "changed"},
                {"command": "insert", "path": path, "insert_line": 0, "insert_text": "changed"},
                {"command": "rename", "old_path": path, "new_path": "/memories/stolen"},
                {"command": "rename", "old_path": "/memories/mine", "new_path": path},
                {"command": "delete", "path": path},
            ):
                try:
                    said = (await tool.run(arguments, None))[0].text  # type: ignore[arg-type]
                except ToolError as error:
                    said = str(error)
                assert SECRET not in said, arguments
        if not (folder / "mine").is_file():  # it was moved to an odd, allowed name
            await do(tool, "create", path="/memories/mine", file_text="mine")
        if (folder / "stolen").is_file():
            assert SECRET not in (folder / "stolen").read_text()
        if (folder / "stolen").exists():  # the folder inside, with the links in it
            await do(tool, "delete", path="/memories/stolen")
    assert outside_of(tmp_path, folder) == before


async def test_all_notes_together_are_bounded(tool: Memory):
    assert notes.MAX_BYTES == 10 * 1024 * 1024
    half = "x" * (6 * 1024 * 1024)
    await do(tool, "create", path="/memories/a", file_text=half)
    with pytest.raises(ToolError, match="10 MB together"):
        await do(tool, "create", path="/memories/b", file_text=half)
    with pytest.raises(ToolError, match="10 MB together"):
        await do(tool, "insert", path="/memories/a", insert_line=0, insert_text=half)
    await do(tool, "delete", path="/memories/a")
    await do(tool, "create", path="/memories/b", file_text=half)


async def test_changes_of_several_processes_at_once_are_all_kept(tool: Memory, folder: Path, tmp_path: Path):
    await do(tool, "create", path="/memories/count", file_text="")
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from cloutagent_ext.executions.memory import ProjectMemory\n"
        "memory = ProjectMemory(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "async def main():\n"
        "    for _ in range(20):\n"
        "        await memory.change(('count',), lambda text: (text or '') + sys.argv[3] + '\\n')\n"
        "asyncio.run(main())\n"
    )
    lock = str(tmp_path / "locks" / "p.lock")

    def run() -> None:
        children = [
            subprocess.Popen([sys.executable, "-c", script, str(folder), lock, name]) for name in ("a", "b")
        ]
        assert [child.wait(60) for child in children] == [0, 0]

    await asyncio.to_thread(run)
    lines = (folder / "count").read_text().split()
    assert (lines.count("a"), lines.count("b")) == (20, 20)


# ---------------------------------------------------------------- whole executions


def note(command: str, **arguments: object) -> dict[str, object]:
    return {"tools": [{"name": "memory", "as": "done", "input": {"command": command, **arguments}}]}


async def test_a_note_of_one_execution_is_there_in_the_next_and_in_no_version(office: Office, tmp_path: Path):
    turns = note("create", path="/memories/found.md", file_text="South leads.")
    project = await office.project(turns, agent=agent(tools=[], memory=True))
    state = await office.run(project)
    assert (state.status, state.result.text) == (
        "completed",
        "Done: File created successfully at: /memories/found.md",
    )
    folder = tmp_path / "data" / "projects" / project
    assert (folder / "memory" / "found.md").read_text() == "South leads."
    again = await office.run(project)
    assert "already exists" in again.result.text
    stored = await office.services.store.read(project)
    assert stored.project.version == state.version == again.version
    assert not list((folder / "versions").rglob("found.md"))


async def test_an_agent_without_memory_has_no_such_tool(office: Office):
    project = await office.project(note("view", path="/memories"), agent=agent(tools=[]))
    state = await office.run(project)
    assert "There is no tool called memory" in state.result.text


async def test_notes_are_no_problem_of_validation_and_may_be_ruled(office: Office):
    definition = Definition(name="n", agent=agent(tools=[], memory=True, permissions={"memory": "deny"}))
    validation = await office.executions.validate(definition)
    assert [problem.code for problem in validation.problems] == ["NO_PROMPT"]
