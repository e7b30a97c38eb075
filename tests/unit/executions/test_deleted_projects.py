"""What is deleted while somebody asks for it, here or by another server: one of the two happens, whole."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from cloutagent_ext.errors import Conflict, NotFound
from cloutagent_ext.executions.entrance import Entrance
from cloutagent_ext.executions.inputs import Inputs
from cloutagent_ext.executions.records import Records
from cloutagent_ext.executions.reserve import Reserve
from cloutagent_ext.store.backups import Backups

from .conftest import Office, Opens, bash
from .test_interleavings import TwoDaysOn


async def test_an_execution_that_begins_while_the_last_state_is_kept_stops_the_delete(
    open_office: Opens,
) -> None:
    """Keeping it takes seconds: what was asked before says nothing about the end of that."""
    office = await open_office()
    project = await office.project(bash("true"))
    store, asked = office.services.store, list[Path]()

    def busy(folder: Path) -> bool:
        asked.append(folder)
        return len(asked) == 2

    with pytest.raises(Conflict, match="cancel"):
        await store.delete(project, busy=busy)
    assert (await store.read(project)).project.name == "Sales"
    assert await _kept(office) == []
    assert (await office.run(project)).status == "completed"
    await store.delete(project, busy=office.executions.busy)
    assert len(await _kept(office)) == 1


async def test_an_execution_that_begins_while_a_project_is_restored_stops_that(open_office: Opens) -> None:
    """From a version or a backup: it had been asked about before, and was put on another ground."""
    office = await open_office()
    project = await office.project(bash("true"))
    store, backups = office.services.store, office.services.backups
    kept = await backups.make()
    changed = (await store.read(project)).project.model_copy(update={"description": "changed"})
    await store.save(project, changed)
    asked = list[Path]()

    def busy(folder: Path) -> bool:
        asked.append(folder)
        return len(asked) == 2

    with pytest.raises(Conflict, match="restore"):
        await store.restore(project, 1, busy=busy)
    asked.clear()
    with pytest.raises(Conflict, match="restore"):
        await backups.restore(kept.name, project_id=project, busy=busy)
    assert (await store.read(project)).project.description == "changed"
    assert {row.kind for row in await backups.rows()} == {"manual"}
    assert [row.version for row in (await store.list_versions(project)).items] == [2, 1]
    await store.restore(project, 1, busy=office.executions.busy)
    assert (await store.read(project)).project.description == ""


async def test_a_project_that_is_gone_accepts_nothing_and_stays_gone(open_office: Opens) -> None:
    office = await open_office()
    project = await office.project(bash("true"))
    execution_id = (await office.run(project)).execution_id
    data_dir, records = office.services.settings.data_dir, Records(office.services.store)
    spec = await records.spec(execution_id)
    await office.services.store.delete(project, busy=office.executions.busy)
    inputs = Inputs(data_dir, None)
    entrance = Entrance(records, data_dir, lambda *_: pytest.fail("taken"), inputs, Reserve(data_dir))
    with pytest.raises(NotFound):
        await entrance.create(spec, 0)
    assert not (office.services.settings.data_dir / "projects" / project).exists()


async def test_while_the_disk_with_the_projects_is_away_their_workspaces_stay(open_office: Opens) -> None:
    """They may lie on another one: a sweep had taken all that were a day old for nobody's."""
    first = await open_office()
    state = await first.run(await first.project(bash("echo a > made")))
    await first.services.stop(0)
    data, aside = first.services.settings.data_dir, first.services.settings.data_dir / "aside"
    (data / "projects").rename(aside)
    (data / "projects").mkdir()  # where it was mounted
    away = await open_office(clock=TwoDaysOn(), retention_h=0)
    await away.executions.books.retention.sweep()
    await away.services.stop(0)
    await asyncio.to_thread(shutil.rmtree, data / "projects")
    aside.rename(data / "projects")
    again = await open_office(clock=TwoDaysOn(), retention_h=0)
    assert [row.path for row in await again.executions.results.files(state.execution_id)] == ["made"]


async def test_one_that_cannot_be_removed_keeps_none_that_is_younger(
    open_office: Opens, caplog: pytest.LogCaptureFixture
) -> None:
    office = await open_office(retention_h=1e-6)
    project = await office.project(bash("true"))
    stays, goes = [(await office.run(project)).execution_id for _ in range(2)]
    folder = office.services.store.executions_dir(project)
    (folder / f".deleted-{stays}").write_text("in its way")
    await asyncio.sleep(0.02)  # so that both are older than that
    assert await office.executions.books.retention.sweep() == 1
    assert (await office.executions.state(goes)).expired
    assert not (await office.executions.state(stays)).expired
    assert "1 old executions could not be removed" in caplog.text


async def _kept(office: Office) -> list[str]:
    backups: Backups = office.services.backups
    return [row.name for row in await backups.rows() if row.kind == "deleted"]


@pytest.mark.parametrize("what", ["execution", "project"])
async def test_what_another_server_has_deleted_is_gone_here_too(open_office: Opens, what: str) -> None:
    """An execution that has ended is kept in memory; it was shown from there until it was pushed out."""
    office, other = await open_office(), await open_office()
    project = await office.project(bash("echo a > made"))
    execution_id = (await office.run(project)).execution_id
    assert (await office.executions.state(execution_id)).status == "completed"
    if what == "execution":
        await other.executions.delete(execution_id)
    else:
        await other.services.store.delete(project, busy=other.executions.busy)
    with pytest.raises(NotFound):
        await office.executions.state(execution_id)
    with pytest.raises(NotFound):
        await office.executions.log(execution_id)
    with pytest.raises(NotFound):
        await office.executions.delete(execution_id)
    assert (await office.executions.list()).items == []


async def test_what_has_expired_or_is_pinned_in_another_server_is_so_here_too(open_office: Opens) -> None:
    office = await open_office()
    project = await office.project(bash("echo a > made"))
    execution_id = (await office.run(project)).execution_id
    other = await open_office()
    for pinned in (True, False):
        await other.executions.books.retention.pin(execution_id, pinned)
        assert (await office.executions.state(execution_id)).pinned == pinned
    later = await open_office(clock=TwoDaysOn(), retention_h=47)
    async with asyncio.timeout(200):  # its ledger hears of it from the first one's, or from its log
        while not (await office.executions.state(execution_id)).expired:
            await asyncio.sleep(0.2)
            await later.executions.books.retention.sweep()
