"""What a call would do, told beforehand: nothing is touched, nothing hidden, nothing endless."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine import previews
from cloutagent_ext.engine.notebooks import NotebookState
from cloutagent_ext.engine.ports import Shown, ToolContext, ToolError
from cloutagent_ext.engine.tools.base import Resources
from cloutagent_ext.engine.tools.registry import builtin
from tests.support.patience import Promised


class NoKernels:
    async def start(self, **_: Any) -> Any:
        raise AssertionError("a preview starts nothing")


@pytest.fixture
def context(tmp_path: Path) -> ToolContext:
    async def warn(code: str, message: str) -> None:
        raise AssertionError("a preview warns of nothing")

    return ToolContext(
        execution_id="e", agent="main", call_id="c", span="main/1/c", workspace=tmp_path, env={}, warn=warn
    )  # fmt: skip


async def shown(tool: str, arguments: dict[str, Any], context: ToolContext) -> Any:
    resources = Resources(NoKernels())  # type: ignore[arg-type]
    return await previews.of(builtin(resources)[tool], arguments, context)


def everything(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((str(path), path.read_bytes()) for path in folder.rglob("*") if path.is_file())


async def test_a_new_file_in_a_new_folder_is_all_additions_and_not_made(context: ToolContext) -> None:
    preview = await shown("file_create", {"path": "deep/er/a.md", "content": "one\ntwo"}, context)
    assert preview.content == (
        "--- /dev/null\n+++ deep/er/a.md\n@@ -0,0 +1,2 @@\n+one\n+two\n\\ No newline at end of file\n"
    )
    assert (preview.kind, preview.where, preview.note) == ("diff", "deep/er/a.md", "A new file.")
    assert list(context.workspace.iterdir()) == []


async def test_a_change_shows_its_lines_with_their_numbers_in_the_whole_file(context: ToolContext) -> None:
    rows = [f"row {n}\n" for n in range(1, 10_001)]
    (context.workspace / "big.csv").write_text("".join(rows))
    before = everything(context.workspace)
    arguments = {"path": "big.csv", "old_str": "row 5000\n", "new_str": "row 5000!\nrow 5000b\n"}
    preview = await shown("str_replace", arguments, context)
    assert "@@ -4997,7 +4997,8 @@" in preview.content
    assert "-row 5000\n+row 5000!\n+row 5000b\n" in preview.content
    assert len(preview.content.splitlines()) < 15
    assert everything(context.workspace) == before


async def test_a_file_that_is_replaced_as_a_whole_takes_no_longer_to_compare_than_one_looks(
    context: ToolContext,
    promised: Promised,
) -> None:
    (context.workspace / "a").write_text("".join(f"{n % 7} {n}\n" for n in range(200_000)))
    with promised(5):
        content = "".join(f"{n % 5} {n}\n" for n in range(200_000))
        preview = await shown("file_create", {"path": "a", "content": content}, context)
    assert preview.truncated
    assert len(preview.content.encode()) <= 32 * 1024


@pytest.mark.parametrize(
    ("tool", "arguments", "note"),
    [
        ("str_replace", {"path": "a.md", "old_str": "three", "new_str": "3"}, "does not occur"),
        ("str_replace", {"path": "gone.md", "old_str": "x", "new_str": "y"}, "no such file"),
        ("str_replace", {"path": "../out.md", "old_str": "x", "new_str": "y"}, "outside"),
        ("file_create", {"path": "/etc/passwd", "content": "x"}, "outside"),
        ("file_create", {"path": "a.md/", "content": "x"}, "names a folder"),
    ],
)
async def test_a_call_that_would_fail_says_so_and_shows_its_arguments(
    context: ToolContext, tool: str, arguments: dict[str, Any], note: str
) -> None:
    (context.workspace / "a.md").write_text("one\ntwo\n")
    preview = await shown(tool, arguments, context)
    assert preview.kind == "call"
    assert note in preview.note
    assert arguments["path"] in preview.content


async def test_a_link_out_of_the_workspace_is_not_read_for_a_preview(
    context: ToolContext, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret"
    outside.write_text("do not show\n")
    (context.workspace / "link").symlink_to(outside)
    preview = await shown("file_create", {"path": "link", "content": "x"}, context)
    assert "do not show" not in preview.content
    assert "leads out" in preview.note


async def test_no_change_and_a_binary_file_are_said(context: ToolContext) -> None:
    (context.workspace / "same").write_text("one\n")
    same = await shown("file_create", {"path": "same", "content": "one\n"}, context)
    assert (same.content, same.note) == ("", "The file stays as it is.")
    (context.workspace / "data").write_bytes(b"\0\1\2" * 100)
    binary = await shown("file_create", {"path": "data", "content": "text\n"}, context)
    assert "binary file of 300 bytes" in binary.note
    assert "+text" in binary.content


async def test_what_would_not_be_seen_is_spelled_out(context: ToolContext) -> None:
    command = "echo safe\x1b[2K\u202e; rm -rf x\r"
    preview = await shown("bash", {"command": command}, context)
    assert preview.content == "echo safe\\x1b[2K\\u202e; rm -rf x\\r"
    assert (preview.kind, preview.where) == ("command", "workspace")


@pytest.mark.parametrize(
    "hidden",
    [*"\u034f\u115f\u1160\u17b4\u180b\u200b\u2028\u202e\u2060\u2800\u3164\ufe00\ufeff\uffa0\ufffb",
     *"\U0001d173\U000e0041\U000e0100", *"\xa0\u1680\u2003\u202f\u3000"],
    ids=lambda hidden: f"U+{ord(hidden):04X}",
)  # fmt: skip
async def test_nothing_hides_in_a_command(context: ToolContext, hidden: str) -> None:
    preview = await shown("bash", {"command": f"ls{hidden}x"}, context)
    assert preview.content == "ls" + hidden.encode("unicode_escape").decode() + "x"


async def test_prose_keeps_its_spaces_and_pictures(context: ToolContext) -> None:
    prose = "Été\xa0: ❤️ 全角\u3000だ\n"
    preview = await shown("file_create", {"path": "a.md", "content": prose}, context)
    assert f"+{prose}" in preview.content


async def test_a_cell_is_shown_as_it_is_and_starts_no_kernel(context: ToolContext) -> None:
    preview = await shown("python", {"code": "x = 1\nx"}, context)
    assert (preview.kind, preview.content) == ("code", "x = 1\nx")


async def test_a_call_of_a_server_is_shown_with_its_tool_and_all_arguments(context: ToolContext) -> None:
    from types import SimpleNamespace

    tool = SimpleNamespace(name="mcp__time__convert", source="mcp:time")
    preview = await previews.of(tool, {"zone": "UTC"}, context)  # type: ignore[arg-type]
    assert preview is not None
    assert (preview.kind, preview.where, preview.content) == (
        "call",
        "time / convert",
        '{\n  "zone": "UTC"\n}',
    )


class OneNotebook:
    """Two cells, which a preview only reads."""

    async def read(self, path: str) -> NotebookState:
        cells = [{"id": "a", "cell_type": "markdown", "source": "# Sales\n"}]
        return NotebookState([*cells, {"id": "b", "cell_type": "code", "source": "x = 1\nx\n"}])

    async def change(self, *_: Any) -> NotebookState:
        raise AssertionError("a preview changes nothing")


@pytest.mark.parametrize(
    ("arguments", "kind", "content", "note"),
    [
        ({"action": "add", "source": "y = 2"}, "code", "y = 2", "A new code cell, number 2. It is not run."),
        ({"action": "run", "cell": "b"}, "code", "x = 1\nx\n", "Runs cell 1 in the notebook's kernel."),
        (
            {"action": "replace", "cell": 1, "source": "x = 3\nx\n"},
            "diff",
            "-x = 1\n+x = 3\n",
            "Replaces cell 1",
        ),
        ({"action": "delete", "cell": "a"}, "diff", "-# Sales\n", "Deletes cell 0."),
        ({"action": "delete", "cell": "gone"}, "call", "gone", "It would fail: There is no cell 'gone'"),
    ],
)
async def test_a_change_of_a_notebook_shows_the_cell(
    context: ToolContext, arguments: dict[str, Any], kind: str, content: str, note: str
) -> None:
    resources = Resources(NoKernels())  # type: ignore[arg-type]
    resources.notebooks, resources.notebook = OneNotebook(), "sales.ipynb"  # type: ignore[assignment]
    preview = await previews.of(builtin(resources)["notebook"], arguments, context)
    assert preview is not None
    assert preview.kind == kind
    assert content in preview.content
    assert note in preview.note


async def test_a_page_is_shown_by_its_address_and_not_fetched(context: ToolContext) -> None:
    preview = await shown("web_fetch", {"url": "https://example.org/a?b=c"}, context)
    assert (preview.kind, preview.content) == ("url", "https://example.org/a?b=c")


class Edited(OneNotebook):
    """The same, in which somebody writes while a person is asked."""

    def __init__(self) -> None:
        self.cells = [
            {"id": "a", "cell_type": "code", "source": "x = 1"},
            {"id": "b", "cell_type": "code", "source": "y = 2"},
        ]

    async def read(self, path: str) -> NotebookState:
        return NotebookState([dict(cell) for cell in self.cells])

    async def kernel(self, path: str) -> Any:
        raise AssertionError("nothing is run")


@pytest.mark.parametrize(
    "arguments",
    [{"action": "run", "cell": "b"}, {"action": "delete", "cell": 1},
     {"action": "replace", "cell": 1, "source": "y = 3"}],
    ids=lambda arguments: arguments["action"],
)  # fmt: skip
@pytest.mark.parametrize("how", ["edited", "moved"])
async def test_a_cell_that_is_no_longer_the_one_that_was_shown_is_left_alone(
    context: ToolContext, arguments: dict[str, Any], how: str
) -> None:
    resources, book = Resources(NoKernels()), Edited()  # type: ignore[arg-type]
    resources.notebooks, resources.notebook = book, "sales.ipynb"  # type: ignore[assignment]
    tool = builtin(resources)["notebook"]
    preview = await previews.of(tool, arguments, context)
    assert preview is not None
    allowed = replace(context, shown=Shown(arguments, preview))
    for cell in book.cells if how == "edited" else ():
        cell["source"] += "  # and more"
    if how == "moved":
        book.cells.insert(0, {"id": "c", "cell_type": "code", "source": "z = 3"})
    if how == "moved" and arguments["action"] == "run":  # named by its id, it is still the same
        with pytest.raises(AssertionError):  # it goes on to run it
            await tool.run(arguments, allowed)
        return
    with pytest.raises(ToolError, match="has changed since a person was shown it"):
        await tool.run(arguments, allowed)
