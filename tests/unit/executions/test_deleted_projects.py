"""What is deleted while somebody asks for it, here or by another server: one of the two happens, whole."""

from __future__ import annotations

import asyncio
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
    other = await open_office(clock=TwoDaysOn(), retention_h=47)
    for pinned in (True, False):
        await other.executions.books.retention.pin(execution_id, pinned)
        assert (await office.executions.state(execution_id)).pinned == pinned
    async with asyncio.timeout(200):  # a ledger that was busy is written to again half a minute later
        while not await other.executions.books.retention.sweep():  # the ledger hears of it from the first
            await asyncio.sleep(0.2)
    assert (await office.executions.state(execution_id)).expired
