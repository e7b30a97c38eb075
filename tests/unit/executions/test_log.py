"""The event log: order, visibility, repair, and cursors that neither slow nor lose anything."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloutagent_ext.executions import logfile
from cloutagent_ext.executions.log import EventLog
from cloutagent_ext.executions.logfile import LogDamaged
from tests.support.held_threads import HeldThreads

END: dict[str, Any] = {"usage": {}, "total_cost_usd": 0.0, "duration_ms": 1, "result": {"text": "x"}}


async def collect(log: EventLog, from_event: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        return [json.loads(line) async for line in log.cursor(from_event)]


async def a_log(folder: Path, texts: int, *, ended: bool = True) -> EventLog:
    log = await EventLog.create(folder)
    for number in range(texts):
        log.write("text", content=f"piece {number}")
    if ended:
        log.write("complete", **END)
    return log


async def test_a_cursor_sees_every_event_once_in_order_and_ends(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 2000)
    assert [event["id"] for event in await collect(log)] == list(range(1, 2002))
    assert [event["id"] for event in await collect(log, 1990)] == list(range(1990, 2002))
    assert await collect(log, 2002) == []
    await log.close()


async def test_cursors_that_follow_live_miss_nothing_however_slow_they_are(tmp_path: Path) -> None:
    log = await EventLog.create(tmp_path)
    seen: list[list[int]] = [[] for _ in range(5)]

    async def follow(number: int) -> None:
        async for line in log.cursor():
            seen[number].append(json.loads(line)["id"])
            if number == 0 and len(seen[0]) % 100 == 0:
                await asyncio.sleep(0.001)  # falls far behind what is kept in memory

    followers = [asyncio.create_task(follow(number)) for number in range(5)]
    for number in range(3000):
        log.write("text", content="x" * 300)
        if number % 50 == 0:
            await asyncio.sleep(0)
    log.write("complete", **END)
    async with asyncio.timeout(60):
        await asyncio.gather(*followers)
    assert seen == [list(range(1, 3002))] * 5
    await log.close()


async def test_an_event_is_in_the_file_before_a_cursor_gives_it(tmp_path: Path) -> None:
    log = await EventLog.create(tmp_path)
    cursor = log.cursor()
    waiting = asyncio.ensure_future(anext(cursor))
    await asyncio.sleep(0)
    log.write("text", content="now")
    line = await waiting
    assert await asyncio.to_thread((tmp_path / "events.jsonl").read_bytes) == logfile.sealed(line)
    await cursor.aclose()
    await log.close()


async def test_a_reader_follows_a_log_that_somebody_else_writes(tmp_path: Path) -> None:
    writer = await a_log(tmp_path, 3, ended=False)
    reader = await EventLog.reader(tmp_path)
    assert reader.last_id == 3
    following = asyncio.create_task(collect(reader))
    await asyncio.sleep(0.1)
    writer.write("text", content="late")
    writer.write("complete", **END)
    assert [event["id"] for event in await following] == [1, 2, 3, 4, 5]
    assert reader.ended
    await writer.close()


async def test_who_waits_for_an_event_further_on_gets_it_though_others_come_before_it(tmp_path: Path) -> None:
    """A reader of another process's log took the event that came instead for damage."""
    writer = await a_log(tmp_path, 3, ended=False)
    reader, threads = await EventLog.reader(tmp_path), HeldThreads()
    look = threads.after("read")
    following = [asyncio.create_task(collect(log, 6)) for log in (writer, reader)]
    for _ in range(4):
        await look.reached()  # it has seen that its event is not there
        writer.write("text", content="late")
        again = threads.after("read")
        look.go()
        look = again
    look.go()
    writer.write("complete", **END)
    for each in following:
        assert [event["id"] for event in await each] == [6, 7, 8]
    await writer.close()


async def test_a_reader_never_sees_half_a_line(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 2, ended=False)
    await log.close()
    path = tmp_path / "events.jsonl"
    await asyncio.to_thread(lambda: path.write_bytes(path.read_bytes() + b'{"id":3,"type":"te'))
    reader = await EventLog.reader(tmp_path)
    events, following = await reader.page()
    assert ([event["id"] for event in events], following) == ([1, 2], None)


async def test_closing_a_log_that_has_not_ended_lets_its_cursors_go(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 2, ended=False)
    following = asyncio.create_task(collect(log))
    await asyncio.sleep(0)
    await log.close()
    assert len(await following) == 2


