"""The power goes at any operation: what was acknowledged is there, nothing is mixed, recovery converges.

Row F27. The model of what a disk may then hold is `power`. Several changes follow each other on one disk
without a pause, so that what one of them has left volatile is still so when the next one fails.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloutagent_ext.auth.keys import Keys
from cloutagent_ext.schema.canvas import UiPatch
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store import migrations, versions
from cloutagent_ext.store.backup_file import BackupFile
from cloutagent_ext.store.jsonfiles import dump, load_object
from cloutagent_ext.store.keyring import KeyRing
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import Secrets
from cloutagent_ext.store.tree import AGENT, Tree
from tests.support.archives import zipped

from .faults import Disk, failing
from .loop import run
from .power import Image, Power, lay_down, recorded
from .test_every_operation import NEW, RENAMED, litter, small

SECRETS = ("TOKEN", "OTHER")
ARCHIVE = zipped([("files/a.csv", b"1")])
BACKUP = "backup-2026-01-01.zip"


@dataclass
class World:
    """Everything of one data folder, as a server has it."""

    where: Path
    pid: str

    def __post_init__(self) -> None:
        self.data_dir = self.where / "data"
        self.store = ProjectStore(self.data_dir)
        self.secrets = Secrets(self.data_dir / "projects", KeyRing(None, self.where / "data.keys"))
        self.keys = Keys(self.data_dir / "projects")


Step = Callable[[World], Awaitable[object]]


def _idle(_: Path) -> bool:
    return False


async def _back(world: World) -> None:
    backups = world.store.backups()
    backup = os.open(world.data_dir / "backups" / BACKUP, os.O_RDONLY)
    await world.store.in_turn(world.pid, lambda: backups._restore(backup, world.pid, _idle))


async def _label(world: World) -> None:
    await world.store.make_version(world.pid, label="Before", author="ann")


async def _revoke(world: World) -> None:
    rows = await world.keys.list(world.pid)
    await world.keys.revoke(world.pid, rows[0].id)


CHAINS: dict[str, list[Step]] = {
    "saves, drafts and files": [
        lambda w: w.store.save(w.pid, NEW),
        lambda w: w.store.write_file(w.pid, "deep/er/new.csv", b"new" * 3000),
        lambda w: w.store.save(w.pid, RENAMED, draft=True),
        lambda w: w.store.write_file(w.pid, "data.csv", b"replaced"),
        lambda w: w.store.save(w.pid, RENAMED),
        lambda w: w.store.delete_file(w.pid, "deep/er/new.csv"),
        lambda w: w.store.patch_ui(w.pid, UiPatch(snap=False)),
        lambda w: w.store.save(w.pid, small("last")),
    ],
    "versions": [
        lambda w: w.store.save(w.pid, RENAMED),
        _label,
        lambda w: w.store.write_file(w.pid, "data.csv", b"newer"),
        lambda w: w.store.freeze(w.pid),
        lambda w: w.store.restore(w.pid, 1, author="ann"),
        lambda w: w.store.publish(w.pid, 3),
        lambda w: w.store.prune(w.pid, keep=4, max_age_days=0),  # one version at a time goes
        lambda w: w.store.prune(w.pid, keep=2, max_age_days=0),
        lambda w: w.store.unpublish(w.pid, 3),
    ],
    "whole projects": [
        lambda w: w.store.create(NEW, files={"a/b.csv": b"1" * 9000, "run.sh": b"x"}, executable=["run.sh"]),
        lambda w: w.store.archives.load(io.BytesIO(ARCHIVE), len(ARCHIVE)),
        lambda w: w.store.archives.duplicate(w.pid),
        lambda w: w.store.delete(w.pid),
    ],
    "backups": [
        lambda w: w.store.save(w.pid, NEW),
        lambda w: w.store.write_file(w.pid, "data.csv", b"newer"),
        _back,
        lambda w: w.store.freeze(w.pid),
        lambda w: w.store.backups().make(),
        lambda w: w.store.delete(w.pid),
        _back,
    ],
    "secrets and keys": [
        lambda w: w.secrets.set(w.pid, "TOKEN", "the first one"),
        lambda w: w.secrets.set(w.pid, "OTHER", "the other one"),
        lambda w: w.secrets.set(w.pid, "TOKEN", "the next one"),
        lambda w: w.secrets.delete(w.pid, "OTHER"),
        lambda w: w.secrets.rotate(new_key=True),
        lambda w: w.keys.create(w.pid, "second"),
        _revoke,
        lambda w: w.secrets.set(w.pid, "TOKEN", "the last one"),
    ],
    "a change of format": [
        lambda w: w.store.freeze(w.pid),
        lambda w: w.store.save(w.pid, small("saved", agent={"task": "Do it."})),
    ],
}


async def observe(where: Path) -> object:
    """All that anybody can see: projects, versions with their files, secrets, keys, backups. No times."""
    world = World(where, "")
    seen: list[object] = []
    for pid in await world.store.ids():
        project = (await world.store.read(pid)).project
        files = [
            (row.path, (await world.store.read_file(pid, row.path))[0])
            for row in await world.store.list_files(pid)
        ]
        held = []
        for row in (await world.store.list_versions(pid)).items:
            version = await world.store.read_version(pid, row.version)
            held.append((version.model_dump(exclude={"created_at"}), _files(world, pid, row.version)))
        values = {name: await world.secrets.get(pid, name) for name in SECRETS}
        keys = [row.name for row in await world.keys.list(pid)]
        seen.append((project.model_dump(exclude={"id", "updated_at"}), files, held, values, keys))
    await world.keys.close()
    kept = []
    for path in (world.data_dir / "backups").glob("*.zip"):
        if path.name.startswith("format-"):
            continue
        with BackupFile(path) as backup:
            backup.verify()
        # The last state of a project lies there a moment before the project goes.
        if path.name.startswith("backup-"):
            kept.append(path.name)
    return sorted(seen, key=repr), len(kept)


def _files(world: World, pid: str, version: int) -> dict[str, bytes]:
    root = versions.files_root(world.data_dir / "projects" / pid, version)
    found = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    memory = Path("/dev/shm")
    where = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None, prefix="cloutagent-power-"))
    yield where
    shutil.rmtree(where)


async def _begin(where: Path, chain: str) -> str:
    store = ProjectStore(where / "data")
    await store.open()
    pid = str((await store.create(small("old"), files={"data.csv": b"old"})).project.id)
    keys = Keys(where / "data/projects")
    await keys.create(pid, "first")
    await keys.close()
    if chain == "backups":
        row = await store.backups().make()
        folder = where / "data/backups"
        await asyncio.to_thread((folder / row.name).rename, folder / BACKUP)
    return pid


def _spell(found: Tree) -> Tree:
    """A made-up format 1 called the task a `job`, and kept one prompt too many."""
    agent = load_object(AGENT, found[AGENT])
    agent["task"] = agent.pop("job", agent.get("task"))
    rest = {path: data for path, data in found.items() if path != "prompts/subagent-prompts/gone.txt"}
    return {**rest, AGENT: dump(agent)}


def _older(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bring the project's folder back to that format."""
    monkeypatch.setattr(migrations, "STEPS", (_spell,))
    agent = folder / "agent.config.json"
    agent.write_text(agent.read_text().replace('"task": ""', '"job": "Do it."'))
    (folder / "prompts/subagent-prompts/gone.txt").write_text("x")


