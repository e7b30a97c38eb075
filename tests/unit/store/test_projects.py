"""Projects through the store's public face: saves, versions, hand edits, lists, deletion."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import zipfile
from pathlib import Path
from uuid import uuid4

import pytest

from cloutagent_ext.errors import Conflict, InvalidRequest, NotFound, PreconditionFailed, UnreadableFile
from cloutagent_ext.schema.canvas import UiPatch
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.stored import Stored
from tests.support.definitions import whole
from tests.support.traversal import names


def snapshot(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Bytes, inode and time of every file: what "no byte changes" means."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edit(folder: Path, path: str, **fields: object) -> None:
    """Change fields of a JSON file the way an editor does: in place."""
    raw = json.loads((folder / path).read_text())
    (folder / path).write_text(json.dumps(raw | fields))


DEEP = base64.urlsafe_b64encode(b"[" * 30_000).decode()


async def test_a_new_project_has_version_1_and_reads_back(
    store: ProjectStore, stored: Stored, folder: Path
) -> None:
    assert stored.project.version == 1
    assert Definition(**{n: getattr(stored.project, n) for n in Definition.model_fields}) == whole()
    assert (await store.read(str(stored.project.id))).etag == stored.etag
    ignored = (folder / ".gitignore").read_text().split()
    assert {".secrets/", "keys.json", "executions/", ".ui/ui-config.json"} <= set(ignored)
    assert not (folder / ".staging").exists()


async def test_a_save_that_changes_nothing_changes_no_byte(
    store: ProjectStore, stored: Stored, folder: Path
) -> None:
    before = snapshot(folder)
    again = await store.save(str(stored.project.id), whole(), if_match=stored.etag)
    assert (again.project, again.etag) == (stored.project, stored.etag)
    assert snapshot(folder) == before


async def test_a_stored_project_may_be_saved_as_it_was_read(
    store: ProjectStore, stored: Stored, pid: str
) -> None:
    assert (await store.save(pid, stored.project)).project.version == 1


async def test_each_save_that_counts_makes_one_version(store: ProjectStore, stored: Stored, pid: str) -> None:
    second = await store.save(pid, whole(description="Other"), if_match=stored.etag)
    assert second.project.version == 2
    assert second.project.updated_at >= stored.project.updated_at
    assert second.etag != stored.etag
    assert (await store.save(pid, whole())).etag == stored.etag
    assert [(await store.freeze(pid, version=n))[0].description for n in (1, 2, 3)] == [
        "Looks at sales", "Other", "Looks at sales",
    ]  # fmt: skip


async def test_positions_are_saved_without_a_version(store: ProjectStore, stored: Stored, pid: str) -> None:
    moved = whole()
    moved.ui.nodes[0].position.x = 77
    after = await store.save(pid, moved)
    assert after.project.version == 1
    assert after.etag != stored.etag
    assert (await store.read(pid)).project.ui.nodes[0].position.x == 77
    assert await store.freeze(pid) == (moved, 1)


async def test_a_stale_if_match_is_refused_and_nothing_happens(
    store: ProjectStore, stored: Stored, pid: str, folder: Path
) -> None:
    await store.save(pid, whole(description="Theirs"))
    before = snapshot(folder)
    with pytest.raises(PreconditionFailed):
        await store.save(pid, whole(description="Mine"), if_match=stored.etag)
    assert snapshot(folder) == before
    current = (await store.read(pid)).etag
    await store.save(pid, whole(description="Mine"), if_match=f'"other", W/{current}')
    await store.save(pid, whole(description="Mine too"), if_match="*")


async def test_a_draft_makes_no_version_until_it_is_saved_or_run(store: ProjectStore, pid: str) -> None:
    draft = await store.save(pid, whole(description="Draft"), draft=True)
    assert draft.project.version == 1
    assert (await store.freeze(pid, published=True))[0].description == "Looks at sales"
    assert (await store.save(pid, whole(description="Draft"))).project.version == 2
    await store.save(pid, whole(description="Another"), draft=True)
    assert (await store.freeze(pid))[1] == 3
    assert (await store.freeze(pid))[1] == 3


async def test_view_state_is_outside_etag_versions_and_other_files(
    store: ProjectStore, stored: Stored, pid: str, folder: Path
) -> None:
    before = snapshot(folder)
    ui = await store.patch_ui(
        pid, UiPatch.model_validate({"viewport": {"x": 9, "y": 9, "zoom": 2}, "snap": False})
    )
    assert (ui.snap, ui.notes[0].text) == (False, "Remember")
    after = await store.read(pid)
    assert (after.etag, after.project.version, after.project.updated_at) == (
        stored.etag, 1, stored.project.updated_at,
    )  # fmt: skip
    assert after.project.ui.viewport is not None
    assert after.project.ui.viewport.zoom == 2
    changed = {path for path, state in snapshot(folder).items() if state != before[path]}
    assert changed == {".ui/ui-config.json"}
    assert (await store.patch_ui(pid, UiPatch.model_validate({"viewport": None}))).viewport is None
    assert (await store.read(pid)).project.ui.snap is False


async def test_hand_edits_are_seen_and_become_a_version_of_author_disk(
    store: ProjectStore, stored: Stored, pid: str, folder: Path
) -> None:
    (folder / "prompts/main-prompt.txt").write_text("Edited by hand\n")
    edited = await store.read(pid)
    assert edited.project.agent.system_prompt == "Edited by hand"
    assert edited.etag != stored.etag
    with pytest.raises(PreconditionFailed):
        await store.save(pid, whole(), if_match=stored.etag)
    saved = await store.save(pid, whole(description="Then saved"))
    assert saved.project.version == 3
    assert json.loads((folder / "versions/v2/version.json").read_text())["author"] == "disk"
    assert json.loads((folder / "versions/v3/version.json").read_text())["author"] is None
    assert (await store.freeze(pid, version=2))[0].agent.system_prompt == "Edited by hand"


@pytest.mark.parametrize("draft", [False, True])
async def test_a_hand_edit_while_a_save_is_brought_to_the_disk_is_not_lost(
    store: ProjectStore, stored: Stored, pid: str, folder: Path, monkeypatch: pytest.MonkeyPatch, draft: bool
) -> None:
    """That takes as long as the disk takes, and an editor knows nothing of our lock."""
    real, edits = os.fsync, ["edited by hand\n"]

    def fsync(descriptor: int) -> None:
        if edits:
            (folder / "prompts/main-prompt.txt").write_text(edits.pop())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    changed = stored.project.model_copy(deep=True)
    changed.agent.system_prompt = "saved"
    await store.save(pid, changed, draft=draft)
    rows = (await store.list_versions(pid)).items
    assert (await store.read(pid)).project.agent.system_prompt == "saved"
    by_hand = [row.version for row in rows if row.author == "disk"]
    assert [(await store.read_version(pid, each)).definition.agent.system_prompt for each in by_hand] == [
        "edited by hand"
    ]


async def test_an_execution_freezes_hand_edits_of_definition_and_files(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    edit(folder, "agent.config.json", task="By hand")
    definition, version = await store.freeze(pid)
    assert (definition.agent.task, version) == ("By hand", 2)
    (folder / "files/data/sales.csv").write_text("a,b\n3,4\n")
    assert (await store.freeze(pid))[1] == 3
    assert json.loads((folder / "versions/v3/version.json").read_text())["author"] == "disk"


async def test_files_written_through_us_are_versioned_without_the_author_disk(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await store.write_file(pid, "data/more.csv", b"x")
    await store.delete_file(pid, "data/sales.csv")
    assert (await store.freeze(pid))[1] == 2
    assert json.loads((folder / "versions/v2/version.json").read_text())["author"] is None
    assert sorted(p.name for p in (folder / "versions/v2/files/data").iterdir()) == ["more.csv"]


async def test_fields_that_are_not_ours_survive_a_save(store: ProjectStore, pid: str, folder: Path) -> None:
    edit(folder, "agent.config.json", theirs={"deep": [1]})
    await store.save(pid, whole(description="Saved"))
    changed = whole(description="Saved")
    changed.agent.task = "Other"
    await store.save(pid, changed)
    assert json.loads((folder / "agent.config.json").read_text())["theirs"] == {"deep": [1]}


async def test_a_removed_subagent_takes_its_files_along_and_nothing_else(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    (folder / "subagents/README.md").write_text("mine")
    changed = whole()
    del changed.subagents[0]
    await store.save(pid, changed)
    assert sorted(path.name for path in (folder / "subagents").iterdir()) == ["README.md", "checker.json"]
    assert [path.name for path in (folder / "prompts/subagent-prompts").iterdir()] == ["checker.txt"]


async def test_what_cannot_be_read_back_is_not_stored(store: ProjectStore, pid: str, folder: Path) -> None:
    before = snapshot(folder)
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"properties": deep}
    for broken in (whole(agent={"output_schema": deep}), whole()):
        if broken.agent.output_schema is None:
            broken.ui.nodes[0].position.x = float("nan")
        with pytest.raises(InvalidRequest, match="cannot be stored"):
            await store.save(pid, broken)
    assert snapshot(folder) == before


async def test_an_id_that_is_no_id_is_simply_not_found(
    store: ProjectStore, data_dir: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    ids = [
        *names(data_dir / "projects", outside),
        str(uuid4()),
        "",
        str(uuid4()).upper(),
        "{" + str(uuid4()) + "}",
    ]
    for bad in ids:
        for call in (store.read(bad), store.delete(bad), store.freeze(bad), store.list_files(bad)):
            with pytest.raises(NotFound):
                await call
        with pytest.raises(NotFound):
            await store.save(bad, whole())
    with pytest.raises(NotFound):
        store.executions_dir("../x")


async def test_the_list_is_newest_first_filtered_and_paged(store: ProjectStore) -> None:
    ids = []
    for name in ("Alpha", "Beta", "Gamma", "Delta"):
        ids.append(str((await store.create(whole(name=name))).project.id))
        await asyncio.sleep(0.002)  # another millisecond, which is what the times tell apart
    await store.save(ids[0], whole(name="Alpha", description="newest"))
    first = await store.list(limit=3)
    assert [row.name for row in first.items] == ["Alpha", "Delta", "Gamma"]
    second = await store.list(limit=3, cursor=first.next_cursor)
    assert [row.name for row in second.items] == ["Beta"]
    assert second.next_cursor is None
    assert [row.name for row in (await store.list(q="NEWEST")).items] == ["Alpha"]
    assert sorted(await store.ids()) == sorted(ids)
    for cursor in ("x", "", "é", "bnVsbA==", "WzEsMl0=", DEEP):
        with pytest.raises(InvalidRequest):
            await store.list(cursor=cursor)


async def test_resolve_takes_ids_and_names(store: ProjectStore, pid: str) -> None:
    assert await store.resolve(pid) == pid
    assert await store.resolve("Sales analyst") == pid
    assert await store.resolve("sales ANALYST ") == pid
    with pytest.raises(NotFound, match="Did you mean 'Sales analyst'"):
        await store.resolve("Sales analist")
    await store.create(whole())
    with pytest.raises(Conflict, match="2 projects"):
        await store.resolve("Sales analyst")


async def test_a_deleted_project_is_in_the_backups_first(
    store: ProjectStore, pid: str, data_dir: Path
) -> None:
    folder = data_dir / "projects" / pid
    (folder / "executions/1").mkdir(parents=True)
    (folder / "executions/1/events.jsonl").write_text("{}")
    os.symlink("/etc/passwd", folder / "files/link")
    os.utime(folder / "files/scenario.json", (0, 0))  # before the first year a zip knows
    await store.save(pid, whole(description="two"))
    await store.delete(pid)
    (backup,) = (data_dir / "backups").glob("*.zip")
    assert backup.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(backup) as archive:
        inside = archive.namelist()
        assert {"metadata.json", "files/data/sales.csv", "versions/v2/version.json"} <= set(inside)
        assert not [name for name in inside if name.startswith("executions/") or "link" in name]
        # Shared by both versions on the disk, so in the archive once.
        assert len([name for name in inside if name.endswith("prompts/main-prompt.txt")]) == 2
    with pytest.raises(NotFound):
        await store.read(pid)
    with pytest.raises(NotFound):
        await store.delete(pid)
    assert [p.name for p in (data_dir / "projects").iterdir()] == [".locks"]


async def test_fifty_saves_at_once_stand_in_line(store: ProjectStore, pid: str) -> None:
    answers = await asyncio.gather(*(store.save(pid, whole(description=str(n))) for n in range(50)))
    assert sorted(stored.project.version for stored in answers) == list(range(2, 52))


async def test_a_reader_never_sees_half_a_save(store: ProjectStore, pid: str) -> None:
    def numbered(n: int) -> Definition:
        definition = whole(description=str(n))
        definition.agent.system_prompt = definition.subagents[0].prompt = definition.hooks[0].name = str(n)
        return definition

    await store.save(pid, numbered(0))
    done = asyncio.Event()
    reads = 0

    async def read() -> None:
        nonlocal reads
        while not done.is_set():
            project = (await store.read(pid)).project
            assert {project.agent.system_prompt, project.subagents[0].prompt, project.hooks[0].name} == {
                project.description
            }
            reads += 1

    async def write() -> None:
        for n in range(30):
            await store.save(pid, numbered(n), draft=n % 2 == 0)
        done.set()

    await asyncio.gather(write(), read(), read())
    assert reads > 10


async def test_a_project_unreadable_by_hand_can_still_be_deleted(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path
) -> None:
    (folder / "agent.config.json").write_text("{")
    with pytest.raises(UnreadableFile):
        await store.read(pid)
    await store.delete(pid)
    assert len(list((data_dir / "backups").glob("*.zip"))) == 1
