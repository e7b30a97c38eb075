"""Who owns an execution: nobody beside a living process, and at once somebody new after a dead one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from cloutagent_ext.executions import owner
from cloutagent_ext.executions.owner import Owner

HOLDER = """
import os, subprocess, sys, time
from pathlib import Path
from cloutagent_ext.executions.owner import Owner

assert Owner.take(Path(sys.argv[1]))
child = 0
if sys.argv[2] == "starting":
    child = os.fork()  # has every descriptor, as each child has before its exec
    if child == 0:
        os.setsid()
        time.sleep(600)
        os._exit(0)
elif sys.argv[2] == "started":
    child = subprocess.Popen(["sleep", "600"], close_fds=False).pid
print(child, flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def holder(folder: Path, kind: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that owns `folder`, and its child's pid (0: none); both are gone at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), kind], stdout=subprocess.PIPE, text=True
    )
    child = 0
    try:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        yield process, child
    finally:
        process.kill()
        with contextlib.suppress(ProcessLookupError):
            if child:
                os.kill(child, signal.SIGKILL)
        process.communicate(timeout=30)


def test_after_a_kill_a_child_before_its_exec_is_waited_for_and_not_taken_for_a_living_owner(
    tmp_path: Path,
) -> None:
    with holder(tmp_path, "starting") as (process, child):
        process.kill()
        process.wait(30)
        with ThreadPoolExecutor(1) as thread:
            taking = thread.submit(Owner.take, tmp_path)
            assert not wait([taking], timeout=0.3).done, "the child still has the lock"
            os.kill(child, signal.SIGKILL)
            taken = taking.result()
    assert taken is not None
    taken.release(finished=True)
    assert not (tmp_path / owner.NAME).exists()


def test_a_child_that_has_got_to_its_exec_is_in_nobodys_way(tmp_path: Path) -> None:
    with holder(tmp_path, "started") as (process, child):
        process.kill()
        process.wait(30)
        os.kill(child, 0)  # it lives
        began = time.monotonic()
        taken = Owner.take(tmp_path)
        assert taken is not None
        assert time.monotonic() - began < owner.LAST_BREATH_S
        taken.release(finished=False)


def test_a_living_owner_is_not_waited_for(tmp_path: Path) -> None:
    with holder(tmp_path, "alone"):
        began = time.monotonic()
        assert Owner.take(tmp_path) is None
        assert time.monotonic() - began < owner.LAST_BREATH_S


def test_one_that_nobody_can_judge_counts_as_living(tmp_path: Path) -> None:
    first = Owner.take(tmp_path)
    assert first is not None
    for signature in (b"", b"another kind of owner", b"999999999 1 2 another-boot"):
        (tmp_path / owner.NAME).write_bytes(signature)
        began = time.monotonic()
        assert Owner.take(tmp_path) is None
        assert time.monotonic() - began < owner.LAST_BREATH_S
    first.release(finished=True)
