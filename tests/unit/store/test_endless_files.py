"""What somebody puts into `files/` by hand, however large, stops neither list nor backups nor others."""

from __future__ import annotations

import asyncio
import os
import zipfile
from pathlib import Path

import pytest

from cloutagent_ext.errors import CloutError, TooLarge
from cloutagent_ext.store.backup_file import BackupFile
from cloutagent_ext.store.projects import ProjectStore
from tests.support.definitions import whole
from tests.support.patience import Promised

HUGE = 1024**4


def sparse(folder: Path) -> None:
    (folder / "files").mkdir(exist_ok=True)
    with (folder / "files/huge.bin").open("wb") as file:
        file.truncate(HUGE)


def many(folder: Path) -> None:
    place = folder / "files/many"
    place.mkdir(parents=True, exist_ok=True)
    for number in range(10_050):
        os.close(os.open(place / str(number), os.O_CREAT | os.O_WRONLY))


def odd(folder: Path) -> None:
    """Everything that is no regular file: a link in a circle, one that leads out, a pipe, a hard link."""
    place = folder / "files"
    (place / "circle").symlink_to(place)
    (place / "out").symlink_to("/etc")
    os.mkfifo(place / "pipe")
    os.link(place / "data/sales.csv", place / "second-name.csv")


@pytest.mark.parametrize("put", [sparse, many])
async def test_too_much_is_refused_at_once_and_named_while_all_else_goes_on(
    store: ProjectStore,
    pid: str,
    folder: Path,
    put: object,
    caplog: pytest.LogCaptureFixture,
    promised: Promised,
) -> None:
    other = await store.create(whole(name="Other"))
    await asyncio.to_thread(put, folder)  # type: ignore[arg-type]
    with promised(30):
        rows = {str(row.id): row for row in (await store.list()).items}
        assert rows[pid].trusted is False
        assert rows[str(other.project.id)].trusted is True
        assert (await store.read(pid)).project.trusted is False
        for refused in (
            store.save(pid, whole(description="New")),
            store.freeze(pid),
            store.check_trust(pid),
            store.write_file(pid, "more.csv", b"1"),
            store.archives.duplicate(pid),
            store.delete(pid),
        ):
            with pytest.raises(TooLarge):
                await refused
        assert folder.is_dir()
        row = await store.backups().make()
    assert "is in no backup" in caplog.text
    held = await asyncio.to_thread(_held, folder.parents[1] / "backups" / row.name, pid)
    assert "metadata.json" in held
    assert not any(path.startswith("files/") for path in held)
    await asyncio.to_thread(_remove, folder)
    assert (await store.save(pid, whole(description="New"))).project.description == "New"


def _held(path: Path, pid: str) -> set[str]:
    with BackupFile(path) as backup:
        backup.verify()
        return {each.path for each in backup.projects[pid]}


async def test_a_huge_file_anywhere_else_stops_no_backup_either(
    store: ProjectStore, pid: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (folder / "metadata.json").open("wb") as file:
        file.truncate(HUGE)
    row = await store.backups().make()
    held = await asyncio.to_thread(_held, folder.parents[1] / "backups" / row.name, pid)
    assert "metadata.json" not in held
    assert "agent.config.json" in held
    assert "metadata.json of project" in caplog.text
    with pytest.raises(TooLarge):
        await store.delete(pid)
    assert folder.is_dir()


def _remove(folder: Path) -> None:
    for path in (*folder.glob("files/many/*"), *folder.glob("files/huge.bin")):
        path.unlink()


async def test_what_is_no_regular_file_is_passed_over_everywhere(
    store: ProjectStore, pid: str, folder: Path, tmp_path: Path
) -> None:
    await asyncio.to_thread(odd, folder)
    expected = ["data/sales.csv", "scenario.json", "second-name.csv"]
    assert [row.path for row in await store.list_files(pid)] == expected
    await store.copy_files(pid, tmp_path / "workspace")
    _, number = await store.freeze(pid)
    assert (await store.read_version(pid, number)).files == expected
    await store.delete_file(pid, "second-name.csv")
    row = await store.backups().make()
    with zipfile.ZipFile(folder.parents[1] / "backups" / row.name) as archive:
        assert not any("passwd" in name or "circle" in name or "pipe" in name for name in archive.namelist())
    for path in ("circle/data/sales.csv", "out/passwd", "pipe"):
        with pytest.raises(CloutError):
            await store.read_file(pid, path)