async def test_pages_join_without_gap_or_repetition(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 250)
    ids: list[int] = []
    following: int | None = 1
    while following:
        events, following = await log.page(following, 100)
        ids += [event["id"] for event in events]
    assert ids == list(range(1, 252))
    await log.close()


async def test_nothing_follows_the_ending_event(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 1)
    with pytest.raises(RuntimeError):
        log.write("text", content="too late")
    await log.close()


async def test_a_full_disk_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = await a_log(tmp_path, 1, ended=False)
    real = os.write

    def full(fd: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return real(fd, data[: max(1, len(data) - 10)])  # most of it fits

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="space"):
        log.write("text", content="y" * 1000)
    monkeypatch.undo()
    log.write("text", content="after")
    assert [event.get("content") for event in (await log.page())[0]] == ["piece 0", "after"]
    assert log.last_id == 2
    await log.close()


async def test_writes_that_the_system_takes_in_pieces_become_one_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await EventLog.create(tmp_path)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    log.write("text", content="whole")
    monkeypatch.undo()
    assert (await log.page())[0][0]["content"] == "whole"
    await log.close()


async def test_a_tail_torn_at_any_byte_is_cut_saved_and_told(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 6, ended=False)
    await log.close()
    whole = await asyncio.to_thread((tmp_path / "events.jsonl").read_bytes)
    lines = whole.splitlines(keepends=True)
    start = len(whole) - sum(map(len, lines[-3:]))
    for cut in range(start, len(whole)):
        folder = tmp_path / str(cut)
        await asyncio.to_thread(folder.mkdir)
        await asyncio.to_thread((folder / "events.jsonl").write_bytes, whole[:cut])
        kept = whole[:cut].count(b"\n")
        repaired = await EventLog.open(folder)
        events, _ = await repaired.page()
        await repaired.close()
        torn = whole[:cut].rpartition(b"\n")[2]
        if not torn:
            assert [event["type"] for event in events] == ["text"] * kept
            continue
        assert [event["id"] for event in events] == list(range(1, kept + 2))
        warning = events[-1]
        assert (warning["type"], warning["code"]) == ("warning", "LOG_REPAIRED")
        saved = folder / warning["details"]["saved_as"]
        assert await asyncio.to_thread(saved.read_bytes) == torn


async def test_a_torn_end_behind_the_ending_event_adds_nothing_to_the_log(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 1)
    await log.close()
    path = tmp_path / "events.jsonl"
    good = await asyncio.to_thread(path.read_bytes)
    await asyncio.to_thread(path.write_bytes, good + b"\0\0\0\0")
    repaired = await EventLog.open(tmp_path)
    assert repaired.ended
    assert await asyncio.to_thread(path.read_bytes) == good
    await repaired.close()


async def test_damage_in_the_middle_is_named_and_left_alone(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 50)
    await log.close()
    path = tmp_path / "events.jsonl"
    lines = (await asyncio.to_thread(path.read_bytes)).splitlines(keepends=True)
    lines[20] = b"\0" * (len(lines[20]) - 1) + b"\n"
    damaged = b"".join(lines)
    await asyncio.to_thread(path.write_bytes, damaged)
    opened = await EventLog.open(tmp_path)
    with pytest.raises(LogDamaged, match="line 21") as caught:
        await collect(opened)
    assert caught.value.details["line"] == 21
    assert [event["id"] for event in await collect(opened, 30)] == list(range(30, 52))
    assert await asyncio.to_thread(path.read_bytes) == damaged
    await opened.close()


async def test_every_changed_byte_is_found_and_named(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 4)
    await log.close()
    path = tmp_path / "events.jsonl"

    def damages() -> list[int]:
        """Bytes whose change nobody notices."""
        good = path.read_bytes()
        unnoticed = []
        for place in range(len(good) - 1):
            for change in (good[place] ^ 1, good[place] ^ 0x20):
                path.write_bytes(good[:place] + bytes([change]) + good[place + 1 :])
                if named() != good[:place].count(b"\n") + 1:
                    unnoticed.append(place)
        return unnoticed

    def named() -> Any:
        at, offset = 1, None
        try:
            while (found := logfile.read(path, at, offset)).lines:
                at, offset = at + len(found.lines), found.offset
        except LogDamaged as error:
            return error.details["line"]
        return None

    assert await asyncio.to_thread(damages) == []


