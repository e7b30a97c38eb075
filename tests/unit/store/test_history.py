"""Versions as people handle them: list, read, label, restore, publish, compare, prune."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cloutagent_ext.errors import Conflict, InvalidRequest, NotFound, PreconditionFailed, UnreadableFile
from cloutagent_ext.store.projects import ProjectStore
from tests.support.definitions import whole


async def numbers(store: ProjectStore, pid: str) -> list[int]:
    return [row.version for row in (await store.list_versions(pid)).items]


async def saves(store: ProjectStore, pid: str, count: int) -> None:
    for number in range(count):
        await store.save(pid, whole(description=f"save {number}"))


def inode(folder: Path, version: int, path: str) -> int:
    return os.stat(folder / f"versions/v{version}" / path).st_ino


# ------------------------------------------------------------ list and read


async def test_versions_are_listed_newest_first_a_page_at_a_time(store: ProjectStore, pid: str) -> None:
    await saves(store, pid, 4)
    seen, cursor = [], None
    while True:
        page = await store.list_versions(pid, limit=2, cursor=cursor)
        seen.append([row.version for row in page.items])
        if (cursor := page.next_cursor) is None:
            break
    assert seen == [[5, 4], [3, 2], [1]]
    with pytest.raises(InvalidRequest):
        await store.list_versions(pid, cursor="x")


async def test_a_version_names_who_saved_it_and_the_disk_where_a_hand_did(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await store.save(pid, whole(description="two"), author="ann")
    (folder / "prompts/main-prompt.txt").write_text("by hand\n")
    await store.save(pid, whole(description="three"), author="bob")
    rows = (await store.list_versions(pid)).items
    assert [(row.version, row.author) for row in rows] == [(4, "bob"), (3, "disk"), (2, "ann"), (1, None)]


async def test_a_draft_that_runs_becomes_a_version_of_who_ran_it(store: ProjectStore, pid: str) -> None:
    await store.save(pid, whole(description="draft"), draft=True, author="ann")
    await store.freeze(pid, author="bob")
    assert (await store.list_versions(pid)).items[0].author == "bob"


async def test_a_version_is_read_with_its_definition_and_the_names_of_its_files(
    store: ProjectStore, pid: str
) -> None:
    await saves(store, pid, 1)
    version = await store.read_version(pid, 1)
    assert version.definition.description == whole().description
    assert version.files == ["data/sales.csv", "scenario.json"]
    with pytest.raises(NotFound, match="no version 9"):
        await store.read_version(pid, 9)
    with pytest.raises(NotFound):
        await store.list_versions("00000000-0000-4000-8000-000000000000")


async def test_a_damaged_version_is_a_row_that_says_so_and_hides_no_other(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await saves(store, pid, 2)
    record = folder / "versions/v2/version.json"
    record.chmod(0o644)
    record.write_text("{")
    rows = (await store.list_versions(pid)).items
    assert [row.version for row in rows] == [3, 2, 1]
    assert rows[1].unreadable
    assert "versions/v2/version.json" in rows[1].unreadable
    assert rows[0].unreadable is rows[2].unreadable is None


# ------------------------------------------------------------ label


async def test_a_label_makes_a_version_even_of_what_is_saved_already(store: ProjectStore, pid: str) -> None:
    made = await store.make_version(pid, label="Before the holidays", author="ann")
    assert (made.version, made.label, made.author) == (2, "Before the holidays", "ann")
    assert (await store.read(pid)).project.version == 2
    assert (await store.list_versions(pid)).items[0] == made
    await store.save(pid, whole())  # nothing has changed since
    assert await numbers(store, pid) == [2, 1]


# ------------------------------------------------------------ restore


async def test_restore_brings_back_definition_and_files_as_a_new_version(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await store.write_file(pid, "data/sales.csv", b"changed")
    await store.write_file(pid, "later/more.csv", b"more")
    await store.delete_file(pid, "scenario.json")
    await store.save(pid, whole(description="two", subagents=[]))
    stored = await store.restore(pid, 1, author="ann")
    assert stored.project.version == 3
    assert stored.project.description == whole().description
    assert stored.project.subagents == whole().subagents
    assert [row.path for row in await store.list_files(pid)] == ["data/sales.csv", "scenario.json"]
    assert (await store.read_file(pid, "data/sales.csv"))[0] == b"a,b\n1,2\n"
    assert not (folder / "files/later").exists()
    rows = (await store.list_versions(pid)).items
    assert [(row.version, row.author) for row in rows] == [(3, "ann"), (2, None), (1, None)]
    assert (await store.read_version(pid, 2)).definition.description == "two"
    assert await store.read(pid) == stored


async def test_restore_leaves_view_state_alone(store: ProjectStore, pid: str) -> None:
    await saves(store, pid, 1)
    before = (await store.read(pid)).project.ui.viewport
    assert (await store.restore(pid, 1)).project.ui.viewport == before is not None


async def test_restore_keeps_what_was_not_yet_a_version(store: ProjectStore, pid: str, folder: Path) -> None:
    await saves(store, pid, 1)
    await store.save(pid, whole(description="draft"), draft=True)
    await store.restore(pid, 1, author="ann")
    assert (await store.read_version(pid, 3)).definition.description == "draft"
    (folder / "files/data/sales.csv").write_text("by hand")
    await store.restore(pid, 2)
    rows = (await store.list_versions(pid)).items
    assert [(row.version, row.author) for row in rows[:2]] == [(6, None), (5, "disk")]
    assert (folder / "versions/v5/files/data/sales.csv").read_text() == "by hand"


async def test_restored_files_are_not_the_snapshots_own(store: ProjectStore, pid: str, folder: Path) -> None:
    await store.write_file(pid, "data/sales.csv", b"changed")
    await store.restore(pid, 1)
    with (folder / "files/data/sales.csv").open("r+b") as file:
        file.write(b"!!!")
    assert (folder / "versions/v1/files/data/sales.csv").read_bytes() == b"a,b\n1,2\n"
    assert inode(folder, 3, "files/data/sales.csv") == inode(folder, 1, "files/data/sales.csv")


@pytest.mark.parametrize("path", ["files/data/sales.csv", "agent.config.json"])
async def test_a_snapshot_with_another_digest_is_not_restored(
    store: ProjectStore, pid: str, folder: Path, path: str
) -> None:
    await store.write_file(pid, "data/sales.csv", b"changed")
    await store.save(pid, whole(description="two", agent={"task": "other"}))
    damaged = folder / "versions/v1" / path
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes().replace(b"1", b"2"))
    before = await store.read(pid)
    with pytest.raises(UnreadableFile, match="does not hold what was saved"):
        await store.restore(pid, 1)
    assert await store.read(pid) == before
    assert (await store.read_file(pid, "data/sales.csv"))[0] == b"changed"


async def test_restore_is_refused_where_a_folder_is_in_the_way_and_changes_nothing(
    store: ProjectStore, pid: str
) -> None:
    await store.delete_file(pid, "data/sales.csv")
    await store.write_file(pid, "data", b"a file now")
    await store.save(pid, whole(description="two"))
    before = await store.read(pid)
    with pytest.raises(Conflict, match="is a file"):
        await store.restore(pid, 1)
    assert await store.read(pid) == before


async def test_restore_never_writes_through_a_link(
    store: ProjectStore, pid: str, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    await store.delete_file(pid, "data/sales.csv")
    (folder / "files/data").symlink_to(outside)
    with pytest.raises(InvalidRequest, match="symbolic link"):
        await store.restore(pid, 1)
    assert list(outside.iterdir()) == []


async def test_restore_honours_if_match(store: ProjectStore, pid: str) -> None:
    first = await store.read(pid)
    await saves(store, pid, 1)
    with pytest.raises(PreconditionFailed):
        await store.restore(pid, 1, if_match=first.etag)
    restored = await store.restore(pid, 1, if_match=(await store.read(pid)).etag)
    assert restored.etag == first.etag


async def test_files_are_read_over_an_interrupted_restore(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path
) -> None:
    """A journal alone decides: whoever reads before recovery sees the restored files."""
    await store.restore(pid, 1)
    staging = folder / ".staging"
    staging.mkdir()
    (staging / "x-0").write_bytes(b"staged")
    metadata = (folder / "metadata.json").read_bytes()
    (staging / "x-1").write_bytes(metadata)
    import hashlib

    journal = {
        "schema_version": 1, "commit": "x", "places": {}, "removes": ["files/scenario.json"],
        "writes": {
            "files/new/a.csv": ["x-0", hashlib.sha256(b"staged").hexdigest()],
            "metadata.json": ["x-1", hashlib.sha256(metadata).hexdigest()],
        },
    }  # fmt: skip
    (folder / "files/new").mkdir()
    (staging / "journal.json").write_text(json.dumps(journal))
    assert {row.path for row in await store.list_files(pid)} == {"data/sales.csv", "new/a.csv"}
    assert (await store.read_file(pid, "new/a.csv"))[0] == b"staged"
    with pytest.raises(NotFound):
        await store.read_file(pid, "scenario.json")
    again = ProjectStore(data_dir)
    await again.open()
    assert {row.path for row in await again.list_files(pid)} == {"data/sales.csv", "new/a.csv"}
    assert not staging.exists()


# ------------------------------------------------------------ publish


async def test_calls_with_a_key_run_the_published_version_until_it_is_withdrawn(
    store: ProjectStore, pid: str
) -> None:
    await saves(store, pid, 2)
    assert (await store.publish(pid, 2)).project.published_version == 2
    await saves(store, pid, 3)
    assert (await store.freeze(pid, published=True))[1] == 2
    with pytest.raises(Conflict, match="Version 2 is published"):
        await store.unpublish(pid, 1)
    assert (await store.unpublish(pid, 2)).project.published_version is None
    assert (await store.freeze(pid, published=True))[1] == (await store.read(pid)).project.version


async def test_only_a_version_that_can_be_read_is_published(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    with pytest.raises(NotFound):
        await store.publish(pid, 7)
    damaged = folder / "versions/v1/files/data/sales.csv"
    damaged.chmod(0o644)
    damaged.write_text("x")
    with pytest.raises(UnreadableFile):
        await store.publish(pid, 1)
    assert (await store.read(pid)).project.published_version is None


async def test_publishing_twice_changes_no_byte_and_no_hand_edit_is_seen_in_it(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await store.publish(pid, 1)
    before = (folder / "metadata.json").read_bytes()
    await store.publish(pid, 1)
    assert (folder / "metadata.json").read_bytes() == before
    await store.freeze(pid)
    assert await numbers(store, pid) == [1]


# ------------------------------------------------------------ diff


async def test_a_diff_names_fields_by_their_ids_and_files_by_their_lines(
    store: ProjectStore, pid: str
) -> None:
    other = whole(description="two").model_dump()
    other["agent"]["system_prompt"] = "You study {{topic}}.\nQuickly."
    other["subagents"][0]["tools"] = ["view", "grep"]
    del other["hooks"][1]
    await store.write_file(pid, "data/new.bin", b"\x00\xff")
    await store.save(pid, type(whole()).model_validate(other))
    diff = await store.diff(pid, 1, 2)
    fields = {change.path: (change.before, change.after) for change in diff.fields}
    assert fields["description"] == ("Looks at sales", "two")
    assert fields["subagents.writer.tools"] == (["view"], ["view", "grep"])
    assert fields["hooks.audit"][0]["name"] == "Audit"
    assert fields["hooks.audit"][1] is None
    assert set(fields) == {"description", "agent.system_prompt", "subagents.writer.tools", "hooks.audit"}
    files = {change.path: change for change in diff.files}
    prompt = files["prompts/main-prompt.txt"]
    assert prompt.change == "changed"
    assert prompt.diff is not None
    assert "-Carefully.\n+Quickly.\n" in prompt.diff
    assert files["files/data/new.bin"].change == "added"
    assert files["files/data/new.bin"].diff is None
    assert files["hooks/audit.json"].change == "removed"
    assert "version" not in (files["metadata.json"].diff or "").replace("schema_version", "")


async def test_equal_versions_do_not_differ_and_order_alone_does(store: ProjectStore, pid: str) -> None:
    await store.make_version(pid, label="same")
    same = await store.diff(pid, 1, 2)
    assert (same.files, same.fields) == ([], [])
    turned = whole()
    turned.hooks.reverse()
    await store.save(pid, turned)
    fields = (await store.diff(pid, 2, 3)).fields
    assert [(f.path, f.before, f.after) for f in fields] == [
        ("hooks", ["guard", "audit"], ["audit", "guard"])
    ]


async def test_a_text_too_long_to_compare_is_only_said_to_differ(store: ProjectStore, pid: str) -> None:
    await store.write_file(pid, "data/sales.csv", b"1\n" * 5000)
    await store.save(pid, whole())
    (change,) = (await store.diff(pid, 1, 2)).files
    assert (change.path, change.change, change.diff) == ("files/data/sales.csv", "changed", None)


# ------------------------------------------------------------ prune


async def test_pruning_by_count_keeps_labelled_published_used_and_newest_ones(
    store: ProjectStore, pid: str
) -> None:
    await saves(store, pid, 2)
    await store.make_version(pid, label="keep me")
    await saves(store, pid, 5)
    await store.publish(pid, 2)
    assert await store.prune_is_due(pid, keep=2, max_age_days=0)
    assert list(await store.prune(pid, keep=2, max_age_days=0, in_use={6})) == [1, 3, 5, 7]
    assert await numbers(store, pid) == [9, 8, 6, 4, 2]
    assert not await store.prune_is_due(pid, keep=5, max_age_days=0)
    await saves(store, pid, 1)
    assert (await store.read(pid)).project.version == 10


async def test_pruning_leaves_shared_content_to_those_that_stay(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await saves(store, pid, 3)
    assert inode(folder, 1, "files/data/sales.csv") == inode(folder, 4, "files/data/sales.csv")
    await store.prune(pid, keep=1, max_age_days=0)
    assert await numbers(store, pid) == [4]
    assert (folder / "versions/v4/files/data/sales.csv").read_bytes() == b"a,b\n1,2\n"
    await saves(store, pid, 1)
    assert inode(folder, 5, "files/data/sales.csv") == inode(folder, 4, "files/data/sales.csv")
    assert (await store.read_version(pid, 4)).definition.description == "save 2"
    assert not (folder / ".staging").exists()


async def test_pruning_by_age_lets_only_old_ones_go(store: ProjectStore, pid: str, folder: Path) -> None:
    await saves(store, pid, 3)
    for version in (1, 2):
        record = folder / f"versions/v{version}/version.json"
        record.chmod(0o644)
        data = json.loads(record.read_text())
        record.write_text(json.dumps(data | {"created_at": "2020-01-01T00:00:00.000Z"}))
    assert list(await store.prune(pid, keep=0, max_age_days=30)) == [1, 2]
    assert await numbers(store, pid) == [4, 3]


async def test_a_version_frozen_a_moment_ago_is_not_pruned_under_its_execution(
    store: ProjectStore, pid: str
) -> None:
    await saves(store, pid, 3)
    await store.freeze(pid, version=2)
    assert list(await store.prune(pid, keep=1, max_age_days=0)) == [1, 3]
    assert await numbers(store, pid) == [4, 2]
