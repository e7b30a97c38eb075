"""A project's own files: bounded, confined, copied into workspaces, versioned."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cloutagent_ext.errors import Conflict, InvalidRequest, NotFound, TooLarge, UnreadableFile
from cloutagent_ext.store import project_files
from cloutagent_ext.store.projects import ProjectStore
from tests.support.definitions import whole
from tests.support.traversal import SECRET, names


async def test_files_are_written_listed_read_and_removed(store: ProjectStore, pid: str, folder: Path) -> None:
    row = await store.write_file(pid, "deep/er/ä.png", b"\x89PNG")
    assert (row.path, row.size, row.media_type) == ("deep/er/ä.png", 4, "image/png")
    assert [item.path for item in await store.list_files(pid)] == [
        "data/sales.csv",
        "deep/er/ä.png",
        "scenario.json",
    ]
    assert (await store.read_file(pid, "deep/er/ä.png"))[0] == b"\x89PNG"
    await store.write_file(pid, "deep/er/ä.png", b"other")
    assert (await store.read_file(pid, "deep/er/ä.png"))[0] == b"other"
    await store.delete_file(pid, "deep/er/ä.png")
    assert not (folder / "files/deep").exists()
    for attempt in (store.read_file(pid, "deep/er/ä.png"), store.delete_file(pid, "deep/er/ä.png")):
        with pytest.raises(NotFound):
            await attempt


async def test_writing_the_same_bytes_changes_nothing(store: ProjectStore, pid: str, folder: Path) -> None:
    before = (folder / "files/data/sales.csv").stat(), (folder / "metadata.json").stat()
    await store.write_file(pid, "data/sales.csv", b"a,b\n1,2\n")
    assert ((folder / "files/data/sales.csv").stat(), (folder / "metadata.json").stat()) == before


async def test_no_path_leads_out_of_the_files(
    store: ProjectStore, pid: str, folder: Path, tmp_path: Path
) -> None:
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    root = folder / "files"
    for name in names(root, outside):
        with pytest.raises((InvalidRequest, NotFound)):
            await store.read_file(pid, name)
    (root / "link").symlink_to(outside)
    for name in ("link/secret.txt", "link", "../metadata.json", "../../x", "a/../../keys.json"):
        with pytest.raises((InvalidRequest, Conflict)):
            await store.write_file(pid, name, b"x")
        with pytest.raises((InvalidRequest, NotFound)):
            await store.delete_file(pid, name)
    assert (outside / "secret.txt").read_text() == SECRET


async def test_files_and_folders_do_not_take_each_others_place(store: ProjectStore, pid: str) -> None:
    with pytest.raises(Conflict, match="is a folder"):
        await store.write_file(pid, "data", b"x")
    with pytest.raises(Conflict, match="is a file"):
        await store.write_file(pid, "scenario.json/x", b"x")
    assert (await store.freeze(pid))[1] == 1


async def test_all_files_together_have_a_ceiling(
    store: ProjectStore, pid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_files, "MAX_TOTAL_BYTES", 100)
    await store.write_file(pid, "a", b"x" * 60)
    await store.write_file(pid, "a", b"x" * 70)
    with pytest.raises(TooLarge):
        await store.write_file(pid, "b", b"x" * 60)
    with pytest.raises(TooLarge):
        await store.create(whole(), files={"a": b"x" * 101})
    assert len((await store.list()).items) == 1


async def test_no_more_files_are_taken_than_can_be_listed_again(
    store: ProjectStore, pid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many would lock the project: nothing of it could be read, saved or removed any more."""
    monkeypatch.setattr(project_files, "MAX_FILES", 6)
    await store.write_file(pid, "a", b"x")  # with data/, data/sales.csv and scenario.json
    with pytest.raises(TooLarge):
        await store.write_file(pid, "b/c/d", b"x")
    await store.write_file(pid, "b/c", b"x")
    with pytest.raises(TooLarge):
        await store.write_file(pid, "e", b"x")
    await store.write_file(pid, "b/c", b"again")
    assert len(await store.list_files(pid)) == 4
    await store.delete_file(pid, "a")
    await store.write_file(pid, "e", b"x")


async def test_a_file_removed_by_hand_while_files_are_listed_is_simply_gone(
    store: ProjectStore, pid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def scanned(path: str | Path) -> list[os.DirEntry[str]]:
        found = list(scan(path))
        for entry in found:
            if entry.name == "sales.csv":
                os.unlink(entry.path)
        return found

    monkeypatch.setattr(os, "scandir", scanned)
    assert [row.path for row in await store.list_files(pid)] == ["scenario.json"]


async def test_a_bad_file_name_makes_no_project(store: ProjectStore, data_dir: Path) -> None:
    with pytest.raises(InvalidRequest):
        await store.create(whole(), files={"../x": b"x"})
    assert [path.name for path in (data_dir / "projects").iterdir()] == [".locks"]


async def test_a_workspace_gets_regular_files_without_the_scenario(
    store: ProjectStore, pid: str, folder: Path, tmp_path: Path
) -> None:
    root = folder / "files"
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("/etc/passwd")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "fifo")
    target = tmp_path / "workspace"
    await store.copy_files(pid, target)
    assert sorted(str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()) == [
        "data/sales.csv",
        "run.sh",
    ]
    assert os.access(target / "run.sh", os.X_OK)
    assert not (target / "link").is_symlink()
    (target / "data/sales.csv").write_text("changed by a tool")
    assert (root / "data/sales.csv").read_bytes() == b"a,b\n1,2\n"


async def test_a_version_keeps_its_files_and_scenario(store: ProjectStore, pid: str, tmp_path: Path) -> None:
    await store.write_file(pid, "data/sales.csv", b"new")
    await store.write_file(pid, "scenario.json", b'{"agents": {"main": []}}')
    await store.copy_files(pid, tmp_path / "v1", version=1)
    await store.copy_files(pid, tmp_path / "live")
    assert (tmp_path / "v1/data/sales.csv").read_bytes() == b"a,b\n1,2\n"
    assert (tmp_path / "live/data/sales.csv").read_bytes() == b"new"
    assert await store.scenario(pid, version=1) == {"agents": {}}
    assert await store.scenario(pid) == {"agents": {"main": []}}
    with pytest.raises(NotFound):
        await store.copy_files(pid, tmp_path / "v9", version=9)


async def test_a_broken_scenario_is_named_with_its_line(store: ProjectStore, pid: str) -> None:
    await store.write_file(pid, "scenario.json", b'{\n"agents": }')
    with pytest.raises(UnreadableFile, match=r"files/scenario.json, line 2"):
        await store.scenario(pid)
    await store.delete_file(pid, "scenario.json")
    assert await store.scenario(pid) is None
