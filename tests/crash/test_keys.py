"""Each durable operation of each change of keys fails in turn: old or new, and a revocation never undone."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from cloutagent_ext.auth.keys import Keys
from cloutagent_ext.errors import CloutError, NotFound, Unauthorized
from cloutagent_ext.schema.admin import CreatedKey
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.projects import ProjectStore

from .faults import MODES, Disk, Killed, Mode, Tally, failing
from .loop import run


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory where there is one: what counts here is the order of operations."""
    memory = Path("/dev/shm")
    where = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None, prefix="cloutagent-crash-"))
    yield where
    shutil.rmtree(where)


async def _begin(data_dir: Path) -> tuple[str, list[CreatedKey]]:
    store = ProjectStore(data_dir)
    await store.open()
    pid = str((await store.create(Definition(name="Project"))).project.id)
    keys = Keys(data_dir / "projects")
    made = [await keys.create(pid, name) for name in ("stays", "goes")]
    await keys.close()
    return pid, made


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[CreatedKey]]:
    data_dir = tmp_path_factory.mktemp("keys") / "data"
    with failing(Disk()):
        pid, made = run(_begin(data_dir))
    return data_dir, pid, made


async def names(data_dir: Path, pid: str) -> list[str]:
    keys = Keys(data_dir / "projects")
    found = [row.name for row in await keys.list(pid)]
    await keys.close()
    return found


async def opens(data_dir: Path, text: str) -> bool:
    keys = Keys(data_dir / "projects")
    try:
        await keys.verify(text)
    except Unauthorized:
        return False
    else:
        return True
    finally:
        await keys.close()


Change = Callable[[Keys, str, list[CreatedKey]], Awaitable[object]]
CHANGES: dict[str, tuple[Change, list[str]]] = {
    "new key": (lambda keys, pid, made: keys.create(pid, "new"), ["stays", "goes", "new"]),
    "revoked key": (lambda keys, pid, made: keys.revoke(pid, made[1].id), ["stays"]),
}


async def attempt(act: Change, data_dir: Path, pid: str, made: list[CreatedKey]) -> bool:
    keys = Keys(data_dir / "projects")
    try:
        await act(keys, pid, made)
    except CloutError:
        return False
    else:
        return True
    finally:
        await keys.close()


@pytest.mark.parametrize(
    ("mode", "for_good"), [*((mode, False) for mode in MODES), ("ENOSPC", True), ("EIO", True)]
)
@pytest.mark.parametrize("name", CHANGES)
def test_after_any_fault_each_key_is_there_or_not_and_the_others_stay(
    base: tuple[Path, str, list[CreatedKey]], place: Path, name: str, mode: Mode, for_good: bool
) -> None:
    source, pid, made = base
    act, after = CHANGES[name]
    before = ["stays", "goes"]
    counting = Disk()
    shutil.copytree(source, place / "count")
    with failing(counting):
        assert run(attempt(act, place / "count", pid, made))
    tally = Tally(name)
    for at in range(1, len(counting.log) + 1):
        data_dir = place / "trial"
        shutil.rmtree(data_dir, ignore_errors=True)
        shutil.copytree(source, data_dir)
        disk = Disk(mode, at, for_good)
        told = f"{mode} at {at} ({counting.log[at - 1]})"
        with failing(disk):
            try:
                acknowledged = run(attempt(act, data_dir, pid, made))
            except Killed:
                acknowledged = False
        tally.add(disk)
        found = run(names(data_dir, pid))
        assert found in ([after] if acknowledged else [before, after]), told
        with failing(Disk()):
            if name == "revoked key" and found == before:
                assert run(attempt(act, data_dir, pid, made)), told
            run(ProjectStore(data_dir).open())
        left = [path.name for path in data_dir.rglob("*.tmp")]
        assert left == [], told
        if name == "revoked key":
            stays_revoked(source, data_dir, pid, made, told)
    tally.tell()
    if mode != "short write" or "write" in counting.log:
        assert tally.hits


def stays_revoked(source: Path, data_dir: Path, pid: str, made: list[CreatedKey], told: str) -> None:
    """Also when the file of keys comes back as it was."""
    keys = data_dir / "projects" / pid / "keys.json"
    blanked = '"!' in keys.read_text()
    if blanked:  # on a full disk; noted for good at the next change
        with failing(Disk()):
            assert run(attempt(lambda k, p, m: k.revoke(p, m[0].id), data_dir, pid, made))
    shutil.copyfile(source / "projects" / pid / "keys.json", keys)
    assert [row["name"] for row in json.loads(keys.read_text())["keys"]] == ["stays", "goes"]
    assert "goes" not in run(names(data_dir, pid)), told


def test_the_key_that_stays_opens_and_the_other_does_not(
    base: tuple[Path, str, list[CreatedKey]], place: Path
) -> None:
    source, pid, made = base
    shutil.copytree(source, place / "data")
    with failing(Disk()):
        assert run(attempt(CHANGES["revoked key"][0], place / "data", pid, made))
    assert run(opens(place / "data", made[0].api_key))
    assert not run(opens(place / "data", made[1].api_key))
    with pytest.raises(NotFound):
        run(Keys(place / "data/projects").revoke(pid, made[1].id))