async def test_a_log_from_before_there_were_checksums_is_read_and_gone_on_with(tmp_path: Path) -> None:
    old = (
        b'{"id":1,"type":"text","ts":"2026-11-22T08:00:00.000Z","agent":"main","span":"main","content":"a"}\n'
    )
    await asyncio.to_thread((tmp_path / "events.jsonl").write_bytes, old)
    log = await EventLog.open(tmp_path)
    log.write("complete", **END)
    assert [event["type"] for event in await collect(log)] == ["text", "complete"]
    assert all("crc" not in event for event in await collect(await EventLog.reader(tmp_path)))
    await log.close()


async def test_what_repeats_swaps_joins_or_rewrites_lines_is_damage(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 6)
    await log.close()
    path = tmp_path / "events.jsonl"
    good = await asyncio.to_thread(path.read_bytes)
    lines = good.splitlines(keepends=True)
    damaged = {
        "repeated": b"".join([*lines[:3], lines[2], *lines[3:]]),
        "swapped": b"".join([*lines[:2], lines[3], lines[2], *lines[4:]]),
        "joined": good.replace(b"\n", b"", 1),
        "two logs": good + good,
        "another system's line ends": good.replace(b"\n", b"\r\n"),
    }
    for content in damaged.values():
        await asyncio.to_thread(path.write_bytes, content)
        reader = await EventLog.reader(tmp_path)
        with pytest.raises(LogDamaged):
            await collect(reader)


async def test_a_missing_event_is_noticed(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 10)
    await log.close()
    path = tmp_path / "events.jsonl"
    lines = (await asyncio.to_thread(path.read_bytes)).splitlines(keepends=True)
    await asyncio.to_thread(path.write_bytes, b"".join(lines[:4] + lines[5:]))
    with pytest.raises(LogDamaged, match="event 5 is missing"):
        await collect(await EventLog.reader(tmp_path))


@given(text=st.text(st.characters(exclude_categories=[])), number=st.floats())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_any_text_is_one_line_and_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, text: str, number: float
) -> None:
    log = await EventLog.create(tmp_path_factory.mktemp("log"))
    log.write("text", content=text, extra={"value": number, text: [text]})
    log.write("complete", **END)
    [event, _] = await collect(log)
    assert event["content"] == text
    expected = number if abs(number) < float("inf") else None
    assert event["extra"]["value"] == expected
    await log.close()


async def test_what_json_has_no_word_for_is_written_as_text(tmp_path: Path) -> None:
    log = await EventLog.create(tmp_path)
    circle: list[Any] = []
    circle.append(circle)
    log.write("text", content=b"\xff bytes", extra={(1, 2): circle, "path": Path("a"), "set": {2, 1}})
    [event], _ = await log.page()
    assert event["content"] == "\ufffd bytes"
    assert event["extra"]["set"] == [1, 2]
    await log.close()


async def test_a_line_of_ten_megabytes_is_read_back(tmp_path: Path) -> None:
    log = await a_log(tmp_path, 3, ended=False)
    log.write("text", content="z" * 10_000_000)
    log.write("complete", **END)
    await log.close()
    events = await collect(await EventLog.reader(tmp_path), 4)
    assert [len(event.get("content", "")) for event in events] == [10_000_000, 0]


async def test_starting_near_the_end_of_a_long_log_does_not_read_it_from_the_start(tmp_path: Path) -> None:
    def build() -> int:
        line = '{{"id":{},"type":"text","ts":"2026-11-22T08:00:00.000Z","content":"{}"}}\n'
        with (tmp_path / "events.jsonl").open("w") as file:
            for number in range(1, 200_001):
                file.write(line.format(number, "x" * (number % 90)))
        return (tmp_path / "events.jsonl").stat().st_size

    size = await asyncio.to_thread(build)
    read = 0
    real = os.pread

    def counted(fd: int, length: int, offset: int) -> bytes:
        nonlocal read
        data = real(fd, length, offset)
        read += len(data)
        return data

    patch = pytest.MonkeyPatch()
    patch.setattr(os, "pread", counted)
    try:
        for target in (1, 2, 99_999, 180_000, 200_000):
            read = 0
            found = await asyncio.to_thread(logfile.read, tmp_path / "events.jsonl", target, limit=1)
            assert json.loads(found.lines[0])["id"] == target
            assert read < 1_000_000 < size
    finally:
        patch.undo()


async def test_two_thousand_pieces_cost_the_event_loop_next_to_nothing(tmp_path: Path) -> None:
    log = await EventLog.create(tmp_path)
    began = time.process_time()
    for number in range(2000):
        await log.append("text", content=f"word {number} ", final=False)
    spent_ms = (time.process_time() - began) * 1000
    assert spent_ms < 200, f"2,000 appends took {spent_ms:.0f} ms of CPU"
    await log.close()