async def _play(world: World, steps: list[Step], after: Callable[[], object]) -> None:
    for step in steps:
        await step(world)
        after()
    await world.keys.close()


def play(
    place: Path, chain: str, samples: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Power, list[object]]:
    """Run the chain on a recorded disk; the images, and what is to be seen after each of its steps."""
    where = place / "live"
    with failing(Disk()):
        pid = run(_begin(where, chain))
    if chain == "a change of format":
        _older(where / "data/projects" / pid, monkeypatch)
    power = Power(where, random.Random(seed), samples)
    copies = [place / "state-0"]
    shutil.copytree(where, copies[0])

    def after() -> None:
        power.acknowledge()
        copies.append(place / f"state-{len(copies)}")
        shutil.copytree(where, copies[-1])

    with recorded(power):
        run(_play(World(where, pid), CHAINS[chain], after))
    return power, [run(observe(copy)) for copy in copies]


async def _later(where: Path) -> None:
    """On a sound disk work goes on."""
    store = ProjectStore(where / "data")
    ids = await store.ids()
    if ids:
        await store.save(ids[0], small("later"))
    else:
        await store.create(small("later"))


def recovered(image: Image, where: Path, allowed: list[object], told: str) -> None:
    """Lay `image` down and hold it to the promises."""
    lay_down(image, where)
    found = run(observe(where))
    assert found in allowed, f"{told}: neither old nor new, before anything was repaired"
    with failing(Disk()):
        run(ProjectStore(where / "data").open())
        assert run(observe(where)) == found, f"{told}: recovery changed what could be seen"
        assert litter(where / "data") == [], told
        run(_later(where))
        run(observe(where))
    shutil.rmtree(where)


