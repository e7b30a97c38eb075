"""No path that a model may write leads out of the workspace, with any tool that takes one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloutagent_ext.engine.ports import ToolError
from cloutagent_ext.engine.tools import beneath
from cloutagent_ext.engine.tools.paths import place, reached
from tests.support.traversal import SECRET, names, plant

from .conftest import Box


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of `folder` with mode and content, links not followed."""
    found = {}
    for top, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(top, name)
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (path.lstat().st_mode, content)
    return found


@pytest.fixture
def planted(box: Box, tmp_path: Path) -> tuple[Box, Path]:
    outside = tmp_path / "outside"
    plant(box.workspace, outside)
    return box, outside


def test_the_corpus_is_large_enough() -> None:
    assert len(names(Path("/w/workspace"), Path("/w/outside"))) >= 120


def outer(box: Box) -> dict[str, tuple[int, bytes]]:
    """Everything beside the workspace."""
    found: dict[str, tuple[int, bytes]] = {}
    for beside in box.workspace.parent.iterdir():
        if beside != box.workspace:
            found |= tree(beside)
    return found


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("view", {}),
        ("file_create", {"content": "written by the model"}),
        ("str_replace", {"old_str": SECRET, "new_str": "changed by the model"}),
    ],
)
async def test_no_name_of_the_corpus_reads_or_writes_outside(
    planted: tuple[Box, Path], tool: str, arguments: dict[str, str]
) -> None:
    box, outside = planted
    before, passwd = outer(box), Path("/etc/passwd").read_bytes()
    for name in names(box.workspace, outside):
        try:
            text = await box.text(tool, path=name, **arguments)
        except ToolError as error:
            text = str(error)
        text = text.replace(name or "\0", "")
        assert SECRET not in text, name
        assert "root:" not in text, name
    assert outer(box) == before
    assert Path("/etc/passwd").read_bytes() == passwd


async def test_no_name_of_the_corpus_searches_outside(planted: tuple[Box, Path]) -> None:
    box, outside = planted
    for name in names(box.workspace, outside):
        # A process for each name: only those that pass the first look get one.
        for tool, arguments in (("grep", {"pattern": "outside|root:"}), ("glob", {"pattern": "*"})):
            try:
                text = await box.text(tool, path=name, **arguments)
            except ToolError as error:
                text = str(error)
            text = text.replace(name or "\0", "")
            assert SECRET not in text, (tool, name)
            assert "root:" not in text, (tool, name)
            assert "secret.txt" not in text, (tool, name)


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "**/../../*", "sub/../../outside/*", "~/*"])
async def test_no_glob_pattern_climbs_out(planted: tuple[Box, Path], pattern: str) -> None:
    box, _ = planted
    try:
        text = await box.text("glob", pattern=pattern)
    except ToolError as error:
        text = str(error)
    assert "secret.txt" not in text
    assert "passwd" not in text


async def test_a_walk_does_not_follow_links_out(planted: tuple[Box, Path]) -> None:
    box, _ = planted
    assert SECRET not in await box.text("grep", pattern="secret")
    assert "passwd" not in await box.text("glob", pattern="**/*")


async def test_links_inside_the_workspace_work(planted: tuple[Box, Path]) -> None:
    box, _ = planted
    assert await box.text("view", path="link-inside/inside.txt") == "     1\tinside"
    assert await box.text("view", path=f"{box.workspace}/sub/inside.txt") == "     1\tinside"
    await box.run("file_create", path="link-inside/new.txt", content="new")
    assert (box.workspace / "sub" / "new.txt").read_text() == "new"


async def test_a_written_hard_link_leaves_the_other_name_as_it_was(planted: tuple[Box, Path]) -> None:
    box, outside = planted
    os.link(outside / "secret.txt", box.workspace / "hard.txt")
    await box.run("file_create", path="hard.txt", content="mine")
    assert (outside / "secret.txt").read_text() == SECRET


@pytest.mark.parametrize("name", ["pipe", "socket", "device"])
async def test_what_is_no_regular_file_is_refused_at_once(planted: tuple[Box, Path], name: str) -> None:
    box, _ = planted
    for tool, arguments in (
        ("view", {}),
        ("file_create", {"content": "x"}),
        ("str_replace", {"old_str": "x"}),
    ):
        await box.error(tool, path=name, **arguments)


async def test_a_workspace_that_became_a_link_is_refused(planted: tuple[Box, Path]) -> None:
    box, outside = planted
    box.workspace.rename(box.workspace.with_name("moved"))
    box.workspace.symlink_to(outside)
    await box.error("view", path="secret.txt")
    await box.error("file_create", path="new.txt", content="x")
    assert sorted(path.name for path in outside.iterdir()) == ["secret.txt"]
    box.workspace.unlink()


async def test_a_swap_of_folder_and_link_meanwhile_never_leads_out(planted: tuple[Box, Path]) -> None:
    """Someone turns `race` from a folder into a link to outside and back, as fast as they can."""
    box, outside = planted
    folder = box.workspace / "race"
    folder.mkdir()
    (folder / "secret.txt").write_text("inside")
    (box.workspace / "race-link").symlink_to(outside)
    # A process of its own: threads of one take turns, and may meet each time in the same half of a swap.
    swapper = subprocess.Popen([sys.executable, "-c", SWAP], cwd=box.workspace)
    try:
        await asyncio.to_thread(race, box)
    finally:
        swapper.kill()
        swapper.wait()
    assert sorted(path.name for path in outside.iterdir()) == ["secret.txt"]


SWAP = """
from os import rename
while True:
    rename("race", "parked")
    rename("race-link", "race")
    rename("race", "race-link")
    rename("parked", "race")
"""


def race(box: Box) -> None:
    """3,000 times, and on until both have been met; the test's time limit ends one that never meets both."""
    read = refused = 0
    while read + refused < 3000 or not (read and refused):
        try:
            with reached(place("race/secret.txt", box.context)) as (directory, name):
                assert beneath.read(directory, name, limit=1000) == b"inside"
            with reached(place("race/written.txt", box.context, write=True)) as (directory, name):
                beneath.replace(directory, name, b"x")
            read += 1
        except ToolError:
            refused += 1


async def test_named_folders_open_as_far_as_the_project_says(
    make_box: Callable[..., Box], tmp_path: Path
) -> None:
    readable, writable = tmp_path / "readable", tmp_path / "writable"
    for folder in (readable, writable):
        folder.mkdir()
        (folder / "data.txt").write_text("alpha\n")
    box = make_box(folders={readable: "read", writable: "write"})
    async with box.toolbox:
        for folder in (readable, writable):
            assert "alpha" in await box.text("view", path=f"{folder}/data.txt")
            assert f"{folder}/data.txt:1:alpha" in await box.text("grep", pattern="alpha", path=str(folder))
            assert f"{folder}/data.txt" in await box.text("glob", pattern="*.txt", path=str(folder))
        assert "only be read" in await box.error("file_create", path=f"{readable}/new.txt", content="x")
        assert "only be read" in await box.error("str_replace", path=f"{readable}/data.txt", old_str="alpha")
        await box.run("str_replace", path=f"{writable}/data.txt", old_str="alpha", new_str="beta")
        assert (writable / "data.txt").read_text() == "beta\n"
        assert "outside the workspace" in await box.error("view", path=f"{writable}/../outside.txt")
    assert sorted(path.name for path in readable.iterdir()) == ["data.txt"]
