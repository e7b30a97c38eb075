"""After a stop or a death: every execution has exactly one fate, and nothing is left running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cloutagent_ext.errors import Conflict, NotFound
from cloutagent_ext.executions.owner import Owner
from cloutagent_ext.schema.project import Queue
from tests.support.children import with_tree
from tests.support.patience import Promised

from .conftest import Office, Opens, bash
from .test_queue import gated, open_
from .test_run import none_lives, processes_of

ROOT = Path(__file__).parents[3]

VICTIM = """
import asyncio, sys
from pathlib import Path
from cloutagent_ext.schema.project import Queue
from tests.unit.executions.conftest import Office, bash
from tests.unit.executions.test_queue import gated

async def main():
    office = Office(Path(sys.argv[1]))
    await office.services.start()
    turn = bash("touch began; " + gated(Path(sys.argv[2])))
    project = await office.project(turn, queue=Queue(max_concurrent=1), on_restart="interrupt")
    for number in range(4):
        accepted = await office.accept(project, key=f"k{number}")
        print(accepted.execution_id, flush=True)
    await office.until((await office.executions.list()).items[-1].execution_id, "tool_call")
    print("running", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


MAKER = """
import sys
from pathlib import Path
from cloutagent_ext.executions.owner import Owner

assert Owner.take(Path(sys.argv[1]))  # and dies before it has written anything
"""


async def test_a_stop_leaves_the_running_interrupted_and_the_waiting_for_the_next_start(
    open_office: Opens, tmp_path: Path, promised: Promised
) -> None:
    first = await open_office()
    gate = tmp_path / "gate"
    project = await first.project(bash(gated(gate)), queue=Queue(max_concurrent=1), on_restart="interrupt")
    running, *waiting = [await first.accept(project) for _ in range(3)]
    await first.until(running.execution_id, "tool_call")
    with promised(5):
        await first.services.stop(0.2)
    assert await processes_of(running.execution_id) == []
    await first.services.stop()

    await open_(gate)
    second = await open_office()
    assert (await second.executions.state(running.execution_id)).status == "interrupted"
    states = [await second.executions.wait(each.execution_id) for each in waiting]
    assert [state.status for state in states] == ["completed", "completed"]
    assert (states[0].started_at or "") < (states[1].started_at or "")


async def test_who_asks_while_a_server_starts_is_not_told_that_what_goes_on_is_left_interrupted(
    open_office: Opens, tmp_path: Path
) -> None:
    first, gate = await open_office(), tmp_path / "gate"
    accepted = await first.accept(await first.project(bash(gated(gate))))
    await first.until(accepted.execution_id, "tool_call")
    await first.services.stop(0)
    await open_(gate)
    second = Office(tmp_path / "data")
    asked = asyncio.create_task(second.executions.state(accepted.execution_id))
    log = await second.executions.log(accepted.execution_id)
    assert "interrupted" in (await log.page())[0][-1]["type"], "all that there is to be read"
    try:
        await second.services.start()
        assert (await asked).status in ("queued", "running")
        assert (await second.executions.wait(accepted.execution_id)).status == "completed"
    finally:
        await second.services.stop(0)


async def test_a_short_run_may_finish_within_the_grace(open_office: Opens) -> None:
    office = await open_office()
    accepted = await office.accept(await office.project(bash("sleep 0.5")))
    await office.until(accepted.execution_id, "tool_call")
    await office.services.stop(20)
    assert (await office.executions.state(accepted.execution_id)).status == "completed"


async def test_after_a_kill_the_running_is_interrupted_the_waiting_run_and_nothing_else_lives(
    open_office: Opens, tmp_path: Path, promised: Promised
) -> None:
    gate = tmp_path / "gate"
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", VICTIM, str(tmp_path / "data"), str(gate),
        stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=with_tree(os.environ),
    )  # fmt: skip
    assert victim.stdout is not None
    ids: list[str] = []
    async with asyncio.timeout(60):
        while (line := (await victim.stdout.readline()).decode().strip()) != "running":
            assert line, "the process to be killed ended by itself"
            ids.append(line)
    running, *waiting = ids

    witness = await open_office()  # a second server while the first one lives takes nothing over
    assert (await witness.executions.state(running)).status == "running"
    with pytest.raises(Conflict):
        await witness.executions.cancel(running, by="ada")
    assert witness.executions.running == 0

    victim.send_signal(signal.SIGKILL)
    await victim.wait()
    await open_(gate)
    with promised(5):
        office = await open_office()
        state = await office.executions.state(running)
    assert state.status == "interrupted"
    await none_lives(running)
    states = [await office.executions.wait(each) for each in waiting]
    assert [each.status for each in states] == ["completed"] * 3
    started = [each.started_at or "" for each in states]
    assert started == sorted(started)
    events = await office.events(running)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events].count("interrupted") == 1

    project = state.project_id
    again = await office.accept(project, key="k0")
    assert again.execution_id == running
    assert (await office.executions.cancel(running, by="ada")).status == "cancelled"
    with pytest.raises(Conflict):
        await office.executions.cancel(running, by="ada")
    await office.executions.delete(running)
    with pytest.raises(NotFound):
        await office.executions.state(running)
    assert await office.executions.unfinished(project) == []


