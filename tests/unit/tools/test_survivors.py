"""However a command gets away, nothing of an execution survives its end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cloutagent_ext.engine.tools import processes
from cloutagent_ext.engine.tools.environment import MARKER
from cloutagent_ext.engine.tools.isolation import Isolation
from cloutagent_ext.engine.tools.supervision import spawn
from tests.support.patience import Promised
from tests.support.survivors import survivors

from .conftest import Box, living, with_and_without_a_sandbox


@pytest.fixture(params=["auto", "off"])
def isolation(request: pytest.FixtureRequest, bubblewrap_works: str | None) -> Isolation:
    return with_and_without_a_sandbox(request, bubblewrap_works)


FORK_TWICE = (
    "import os,time\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\ntime.sleep(600)"
)

ESCAPES = {
    "background": "sleep {n} &",
    "nohup": "nohup sleep {n} >/dev/null 2>&1 &",
    "disown": "sleep {n} & disown",
    "setsid": "setsid sleep {n} &",
    "double fork": "( ( setsid sleep {n} ) & )",
    "python daemon": 'python -c "$DAEMON" {n}',
    "without environment": "( ( env -i setsid sleep {n} ) & )",
    "python daemon without environment": 'env -i $(command -v python) -c "$DAEMON" {n}',
    "ignores TERM": "( trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM; sleep {n}; sleep {n}' & )",
    "ignores TERM, no environment": "env -i setsid bash -c 'trap \"\" TERM; while :; do sleep {n}; done' &",
    "stopped": "setsid sleep {n} & sleep 0.2; kill -STOP $!",
}


def number() -> str:
    """A number of seconds to sleep that no other process on this machine sleeps."""
    return f"{600 + uuid.uuid4().int % 10**9}"


def command(name: str, n: str) -> str:
    daemon = FORK_TWICE.replace("time.sleep(600)", "time.sleep(int(sys.argv[1]))").replace(
        "import os", "import sys,os"
    )
    return f"DAEMON='{daemon}'\n" + ESCAPES[name].format(n=n) + "\nsleep 0.3\necho started"


async def gone(n: str) -> None:
    """Until no process has `n` in its command line."""
    deadline = time.monotonic() + 60
    while living(n):
        assert time.monotonic() < deadline, [psutil.Process(pid).cmdline() for pid in living(n)]
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", ESCAPES)
async def test_what_a_finished_command_left_behind_ends_with_the_execution(
    make_box: Callable[..., Box], name: str
) -> None:
    box, n = make_box(), number()
    async with box.toolbox:
        assert "started" in await box.text("bash", command=command(name, n))
        assert [pid for pid in living(n) if pid != os.getpid()], (
            "it should still run: only the command has ended"
        )
    assert living(n) == []
    assert survivors(box.context.execution_id) == []


@pytest.mark.parametrize(
    "name", ["setsid", "ignores TERM, no environment", "python daemon without environment"]
)
async def test_a_cancelled_call_is_gone_with_its_whole_tree_in_five_seconds(
    box: Box, name: str, promised: Promised
) -> None:
    n = number()
    call = asyncio.create_task(box.run("bash", command=command(name, n) + "\nsleep 599"))
    while not living(n) or not living("599"):
        assert not call.done()
        await asyncio.sleep(0.02)
    with promised(5):
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert living(n) == []
    left = survivors(box.context.execution_id)
    assert [line for line in left if not line.endswith("warden.py")] == []  # the execution itself goes on


async def test_a_cancelled_call_leaves_the_other_commands_alone(box: Box) -> None:
    n = number()
    await box.run("bash", command=f"sleep {n} &")
    call = asyncio.create_task(box.run("bash", command="touch here; sleep 60"))
    while not (box.workspace / "here").exists():
        await asyncio.sleep(0.02)
    call.cancel()
    await asyncio.wait({call})
    assert living(n)


async def test_a_time_limit_ends_the_daemons_of_its_call_too(box: Box) -> None:
    n = number()
    await box.error("bash", command=command("without environment", n) + "\nsleep 60", timeout_s=1)
    assert living(n) == []


async def test_everything_dies_when_the_server_is_killed(tmp_path: Path, promised: Promised) -> None:
    """SIGKILL gives the server no chance to tidy up; its supervisors do."""
    n, execution_id = number(), str(uuid.uuid4())
    server = textwrap.dedent(f"""
        import asyncio, os
        from cloutagent_ext.engine.tools.commands import Commands
        given = dict(cwd="/", fallback="/", timeout_s=60)
        given["env"] = {{"PATH": os.environ["PATH"], "{MARKER}": "{execution_id}"}}
        daemon = "env -i setsid bash -c 'trap : TERM; while :; do sleep {n}; done' & sleep 0.3"
        async def main():
            commands = Commands()
            await commands.run(["bash", "-c", daemon], **given)
            running = asyncio.create_task(commands.run(["sleep", "{n}"], **given))
            await asyncio.sleep(0.3)
            print("running", flush=True)
            await running
        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", server, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"running\n"
    assert living(n)
    process.kill()
    with promised(5):
        await process.wait()
        await gone(n)


