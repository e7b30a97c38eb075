"""Each durable operation of each change of secrets fails in turn: old or new, never unreadable."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from cloutagent_ext.errors import CloutError
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.keyring import KeyRing
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import Secrets

from .faults import MODES, Disk, Killed, Mode, Tally, failing
from .loop import run

Answer = TypeVar("Answer")
Seen = dict[str, dict[str, str | None]]
NAMES = ("TOKEN", "OTHER", "NEW")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory where there is one: what counts here is the order of operations."""
    memory = Path("/dev/shm")
    where = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None, prefix="cloutagent-crash-"))
    yield where
    shutil.rmtree(where)


def opened(where: Path) -> Secrets:
    return Secrets(where / "data/projects", KeyRing(None, where / "data.keys"))


async def _base(where: Path) -> list[str]:
    store = ProjectStore(where / "data")
    await store.open()
    ids = [str((await store.create(Definition(name=name))).project.id) for name in ("One", "Two", "None")]
    for project in ids[:2]:
        for name in NAMES[:2]:
            await opened(where).set(project, name, f"old {name}")
    return ids


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    where = tmp_path_factory.mktemp("base")
    with failing(Disk()):
        return where, run(_base(where))


async def observe(where: Path, ids: list[str]) -> Seen:
    """Every value of every project; raises where one cannot be read."""
    secrets = opened(where)
    return {project: {name: await secrets.get(project, name) for name in NAMES} for project in ids}


Change = Callable[[Secrets, list[str]], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "new secret": lambda secrets, ids: secrets.set(ids[0], "NEW", "the new"),
    "replaced secret": lambda secrets, ids: secrets.set(ids[0], "TOKEN", "the new"),
    "first secret of a project": lambda secrets, ids: secrets.set(ids[2], "NEW", "the new"),
    "deleted secret": lambda secrets, ids: secrets.delete(ids[0], "TOKEN"),
    "rotation to a new key": lambda secrets, ids: secrets.rotate(new_key=True),
}


def attempt(act: Change, where: Path, ids: list[str], disk: Disk) -> bool:
    """Whether the change was acknowledged."""
    with failing(disk):
        try:
            run(act(opened(where), ids))  # type: ignore[arg-type]
        except (CloutError, Killed):
            return False
    return True


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", CHANGES)
def test_after_any_fault_every_secret_is_old_or_new_and_the_change_can_be_made_again(
    base: tuple[Path, list[str]], place: Path, change: str, mode: Mode
) -> None:
    source, ids = base
    act = CHANGES[change]
    old = run(observe(source, ids))
    shutil.copytree(source, place / "whole")
    counting = Disk()
    assert attempt(act, place / "whole", ids, counting)
    new = run(observe(place / "whole", ids))
    tally = Tally(change)
    for at in range(1, len(counting.log) + 1):
        where = place / str(at)
        shutil.copytree(source, where)
        disk = Disk(mode, at)
        acknowledged = attempt(act, where, ids, disk)
        tally.add(disk)
        seen = run(observe(where, ids))
        assert seen in ([new] if acknowledged else [old, new]), (at, counting.log[at - 1])
        # Once more, on a disk that works: it comes to its end, and leaves nothing behind.
        if change == "deleted secret" and seen == new:
            pass
        elif change.startswith("rotation"):
            done = run(again(where))
            assert not done.failed
            assert [key.uses for key in done.keys if key.id != done.key_id] in ([], [0])
        else:
            assert attempt(act, where, ids, Disk())
        assert run(observe(where, ids)) == new
        shutil.rmtree(where)
    tally.tell()
    assert tally.hits


async def again(where: Path) -> Any:
    return await opened(where).rotate()


@pytest.mark.parametrize("mode", ["ENOSPC", "EIO"])
def test_on_a_disk_that_is_broken_for_good_what_was_there_stays_readable(
    base: tuple[Path, list[str]], place: Path, mode: Mode
) -> None:
    source, ids = base
    old = run(observe(source, ids))
    for change, act in CHANGES.items():
        counting = Disk()
        shutil.copytree(source, place / "whole")
        attempt(act, place / "whole", ids, counting)
        new = run(observe(place / "whole", ids))
        shutil.rmtree(place / "whole")
        for at in range(1, len(counting.log) + 1):
            where = place / "broken"
            shutil.copytree(source, where)
            attempt(act, where, ids, Disk(mode, at, for_good=True))
            assert run(observe(where, ids)) in (old, new), (change, at)
            shutil.rmtree(where)


def test_the_first_key_is_on_the_disk_before_anything_is_encrypted_with_it(
    base: tuple[Path, list[str]], place: Path
) -> None:
    """With no key file yet: whatever fails, no secret lies about that no key opens."""
    source, ids = base
    for mode in MODES:
        at, finished = 0, False
        while not finished:
            at += 1
            where = place / "first"
            shutil.copytree(source, where)
            (where / "data.keys").unlink()
            for project in ids[:2]:
                shutil.rmtree(where / "data/projects" / project / ".secrets")
            disk = Disk(mode, at)
            acknowledged = attempt(CHANGES["new secret"], where, ids, disk)
            finished = len(disk.log) < at
            seen = run(observe(where, ids))[ids[0]]["NEW"]
            assert seen == "the new" if acknowledged else seen in (None, "the new")
            assert attempt(CHANGES["new secret"], where, ids, Disk())
            shutil.rmtree(where)
