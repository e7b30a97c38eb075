"""Broken files on the disk: named, never overwritten, and nobody else's problem."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cloutagent_ext.errors import CloutError, NewerFormat, UnreadableFile
from cloutagent_ext.schema.canvas import UiPatch
from cloutagent_ext.store.projects import ProjectStore
from tests.support.definitions import whole

FILES = [
    "metadata.json",
    "agent.config.json",
    "subagents/writer.json",
    "hooks/guard.json",
    "mcps/mcp-config.json",
    ".ui/flow-coordinates.json",
    ".ui/ui-config.json",
]


def _replaced(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b"") and None,
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)) and None,
    "garbage": lambda path: path.write_bytes(b"\x80\xff{]") and None,
    "list": lambda path: path.write_bytes(b"[]") and None,
    "merge conflict": lambda path: path.write_text("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> x\n") and None,
    "sparse terabyte": _huge,
    "folder": _replaced(Path.mkdir),
    "symlink": _replaced(lambda path: path.symlink_to("/etc/hostname")),
    "dangling link": _replaced(lambda path: path.symlink_to("nowhere")),
    "fifo": _replaced(os.mkfifo),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", FILES)
async def test_a_damaged_file_is_reported_kept_and_harms_no_other_project(
    store: ProjectStore, pid: str, folder: Path, file: str, damage: str
) -> None:
    other = await store.create(whole(name="Other"))
    DAMAGE[damage](folder / file)
    before = os.lstat(folder / file)

    with pytest.raises(UnreadableFile) as caught:
        await store.read(pid)
    assert caught.value.details["file"] == file

    for attempt in (
        store.save(pid, whole(description="no")),
        store.save(pid, whole(description="no"), draft=True),
        store.patch_ui(pid, UiPatch(snap=False)),
        store.write_file(pid, "x", b"x"),
        store.freeze(pid),
    ):
        with pytest.raises(UnreadableFile):
            await attempt

    after = os.lstat(folder / file)
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (
        before.st_ino,
        before.st_size,
        before.st_mtime_ns,
    )

    await store.save(str(other.project.id), whole(name="Other", description="fine"))
    rows = {str(row.id): row for row in (await store.list()).items}
    assert file in (rows[pid].unreadable or "")
    assert rows[str(other.project.id)].unreadable is None
    if file != "metadata.json":
        assert rows[pid].name == "Sales analyst"
    await ProjectStore(folder.parent.parent).open()


@pytest.mark.parametrize("name", ["subagents", "hooks", "mcps", "prompts", ".ui"])
async def test_a_folder_that_became_a_link_is_not_followed(
    store: ProjectStore, pid: str, folder: Path, tmp_path: Path, name: str
) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnreadableFile) as caught:
        await store.save(pid, whole(description="x"))
    assert caught.value.details["file"] == name


async def test_a_missing_definition_file_is_reported_not_replaced_by_defaults(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    (folder / "agent.config.json").unlink()
    with pytest.raises(UnreadableFile, match="is missing"):
        await store.save(pid, whole())
    assert not (folder / "agent.config.json").exists()


async def test_a_mended_file_makes_the_project_whole_again(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    good = (folder / "agent.config.json").read_bytes()
    (folder / "agent.config.json").write_text("{")
    assert (await store.list()).items[0].unreadable
    (folder / "agent.config.json").write_bytes(good)
    assert (await store.list()).items[0].unreadable is None
    assert (await store.freeze(pid))[1] == 1


async def test_a_newer_format_is_listed_and_left_alone(store: ProjectStore, pid: str, folder: Path) -> None:
    newer = b'{"schema_version": 99, "name": "From tomorrow"}'
    (folder / "metadata.json").write_bytes(newer)
    for attempt in (store.read(pid), store.save(pid, whole()), store.freeze(pid)):
        with pytest.raises(NewerFormat):
            await attempt
    assert "newer version" in ((await store.list()).items[0].unreadable or "")
    assert (folder / "metadata.json").read_bytes() == newer


async def test_strange_names_beside_the_projects_are_passed_over(
    store: ProjectStore, pid: str, data_dir: Path
) -> None:
    for name in ("notes.txt", "my copy", ".git", "AAAA"):
        (data_dir / "projects" / name).mkdir()
    assert await store.ids() == [pid]


async def test_a_damaged_journal_is_reported_and_kept(store: ProjectStore, pid: str, folder: Path) -> None:
    (folder / ".staging").mkdir()
    (folder / ".staging/journal.json").write_text("{")
    await ProjectStore(folder.parent.parent).open()
    for attempt in (store.read(pid), store.save(pid, whole(description="x"))):
        with pytest.raises(CloutError) as caught:
            await attempt
        assert caught.value.details["file"] == ".staging/journal.json"
    assert (folder / ".staging/journal.json").read_text() == "{"
