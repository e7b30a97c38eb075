"""A change of format dies at every operation: the old format or the new one, and a copy of the old."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloutagent_ext.errors import CloutError
from cloutagent_ext.store import migrations, tree
from cloutagent_ext.store.jsonfiles import dump, load_object
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.tree import AGENT, Tree

from .faults import Disk, Killed, Mode, Tally, failing
from .loop import run
from .test_every_operation import litter, small


def _spell(found: Tree) -> Tree:
    """A made-up format 1 called the task a `job`, and kept one prompt too many."""
    agent = load_object(AGENT, found[AGENT])
    agent["task"] = agent.pop("job")
    rest = {path: data for path, data in found.items() if path != "prompts/subagent-prompts/gone.txt"}
    return {**rest, AGENT: dump(agent), "prompts/main-prompt.txt": b"new\n"}


@pytest.fixture
def place() -> Iterator[Path]:
    memory = Path("/dev/shm")
    where = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None, prefix="cloutagent-crash-"))
    yield where
    shutil.rmtree(where)


async def _make(data_dir: Path) -> str:
    store = ProjectStore(data_dir)
    await store.open()
    return str((await store.create(small("old"))).project.id)


async def _description(store: ProjectStore, pid: str) -> str:
    return (await store.read(pid)).project.description


SHORT: tuple[Mode, ...] = ("kill before", "ENOSPC")
LONG: tuple[Mode, ...] = ("kill after", "EIO", "short write")


@pytest.mark.parametrize(
    ("mode", "for_good"),
    [
        *((mode, False) for mode in SHORT),
        *(pytest.param(mode, False, marks=pytest.mark.nightly) for mode in LONG),
        *(pytest.param(mode, True, marks=pytest.mark.nightly) for mode in ("ENOSPC", "EIO")),
    ],
)
def test_old_or_new_format_whatever_operation_fails(
    place: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, for_good: bool
) -> None:
    with failing(Disk()):
        pid = run(_make(place / "base"))
    folder = place / "base/projects" / pid
    agent = json.loads((folder / AGENT).read_bytes())
    agent["job"] = agent.pop("task") or "Do it."
    (folder / AGENT).write_bytes(dump(agent))
    (folder / "prompts/subagent-prompts/gone.txt").write_text("x")
    old = tree.read(folder)
    monkeypatch.setattr(migrations, "STEPS", (_spell,))

    def trial(disk: Disk) -> tuple[Path, BaseException | None]:
        data_dir = place / "trial"
        shutil.rmtree(data_dir, ignore_errors=True)
        shutil.copytree(place / "base", data_dir)
        with failing(disk):
            try:
                run(ProjectStore(data_dir).save(pid, small("saved")))
            except (Killed, CloutError) as failure:
                return data_dir, failure
        return data_dir, None

    counting = Disk()
    trial(counting)
    tally = Tally("migration")
    for at in range(1, len(counting.log) + 1):
        disk = Disk(mode, at, for_good)
        data_dir, failure = trial(disk)
        if not tally.add(disk):
            continue
        where = f"{mode} at {at} ({disk.log[at - 1]})"
        found = run(_description(ProjectStore(data_dir), pid))
        assert found == "saved" if failure is None else found in ("old", "saved"), where
        now = tree.read(data_dir / "projects" / pid)
        mine = json.loads(now[AGENT])
        assert ("job" in mine) != ("task" in mine), where
        if now != old:
            [copy] = (data_dir / "backups").glob("format-1-*.zip")
            with zipfile.ZipFile(copy) as archive:
                assert {name: archive.read(name) for name in archive.namelist()} == old, where
        store = ProjectStore(data_dir)
        with failing(Disk()):
            run(store.open())
            run(store.save(pid, small("later")))
        assert run(_description(store, pid)) == "later", where
        assert litter(data_dir) == [], where
        assert len(list((data_dir / "backups").glob("*.zip"))) == 1, where
    tally.tell()
    assert tally.hits
