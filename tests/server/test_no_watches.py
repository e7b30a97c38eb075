"""Row F28: a system that gives out no more inotify watches. Nothing of ours waits for one to fire."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.live_server import live_server

NO_WATCHES = (
    "unshare", "--user", "--map-root-user", "sh", "-c",
    'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"', "sh",
)  # fmt: skip
"""In front of a command: in a user namespace of its own, whose limit of them is none."""


def may_have_namespaces() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NO_WATCHES, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.timeout(120)
def test_without_inotify_what_people_edit_on_the_disk_and_what_others_run_is_still_seen(
    tmp_path: Path,
) -> None:
    if not may_have_namespaces():
        pytest.skip("this system gives no user namespace to its users")
    probe = "import ctypes; print(ctypes.CDLL(None).inotify_init1(0))"
    refused = subprocess.run([*NO_WATCHES, sys.executable, "-c", probe], capture_output=True, text=True)
    assert refused.stdout.strip() == "-1", "the limit is felt"
    assert ctypes.CDLL(None).inotify_init1(0) != -1, "and only there"
    with live_server(tmp_path, "--CloutAgent.simulated_pace=0", before=NO_WATCHES) as server:
        project = server.create_project("Edited", None)["id"]
        _, before = server.request("GET", f"projects/{project}")
        prompt = server.data_dir / "projects" / project / "prompts/main-prompt.txt"
        prompt.write_text("By hand.\n")
        _, after = server.request("GET", f"projects/{project}")
        assert after["agent"]["system_prompt"].strip() == "By hand."
        assert before["agent"]["system_prompt"].strip() != "By hand."
        _, ran = server.request("POST", f"projects/{project}/execute", {"prompt": "Go.", "wait": True})
        assert ran["status"] == "completed", ran
        _, versions = server.request("GET", f"projects/{project}/versions")
        assert versions["items"][0]["author"] == "disk", "what ran is what was edited"
        # A project that another program puts there: seen in the list, without being told.
        shutil.copytree(prompt.parents[1], server.data_dir / "projects/00000000-0000-4000-8000-000000000001")
        _, listed = server.request("GET", "projects")
        assert len(listed["items"]) == 2, listed
