"""Snapshots: immutable, complete, small, and checked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cloutagent_ext.errors import NotFound, UnreadableFile
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.projects import ProjectStore
from tests.support.definitions import whole


def seen_in_a_version(definition: Definition) -> Definition:
    """View state is outside versions."""
    return definition.model_copy(update={"ui": definition.ui.model_copy(update={"viewport": None})})


def inodes(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_ino for p in folder.rglob("*") if p.is_file()}


async def test_shared_content_is_stored_once_among_snapshots_and_never_with_live_files(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await store.save(pid, whole(description="two"))
    first, second = inodes(folder / "versions/v1"), inodes(folder / "versions/v2")
    shared = {path for path in first if first[path] == second[path]}
    assert first.keys() - shared == {"metadata.json", "version.json"}
    live = {inode for path, inode in inodes(folder).items() if not path.startswith("versions/")}
    assert not live & {*first.values(), *second.values()}


async def test_an_editor_that_writes_in_place_does_not_reach_a_snapshot(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    for path in ("prompts/main-prompt.txt", "files/data/sales.csv"):
        with (folder / path).open("r+b") as file:
            file.write(b"!!!")
    assert (await store.freeze(pid, version=1))[0] == seen_in_a_version(whole())
    assert (folder / "versions/v1/files/data/sales.csv").read_bytes() == b"a,b\n1,2\n"


async def test_a_version_reads_back_whatever_happened_to_the_project(store: ProjectStore, pid: str) -> None:
    await store.save(pid, whole(name="Other", subagents=[], hooks=[], mcps=[], agent={}))
    definition, number = await store.freeze(pid, version=1)
    assert number == 1
    assert definition == seen_in_a_version(whole())
    for missing in (0, 3, -1):
        with pytest.raises(NotFound, match="no version"):
            await store.freeze(pid, version=missing)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "prompts/main-prompt.txt").write_text("tampered"),
        lambda folder: (folder / "hooks/guard.json").unlink(),
        lambda folder: (folder / "hooks/new.json").write_text('{"event": "Stop"}'),
        lambda folder: (folder / "version.json").write_text("{"),
    ],
)
async def test_a_snapshot_that_was_changed_is_refused(
    store: ProjectStore, pid: str, folder: Path, damage
) -> None:
    snapshot = folder / "versions/v1"
    for path in snapshot.rglob("*.*"):
        if path.is_file():
            path.chmod(0o644)
    damage(snapshot)
    with pytest.raises(UnreadableFile) as caught:
        await store.freeze(pid, version=1)
    assert caught.value.details["file"].startswith("versions/v1/")


async def test_damage_in_one_snapshot_does_not_spread_into_the_next(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    prompt = folder / "versions/v1/prompts/main-prompt.txt"
    prompt.chmod(0o644)
    prompt.write_text("You study {{topic}}.\nCAREFULLY.\n")
    await store.save(pid, whole(description="two"))
    assert (await store.freeze(pid, version=2))[0].agent.system_prompt == whole().agent.system_prompt


async def test_a_number_is_never_given_twice(store: ProjectStore, pid: str, folder: Path) -> None:
    old = (folder / "metadata.json").read_bytes()
    await store.save(pid, whole(description="two"))
    (folder / "metadata.json").write_bytes(old)  # as `git checkout` does
    saved = await store.save(pid, whole(description="three"))
    assert saved.project.version == 3
    assert (await store.freeze(pid, version=2))[0].description == "two"


async def test_a_clone_without_versions_runs_and_gets_one(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    os.rename(folder / "versions", folder.parent.parent / "gone")
    assert await store.freeze(pid, published=True) == (whole(), 1)
    assert (await store.freeze(pid, version=1))[1] == 1


async def test_published_runs_the_published_version_and_drafts_never_do(
    store: ProjectStore, pid: str, folder: Path
) -> None:
    await store.save(pid, whole(description="two"))
    await store.save(pid, whole(description="draft"), draft=True)
    assert (await store.freeze(pid, published=True))[1] == 2
    metadata = json.loads((folder / "metadata.json").read_text())
    (folder / "metadata.json").write_text(json.dumps(metadata | {"published_version": 1}))
    assert (await store.freeze(pid, published=True))[0].description == "Looks at sales"


async def test_a_key_call_runs_with_the_files_as_they_are_but_never_with_a_draft(
    store: ProjectStore, pid: str
) -> None:
    await store.write_file(pid, "data/sales.csv", b"a,b\n9,9\n")
    definition, number = await store.freeze(pid, published=True)
    assert (number, definition.description) == (2, "Looks at sales")
    assert (await store.freeze(pid, published=True))[1] == 2, "nothing has changed since"
    await store.save(pid, whole(description="draft"), draft=True)
    await store.write_file(pid, "data/sales.csv", b"a,b\n7,7\n")
    definition, number = await store.freeze(pid, published=True)
    assert (number, definition.description) == (2, "Looks at sales")
