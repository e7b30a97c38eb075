"""Rows F3, F5 and F30 on real ones: a tmpfs that fills up, folders that turn read-only, a limit on files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
