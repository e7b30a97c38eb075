"""Each durable operation of each change fails in turn: old or new, never mixed, acknowledged means new."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from cloutagent_ext.errors import CloutError, DiskFull, NotTrusted, Unavailable
from cloutagent_ext.schema.canvas import UiPatch
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.projects import ProjectStore

from .faults import MODES, Disk, Killed, Mode, Tally, failing, faults
from .loop import run

Answer = TypeVar("Answer")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory where there is one: what counts here is the order of operations."""
    memory = Path("/dev/shm")
    where = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None, prefix="cloutagent-crash-"))
    yield where
    shutil.rmtree(where)


def small(text: str, **changes: object) -> Definition:
    """A definition of few files, `text` in several of them."""
    return Definition.model_validate(
        {
            "name": "Project",
            "description": text,
            "agent": {"system_prompt": text},
            "subagents": [{"id": "helper", "name": "Helper", "prompt": text}],
            **changes,
        }
    )


SHORT: tuple[Mode, ...] = ("kill before", "ENOSPC", "EIO")
NEW = small(
    "new", hooks=[{"id": "h", "name": "h", "event": "Stop", "action": {"type": "command", "command": ["x"]}}]
)
RENAMED = small("new", subagents=[{"id": "other", "name": "Helper", "prompt": "new"}])


@dataclass(frozen=True)
class Change:
    """Something that writes, on a data folder with the one project `pid`."""

    act: Callable[[ProjectStore, str], Awaitable[object]]
    prepare: Callable[[Path], object] = lambda folder: None
    """Done to the project's folder beforehand, as a person with an editor would."""
    second: bool = False
    """The project has a second version, with other files."""
    published: bool = False
    """The first version is published."""


CHANGES = {
    "save": Change(lambda store, pid: store.save(pid, NEW)),
    "save that removes files": Change(lambda store, pid: store.save(pid, RENAMED)),
    "draft": Change(lambda store, pid: store.save(pid, NEW, draft=True)),
    "save over a hand edit": Change(
        lambda store, pid: store.save(pid, NEW),
        lambda folder: (folder / "prompts/main-prompt.txt").write_text("by hand\n"),
    ),
    "freeze of a hand edit": Change(
        lambda store, pid: store.freeze(pid),
        lambda folder: (folder / "prompts/main-prompt.txt").write_text("by hand\n"),
    ),
    "view state": Change(lambda store, pid: store.patch_ui(pid, UiPatch(snap=False))),
    "new file": Change(lambda store, pid: store.write_file(pid, "deep/new.csv", b"new" * 1000)),
    "replaced file": Change(lambda store, pid: store.write_file(pid, "data.csv", b"new")),
    "removed file": Change(lambda store, pid: store.delete_file(pid, "data.csv")),
    "new project": Change(lambda store, pid: store.create(NEW, files={"a/b.csv": b"1"})),
    "deleted project": Change(lambda store, pid: store.delete(pid)),
    "labelled version": Change(lambda store, pid: store.make_version(pid, label="Before", author="ann")),
    "restore": Change(lambda store, pid: store.restore(pid, 1, author="ann"), second=True),
    "restore over a hand edit": Change(
        lambda store, pid: store.restore(pid, 1),
        lambda folder: (folder / "files/data.csv").write_text("by hand"),
        second=True,
    ),
    "publish": Change(lambda store, pid: store.publish(pid, 1)),
    "unpublish": Change(lambda store, pid: store.unpublish(pid, 1), published=True),
    "trust": Change(lambda store, pid: _trust(store, pid), lambda folder: _hook_by_hand(folder)),
    "prune": Change(lambda store, pid: store.prune(pid, keep=1, max_age_days=0), second=True),
}


TWICE = ("save over a hand edit", "restore over a hand edit")
"""Two commits after each other, each of which is tried by itself as well."""


def _hook_by_hand(folder: Path) -> None:
    (folder / "hooks").mkdir()
    (folder / "hooks/h.json").write_text('{"event": "Stop", "action": {"type": "command", "command": ["x"]}}')


async def _trust(store: ProjectStore, pid: str) -> None:
    try:
        await store.check_trust(pid)
    except NotTrusted as refusal:
        await store.confirm_trust(pid, refusal.details["hash"])


async def _base(data_dir: Path) -> str:
    store = ProjectStore(data_dir)
    await store.open()
    stored = await store.create(small("old"), files={"data.csv": b"old"})
    return str(stored.project.id)