def twice(image: Image, place: Path, allowed: list[object], chance: random.Random, told: str) -> int:
    """The power goes again while the store recovers; how many states that leaves."""
    where = place / "again"
    lay_down(image, where)
    found = run(observe(where))
    second = Power(where, chance, 5)
    with recorded(second):
        run(ProjectStore(where / "data").open())
    shutil.rmtree(where)
    images = chance.sample(second.images, min(4, len(second.images)))
    for _, each in images:
        assert found in allowed
        recovered(each, place / "twice", [found], f"{told}, and again while recovering")
    return len(images)


@pytest.mark.parametrize(
    "thorough", [False, pytest.param(True, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])]
)
@pytest.mark.parametrize("chain", CHAINS)
def test_after_a_power_loss_everything_acknowledged_is_there_and_nothing_is_mixed(
    place: Path,
    chain: str,
    thorough: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    power, states = play(place, chain, 24 if thorough else 5, len(chain), monkeypatch)
    chance = random.Random(11)
    images = power.images
    if not thorough:
        images = chance.sample(images, min(60, len(images)))
    checked = again = 0
    for number, (done, image) in enumerate(images):
        allowed = states[done : done + 2]
        told = f"{chain}, image {number} after {done} steps"
        recovered(image, place / "trial", allowed, told)
        checked += 1
        if number % (4 if thorough else 20) == 0:
            again += twice(image, place, allowed, chance, told)
    with capsys.disabled():
        print(f"\n{chain}: {power.points} points, {checked} states, {again} after a second loss", end="")
    assert power.points > 10 * len(CHAINS[chain])
    assert checked >= min(60, 5 * len(CHAINS[chain]))


def test_the_model_finds_a_store_that_forgets_to_sync(place: Path) -> None:
    """The check itself: without fsync of files, or of folders, promises are seen to break."""
    for forgotten in ("files", "folders"):
        where = place / forgotten
        with failing(Disk()):
            pid = run(_begin(where, "versions"))
        before = run(observe(where))
        power = _Forgetful(where, random.Random(3), 6, forgotten)
        with recorded(power):
            run(_play(World(where, pid), [lambda w: w.store.save(w.pid, NEW)], power.acknowledge))
        after = run(observe(where))
        broken = 0
        for done, image in power.images:
            try:
                recovered(image, place / "trial", [before, after][done : done + 2], forgotten)
            except Exception:
                broken += 1
                shutil.rmtree(place / "trial", ignore_errors=True)
        assert broken, forgotten


class _Forgetful(Power):
    """A disk whose fsync does nothing for files, or for folders."""

    def __init__(self, root: Path, chance: random.Random, samples: int, forgotten: str) -> None:
        super().__init__(root, chance, samples)
        self._forgotten = forgotten

    def fsync(self, descriptor: int) -> None:
        node, _ = self._open[descriptor]
        if node.folder != (self._forgotten == "folders"):
            super().fsync(descriptor)


def test_definitions_are_of_one_kind() -> None:
    """What the chains save differs, or a lost save would not show."""
    assert len({repr(each) for each in (NEW, RENAMED, small("old"), small("last"), small("later"))}) == 5
    assert isinstance(NEW, Definition)
