"""Older projects open, change their format once and safely, and newer ones are left alone."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path

import pytest

from cloutagent_ext.errors import NewerFormat, UnreadableFile
from cloutagent_ext.store import layout, migrations, tree
from cloutagent_ext.store.jsonfiles import dump, load_object
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.tree import AGENT, METADATA, Tree
from cloutagent_ext.store.upgrade import upgrade
from tests.support.definitions import whole


def rename_prompt(found: Tree) -> Tree:
    """A made-up format 1 called the agent's `task` a `job`."""
    agent = load_object(AGENT, found[AGENT])
    if "job" in agent:
        agent["task"] = agent.pop("job")
    return {**found, AGENT: dump(agent)}


def move_notes(found: Tree) -> Tree:
    """A made-up format 2 kept the canvas in `.ui/ui-config.json` alone, and wrote limits as text."""
    metadata = load_object(METADATA, found[METADATA])
    metadata["limits"]["timeout_s"] = int(metadata["limits"]["timeout_s"])
    return {**found, METADATA: dump(metadata)}


def _before(folder: Path) -> None:
    """Make the project in `folder` one of that format 1."""
    agent, metadata = (json.loads((folder / name).read_bytes()) for name in (AGENT, METADATA))
    agent["job"] = agent.pop("task")
    metadata["limits"]["timeout_s"] = str(metadata["limits"]["timeout_s"])
    metadata |= {"schema_version": 1, "theirs": [1]}
    (folder / AGENT).write_bytes(dump(agent))
    (folder / METADATA).write_bytes(dump(metadata))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "STEPS", (rename_prompt, move_notes))


@pytest.fixture
def old(folder: Path, steps: None) -> Tree:
    """The files of an older project, as they lie on the disk."""
    _before(folder)
    return tree.read(folder)


def test_the_format_counts_the_steps_and_is_written_into_new_projects() -> None:
    assert migrations.current() == len(migrations.STEPS) + 1 == layout.SCHEMA_VERSION


def test_every_step_has_fixtures_of_before_and_after() -> None:
    fixtures = Path(__file__).parent / "formats"
    for number, step in enumerate(migrations.STEPS, start=1):
        before, after = (
            {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*") if p.is_file()}
            for place in (fixtures / f"{number}", fixtures / f"{number + 1}")
        )
        assert step(before) == after, number


def test_steps_run_in_order_each_once_and_leave_what_they_got_alone(old: Tree) -> None:
    kept = dict(old)
    new = migrations.upgraded(old)
    assert old == kept
    assert load_object(METADATA, new[METADATA])["schema_version"] == 3
    assert load_object(AGENT, new[AGENT])["task"] == "Summarise {{file}}."
    assert migrations.upgraded(new) is new


async def test_an_older_project_is_listed_read_and_not_touched(
    store: ProjectStore, pid: str, folder: Path, old: Tree
) -> None:
    assert (await store.read(pid)).project.agent.task == "Summarise {{file}}."
    assert (await store.list()).items[0].unreadable is None
    assert await asyncio.to_thread(tree.read, folder) == old


async def test_the_first_save_changes_the_format_after_a_copy(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path, old: Tree
) -> None:
    await store.save(pid, whole(description="new"))
    metadata = json.loads((folder / METADATA).read_bytes())
    assert (metadata["schema_version"], metadata["limits"]["timeout_s"], metadata["theirs"]) == (3, 3600, [1])
    assert "job" not in json.loads((folder / AGENT).read_bytes())
    [copy] = (data_dir / "backups").glob("format-1-*.zip")
    with zipfile.ZipFile(copy) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == old
    assert copy.stat().st_mode & 0o777 == 0o600
    await store.save(pid, whole(description="newer"))
    assert len(list((data_dir / "backups").glob("*.zip"))) == 1


async def test_older_versions_are_read_through_the_steps_and_stay_as_they_are(
    store: ProjectStore, pid: str, folder: Path, old: Tree
) -> None:
    first = {p: p.read_bytes() for p in (folder / "versions/v1").rglob("*") if p.is_file()}
    await store.save(pid, whole(description="new"))
    assert (await store.freeze(pid, version=1))[0].agent.task == "Summarise {{file}}."
    assert {p: p.read_bytes() for p in first} == first


async def test_executions_of_an_older_project_are_left_alone(
    store: ProjectStore, pid: str, folder: Path, old: Tree
) -> None:
    log = folder / "executions/x/events.jsonl"
    log.parent.mkdir(parents=True)
    log.write_bytes(b'{"id": 1, "type": "queued"}\n')
    before = log.stat()
    await store.save(pid, whole(description="new"))
    assert (log.stat().st_ino, log.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


async def test_a_change_of_format_alone_is_no_hand_edit(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path, steps: None
) -> None:
    await asyncio.to_thread(upgrade, folder, data_dir / "backups")
    stored = await store.save(pid, whole(description="new"))
    assert stored.project.version == 2
    assert json.loads((folder / "versions/v2/version.json").read_bytes())["author"] != "disk"


def test_a_step_that_fails_changes_nothing_and_is_told(
    folder: Path, data_dir: Path, old: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(found: Tree) -> Tree:
        return {**found, AGENT: found["nowhere"]}

    for broken in (fails, lambda found: {**found, AGENT: b"{"}):
        monkeypatch.setattr(migrations, "STEPS", (rename_prompt, broken))
        with pytest.raises(UnreadableFile):
            upgrade(folder, data_dir / "backups")
        assert tree.read(folder) == old
        assert list((data_dir / "backups").glob("*.zip")) == []


async def test_a_newer_format_opens_for_nobody_and_is_never_touched(
    store: ProjectStore, pid: str, folder: Path, data_dir: Path, steps: None
) -> None:
    metadata = json.loads((folder / METADATA).read_bytes()) | {"schema_version": 4}
    (folder / METADATA).write_bytes(dump(metadata))
    before = await asyncio.to_thread(tree.read, folder)
    for attempt in (
        store.read(pid),
        store.save(pid, whole()),
        store.freeze(pid),
        store.write_file(pid, "x", b""),
    ):
        with pytest.raises(NewerFormat, match="format 4, this one knows 3"):
            await attempt
    assert "newer version" in ((await store.list()).items[0].unreadable or "")
    assert await asyncio.to_thread(tree.read, folder) == before
    assert list((data_dir / "backups").glob("*.zip")) == []


@pytest.mark.parametrize("number", [0, -1, "2", None, 1.5, [], True])
async def test_a_format_that_is_no_number_is_no_newer_one(
    store: ProjectStore, pid: str, folder: Path, number: object
) -> None:
    metadata = json.loads((folder / METADATA).read_bytes()) | {"schema_version": number}
    (folder / METADATA).write_bytes(dump(metadata))
    with pytest.raises(UnreadableFile, match="whole number") as caught:
        await store.read(pid)
    assert caught.value.details["line"]