async def test_the_kernel_dies_when_the_server_is_killed_and_the_sweep_finds_its_children(
    tmp_path: Path,
) -> None:
    """Nobody is left above a killed server's kernel: what it started is for the sweep at the next start."""
    n, execution_id = number(), str(uuid.uuid4())
    server = textwrap.dedent(f"""
        import asyncio, os
        from pathlib import Path
        from cloutagent_ext.jupyter.kernels import LocalKernels
        env = {{"PATH": os.environ["PATH"], "HOME": "{tmp_path}", "{MARKER}": "{execution_id}"}}
        async def main():
            kernel = await LocalKernels().start(cwd=Path("{tmp_path}"), env=env)
            code = "import subprocess; subprocess.Popen(['setsid', 'sleep', '{n}'])"
            await kernel.execute(code, timeout_s=30, on_output=lambda _: None)
            print("running", flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", server, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"running\n"
    process.kill()
    await process.wait()
    deadline = time.monotonic() + 90
    while any("ipykernel" in line for line in survivors(execution_id)):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert await processes.end_all(execution_id) == 1
    assert living(n) == []


def test_an_owner_that_dies_with_its_answer_unread_leaves_nothing_either(tmp_path: Path) -> None:
    """Data that nobody read makes of a hang-up a broken connection."""
    n = number()
    script = f"import subprocess; subprocess.Popen(['sleep', '{n}'], start_new_session=True)"
    request = {
        "argv": [sys.executable, "-c", script], "cwd": str(tmp_path), "fallback": "/", "timeout_s": 60,
        "max_output": 1000, "max_processes": 64, "max_memory": 2**30, "disk": "", "max_disk": 0, "limits": {},
        "report_fd": 0, "stdin": "", "kept": 100, "apart": False, "may_go_on": False,
    }  # fmt: skip
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = spawn(theirs, dict(os.environ))
        ours.sendall(json.dumps(request).encode() + b"\n")
        assert ours.recv(1, socket.MSG_PEEK), "it has answered"
        assert living(n)
    process.wait(10)
    assert not living(n)


async def test_the_sweep_finds_what_lost_its_supervisor(box: Box) -> None:
    n = number()
    await box.run("bash", command=f"setsid bash -c 'trap \"\" TERM; sleep {n}; sleep {n}' &\nsleep 0.3")
    (sleeper,) = living(n)
    for parent in psutil.Process(sleeper).parents():
        if any("supervisor.py" in word for word in parent.cmdline()):
            parent.kill()
    assert await processes.end_all(box.context.execution_id) >= 1
    assert living(n) == []


async def test_the_sweep_counts_what_it_ends_and_spares_the_rest(box: Box) -> None:
    other = await asyncio.create_subprocess_exec(
        "sleep", "600", env={MARKER: "another execution", "PATH": os.environ["PATH"]}
    )
    try:
        await box.run("bash", command="setsid sleep 600 & setsid sleep 601 &\nsleep 0.2")
        assert await processes.end_all(box.context.execution_id) == 2
        assert await processes.end_all(box.context.execution_id) == 0
        assert other.returncode is None
    finally:
        other.send_signal(signal.SIGKILL)
        await other.wait()


async def test_a_command_that_kills_its_supervisor_is_an_error_and_the_next_one_runs(box: Box) -> None:
    error = await box.error("bash", command="kill -9 $PPID; sleep 60")
    assert "killed" in error
    assert await box.text("bash", command="echo next") == "next\n"


async def test_no_command_starts_once_the_execution_is_ending(make_box: Callable[..., Box]) -> None:
    box = make_box()
    await box.toolbox.close()
    assert "ending" in await box.error("bash", command="true")
    assert "ending" in await box.error("python", code="1")
    assert await box.toolbox.close() == 0
