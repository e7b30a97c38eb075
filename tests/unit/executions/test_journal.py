"""The journal, and the death of a process in the middle of writing."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from cloutagent_ext.executions.journal import JournalFile
from cloutagent_ext.executions.log import EventLog

ROOT = Path(__file__).parents[3]

WRITER = """
import asyncio, sys
from pathlib import Path
from cloutagent_ext.executions.log import EventLog

async def main():
    log = await EventLog.create(Path(sys.argv[1]))
    while True:
        print(log.write("text", content="x" * (log.last_id % 700))["id"], flush=True)

asyncio.run(main())
"""


async def test_before_a_side_effect_its_announcement_and_its_record_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    log = await EventLog.create(tmp_path)
    journal = await JournalFile.open(tmp_path, log)
    log.write("tool_call", call_id="c", tool="bash", input={})
    await journal.record("tool_start", call_id="c")
    assert synced == []
    await journal.record("tool_start", sync=True, call_id="c", input={"command": "make"})
    assert synced == ["events.jsonl", "journal"]
    await journal.close()
    await log.close()
    lines = (await asyncio.to_thread((tmp_path / "journal").read_bytes)).splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["tool_start", "tool_start"]


async def test_whatever_was_acknowledged_survives_a_kill_and_what_is_torn_was_not(tmp_path: Path) -> None:
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        await asyncio.to_thread(folder.mkdir)
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(folder), stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert writer.stdout is not None
        for _ in range(200 + attempt * 37):
            await writer.stdout.readline()
        writer.kill()
        acknowledged = [int(word) for word in (await writer.stdout.read()).split(b"\n")[:-1]]
        await writer.wait()
        log = await EventLog.open(folder)
        events, _ = await log.page(1, 1_000_000)
        assert [event["id"] for event in events] == list(range(1, log.last_id + 1))
        # A kill may end a write where a page of memory ends: that record was never acknowledged, is set
        # aside, and the log says so.
        repairs = [event["code"] for event in events if event["type"] != "text"]
        assert repairs in ([], ["LOG_REPAIRED"])
        assert len(events) - len(repairs) >= max(acknowledged, default=0)
        await log.close()
