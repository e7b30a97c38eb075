"""A script that may be executed stays one wherever it goes, and trust knows whether it may."""

from __future__ import annotations

import asyncio
import io
import stat
from pathlib import Path

import pytest

from cloutagent_ext.errors import NotTrusted
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.archive import Format
from cloutagent_ext.store.projects import ProjectStore
from tests.support.definitions import whole

SCRIPT, PLAIN = "bin/guard.sh", "data.csv"
HOOKED = Definition.model_validate(
    {
        "name": "Hooked",
        "hooks": [
            {
                "id": "guard",
                "name": "Guard",
                "event": "PreToolUse",
                "action": {"type": "command", "command": ["./bin/guard.sh"]},
            }
        ],
    }
)


def scripts(root: Path) -> dict[str, bool]:
    """Path → whether it may be executed."""
    return {
        str(path.relative_to(root)): bool(path.stat().st_mode & stat.S_IXUSR)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


EXPECTED = {SCRIPT: True, PLAIN: False}


@pytest.fixture
async def hooked(store: ProjectStore) -> str:
    files = {SCRIPT: b"#!/bin/sh\nexit 2\n", PLAIN: b"1,2\n"}
    return str((await store.create(HOOKED, files=files, executable=[SCRIPT])).project.id)


@pytest.fixture
def live(data_dir: Path, hooked: str) -> Path:
    return data_dir / "projects" / hooked / "files"


def idle(_: Path) -> bool:
    return False


async def test_in_the_project_its_versions_and_each_workspace(
    store: ProjectStore, hooked: str, live: Path, tmp_path: Path
) -> None:
    assert scripts(live) == EXPECTED
    assert scripts(live.parent / "versions/v1/files") == EXPECTED
    await store.copy_files(hooked, tmp_path / "live")
    await store.copy_files(hooked, tmp_path / "v1", version=1)
    assert scripts(tmp_path / "live") == scripts(tmp_path / "v1") == EXPECTED


async def test_new_content_through_us_keeps_the_right_to_execute(
    store: ProjectStore, hooked: str, live: Path
) -> None:
    await store.write_file(hooked, SCRIPT, b"#!/bin/sh\nexit 0\n")
    await store.write_file(hooked, PLAIN, b"3,4\n")
    assert scripts(live) == EXPECTED
    await store.check_trust(hooked)  # a person's own change of a trusted project


async def test_a_restored_version_has_it_again_and_without_it_has_not(
    store: ProjectStore, hooked: str, live: Path
) -> None:
    (live / SCRIPT).chmod(0o644)
    assert (await store.freeze(hooked))[1] == 2, "the right to execute is part of what a version holds"
    assert scripts(live.parent / "versions/v2/files") == {SCRIPT: False, PLAIN: False}
    await store.restore(hooked, 1)
    assert scripts(live) == EXPECTED
    await store.restore(hooked, 2)
    assert scripts(live) == {SCRIPT: False, PLAIN: False}
    assert scripts(live.parent / "versions/v1/files") == EXPECTED


async def test_a_diff_tells_it_as_git_does(store: ProjectStore, hooked: str, live: Path) -> None:
    (live / SCRIPT).chmod(0o644)
    await store.freeze(hooked)
    (change,) = (await store.diff(hooked, 1, 2)).files
    assert (change.path, change.change) == (f"files/{SCRIPT}", "changed")
    assert change.diff == "old mode 100755\nnew mode 100644\n"


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
async def test_through_an_archive_and_a_copy(
    store: ProjectStore, hooked: str, data_dir: Path, form: Format
) -> None:
    sink = io.BytesIO()
    await store.archives.export(hooked, sink, form)
    arrived, _ = await store.archives.load(io.BytesIO(sink.getvalue()), len(sink.getvalue()))
    copied = await store.archives.duplicate(hooked)
    for each in (arrived, copied):
        root = data_dir / "projects" / each
        assert scripts(root / "files") == scripts(root / "versions/v1/files") == EXPECTED


async def test_through_the_form_of_claude_code(store: ProjectStore, hooked: str, data_dir: Path) -> None:
    sink = io.BytesIO()
    await store.archives.export(hooked, sink, "claude")
    arrived, _ = await store.archives.load(io.BytesIO(sink.getvalue()), len(sink.getvalue()))
    assert scripts(data_dir / "projects" / arrived / "files") == EXPECTED


@pytest.mark.parametrize("deleted", [False, True])
async def test_through_a_backup(
    store: ProjectStore, hooked: str, live: Path, data_dir: Path, deleted: bool
) -> None:
    backups = store.backups()
    row = await backups.make()
    if deleted:
        await store.delete(hooked)
    else:
        (live / SCRIPT).chmod(0o644)
    await backups.restore(row.name, project_id=hooked, busy=idle)
    assert scripts(live) == EXPECTED
    assert scripts(live.parent / "versions/v1/files") == EXPECTED


async def test_a_file_that_became_executable_by_hand_asks_a_person_again(
    store: ProjectStore, hooked: str, live: Path
) -> None:
    await store.check_trust(hooked)
    await store.write_file(hooked, "bin/other", b"#!/bin/sh\n")
    await store.check_trust(hooked)
    (live / "bin/other").chmod(0o755)
    with pytest.raises(NotTrusted) as caught:
        await store.check_trust(hooked)
    rows = {row["path"]: row for row in caught.value.details["would_run"]["scripts"]}
    assert rows["bin/other"]["executable"] is True
    assert len(rows["bin/other"]["sha256"]) == 64
    await store.confirm_trust(hooked, caught.value.details["hash"])
    await store.check_trust(hooked)


async def test_snapshots_share_a_script_until_its_right_changes(
    store: ProjectStore, hooked: str, live: Path
) -> None:
    await store.save(hooked, whole(name="Hooked"))
    snapshot = live.parent / "versions"

    def inodes() -> list[int]:
        return [(snapshot / f"v{n}/files" / SCRIPT).stat().st_ino for n in (1, 2)]

    first, second = await asyncio.to_thread(inodes)
    assert first == second
    (live / SCRIPT).chmod(0o644)
    await store.freeze(hooked)
    assert (snapshot / "v3/files" / SCRIPT).stat().st_ino != first
