"""Real processes on one data folder: killed at any instant, and two at once."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloutagent_ext.store.projects import ProjectStore
from tests.support.patience import Promised

from .writer import number_of, numbered

ROOT = Path(__file__).parents[2]


async def _begin(data_dir: Path) -> str:
    store = ProjectStore(data_dir)
    await store.open()
    return str((await store.create(numbered(0))).project.id)


def start(data_dir: Path, *what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crash.writer", str(data_dir), *what],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rest_of(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    """The whole lines that it printed and nobody has read, and its errors; it is dead.

    Not `communicate`: that reads past what the lines read so far have left in the buffer.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    lines = [line for line in process.stdout if line.endswith("\n")]
    errors = process.stderr.read()
    process.wait(30)
    process.stdout.close()
    process.stderr.close()
    return lines, errors


def killed_while_writing(data_dir: Path, after_s: float) -> int | None:
    """Let a process save until `after_s` seconds after its first save, then SIGKILL it.

    Returns the last number it acknowledged.
    """
    with start(data_dir, "endless") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(after_s)  # the instant of the kill is what varies
        process.send_signal(signal.SIGKILL)
        rest, errors = rest_of(process)
    assert process.returncode == -signal.SIGKILL, errors
    lines = [first, *rest] if first.endswith("\n") else rest
    return int(lines[-1]) if lines else None


async def _check(data_dir: Path, pid: str, acknowledged: int, since: int = 1) -> int:
    """What was acknowledged is there, and the versions from `since` on are whole. Returns the last number."""
    before = number_of((await ProjectStore(data_dir).read(pid)).project)
    store = ProjectStore(data_dir)
    await store.open()
    project = (await store.read(pid)).project
    number = number_of(project)
    assert number == before, "recovery changed what readers saw"
    assert number in (acknowledged, acknowledged + 1)
    numbers = [number_of((await store.freeze(pid, version=n))[0]) for n in range(since, project.version + 1)]
    assert numbers == sorted(set(numbers))
    folder = data_dir / "projects" / pid
    assert not (folder / ".staging").exists()
    return number


@pytest.mark.parametrize(
    "rounds", [6, pytest.param(1000, marks=[pytest.mark.nightly, pytest.mark.timeout(7200)])]
)
def test_nothing_acknowledged_is_lost_to_sigkill(tmp_path: Path, rounds: int) -> None:
    data_dir = tmp_path / "data"
    pid = asyncio.run(_begin(data_dir))
    instants = random.Random(7)
    number, version = 0, 1
    for _ in range(rounds):
        acknowledged = killed_while_writing(data_dir, instants.uniform(0, 0.15))
        number = asyncio.run(_check(data_dir, pid, number if acknowledged is None else acknowledged, version))
        version = asyncio.run(ProjectStore(data_dir).read(pid)).project.version
    assert number >= rounds
    assert asyncio.run(_check(data_dir, pid, number)) == number, "an older version was harmed"


def test_two_processes_lose_no_update_of_each_other(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    pid = asyncio.run(_begin(data_dir))
    writers = [start(data_dir, "count", "15") for _ in range(2)]
    for writer in writers:
        _, errors = writer.communicate(timeout=100)
        assert writer.returncode == 0, errors
    stored = asyncio.run(ProjectStore(data_dir).read(pid))
    assert number_of(stored.project) == 30
    assert stored.project.version == 31


@pytest.mark.parametrize(
    "rounds", [4, pytest.param(50, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])]
)
def test_of_two_servers_on_one_folder_the_survivor_goes_on_at_once_and_no_save_is_lost(
    tmp_path: Path, rounds: int, promised: Promised
) -> None:
    """Row F11: both write the same project, one is killed at any instant; its lock dies with it."""
    data_dir = tmp_path / "data"
    pid = asyncio.run(_begin(data_dir))
    instants = random.Random(5)
    number = 0
    for _ in range(rounds):
        first, second = (start(data_dir, "race") for _ in range(2))
        try:
            seen = [int(lines.readline()) for lines in (first.stdout, second.stdout) if lines]
            time.sleep(instants.uniform(0, 0.2))  # the instant of the kill is what varies
            first.send_signal(signal.SIGKILL)
            first.wait(30)
            # Lines that were printed before the kill may still wait in the pipe: read on beyond them.
            killed_at = number_of(asyncio.run(ProjectStore(data_dir).read(pid)).project)
            with promised(10, "The lock of the dead one was in the way."):
                assert second.stdout is not None
                while (latest := int(second.stdout.readline())) <= killed_at:
                    seen.append(latest)
            seen.append(latest)
        finally:
            for each in (first, second):
                each.kill()
        for each in (first, second):
            rest, errors = rest_of(each)
            assert "Traceback" not in errors, errors
            seen += map(int, rest)
        assert len(seen) == len(set(seen)), "two saves were answered with the same number"
        store = ProjectStore(data_dir)
        asyncio.run(store.open())
        before, number = number, number_of(asyncio.run(store.read(pid)).project)
        # Each of the two may have died between its save and its answer.
        assert number - 2 <= before + len(seen) <= number
    assert number >= 2 * rounds


def test_a_start_does_not_sweep_what_a_living_process_builds(tmp_path: Path) -> None:
    """A half-built project under its builder's lock stays; without the lock it is litter."""
    from cloutagent_ext.filelocks import locked

    data_dir = tmp_path / "data"
    pid = asyncio.run(_begin(data_dir))
    new = "11111111-2222-4333-8444-555555555555"
    (data_dir / f"projects/.new-{new}").mkdir()
    with locked(data_dir / f"projects/.locks/{new}.lock"):
        asyncio.run(ProjectStore(data_dir).open())
        assert (data_dir / f"projects/.new-{new}").is_dir()
    asyncio.run(ProjectStore(data_dir).open())
    assert not (data_dir / f"projects/.new-{new}").exists()
    assert asyncio.run(ProjectStore(data_dir).ids()) == [pid]
