"""Two who do something to the same project or backup at once: each is told what holds, and nothing is lost.

Where one looks or writes, the other one comes in between.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.errors import CloutError, NotFound
from cloutagent_ext.schema.archives import BackupRow
from cloutagent_ext.store.backups import Backups
from cloutagent_ext.store.keyring import KeyRing, Ring
from cloutagent_ext.store.projects import ProjectStore
from cloutagent_ext.store.secrets import Secrets
from cloutagent_ext.store.stored import Stored

from .conftest import Wall, idle
from .safe import VALUE, Safe


def first_time(monkeypatch: pytest.MonkeyPatch, call: str, where: str, work: Callable[[], Any]) -> None:
    """`work` comes before the first call of `os.<call>` that has `where` in one of its paths."""
    real, left = getattr(os, call), [work]

    def called(*given: Any, **more: Any) -> Any:
        if left and any(where in str(each) for each in given):
            left.pop()()
        return real(*given, **more)

    monkeypatch.setattr(os, call, called)


# ------------------------------------------------------------ backups


async def test_who_made_a_backup_is_told_of_it_though_the_next_one_takes_its_place(
    store: ProjectStore, pid: str, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (store.backups(keep_manual=1, now=wall) for _ in range(2))
    looks: list[Path] = []
    second = threading.Thread(target=lambda: asyncio.run(two.make()))
    row = Backups._row

    def looked(self: Backups, path: Path) -> BackupRow:
        looks.append(path)
        if self is one and looks.count(path) == 2:  # the first look was of who lets go of older ones
            second.start()
            second.join(0.5)  # it comes as far as it may
        return row(self, path)

    monkeypatch.setattr(Backups, "_row", looked)
    assert (await one.make()).kind == "manual"
    await asyncio.to_thread(second.join)
    assert len(await one.rows()) == 1


async def test_a_deletion_that_is_called_off_while_a_backup_is_made_spoils_nothing(
    store: ProjectStore, stored: Stored, pid: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await store.create(stored.project)
    await store.delete(str(other.project.id))
    [last] = (data_dir / "backups").glob("deleted-*.zip")
    rows = Backups._rows

    def listed(self: Backups) -> list[BackupRow]:
        found = rows(self)
        last.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Backups, "_rows", listed)
    assert (await store.backups().make()).kind == "manual"


async def test_a_restore_goes_on_though_the_clock_lets_go_of_its_backup(
    backups: Backups, store: ProjectStore, stored: Stored, pid: str, data_dir: Path
) -> None:
    row = await backups.make()
    await store.save(pid, stored.project.model_copy(update={"description": "changed"}))

    def gone(_: Path) -> bool:
        (data_dir / "backups" / row.name).unlink(missing_ok=True)
        return False

    assert (await backups.restore(row.name, project_id=None, busy=gone)).restored == [pid]
    assert (await store.read(pid)).project.description == stored.project.description


# ------------------------------------------------------------ deleting


async def test_a_project_that_came_back_can_be_deleted_though_its_first_remains_still_lie_there(
    backups: Backups, store: ProjectStore, pid: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = await backups.make()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda _: (_ for _ in ()).throw(PermissionError(errno.EPERM, "no")))
        await store.delete(pid)
    assert list((data_dir / "projects").glob(".deleted-*"))
    await backups.restore(row.name, project_id=pid, busy=idle)
    await store.delete(pid)
    assert await store.ids() == []
    await ProjectStore(data_dir).open()
    assert not list((data_dir / "projects").glob(".deleted-*"))


# ------------------------------------------------------------ versions


async def test_what_an_execution_is_about_to_run_is_not_pruned_when_somebody_saves(
    store: ProjectStore, stored: Stored, pid: str
) -> None:
    _, version = await store.freeze(pid)
    await store.save(pid, stored.project.model_copy(update={"description": "newer"}))
    assert version not in await store.prune(pid, keep=1, max_age_days=0)
    assert (await store.read_version(pid, version)).definition.description == stored.project.description


async def test_a_version_that_is_pruned_while_it_is_looked_through_is_gone_and_not_damaged(
    store: ProjectStore, stored: Stored, pid: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.save(pid, stored.project.model_copy(update={"description": "newer"}))
    version = folder / "versions/v1"
    first_time(monkeypatch, "open", "sales.csv", lambda: version.rename(version.with_name("gone")))
    with pytest.raises(NotFound, match="no version 1"):
        await store.scenario(pid, version=1)


async def test_a_cassette_whose_project_is_deleted_meanwhile_is_not_found(
    store: ProjectStore, pid: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(store.cassettes.write, pid, "0123456789abcdef", b"x")
    first_time(monkeypatch, "open", f"{pid}.lock", lambda: folder.rename(folder.with_name(".deleted")))
    with pytest.raises(NotFound):
        await asyncio.to_thread(store.cassettes.delete, pid, "0123456789abcdef")


# ------------------------------------------------------------ secrets


async def test_who_reads_secrets_while_a_restore_replaces_them_gets_old_or_new_ones(
    safe: Safe, kept: Secrets, store: ProjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = store.backups()
    row = await backups.make()
    await kept.set(safe.one, "TOKEN", "another value")
    loop = asyncio.get_running_loop()

    def restore() -> None:
        work = backups.restore(row.name, project_id=safe.one, busy=idle)
        asyncio.run_coroutine_threadsafe(work, loop).result(60)

    first_time(monkeypatch, "open", ".secrets/secrets.enc", restore)  # its counters have been read
    assert await kept.get(safe.one, "TOKEN") == VALUE


async def test_the_first_secrets_of_two_projects_at_once_are_both_kept(safe: Safe) -> None:
    class Late(KeyRing):
        """Somebody else keeps the very first secret just after this has looked for a key."""

        def load(self) -> Ring:
            found = super().load()
            if not found.keys:
                asyncio.run(safe.secrets().set(safe.two, "TOKEN", VALUE))
            return found

    late = Secrets(safe.data_dir / "projects", Late(None, safe.key_file))
    await late.set(safe.one, "TOKEN", VALUE)
    for project in (safe.one, safe.two):
        assert await safe.secrets().get(project, "TOKEN") == VALUE


async def test_a_secret_that_is_kept_where_another_server_died_in_a_restore_is_not_lost_to_it(
    safe: Safe, kept: Secrets, store: ProjectStore, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = store.backups()
    row = await backups.make()

    def dies() -> None:
        raise OSError(errno.EIO, "the disk went away, as its server did")

    with monkeypatch.context() as patch:
        first_time(patch, "rename", ".secrets/secrets.enc", dies)
        with pytest.raises((CloutError, OSError)):
            await backups.restore(row.name, project_id=safe.one, busy=idle)
    await kept.set(safe.one, "NEW", "kept since then")
    await ProjectStore(data_dir).open()
    assert await kept.get(safe.one, "NEW") == "kept since then"
    assert await kept.get(safe.one, "TOKEN") == VALUE
