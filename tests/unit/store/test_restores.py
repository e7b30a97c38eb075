"""Restores: projects come back from their backups without loss, and never over what is alive."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloutagent_ext.auth.keys import Keys
from cloutagent_ext.errors import BadArchive, Conflict, Unauthorized
from cloutagent_ext.store.backups import Backups
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.stored import Stored

from .conftest import idle, names


async def test_a_restored_project_is_what_it_was_and_what_it_replaced_is_kept(
    backups: Backups, store: ProjectStore, stored: Stored, pid: str, folder: Path
) -> None:
    (folder / ".secrets").mkdir()
    (folder / ".secrets/secrets.enc").write_bytes(b"old")
    row = await backups.make()
    changed = stored.project.model_copy(update={"description": "changed"})
    await store.save(pid, changed)
    await store.write_file(pid, "new.csv", b"new")
    await store.delete_file(pid, "data/sales.csv")
    (folder / ".secrets/secrets.enc").write_bytes(b"new")
    (folder / "executions/one").mkdir(parents=True)
    before = (await store.read(pid)).project

    done = await backups.restore(row.name, project_id=None, busy=idle)
    now = (await store.read(pid)).project
    assert (done.restored, len(done.kept)) == ([pid], 1)
    left_out = {"id", "version", "updated_at", "trusted"}
    assert now.model_dump(exclude=left_out) == stored.project.model_dump(exclude=left_out)
    assert now.version == before.version + 1, "the state before it stays a version"
    assert not now.trusted
    assert [file.path for file in await store.list_files(pid)] == ["data/sales.csv", "scenario.json"]
    assert (folder / ".secrets/secrets.enc").read_bytes() == b"old"
    assert (folder / "executions/one").is_dir()

    await backups.restore(done.kept[0], project_id=pid, busy=idle)
    assert (await store.read(pid)).project.description == "changed"
    assert (await store.read_file(pid, "new.csv"))[0] == b"new"


async def test_a_deleted_project_comes_back_with_its_versions_from_either_kind(
    backups: Backups, store: ProjectStore, stored: Stored, pid: str
) -> None:
    row = await backups.make()
    await store.save(pid, stored.project.model_copy(update={"description": "second"}))
    await store.delete(pid)
    assert (await backups.restore(row.name, project_id=pid, busy=idle)).kept == []
    assert (await store.read(pid)).project.description == stored.project.description
    await store.delete(pid)
    newest = (await names(backups, "deleted"))[0]
    await backups.restore(newest, project_id=pid, busy=idle)
    assert (await store.read(pid)).project.description == "second"
    assert (await store.freeze(pid, version=1))[0].description == stored.project.description


@pytest.mark.parametrize("deleted", [False, True, "and its last state is gone"])
async def test_keys_revoked_since_stay_revoked(
    backups: Backups, store: ProjectStore, pid: str, data_dir: Path, deleted: bool | str
) -> None:
    keys = Keys(data_dir / "projects")
    revoked, kept = await keys.create(pid, "revoked"), await keys.create(pid, "kept")
    row = await backups.make()
    await keys.revoke(pid, revoked.id)
    if deleted:
        await store.delete(pid)
    if isinstance(deleted, str):
        for last in (data_dir / "backups").glob(f"deleted-{pid}-*.zip"):
            last.unlink()
    await backups.restore(row.name, project_id=pid, busy=idle)
    assert (await keys.verify(kept.api_key)).key_id == kept.id
    with pytest.raises(Unauthorized):
        await keys.verify(revoked.api_key)
    await keys.close()


async def test_unfinished_executions_are_never_restored_over(
    backups: Backups, store: ProjectStore, stored: Stored, pid: str
) -> None:
    row = await backups.make()
    await store.save(pid, stored.project.model_copy(update={"description": "changed"}))

    def busy(executions: Path) -> bool:
        return executions.parent.name == pid

    with pytest.raises(Conflict):
        await backups.restore(row.name, project_id=None, busy=busy)
    assert (await store.read(pid)).project.description == "changed"
    assert await names(backups, "replaced") == []


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
async def test_a_damaged_backup_changes_nothing(
    backups: Backups, store: ProjectStore, pid: str, data_dir: Path, part: float
) -> None:
    row = await backups.make()
    path = data_dir / "backups" / row.name
    data = bytearray(path.read_bytes())
    data[int(len(data) * part)] ^= 0xFF
    before = (await store.read(pid)).etag
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(BadArchive):
        await backups.restore(row.name, project_id=None, busy=idle)
    assert (await store.read(pid)).etag == before
    assert await names(backups, "replaced") == []


async def test_what_is_not_ours_in_the_folder_is_not_rewound_by_a_restore(
    backups: Backups, store: ProjectStore, stored: Stored, pid: str, folder: Path
) -> None:
    """The folder may be under git: its branch must not lose the commits made since."""
    head, lost = folder / ".git/refs/heads/main", folder / "README.md"
    head.parent.mkdir(parents=True)
    head.write_text("old\n")
    lost.write_text("read me\n")
    (folder / "cassettes").mkdir()
    (folder / "cassettes/0123456789abcdef.jsonl.gz").write_bytes(b"x")
    (folder / "cassettes/0123456789abcdef.jsonl.gz").chmod(0o600)
    row = await backups.make()
    head.write_text("new\n")
    lost.unlink()
    (folder / "cassettes/0123456789abcdef.jsonl.gz").unlink()
    await store.save(pid, stored.project.model_copy(update={"description": "changed"}))
    await backups.restore(row.name, project_id=pid, busy=idle)
    assert (await store.read(pid)).project.description == stored.project.description
    assert (head.read_text(), lost.read_text()) == ("new\n", "read me\n")
    assert (folder / "cassettes/0123456789abcdef.jsonl.gz").stat().st_mode & 0o777 == 0o600