async def an_interrupted_one(open_office: Opens, tmp_path: Path) -> tuple[Office, str]:
    office = await open_office()
    accepted = await office.accept(
        await office.project(bash(gated(tmp_path / "never")), on_restart="interrupt")
    )
    await office.until(accepted.execution_id, "tool_call")
    await office.services.stop(0)
    return await open_office(), accepted.execution_id


async def test_an_interrupted_execution_can_be_deleted(open_office: Opens, tmp_path: Path) -> None:
    office, execution_id = await an_interrupted_one(open_office, tmp_path)
    assert await office.executions.unfinished(await office.executions.project_of(execution_id)) == [
        execution_id
    ]
    await office.executions.delete(execution_id)
    with pytest.raises(NotFound):
        await office.executions.log(execution_id)


async def test_two_cancels_at_once_of_an_interrupted_one_end_it_once(
    open_office: Opens, tmp_path: Path
) -> None:
    office, execution_id = await an_interrupted_one(open_office, tmp_path)
    both = await asyncio.gather(
        *[office.executions.cancel(execution_id, by=name) for name in ("ada", "bob")], return_exceptions=True
    )
    assert all(isinstance(each, Conflict) or each.status == "cancelled" for each in both)  # type: ignore[union-attr]
    events = await office.events(execution_id)
    assert [event["type"] for event in events].count("cancelled") == 1


async def test_a_start_mends_a_torn_log_and_goes_on_with_the_next_id(
    open_office: Opens, tmp_path: Path
) -> None:
    office, execution_id = await an_interrupted_one(open_office, tmp_path)
    await office.services.stop()
    project = await office.executions.project_of(execution_id)
    path = office.services.store.executions_dir(project) / execution_id / "events.jsonl"

    def tear() -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-1]) + lines[-1][:-5])  # the `interrupted` event is half there

    await asyncio.to_thread(tear)
    again = await open_office()
    assert (await again.executions.state(execution_id)).status == "interrupted"
    events = await again.events(execution_id)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events][-2:] == ["warning", "interrupted"]


async def test_one_damaged_log_does_not_keep_the_others_from_coming_back(
    open_office: Opens, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    office, execution_id = await an_interrupted_one(open_office, tmp_path)
    await office.services.stop()
    project = await office.executions.project_of(execution_id)
    path = office.services.store.executions_dir(project) / execution_id / "events.jsonl"

    def damage() -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([lines[0], b"garbage\n", *lines[2:]]))

    await asyncio.to_thread(damage)
    again = await open_office()
    assert "line 2" in caplog.text
    assert (await again.run(await again.project(bash("true")))).status == "completed"


async def test_the_state_file_is_rebuilt_from_the_log(open_office: Opens) -> None:
    office = await open_office()
    state = await office.run(await office.project(bash("true")))
    path = office.services.store.executions_dir(state.project_id) / state.execution_id / "state.json"
    for broken in (b"", b"{", b'{"execution_id": 3}'):
        await asyncio.to_thread(path.write_bytes, broken)
        again = await open_office()
        rebuilt = await again.executions.state(state.execution_id)
        assert rebuilt.model_dump(exclude={"files"}) == state.model_dump(exclude={"files"})


