"""After a stop or a death an execution goes on: its own log, its workspace, nothing done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest

from cloutagent_ext.errors import Conflict
from cloutagent_ext.executions import journal
from cloutagent_ext.schema.project import Queue
from tests.support.children import with_tree
from tests.support.patience import Promised

from .conftest import Opens, bash
from .test_queue import gated, open_
from .test_run import processes_of

ROOT = Path(__file__).parents[3]

VICTIM = """
import asyncio, sys
from pathlib import Path
from tests.unit.executions.conftest import Office

async def main():
    office = Office(Path(sys.argv[1]))
    await office.services.start()
    if sys.argv[2:]:
        accepted = await office.accept(sys.argv[2])
        print(accepted.execution_id, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def server(data: Path, *project: str) -> asyncio.subprocess.Process:
    """A process that serves the data folder, to be killed; it says the id of what it began."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", VICTIM, str(data), *project,
        stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=with_tree(os.environ),
    )  # fmt: skip


async def until_there(path: Path) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(path.exists):
            await asyncio.sleep(0.02)


async def kill(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()


def folder_of(office: Any, project: str, execution_id: str) -> Path:
    return office.services.store.executions_dir(project) / execution_id  # type: ignore[no-any-return]


async def test_after_a_kill_it_goes_on_in_its_own_log_and_a_tool_in_flight_is_unknown(
    open_office: Opens, tmp_path: Path
) -> None:
    marks, gate = tmp_path / "marks", tmp_path / "gate"
    first = await open_office()
    project = await first.project(
        bash(f"echo first >> {marks}; mkdir deep; cd deep; echo kept > file"),
        bash(f"echo second >> {marks}; {gated(gate)}"),
        bash(f"pwd; cat file; echo third >> {marks}"),
        files={"data.csv": b"a,b"},
    )
    await first.services.stop()
    victim = await server(tmp_path / "data", project)
    assert victim.stdout is not None
    execution_id = (await victim.stdout.readline()).decode().strip()
    await until_there(marks)
    async with asyncio.timeout(90):
        while b"second" not in await asyncio.to_thread(marks.read_bytes):
            await asyncio.sleep(0.02)
    await kill(victim)

    office = await open_office()
    async with asyncio.timeout(90):
        state = await office.executions.wait(execution_id)
    assert state.status == "completed", state
    assert (await asyncio.to_thread(marks.read_text)).split() == ["first", "second", "third"]
    assert await processes_of(execution_id) == []
    events = await office.events(execution_id)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["type"] for event in events]
    for once in ("start", "interrupted", "resumed", "agent_start", "agent_complete", "complete"):
        assert kinds.count(once) == 1, once
    assert kinds.count("tool_call") == kinds.count("tool_result") == 3
    results = [event for event in events if event["type"] == "tool_result"]
    assert [event["is_error"] for event in results] == [False, True, False]
    assert "outcome unknown" in results[1]["output"][0]["text"]
    assert "deep" in results[2]["output"][0]["text"]
    assert "kept" in results[2]["output"][0]["text"]
    assert "OUTCOME_UNKNOWN" in [event["code"] for event in events if event["type"] == "warning"]
    assert [event["code"] for event in events if event["type"] == "warning"].count("SIMULATED") == 1
    resumed = events[kinds.index("resumed")]
    assert (resumed["by"], resumed["attempt"]) == ("restart", 2)
    assert events[kinds.index("interrupted")]["died"] is True
    assert state.turns == 4
    rows = await office.executions.results.files(execution_id)
    assert [row.path for row in rows] == ["deep/file"]


async def test_a_stopped_server_goes_on_with_it_at_its_next_start(open_office: Opens, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = await open_office()
    project = await first.project(bash(gated(gate)), bash("echo again"))
    accepted = await first.accept(project)
    await first.until(accepted.execution_id, "tool_call")
    await first.services.stop(0)
    assert await processes_of(accepted.execution_id) == []
    second = await open_office()
    state = await second.executions.wait(accepted.execution_id)
    assert state.status == "completed"
    events = await second.events(accepted.execution_id)
    stop = next(event for event in events if event["type"] == "interrupted")
    assert (stop["why"], stop.get("died")) == ("the server was stopped", None)


async def test_after_three_deaths_of_the_server_it_is_given_up(open_office: Opens, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    kills = f"echo x >> {marks}; touch {tmp_path}/$(wc -l < {marks}); sleep 600"
    first = await open_office()
    project = await first.project(bash(kills), bash(kills), bash(kills), bash(kills))
    await first.services.stop()
    victim = await server(tmp_path / "data", project)
    assert victim.stdout is not None
    execution_id = (await victim.stdout.readline()).decode().strip()
    for death in (1, 2, 3):
        await until_there(tmp_path / str(death))
        await kill(victim)
        if death < 3:
            victim = await server(tmp_path / "data")
    office = await open_office()
    state = await office.executions.state(execution_id)
    assert state.status == "failed"
    assert state.error is not None
    assert state.error.code == "INTERRUPTED"
    assert len((await asyncio.to_thread(marks.read_text)).split()) == 3
    kinds = [event["type"] for event in await office.events(execution_id)]
    assert (kinds.count("interrupted"), kinds.count("resumed"), kinds.count("error")) == (3, 2, 1)
    assert not await asyncio.to_thread((folder_of(office, project, execution_id) / "owner").exists)


async def interrupted(open_office: Opens, tmp_path: Path) -> tuple[str, str]:
    """Project and id of one that a stopped server has left, in a turn after a tool has worked."""
    office = await open_office()
    project = await office.project(
        bash("echo made > file"), bash(gated(tmp_path / "never")), bash("cat file")
    )
    accepted = await office.accept(project)
    span = f"main/2/{(await office.until(accepted.execution_id, 'tool_call'))['call_id']}"
    assert span
    await office.until(accepted.execution_id, "tool_result")
    await office.until(accepted.execution_id, "text", span="main/2")
    await office.services.stop(0)
    return project, accepted.execution_id


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda lines: [*lines[:2], b"garbage\n", *lines[3:]], "line 3: it is no record"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3: record 4 stands in the place of record 3"),
        (
            lambda lines: [*lines[:2], lines[1], *lines[2:]],
            "line 3: record 2 stands in the place of record 3",
        ),
        (
            lambda lines: [*lines[:2], lines[2].replace(b'"ts":"2', b'"ts":"3'), *lines[3:]],
            "line 3: its checksum does not fit",
        ),
    ],
)
async def test_damage_in_the_middle_of_the_journal_leaves_it_interrupted_and_says_where(
    open_office: Opens, tmp_path: Path, damage: Any, said: str
) -> None:
    project, execution_id = await interrupted(open_office, tmp_path)
    path = tmp_path / "data" / "projects" / project / "executions" / execution_id / "journal"
    lines = (await asyncio.to_thread(path.read_bytes)).splitlines(keepends=True)
    broken = b"".join(damage(lines))
    await asyncio.to_thread(path.write_bytes, broken)
    for _ in range(2):  # said once, however often a server starts
        office = await open_office()
        async with asyncio.timeout(90):
            state = await office.executions.wait(execution_id)
        assert state.status == "interrupted"
        whys = [event["why"] for event in await office.events(execution_id) if event["type"] == "interrupted"]
        assert len(whys) == 2
        assert said in whys[1]
        await office.services.stop()
    assert await asyncio.to_thread(path.read_bytes) == broken
    office = await open_office()
    await office.executions.cancel(execution_id, by="ada")
    assert (await office.executions.wait(execution_id)).status == "cancelled"


async def test_a_torn_end_of_the_journal_is_cut_off_at_every_byte(open_office: Opens, tmp_path: Path) -> None:
    project, execution_id = await interrupted(open_office, tmp_path)
    path = tmp_path / "data" / "projects" / project / "executions" / execution_id / "journal"
    whole = await asyncio.to_thread(path.read_bytes)
    records = await asyncio.to_thread(journal.read, path.parent)
    await open_(tmp_path / "never")
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for size in range(last, len(whole)):
        await asyncio.to_thread(path.write_bytes, whole[:size])
        assert await asyncio.to_thread(journal.read, path.parent) == records[:-1]
    office = await open_office()
    state = await office.executions.wait(execution_id)
    assert state.status == "completed"
    kept = await asyncio.to_thread(lambda: list(path.parent.glob("journal.torn-*")))
    assert len(kept) == 1
    assert len(await asyncio.to_thread(journal.read, path.parent)) > len(records)


async def test_without_its_workspace_it_does_not_pretend_to_go_on(open_office: Opens, tmp_path: Path) -> None:
    _, execution_id = await interrupted(open_office, tmp_path)
    await asyncio.to_thread((tmp_path / "data" / "temp" / execution_id / "baseline.json").unlink)
    office = await open_office()
    state = await office.executions.wait(execution_id)
    assert state.status == "interrupted"
    assert "workspace" in (await office.events(execution_id))[-1]["why"]


async def test_one_that_waits_to_go_on_is_queued_and_can_be_cancelled(
    open_office: Opens, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first = await open_office()
    project = await first.project(bash(gated(gate)))
    ids = [(await first.accept(project)).execution_id for _ in range(2)]
    for each in ids:
        await first.until(each, "tool_call")
    await first.services.stop(0)
    second = await open_office(max_running=1, simulated_pace=5.0)
    await second.until(ids[0], "resumed")
    states = [await second.executions.state(each) for each in ids]
    assert [state.status for state in states] == ["running", "queued"]
    assert (await second.executions.cancel(ids[1], by="ada")).status == "cancelled"
    await open_(gate)
    assert (await second.executions.wait(ids[0])).status == "completed"
    with pytest.raises(Conflict):
        await second.executions.cancel(ids[1], by="ada")


async def test_among_a_thousand_projects_what_a_dead_server_left_goes_on_within_five_seconds(
    open_office: Opens, tmp_path: Path, promised: Promised
) -> None:
    data = tmp_path / "data"
    first = await open_office()
    done = await first.run(await first.project(bash("true")))
    project = await first.project(bash("sleep 600"), queue=Queue(max_concurrent=20))
    ids = [(await first.accept(project)).execution_id for _ in range(12)]
    for each in ids[:3]:
        await first.until(each, "tool_call")
    await first.services.stop(0)

    def multiply() -> None:
        original = data / "projects" / done.project_id
        for _ in range(1000):
            copy = original.with_name(str(uuid.uuid4()))
            for folder, folders, names in os.walk(original):
                to = copy / Path(folder).relative_to(original)
                to.mkdir()
                folders[:] = [name for name in folders if name != "versions"]
                for name in names:
                    os.link(Path(folder, name), to / name)

    await asyncio.to_thread(multiply)
    with promised(5):
        office = await open_office()
        for each in ids[:3]:
            await office.until(each, "resumed")
    for each in ids:
        await office.executions.cancel(each, by="ada")


async def test_nothing_is_left_of_a_killed_server(open_office: Opens, tmp_path: Path) -> None:
    first = await open_office()
    project = await first.project(bash(f"sleep 555 & touch {tmp_path}/on; {gated(tmp_path / 'never')}"))
    await first.services.stop()
    victim = await server(tmp_path / "data", project)
    await until_there(tmp_path / "on")
    await kill(victim)
    office = await open_office()
    [state] = (await office.executions.list()).items
    assert (await office.executions.wait(state.execution_id)).status == "completed"
    left = await asyncio.to_thread(
        lambda: [p for p in psutil.process_iter(["cmdline"]) if "555" in (p.info["cmdline"] or [])]
    )
    assert left == []
