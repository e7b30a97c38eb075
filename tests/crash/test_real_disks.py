"""Rows F3, F4, F5 and F30 on real ones: a tmpfs that fills up, folders that turn read-only, a limit on files,
system calls that the kernel fails under logs that are open."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.live_server import LiveServer, live_server
from tests.support.tracing import traced

from .read_only_folder import ended, execute, health, scripted, state, until

ROOT = Path(__file__).parents[2]
ALONE = ["unshare", "--user", "--map-root-user", "--mount"]
"""A mount namespace of its own, as an ordinary user may have one."""


def may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = subprocess.run([*ALONE, "true"], capture_output=True, check=False)
    return probe.returncode == 0


@pytest.mark.parametrize("kind", ["tmpfs", "read-only", "limit"])
def test_a_disk_without_room_says_so_loses_nothing_and_is_used_again_without_a_restart(
    tmp_path: Path, kind: str
) -> None:
    if kind != "limit" and not may_mount():
        pytest.skip("this system gives no mount namespace to its users")
    alone = [] if kind == "limit" else ALONE
    done = subprocess.run(
        [*alone, sys.executable, "-m", "tests.crash.full_disk", kind, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


@pytest.mark.timed  # within the process that it starts
def test_executions_on_a_disk_that_fills_up_end_by_name_lose_nothing_and_can_be_stopped(
    tmp_path: Path,
) -> None:
    if not may_mount():
        pytest.skip("this system gives no mount namespace to its users")
    disk, outside = tmp_path / "disk", tmp_path / "outside"
    disk.mkdir()
    outside.mkdir()
    done = subprocess.run(
        [*ALONE, sys.executable, "-m", "tests.crash.full_disk_executions", str(disk), str(outside)],
        cwd=ROOT, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


@pytest.mark.timeout(240)
def test_a_data_folder_that_turns_read_only_under_executions_is_said_and_all_goes_on_when_it_is_back(
    tmp_path: Path,
) -> None:
    if not may_mount():
        pytest.skip("this system gives no mount namespace to its users")
    done = subprocess.run(
        [*ALONE, sys.executable, "-m", "tests.crash.read_only_folder", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


def may_attach() -> bool:
    """Whether this is a system's own root, who may mount a disk that is a file."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists() or shutil.which("mkfs.ext4") is None:
        return False
    alone = subprocess.run(["unshare", "--mount", "losetup", "--find"], capture_output=True, check=False)
    return alone.returncode == 0


@pytest.mark.nightly
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["read-only", "gone"])
def test_a_disk_that_the_kernel_takes_away_is_said_and_the_next_server_finds_each_execution_once(
    tmp_path: Path, kind: str
) -> None:
    if not may_attach():
        pytest.skip("only root outside of containers may mount a disk of its own")
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-m", "tests.crash.lost_disk", str(tmp_path), kind],
        cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


Failing = Callable[[LiveServer, list[Path]], contextlib.AbstractContextManager[None]]


@contextmanager
def no_file_may_grow(server: LiveServer, logs: list[Path]) -> Iterator[None]:
    """EFBIG at every write of the server to any file, those included that it has open."""
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def failing_writes(error: str, server: LiveServer, logs: list[Path]) -> Iterator[None]:
    """`error` at every write to these logs, as the kernel gives it to a file that is open."""
    trace = server.folder / "trace"
    with traced(server.process.pid, f"write:error={error}", trace, files=logs):
        yield
    assert "(INJECTED)" in trace.read_text()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("failing", "code"),
    [
        pytest.param(no_file_may_grow, "DISK_FULL", id="EFBIG"),
        pytest.param(partial(failing_writes, "EROFS"), "READ_ONLY", id="EROFS", marks=pytest.mark.nightly),
        pytest.param(partial(failing_writes, "EIO"), "READ_ONLY", id="EIO", marks=pytest.mark.nightly),
    ],
)
def test_logs_that_are_open_when_the_disk_takes_no_more_get_their_ends_when_it_does(
    tmp_path: Path, failing: Failing, code: str
) -> None:
    """A cancelled execution had come back and run again, as soon as its log could be written."""
    gate, began = tmp_path / "gate", tmp_path / "began"
    with live_server(tmp_path, "--CloutAgent.simulated_pace=0", "--CloutAgent.isolation=off") as server:
        waits = f"echo x >> {began}; until [ -e {gate} ]; do sleep 0.05; done"
        project, doomed = (
            scripted(server, "Runs", waits, "echo more"),
            scripted(server, "Doomed", "sleep 600"),
        )
        runs, cancelled = execute(server, project), execute(server, doomed)

        def at(execution: str, step: str) -> None:
            until(lambda: step in (state(server, execution)["current_step"] or ""))

        for each in (runs, cancelled):
            at(each, "bash")
        logs = [
            server.data_dir / f"projects/{owner}/executions/{each}/{name}"
            for owner, each in ((project, runs), (doomed, cancelled))
            for name in ("events.jsonl", "journal")
        ]
        streamed = _Stream(server, runs)

        with failing(server, logs):
            status, asked = server.request("POST", f"executions/{cancelled}/cancel")
            assert (status, asked["cancelling"]) == (200, True)
            gate.touch()
            for each in (runs, cancelled):
                at(each, "waiting for the disk")
            if failing is no_file_may_grow:
                status, refused = server.request("POST", f"projects/{project}/execute", {"prompt": "Go."})
                assert (status, refused["error"]["code"]) == (507, "DISK_FULL")
                assert health(server)[0] == 503, "its permissions are those of a folder that takes all"
            for path in ("projects", "executions", f"executions/{runs}/events", f"executions/{runs}/trace"):
                answered = server.request("GET", path)
                assert answered[0] == 200, (path, answered)
            assert streamed.thread.is_alive(), "its stream ended without an end"

        last = ended(server, runs)
        assert (last["status"], last["error"]["code"]) == ("failed", code)
        until(lambda: state(server, cancelled)["status"] == "cancelled")
        streamed.thread.join(60)
        _, page = server.request("GET", f"executions/{runs}/events")
        assert (
            streamed.ids == [event["id"] for event in page["items"]] == list(range(1, len(streamed.ids) + 1))
        )
        assert began.read_text() == "x\n"
        until(lambda: health(server)[0] == 200)
        assert ended(server, execute(server, project))["status"] == "completed"


class _Stream:
    """One that reads an execution to its end."""

    def __init__(self, server: LiveServer, execution: str) -> None:
        self.ids: list[int] = []
        headers = {"Authorization": f"token {server.token}"}
        self._request = urllib.request.Request(f"{server.api}/executions/{execution}/stream", headers=headers)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        until(lambda: self.ids)

    def _read(self) -> None:
        with urllib.request.urlopen(self._request, timeout=120) as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    self.ids.append(json.loads(line[6:])["id"])