async def _go_on(data_dir: Path, pid: str, change: Change) -> None:
    """Lead the project to where `change` begins."""
    store = ProjectStore(data_dir)
    if change.second:
        await store.write_file(pid, "data.csv", b"newer")
        await store.write_file(pid, "deep/more.csv", b"more")
        await store.save(pid, RENAMED)
    if change.published:
        await store.publish(pid, 1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder with one project, to be copied for each fault."""
    data_dir = tmp_path_factory.mktemp("base") / "data"
    with failing(Disk()):
        return data_dir, run(_base(data_dir))


@pytest.fixture
def beginning(base: tuple[Path, str], place: Path, name: str) -> tuple[Path, str]:
    """The base, led to where the change called `name` begins."""
    source, pid = base
    change = CHANGES[name]
    if not (change.second or change.published):
        return base
    shutil.copytree(source, place / "base", symlinks=True)
    with failing(Disk()):
        run(_go_on(place / "base", pid, change))
    return place / "base", pid


async def observe(store: ProjectStore) -> object:
    """All that anybody can see of the store: each project, its versions, files. Times left out."""
    seen = []
    for pid in await store.ids():
        project = (await store.read(pid)).project
        files = [(row.path, (await store.read_file(pid, row.path))[0]) for row in await store.list_files(pid)]
        versions = []
        for row in (await store.list_versions(pid)).items[::-1]:
            held = await store.read_version(pid, row.version)
            versions.append((held.model_dump(exclude={"created_at"}), await _data(store, pid, row.version)))
        assert versions[-1][0]["version"] == project.version
        seen.append((project.model_dump(exclude={"id", "updated_at"}), files, versions))
    return sorted(seen, key=repr)


async def _data(store: ProjectStore, pid: str, version: int) -> dict[str, bytes]:
    """The project files of a version, as an execution would get them."""
    with tempfile.TemporaryDirectory() as folder:
        await store.copy_files(pid, Path(folder), version=version)
        found = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def litter(data_dir: Path) -> list[str]:
    """What a finished store never has."""
    names = [str(path.relative_to(data_dir)) for path in data_dir.rglob("*")]
    return [
        name
        for name in names
        if ".staging" in name or ".new-" in name or ".deleted-" in name or ".tmp" in name
    ]


def fingerprint(data_dir: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(data_dir.rglob("*")):
        digest.update(str(path.relative_to(data_dir)).encode() + b"\0")
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Trial:
    """One change on a fresh copy of the base, with one fault."""

    def __init__(self, base: tuple[Path, str], where: Path, change: Change) -> None:
        self.source, self.pid = base
        self.data_dir = where / "data"
        self.change = change
        if self.data_dir.exists():
            shutil.rmtree(self.data_dir)
        shutil.copytree(self.source, self.data_dir)
        change.prepare(self.data_dir / "projects" / self.pid)
        self.store = ProjectStore(self.data_dir)

    def fail(self, disk: Disk) -> BaseException | None:
        """Make the change on `disk`; how it failed, None when it was acknowledged."""
        with failing(disk):
            try:
                run(self._act())
            except (Killed, CloutError) as failure:
                return failure
        return None

    async def _act(self) -> None:
        await self.change.act(self.store, self.pid)

    def seen(self) -> object:
        return run(observe(ProjectStore(self.data_dir)))

    def restart(self, disk: Disk | None = None) -> ProjectStore:
        store = ProjectStore(self.data_dir)
        with failing(disk or Disk()):
            run(store.open())
        return store


def reached(trial: Trial) -> list[object]:
    """The states that are whole: before, after, and (where a hand edit is kept first) in between."""
    before = trial.seen()
    states = [before]
    disk = Disk()
    assert trial.fail(disk) is None
    after = trial.seen()
    if trial.change in (CHANGES[name] for name in TWICE):
        between = Trial((trial.source, trial.pid), trial.data_dir.parent / "between", trial.change)
        run(between.store.freeze(between.pid))
        states.append(between.seen())
    return [*states, after]


@pytest.mark.parametrize(
    ("name", "thorough"),
    [
        *[(name, False) for name in CHANGES if name not in TWICE],
        *[pytest.param(name, True, marks=pytest.mark.nightly) for name in CHANGES],
    ],
)
def test_old_or_new_whatever_operation_fails(
    beginning: tuple[Path, str], place: Path, name: str, thorough: bool
) -> None:
    base, change = beginning, CHANGES[name]
    whole = reached(Trial(base, place / "good", change))
    counting = Disk()
    Trial(base, place / "count", change).fail(counting)
    assert len(counting.log) >= 5
    # The plain save goes through everything at each commit, the others through it all every night.
    modes = MODES if thorough or name == "save" else SHORT
    tally = Tally(name)
    for mode, for_good in faults(modes, thorough=thorough):
        for at in range(1, len(counting.log) + 1):
            trial = Trial(base, place / "trial", change)
            disk = Disk(mode, at, for_good)
            failure = trial.fail(disk)
            if tally.add(disk):
                check(trial, disk, failure, whole)
    tally.tell()
    expected = set(modes) - (set() if "write" in counting.log else {"short write"})
    assert expected <= tally.hits.keys(), tally


def check(trial: Trial, disk: Disk, failure: BaseException | None, whole: list[object]) -> None:
    where = f"{disk.mode} at {disk.at} ({disk.log[disk.at - 1]})"
    # Before anybody has repaired anything, readers see one whole state.
    found = trial.seen()
    assert found in whole, where
    if failure is None:
        assert found == whole[-1], where
    if disk.mode == "short write":
        assert failure is None, where
    if disk.mode == "ENOSPC":
        assert failure is None or isinstance(failure, DiskFull), where
        # No restart: as soon as there is room, the next change goes through.
        assert trial.store.read_only is None
        again = run(_later(trial.store))
        assert again == "later", where
        return
    if disk.mode == "EIO" and failure is not None:
        assert isinstance(failure, Unavailable), where
        if disk.log[disk.at - 1] == "fsync":
            refuses_to_write(trial, where)
    store = trial.restart()
    assert trial.seen() == found, where
    if disk.mode != "EIO" or failure is None:
        assert litter(trial.data_dir) == [], where
    settled = fingerprint(trial.data_dir)
    trial.restart()
    assert fingerprint(trial.data_dir) == settled, where
    assert run(_later(store)) == "later", where


def refuses_to_write(trial: Trial, where: str) -> None:
    """After a failed fsync nothing is written any more, even where it would work; reading goes on."""
    before = fingerprint(trial.data_dir)
    assert trial.store.read_only, where
    attempts: list[Callable[[], Awaitable[object]]] = [lambda: trial.store.create(small("no"))]
    if trial.pid in run(trial.store.ids()):
        attempts += [lambda: trial.store.save(trial.pid, small("no")), lambda: trial.store.delete(trial.pid)]
    for attempt in attempts:
        with pytest.raises(Unavailable) as caught:
            run(_call(attempt))
        assert caught.value.error_code == "READ_ONLY"
    assert fingerprint(trial.data_dir) == before, where
    run(observe(trial.store))


async def _call(attempt: Callable[[], Awaitable[object]]) -> object:
    return await attempt()


async def _later(store: ProjectStore) -> str:
    """A later save on a sound disk works, whichever project there is."""
    with failing(Disk()):
        return await _save_later(store)


async def _save_later(store: ProjectStore) -> str:
    ids = await store.ids()
    if not ids:
        return (await store.create(small("later"))).project.description
    stored = await store.save(ids[0], small("later"))
    await observe(store)
    return stored.project.description


@pytest.mark.parametrize(
    "name",
    [
        "view state",
        pytest.param("save that removes files", marks=pytest.mark.nightly),
        pytest.param("save", marks=pytest.mark.nightly),
        pytest.param("new project", marks=pytest.mark.nightly),
        "deleted project",
        "prune",
        pytest.param("restore", marks=pytest.mark.nightly),
    ],
)
def test_a_crash_of_the_recovery_is_recovered_from(
    beginning: tuple[Path, str], place: Path, name: str
) -> None:
    base, change = beginning, CHANGES[name]
    whole = reached(Trial(base, place / "good", change))
    counting = Disk()
    Trial(base, place / "count", change).fail(counting)
    crashed_twice = 0
    seen_before: set[tuple[str, ...]] = set()
    for at in range(1, len(counting.log) + 1):
        first = Trial(base, place / "first", change)
        first.fail(Disk("kill before", at))
        found = first.seen()
        recovery = Disk()
        probe = Trial((first.data_dir, first.pid), place / "probe", Change(change.act))
        probe.restart(recovery)
        if tuple(recovery.log) in seen_before:
            continue  # the same steps from the same place, which have been through it all
        seen_before.add(tuple(recovery.log))
        for mode in ("kill before", "kill after", "EIO", "ENOSPC"):
            for again in range(1, len(recovery.log) + 1):
                second = Trial((first.data_dir, first.pid), place / "second", Change(change.act))
                disk = Disk(mode, again)  # type: ignore[arg-type]
                try:
                    second.restart(disk)
                except (Killed, CloutError):
                    crashed_twice += 1
                assert second.seen() == found in whole, (at, mode, again)
                second.restart()
                assert second.seen() == found, (at, mode, again)
                assert litter(second.data_dir) == [], (at, mode, again)
    assert crashed_twice
