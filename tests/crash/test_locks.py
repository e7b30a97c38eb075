"""Row F11: a data folder whose file system has no working locks is not written to, and it is said why."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloutagent_ext import filelocks
from cloutagent_ext.errors import Unavailable
from cloutagent_ext.schema.project import Definition
from cloutagent_ext.store.projects import ProjectStore
from tests.support.live_server import live_server
from tests.support.tracing import needs_strace
from tests.unit.executions.conftest import Office, bash

ROOT = Path(__file__).parents[2]

KINDS = {
    "error=ENOLCK": "locking a file fails (No locks available)",
    "retval=0": "a file that one holds locked can be locked by another, too",
}
"""What strace makes of every flock: a share without a lock service; a file system that only says yes."""


@needs_strace
def test_health_says_that_locks_do_not_work_and_projects_are_still_listed(tmp_path: Path) -> None:
    inject = ("-e", "trace=flock", "-e", "inject=flock:error=ENOLCK")
    before = ("strace", "-D", "-f", "-qq", "-o", str(tmp_path / "trace"), *inject)
    with live_server(tmp_path, before=before) as server:
        with pytest.raises(urllib.error.HTTPError) as unwell:
            urllib.request.urlopen(f"{server.url}cloutagent/api/health", timeout=30)
        with unwell.value as answer:
            assert answer.status == 503
            assert "no working file locks" in json.loads(answer.read())["reason"]
        assert server.request("GET", "projects") == (200, {"items": [], "next_cursor": None})
        status, refused = server.request("POST", "projects", {"name": "Sales"})
        assert (status, refused["error"]["code"]) == (503, "READ_ONLY")


def test_where_locks_work_nothing_is_wrong_and_nothing_is_left(tmp_path: Path) -> None:
    assert filelocks.why_no_locks(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("works", ["fails", "says yes"])
async def test_a_store_whose_locks_do_not_work_does_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: str
) -> None:
    """The same without strace: a fault at the one door."""

    def flock(descriptor: int, operation: int) -> None:
        if works == "fails":
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelocks, "fcntl", SimpleNamespace(**{**vars(fcntl), "flock": flock}))
    store = ProjectStore(tmp_path)
    await store.open()
    assert "no working file locks" in (store.read_only or "")
    with pytest.raises(Unavailable) as refused:
        await store.create(Definition(name="Sales"))
    assert refused.value.error_code == "READ_ONLY"
    assert await store.ids() == []


@needs_strace
@pytest.mark.parametrize("kind", KINDS)
def test_without_working_locks_nothing_is_written_and_everything_is_still_read(
    tmp_path: Path, kind: str
) -> None:
    data = tmp_path / "data"

    async def left_running() -> tuple[str, str]:
        """A project, and an execution of it whose server is gone."""
        office = Office(data)
        await office.services.start()
        project = await office.project(bash("sleep 600"), on_restart="resume")
        accepted = await office.accept(project)
        await office.until(accepted.execution_id, "tool_call")
        shutil.copytree(data, tmp_path / "copy")  # as a kill would leave it
        await office.services.stop(0)
        return project, accepted.execution_id

    project, execution = asyncio.run(left_running())
    inject = ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=flock"]
    done = subprocess.run(
        [*inject, "-e", f"inject=flock:{kind}",
         sys.executable, "-m", "tests.crash.no_locks", str(tmp_path / "copy"), project, execution],
        cwd=ROOT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert KINDS[kind] in done.stdout
    assert "Put the data folder on a local disk" in done.stdout
