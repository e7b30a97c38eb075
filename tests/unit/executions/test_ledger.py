"""The ledger: what it adds up, over time and damage, for several servers on one folder."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from cloutagent_ext.executions import records
from cloutagent_ext.executions.account import SLOT_S, Account
from cloutagent_ext.executions.ledger import Ledger, book
from cloutagent_ext.executions.ledger.figures import Asked, most_at_once, percentile
from cloutagent_ext.executions.records import Records
from cloutagent_ext.executions.retention import Retention
from cloutagent_ext.schema.metrics import Metrics
from cloutagent_ext.schema.query import MetricsQuery
from cloutagent_ext.services import SystemClock

from .conftest import Office, Opens, bash

MIDNIGHT = 1_795_651_200.0
"""2026-11-26T00:00:00Z."""


async def metrics(office: Office, **query: object) -> Metrics:
    asked = MetricsQuery.model_validate({"simulated": True, **query})
    return await office.executions.books.metering.metrics(asked, streams=0, max_streams=1)


async def caught_up(office: Office) -> Metrics:
    async with asyncio.timeout(90):
        while not (found := await metrics(office)).complete:
            await asyncio.sleep(0.01)
    return found


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "ledger/ledger.sqlite")) as connection:
        return connection.execute(sql).fetchall()


# ------------------------------------------------------------ arithmetic


def asked(now: float, **changes: object) -> Asked:
    given = {"window": "24h", "project": None, "free": False, "offset_s": 0, **changes}
    return Asked(now=now, **given)  # type: ignore[arg-type]


def turn(cost: float | None, agent: str = "main") -> dict[str, object]:
    usage = {"input_tokens": 10, "output_tokens": 2}
    return {"type": "cost_update", "agent": agent, "turn_cost_usd": cost, "turn_usage": usage}


def test_money_counts_on_the_day_on_which_it_was_spent() -> None:
    account = Account()
    account.add({"type": "agent_start", "agent": "clerk#2", "model": "small"}, MIDNIGHT - 1, "large")
    account.add(turn(1.0), MIDNIGHT - 1, "large")
    account.add(turn(0.5, "clerk#2"), MIDNIGHT - 1, "large")
    account.add(turn(0.25, "clerk#1"), MIDNIGHT - 1, "large")
    account.add(turn(None), MIDNIGHT + 1, "large")
    before, after = int(MIDNIGHT) - SLOT_S, int(MIDNIGHT)
    assert {place: numbers[:4] for place, numbers in account.spent.items()} == {
        (before, "main", "large"): [1.0, 1, 0, 10],
        (before, "clerk", "small"): [0.5, 1, 0, 10],
        (before, "clerk", "large"): [0.25, 1, 0, 10],
        (after, "main", "large"): [0.0, 1, 1, 10],
    }


def test_days_begin_where_the_reader_lives() -> None:
    assert asked(MIDNIGHT + 3600, window="7d").since == MIDNIGHT - 7 * 86400
    berlin = asked(MIDNIGHT + 3600, window="7d", offset_s=3600)
    assert berlin.since == MIDNIGHT - 3600 - 7 * 86400, "it is two o'clock there"
    assert asked(MIDNIGHT, window="1h").bucket_s == SLOT_S
    for window in ("1h", "24h", "7d", "30d"):
        look = asked(MIDNIGHT + 1234.5, window=window)
        assert look.bucket(look.now) == len(look.starts()) - 1


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], [0, 0, 0]),
        ([(10, 20), (15, 30), (30, 40)], [2, 0, 0]),
        ([(10, 7300)], [1, 1, 1]),
        ([(-500, 10), (3700, 3800), (3750, 9999)], [1, 2, 1]),
        ([(-500, -10), (20, 20)], [0, 0, 0]),
    ],
)
def test_a_crowd_is_the_most_that_were_there_at_one_moment(
    spans: list[tuple[float, float]], expected: list[int]
) -> None:
    look = asked(MIDNIGHT, window="24h")
    shifted = [(look.since + begin, look.since + end) for begin, end in spans]
    assert most_at_once(shifted, look, 3) == expected


def test_percentiles_lie_between_neighbours() -> None:
    assert [percentile([1.0], each) for each in (0, 50, 95)] == [1, 1, 1]
    assert percentile([0.0, 10.0], 50) == 5
    assert percentile([float(each) for each in range(101)], 95) == 95


# ------------------------------------------------------------ what is written


async def test_a_row_follows_its_execution_to_the_end(office: Office, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    project = await office.project(bash(f"until [ -e {gate} ]; do sleep 0.05; done; echo done"))
    accepted = await office.accept(project)
    await office.until(accepted.execution_id, "tool_call")
    found = await metrics(office)
    assert (found.running, found.executions.running, found.by_tool[0].calls) == (1, 1, 1)
    assert sum(bucket.usage.output_tokens for bucket in found.buckets) > 0, "what runs counts already"
    gate.touch()
    await office.executions.wait(accepted.execution_id)
    found = await metrics(office)
    assert (found.running, found.executions.completed) == (0, 1)
    assert found.by_tool[0].mean_ms


async def test_it_is_written_without_being_asked(office: Office, tmp_path: Path) -> None:
    state = await office.run(await office.project())
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.05)
            if (tmp_path / "data/ledger/ledger.sqlite").exists() and rows(
                tmp_path / "data", "SELECT id, status FROM executions"
            ) == [(state.execution_id, "completed")]:
                break


async def test_what_a_death_kept_from_the_ledger_is_added_at_the_next_start(open_office: Opens) -> None:
    office = await open_office()
    first = await office.run(await office.project(bash("echo a")))
    await office.services.stop(0)
    ledger = office.services.settings.data_dir / "ledger/ledger.sqlite"
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE executions SET status = 'running', ended = NULL, last_event_id = 1")
        connection.execute("DELETE FROM tools")
        connection.execute("DELETE FROM spent")
    again = await open_office()
    async with asyncio.timeout(90):
        while not (found := await metrics(again)).executions.completed:
            await asyncio.sleep(0.01)
    assert found.usage == first.usage
    assert found.by_tool[0].calls == 1


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no database": lambda file: file.write_bytes(b"nothing that SQLite knows" * 1000),
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:5000]),
    "zeros inside": lambda file: file.write_bytes(
        file.read_bytes()[:4096] + bytes(8192) + file.read_bytes()[12288:]
    ),
    "empty": lambda file: file.write_bytes(b""),
    "gone": lambda file: file.unlink(),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "another format": lambda file: _pragma(file, "user_version = 99"),
}


def _pragma(file: Path, pragma: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA {pragma}")


@pytest.mark.parametrize("damage", DAMAGE)
async def test_a_damaged_ledger_is_set_aside_said_and_added_up_again(
    open_office: Opens, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    office = await open_office()
    project = await office.project(bash("echo a"))
    for _ in range(2):
        await office.run(project)
    before = await metrics(office)
    await office.services.stop(0)
    file = office.services.settings.data_dir / "ledger/ledger.sqlite"
    for side in file.parent.glob("ledger.sqlite-*"):
        side.unlink()
    DAMAGE[damage](file)
    again = await open_office()
    after = await caught_up(again)
    for name in ("executions", "usage", "by_project", "by_agent", "by_tool", "by_model"):
        assert getattr(after, name) == getattr(before, name), name
    if damage not in ("gone", "empty"):
        assert list(file.parent.glob("*.corrupt-*"))
        assert "written again from the logs" in caplog.text


async def test_damage_while_it_is_open_is_found_and_mended(office: Office) -> None:
    project = await office.project(bash("echo a"))
    await office.run(project)
    await caught_up(office)
    await office.executions.books.ledger.flush()
    file = office.services.settings.data_dir / "ledger/ledger.sqlite"
    moved = file.with_name("elsewhere")  # as another server does with one that it finds damaged
    file.rename(moved)
    for side in file.parent.glob("ledger.sqlite-*"):
        side.rename(side.with_name(side.name.replace("ledger.sqlite", "elsewhere")))
    await office.run(project)
    assert (await caught_up(office)).executions.completed == 2
    folder = office.services.settings.data_dir
    assert await asyncio.to_thread(rows, folder, "SELECT COUNT(*) FROM executions") == [(2,)]


async def test_two_servers_write_one_ledger(open_office: Opens) -> None:
    first, second = await open_office(), await open_office()
    project = await first.project(bash("echo a"))
    await asyncio.gather(*(office.run(project) for office in (first, second) for _ in range(5)))
    for office in (first, second):
        await office.executions.books.ledger.flush()
    for office in (first, second):
        found = await metrics(office)
        assert (found.executions.completed, found.by_tool[0].calls) == (10, 10)


class Overlapped(Records):
    """Executions on disk where something happens just before they are listed, or before one is removed."""

    before_list: Callable[[], Awaitable[object]] | None = None
    before_delete: Callable[[], Awaitable[object]] | None = None

    async def ids(self, project_id: str | None = None) -> list[tuple[str, str]]:
        if self.before_list is not None:
            await self.before_list()
        return await super().ids(project_id)

    async def delete(self, execution_id: str) -> None:
        if self.before_delete is not None:
            await self.before_delete()
        await super().delete(execution_id)


@pytest.mark.parametrize("moment", ["before its look at the disk", "between summary and removal"])
async def test_one_that_expires_while_another_server_starts_keeps_its_summary(
    office: Office, moment: str
) -> None:
    state = await office.run(await office.project(bash("echo a")))
    await caught_up(office)
    folder, store = office.services.settings.data_dir, office.services.store

    listed, removed = Overlapped(store), Overlapped(store)
    ledger = office.executions.books.ledger
    sweep = Retention(
        1e-9, folder, removed, ledger, SystemClock(), held=lambda _: None, forget=lambda _: None
    ).sweep
    starting = Ledger(folder, listed)

    async def start() -> None:
        starting.start(catch_up=True)
        async with asyncio.timeout(90):
            while not await starting.complete():
                await asyncio.sleep(0.01)

    if moment == "before its look at the disk":
        listed.before_list = sweep
        await start()
    else:
        removed.before_delete = start
        assert await sweep() == 1
    try:
        kept = await starting.expired(state.execution_id)
    finally:
        await starting.stop()
    assert kept is not None, "it must not look as if somebody had deleted it"
    assert (kept.expired, kept.usage) == (True, state.usage)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for another server that writes."""
    monkeypatch.setattr(book, "PATIENCE_S", 0.3)


