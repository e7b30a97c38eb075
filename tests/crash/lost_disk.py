"""A file system that the kernel takes away under a server at work: how it says so, how it ends, what is left.

`python -m tests.crash.lost_disk <folder> <read-only|gone>`, for `test_real_disks`, in a mount namespace of
its own: ext4 in a file. `read-only` is what a damaged disk gets (`errors=remount-ro`: the whole superblock,
open files too; nobody can remount it so by hand while a file is open for writing, that is EBUSY). `gone` is a
disk that was pulled out: every write fails, and reads of what is not in memory. Neither comes back without
being mounted anew. Prints `done` at the end.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.live_server import live_server
from tests.support.patience import SLACK

from .full_disk import mount
from .read_only_folder import check, execute, health, scripted, state, until
from .test_real_disks import _Stream

OPTIONS = ("--CloutAgent.simulated_pace=0", "--CloutAgent.isolation=off", "--CloutAgent.stop_grace_s=1")
_SHUTDOWN = 0x8004587D
"""EXT4_IOC_SHUTDOWN: _IOR('X', 125, __u32)."""
_NO_FLUSH = 2


def read_only(disk: Path) -> None:
    device = subprocess.run(
        ["findmnt", "-n", "-o", "SOURCE", disk], capture_output=True, text=True, check=True
    )
    knob = Path("/sys/fs/ext4") / Path(device.stdout.strip()).name / "trigger_fs_error"
    knob.write_text("for a test")


def gone(disk: Path) -> None:
    descriptor = os.open(disk, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_FLUSH))
    finally:
        os.close(descriptor)


KINDS: dict[str, Callable[[Path], None]] = {"read-only": read_only, "gone": gone}


def living(word: str) -> list[int]:
    """Processes with `word` in their environment or on their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if word.encode() in (process / "cmdline").read_bytes() and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found


def first(folder: Path, disk: Path, kind: str, gate: Path, began: Path) -> tuple[str, list[str]]:
    """The server under which the disk is lost; a project, and its executions."""
    with live_server(folder / "first", *OPTIONS, data_dir=disk / "data") as server:
        waits = f"echo x >> {began}; until [ -e {gate} ]; do sleep 0.05; done"
        project = scripted(server, "Runs", waits, "echo more")
        old = execute(server, project)
        gate.touch()
        until(lambda: state(server, old)["status"] == "completed")
        gate.unlink()
        began.unlink()
        doomed = scripted(server, "Doomed", f"echo x >> {began}; sleep 617")
        runs, cancelled = execute(server, project), execute(server, doomed)
        for each in (runs, cancelled):
            until(lambda each=each: "bash" in (state(server, each)["current_step"] or ""))
        until(lambda: began.exists() and began.read_text() == "x\nx\n")
        streamed = _Stream(server, runs)

        KINDS[kind](disk)

        status, said = until(lambda: (found := health(server))[0] == 503 and found)
        check(said["status"], "unavailable")
        for method, path, body in (
            ("POST", f"projects/{project}/execute", {"prompt": "Go."}),
            ("POST", "projects", {"name": "New"}),
            ("PUT", f"projects/{project}", {"name": "Runs", "description": "new"}),
            ("POST", f"projects/{project}/keys", {"name": "k"}),
            ("POST", "backups", None),
        ):
            status, refused = server.request(method, path, body)
            check((path, status, refused["error"]["code"]), (path, 503, "READ_ONLY"))
        if kind == "read-only":
            own = f"executions/{runs}"
            for path in ("projects", "executions", f"executions/{old}", f"{own}/events", f"{own}/trace"):
                check((path, server.request("GET", path)[0]), (path, 200))
        status, asked = server.request("POST", f"executions/{cancelled}/cancel")
        check((status, asked.get("cancelling")), (200, True))
        gate.touch()
        until(lambda: not living("sleep 617"))
        for each in (runs, cancelled):
            until(lambda each=each: "waiting for the disk" in (state(server, each)["current_step"] or ""))
        if not streamed.thread.is_alive():
            raise AssertionError("its stream ended without an end")

        server.process.send_signal(signal.SIGTERM)
        at = time.monotonic()
        check(server.process.wait(60), 0)
        if time.monotonic() - at > SLACK * 10:
            raise AssertionError("it took too long to end")
        seen = server.log()
        if "Traceback" in seen:
            raise AssertionError(seen[-4000:])
        return project, [old, runs, cancelled]


def main(folder: Path, kind: str) -> None:
    disk, gate, began = folder / "disk", folder / "gate", folder / "began"
    disk.mkdir()
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(256 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    mount("-o", "loop,errors=remount-ro", str(image), str(disk))
    project, executions = first(folder, disk, kind, gate, began)
    subprocess.run(["umount", disk], check=True)
    # 1: it had errors, which are mended.
    check(subprocess.run(["e2fsck", "-f", "-p", image], capture_output=True).returncode, 0, 1)
    mount("-o", "loop", str(image), str(disk))

    with live_server(folder / "second", *OPTIONS, data_dir=disk / "data") as server:
        check(health(server)[0], 200)
        for each in executions:
            until(lambda each=each: state(server, each)["status"] in ("completed", "failed", "cancelled"))
            _, page = server.request("GET", f"executions/{each}/events")
            ids = [event["id"] for event in page["items"]]
            check(ids, list(range(1, len(ids) + 1)))
            told = Counter(event["type"] for event in page["items"])
            check(told["complete"] + told["error"] + told["cancelled"], 1)
        check(began.read_text(), "x\nx\n")  # what had begun is not begun again
        check([row["name"] for row in server.request("GET", "projects")[1]["items"]].count("New"), 0)
        again = execute(server, project)
        until(lambda: state(server, again)["status"] == "completed")
    subprocess.run(["umount", disk], check=True)
    print("done")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
