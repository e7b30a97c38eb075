"""Workspaces: what a run made or changed, and no way out of the folder."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from cloutagent_ext.errors import NotFound
from cloutagent_ext.executions.workspace import Workspace


async def prepared(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path, "some-execution")

    async def copy(target: Path) -> None:
        await asyncio.to_thread(target.mkdir, parents=True)
        await asyncio.to_thread((target / "sales.csv").write_text, "a,b\n1,2\n")
        await asyncio.to_thread((target / "notes.md").write_text, "old")

    await workspace.prepare(copy)
    return workspace


async def test_only_what_the_run_made_or_changed_counts_as_its_files(tmp_path: Path) -> None:
    workspace = await prepared(tmp_path)
    assert await workspace.files() == []

    def work() -> None:
        (workspace.path / "notes.md").write_text("changed")
        (workspace.path / "out").mkdir()
        (workspace.path / "out" / "chart.png").write_bytes(b"\x89PNG")
        (workspace.path / "__pycache__").mkdir()
        (workspace.path / "__pycache__" / "x.pyc").write_bytes(b"")
        (workspace.path / "link").symlink_to("/etc/passwd")
        os.mkfifo(workspace.path / "pipe")

    await asyncio.to_thread(work)
    rows = await workspace.files()
    assert [(row.path, row.size, row.media_type) for row in rows] == [
        ("notes.md", 7, "text/markdown"),
        ("out/chart.png", 4, "image/png"),
    ]
    assert await asyncio.to_thread(workspace.count) == 2


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../baseline.json",
        "out/../../baseline.json",
        "link",
        "folder/x",
        "a\0b",
        "out",
        "pipe",
    ],
)
async def test_nothing_outside_the_workspace_is_reached(tmp_path: Path, path: str) -> None:
    workspace = await prepared(tmp_path)

    def trap() -> None:
        (workspace.path / "link").symlink_to("/etc/passwd")
        (workspace.path / "folder").symlink_to("/etc")
        (workspace.path / "out").mkdir()
        os.mkfifo(workspace.path / "pipe")

    await asyncio.to_thread(trap)
    with pytest.raises(NotFound):
        await workspace.file(path)


async def test_a_file_of_the_workspace_is_found_and_all_of_it_goes_in_the_end(tmp_path: Path) -> None:
    workspace = await prepared(tmp_path)
    path = await workspace.file("sales.csv")
    assert await asyncio.to_thread(path.read_text) == "a,b\n1,2\n"
    await workspace.remove()
    await workspace.remove()
    assert await workspace.files() == []
    assert not await asyncio.to_thread(workspace.root.exists)