async def test_a_ledger_that_cannot_be_written_holds_up_no_execution(
    impatient: None, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    file = office.services.settings.data_dir / "ledger/ledger.sqlite"
    await caught_up(office)
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("BEGIN EXCLUSIVE")  # another server that hangs while it writes
        state = await office.run(await office.project(bash("echo a")))
        assert state.status == "completed"
        assert [each.execution_id for each in (await office.executions.list(status="completed")).items] == [
            state.execution_id
        ]
        other.rollback()
    assert (await metrics(office)).executions.completed == 1


async def test_what_is_deleted_while_another_server_holds_the_ledger_is_still_paid_for(
    impatient: None, office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    data_dir, records = office.services.settings.data_dir, Records(office.services.store)
    await caught_up(office)
    await office.executions.books.ledger.stop()  # so that it is not in the file yet
    project = await office.project(bash("echo a"))
    state = await office.run(project)
    ledger = Ledger(data_dir, records)
    with closing(sqlite3.connect(data_dir / "ledger/ledger.sqlite")) as other, other:
        other.execute("BEGIN EXCLUSIVE")
        await ledger.leave(state.execution_id, project)
        await records.delete(state.execution_id)
        other.rollback()
    assert (await metrics(office)).executions.completed == 0
    await ledger.flush()
    assert (await metrics(office)).executions.completed == 1
    await ledger.stop()
    (data_dir / "ledger/ledger.sqlite").unlink()  # and of what is written anew
    again = Ledger(data_dir, records)
    again.start(catch_up=True)
    async with asyncio.timeout(90):
        while not await again.complete():
            await asyncio.sleep(0.01)
    await again.stop()
    assert [each for (each,) in rows(data_dir, "SELECT gone FROM executions")] == ["deleted"]
    assert "may be forgotten" not in caplog.text


async def test_a_long_list_opens_only_what_it_shows(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    project = await office.project()
    wanted = await office.run(project)
    folder = records_folder(office, project)
    # A thousand others, as they lie on disk: copies that failed.
    spec = json.loads((folder / wanted.execution_id / records.SPEC).read_text())
    state = json.loads((folder / wanted.execution_id / records.STATE).read_text())
    await asyncio.to_thread(_copies, folder, spec, state, 1000)
    await office.executions.books.ledger.stop()
    office.executions.books.ledger.start(catch_up=True)
    await caught_up(office)
    opened: list[Path] = []
    whole = records._bytes
    monkeypatch.setattr(records, "_bytes", lambda path: (opened.append(path), whole(path))[1])
    page = await office.executions.list(status="completed", limit=10)
    assert [each.execution_id for each in page.items] == [wanted.execution_id]
    assert len(opened) <= 1, "the others are known to have failed"


def records_folder(office: Office, project: str) -> Path:
    return office.services.settings.data_dir / "projects" / project / "executions"


def _copies(folder: Path, spec: dict[str, object], state: dict[str, object], number: int) -> None:
    from cloutagent_ext.executions.ids import Ids

    ids = Ids()
    first = {"id": 1, "type": "queued", "ts": state["created_at"], "agent": "main", "span": "main"}
    last = {"id": 2, "type": "error", "ts": state["ended_at"], "agent": "main", "span": "main"}
    for _ in range(number):
        name = ids.new()
        (folder / name).mkdir()
        (folder / name / records.SPEC).write_text(json.dumps({**spec, "execution_id": name}))
        events = [
            {**first, "execution_id": name, "position": 0},
            {
                **last, "code": "INTERNAL", "message": "no", "usage": state["usage"],
                "total_cost_usd": 0, "duration_ms": 1,
            },
        ]  # fmt: skip
        (folder / name / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
        (folder / name / records.STATE).write_text(
            json.dumps({**state, "execution_id": name, "status": "failed", "last_event_id": 2})
        )