@pytest.mark.parametrize("trace", ["an old folder", "a dead owner's name", "nothing yet"])
async def test_a_half_made_execution_was_never_accepted(open_office: Opens, trace: str) -> None:
    office = await open_office()
    project = await office.project(bash("true"))
    folder = office.services.store.executions_dir(project) / "019ab000-0000-7000-8000-000000000001"

    def leave() -> None:
        folder.mkdir(parents=True)
        if trace == "an old folder":
            (folder / "owner").touch()
            os.utime(folder, (0, 0))
        elif trace == "a dead owner's name":
            subprocess.run([sys.executable, "-c", MAKER, str(folder)], check=True, cwd=ROOT)

    await asyncio.to_thread(leave)
    await office.services.stop()
    for _ in range(2):  # looking at it is not making it
        again = await open_office()
        there = await asyncio.to_thread(folder.exists)
        assert there == (trace == "nothing yet"), "only what may be in the making stays"
        assert (await again.executions.list()).items == []
        await again.services.stop()


async def test_a_folder_that_a_death_left_empty_goes_and_one_in_the_making_stays(open_office: Opens) -> None:
    office = await open_office()
    executions = office.services.store.executions_dir(await office.project(bash("true")))
    old, fresh, begun = (executions / f"019ab000-0000-7000-8000-00000000000{each}" for each in (1, 2, 3))

    def leave() -> None:
        for folder in (old, fresh, begun):
            folder.mkdir(parents=True)
        (begun / "spec.json").write_text("{")
        for folder in (old, begun):
            os.utime(folder, (0, 0))

    await asyncio.to_thread(leave)
    await office.executions.books.retention.sweep()
    assert [each.exists() for each in (old, fresh, begun)] == [False, True, True]


def test_an_owner_keeps_others_out_until_it_lets_go_or_dies(tmp_path: Path) -> None:
    owner = Owner.take(tmp_path)
    assert owner is not None
    assert Owner.take(tmp_path) is None
    owner.release(finished=False)
    again = Owner.take(tmp_path)
    assert again is not None
    again.release(finished=True)
    assert not (tmp_path / "owner").exists()


def test_an_owner_does_not_outlive_its_process_through_a_child(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; from pathlib import Path\n"
        "from cloutagent_ext.executions.owner import Owner\n"
        "owner = Owner.take(Path(sys.argv[1])); child = subprocess.Popen(['sleep', '60'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    process = psutil.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=-1, cwd=ROOT)
    child = psutil.Process(json.loads(process.stdout.readline()))
    try:
        assert Owner.take(tmp_path) is None
        process.kill()
        process.wait()
        assert child.is_running()
        owner = Owner.take(tmp_path)
        assert owner is not None
        owner.release(finished=True)
    finally:
        child.kill()
        process.stdout.close()


async def test_one_that_is_being_made_by_another_server_is_left_alone(open_office: Opens) -> None:
    office = await open_office()
    project = await office.project(bash("true"))
    await office.run(project)
    folder = office.services.store.executions_dir(project) / "019ab000-0000-7000-8000-000000000001"

    def make() -> None:
        folder.mkdir()
        (folder / "owner").touch()

    await asyncio.to_thread(make)
    await open_office()
    left = await asyncio.to_thread(lambda: {path.name for path in folder.iterdir()})
    assert left == {"owner"}


async def test_one_whose_maker_died_before_anybody_was_told_is_gone_at_the_next_start(
    open_office: Opens,
) -> None:
    office = await open_office()
    state = await office.run(await office.project(bash("true")))
    executions = office.services.store.executions_dir(state.project_id)
    folder = executions / "019ab000-0000-7000-8000-000000000001"

    def make() -> None:
        folder.mkdir()
        (folder / "spec.json").write_bytes((executions / state.execution_id / "spec.json").read_bytes())
        (folder / "owner").touch()

    await asyncio.to_thread(make)
    again = await open_office()
    assert [each.execution_id for each in (await again.executions.list()).items] == [state.execution_id]


async def test_what_is_accepted_while_the_server_stops_is_kept_for_the_next_start(open_office: Opens) -> None:
    first = await open_office()
    project = await first.project(bash("true"))
    accepting = [asyncio.create_task(first.accept(project)) for _ in range(5)]
    await asyncio.sleep(0.002)
    await first.services.stop(0)
    answers = await asyncio.gather(*accepting, return_exceptions=True)
    second = await open_office()
    for answer in answers:
        if isinstance(answer, BaseException):
            assert getattr(answer, "error_code", None) == "SHUTTING_DOWN"
            continue
        state = await second.executions.wait(answer.execution_id)
        assert state.status in ("completed", "interrupted")
