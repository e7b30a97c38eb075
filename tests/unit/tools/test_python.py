"""`python`: code in a kernel of the execution's own, and how that ends. Not here: what it shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from cloutagent_ext.engine.ports import ToolError
from cloutagent_ext.engine.tools.environment import MARKER
from cloutagent_ext.engine.tools.isolation import Isolation
from cloutagent_ext.jupyter.kernels import LocalKernels, ServerKernels
from tests.support.patience import Promised
from tests.support.survivors import survivors

from .conftest import Box, living
from .test_survivors import command, number


@pytest.fixture(params=["server", "local", "sandbox"])
async def any_box(
    request: pytest.FixtureRequest, make_box: Callable[..., Box], bubblewrap_works: str | None
) -> AsyncIterator[Box]:
    """A toolbox on the server's kernels, one on kernels without a server, one on kernels in a sandbox."""
    if request.param == "sandbox" and bubblewrap_works is not None:
        pytest.skip(bubblewrap_works)
    manager = AsyncMappingKernelManager()
    kernels = LocalKernels() if request.param == "local" else ServerKernels(manager)
    box = make_box(kernels, isolation=Isolation(mode="require" if request.param == "sandbox" else "off"))
    async with box.toolbox:
        yield box
    assert manager.list_kernels() == []
    assert survivors(box.context.execution_id) == []
    manager.context.destroy(linger=0)  # else whichever test runs when it is collected is blamed for it


def kernel_of(box: Box) -> psutil.Process:
    """The kernel's own process, as the machine sees it: in a sandbox it has another number."""
    (found,) = [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if "ipykernel_launcher" in (line := process.info["cmdline"] or [])
        and Path(line[0]).name.startswith("python")
        and process.info["status"] != psutil.STATUS_ZOMBIE
        and process.environ().get(MARKER) == box.context.execution_id
    ]
    return found


async def test_variables_stay_and_output_comes_in_order(any_box: Box) -> None:
    assert await any_box.text("python", code="x = 20\nprint('first')\nx + 1") == "first\n21\n"
    assert await any_box.text("python", agent="analyst#1", code="x * 2") == "40\n"
    assert await any_box.text("python", code="y = 1") == "[ran, and showed nothing]"


async def test_code_runs_in_the_workspace_with_exactly_the_given_environment(any_box: Box) -> None:
    code = (
        "import os, json; print(json.dumps([os.getcwd(), open('/proc/self/environ').read().split(chr(0))]))"
    )

    cwd, environment = json.loads(await any_box.text("python", code=code))
    assert cwd == os.path.realpath(any_box.workspace)
    given = {f"{name}={value}" for name, value in any_box.context.env.items()}
    extra = {row.split("=")[0] for row in set(environment) - given - {""}}
    assert given <= set(environment)
    assert extra <= {"JPY_PARENT_PID", "PWD"}


async def test_an_exception_is_an_error_without_colours_and_keeps_what_came_before(box: Box) -> None:
    with pytest.raises(ToolError) as caught:
        await box.run(
            "python", code="print('before')\nimport matplotlib.pyplot as p; p.plot([1]); p.show()\n1/0"
        )
    assert "before" in str(caught.value)
    assert "ZeroDivisionError: division by zero" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert [part.type for part in caught.value.parts] == ["text", "image", "text"]


async def test_a_syntax_error_is_shown_where_it_is(box: Box) -> None:
    assert "SyntaxError" in await box.error("python", code="x = = 1")


async def test_a_time_limit_interrupts_and_keeps_variables(any_box: Box, promised: Promised) -> None:
    await any_box.run("python", code="x = 1")
    with promised(5):
        error = await any_box.error("python", code="import time; time.sleep(60)", timeout_s=1)
        assert "[interrupted after 1 s; variables are kept" in error
    assert await any_box.text("python", code="x") == "1\n"


async def test_code_that_will_not_stop_loses_its_kernel_and_says_so(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloutagent_ext.jupyter.kernel.INTERRUPT_S", 0.5)
    stubborn = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    assert "state lost" in await box.error("python", code=stubborn, timeout_s=1)
    assert await box.text("python", code="1 + 1") == "2\n"
    assert [code for code, _ in box.warnings if code != "NOT_ISOLATED"] == ["KERNEL_LOST"]


@pytest.mark.parametrize(
    "death",
    ["import os; os.kill(os.getpid(), 9)", "import os; os._exit(3)", "import ctypes; ctypes.string_at(0)"],
    ids=["SIGKILL", "exit", "crash"],
)
async def test_a_kernel_that_dies_is_named_and_the_next_call_gets_a_fresh_one(
    any_box: Box, death: str
) -> None:
    await any_box.run("python", code="x = 1")
    assert "state lost" in await any_box.error("python", code=death)
    assert "KERNEL_LOST" in [code for code, _ in any_box.warnings]
    assert "NameError" in await any_box.error("python", code="x")


async def test_a_kernel_killed_in_the_middle_of_a_call_is_an_error_that_says_so(
    any_box: Box, promised: Promised
) -> None:
    """By somebody else (the system that has no memory left), between the code's start and its reply."""
    await any_box.run("python", code="x = 1")
    kernel = kernel_of(any_box)
    call = asyncio.create_task(any_box.error("python", code="open('here', 'w')\nimport time; time.sleep(60)"))
    while not (any_box.workspace / "here").exists():
        await asyncio.sleep(0.02)
    with promised(5):
        kernel.kill()
        assert "the kernel died: state lost" in await call
    assert "NameError" in await any_box.error("python", code="x")


async def test_a_kernel_that_hangs_in_c_code_or_is_stopped_is_replaced(
    any_box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGSTOP: as with a call into C that never comes back, no interrupt gets through."""
    monkeypatch.setattr("cloutagent_ext.jupyter.kernel.INTERRUPT_S", 0.5)
    await any_box.run("python", code="1")
    kernel = kernel_of(any_box)
    code = "open('here', 'w')\nimport os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
    assert "state lost" in await any_box.error("python", code=code, timeout_s=1)
    assert not kernel.is_running() or kernel.status() == psutil.STATUS_ZOMBIE
    assert await any_box.text("python", code="1") == "1\n"
    # Stopped between two calls it is noticed by the next one.
    kernel_of(any_box).suspend()
    assert "state lost" in await any_box.error("python", code="1", timeout_s=1)
    assert await any_box.text("python", code="1") == "1\n"


async def test_a_kernel_killed_between_calls_is_noticed(any_box: Box) -> None:
    await any_box.run("python", code="1")
    kernel = kernel_of(any_box)
    kernel.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        kernel.wait(5)
    assert "state lost" in await any_box.error("python", code="1")
    assert await any_box.text("python", code="1") == "1\n"


async def test_a_cancelled_call_is_over_in_five_seconds_and_the_kernel_is_free(
    any_box: Box, promised: Promised
) -> None:
    await any_box.run("python", code="x = 1")
    call = asyncio.create_task(any_box.run("python", code="open('here', 'w')\nimport time; time.sleep(60)"))
    while not (any_box.workspace / "here").exists():
        await asyncio.sleep(0.02)
    with promised(5):
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert await any_box.text("python", code="x", timeout_s=10) == "1\n"


async def test_cancelling_while_the_kernel_starts_leaves_none(make_box: Callable[..., Box]) -> None:
    for rounds in (0, 1, 5, 50):
        box = make_box()
        async with box.toolbox:
            call = asyncio.create_task(box.run("python", code="1"))
            for _ in range(rounds):
                await asyncio.sleep(0.005)
            call.cancel()
            await asyncio.wait({call})
        assert survivors(box.context.execution_id) == []


async def test_the_end_does_not_wait_for_code_that_runs(
    make_box: Callable[..., Box], promised: Promised
) -> None:
    box = make_box()
    with contextlib.ExitStack() as end:
        async with box.toolbox:
            call = asyncio.create_task(
                box.error("python", code="open('here', 'w')\nimport time; time.sleep(60)")
            )
            while not (box.workspace / "here").exists():
                await asyncio.sleep(0.02)
            end.enter_context(promised(5))
    assert "state lost" in await call


async def test_the_kernel_is_in_the_servers_list_while_it_runs(make_box: Callable[..., Box]) -> None:
    manager = AsyncMappingKernelManager()
    box = make_box(ServerKernels(manager), isolation=Isolation("off"))
    async with box.toolbox:
        assert manager.list_kernels() == []
        await box.run("python", code="1")
        (row,) = manager.list_kernels()
        assert row["name"] == "python3"
    assert manager.list_kernels() == []
    manager.context.destroy(linger=0)


async def test_a_kernel_that_a_person_restarts_or_shuts_down_is_state_lost(
    make_box: Callable[..., Box],
) -> None:
    manager = AsyncMappingKernelManager()
    box = make_box(ServerKernels(manager), isolation=Isolation("off"))
    async with box.toolbox:
        await box.run("python", code="x = 1")
        await manager.shutdown_kernel(manager.list_kernels()[0]["id"])
        assert "state lost" in await box.error("python", code="x")
        await box.run("python", code="x = 1")
        await manager.get_kernel(manager.list_kernels()[0]["id"]).restart_kernel(now=True)
        assert "state lost" in await box.error("python", code="x")
    assert manager.list_kernels() == []
    assert survivors(box.context.execution_id) == []
    manager.context.destroy(linger=0)


@pytest.mark.parametrize("name", ["background", "setsid", "ignores TERM, no environment", "stopped"])
async def test_what_code_daemonised_ends_with_the_execution(make_box: Callable[..., Box], name: str) -> None:
    box, n = make_box(), number()
    code = f"import subprocess\nsubprocess.run(['bash', '-c', {command(name, n)!r}])"
    async with box.toolbox:
        await box.run("python", code=code)
        assert living(n)
    assert living(n) == []
    assert survivors(box.context.execution_id) == []


async def test_what_a_dead_kernel_had_daemonised_ends_too(make_box: Callable[..., Box]) -> None:
    box, n = make_box(), number()
    daemon = command("python daemon without environment", n)
    code = f"import subprocess\nsubprocess.run(['bash', '-c', {daemon!r}])"
    async with box.toolbox:
        await box.run("python", code=code)
        await box.error("python", code="import os; os.kill(os.getpid(), 9)")
        assert living(n) == []


# A kernel that finds one of the ports that Jupyter has chosen for it taken, the first few times.
TAKEN = """
import json, os, pathlib, socket, sys
connection, told, most = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
starts = len(told.read_text()) if told.exists() else 0
told.write_text("x" * (starts + 1))
if starts < most:
    port = json.loads(pathlib.Path(connection).read_text())["shell_port"]
    other = socket.create_server(("127.0.0.1", port))
    os.set_inheritable(other.fileno(), True)
os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", "-f", connection])
"""


def started_by(script: str, *arguments: str, folder: Path) -> None:
    """A kernelspec in `folder` that starts Python kernels so."""
    spec = folder / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "start.py").write_text(script)
    argv = [sys.executable, str(spec / "start.py"), "{connection_file}", *arguments]
    about = {"argv": argv, "display_name": "Python", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(about))


@pytest.mark.parametrize("kind", ["local", "server"])
@pytest.mark.parametrize("taken", [1, 9])
async def test_a_kernel_whose_port_somebody_else_has_got_is_started_anew_a_few_times(
    make_box: Callable[..., Box], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, taken: int
) -> None:
    started_by(TAKEN, str(tmp_path / "starts"), str(taken), folder=tmp_path / "jupyter")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    manager = AsyncMappingKernelManager()
    kernels = LocalKernels() if kind == "local" else ServerKernels(manager)
    box = make_box(kernels, isolation=Isolation(mode="off"))
    async with box.toolbox:
        if taken == 1:
            assert "42" in await box.text("python", code="6 * 7")
        else:
            assert "it died as it started" in await box.error("python", code="6 * 7")
    assert (tmp_path / "starts").read_text() == "x" * min(taken + 1, 3)
    assert manager.list_kernels() == []
    assert survivors(box.context.execution_id) == []


SLOW = """
import os, sys, time
time.sleep(float(sys.argv[2]))
os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", "-f", sys.argv[1]])
"""


@pytest.mark.parametrize(("kind", "pause_s"), [("local", 2), ("server", 600)])
async def test_a_kernel_that_starts_slowly_is_waited_for_and_one_that_never_answers_is_given_up(
    make_box: Callable[..., Box], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, pause_s: int
) -> None:
    started_by(SLOW, str(pause_s), folder=tmp_path / "jupyter")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    manager = AsyncMappingKernelManager()
    box = make_box(
        LocalKernels() if kind == "local" else ServerKernels(manager), isolation=Isolation(mode="off")
    )
    async with box.toolbox:
        if pause_s < 60:
            assert "42" in await box.text("python", code="6 * 7")
        else:
            monkeypatch.setattr("cloutagent_ext.jupyter.kernel.READY_S", 1.0)  # a minute otherwise
            assert "started but does not answer" in await box.error("python", code="6 * 7")
            assert manager.list_kernels() == []
            assert survivors(box.context.execution_id) == []


async def test_a_kernel_that_cannot_start_is_a_sentence(make_box: Callable[..., Box], tmp_path: Path) -> None:
    class Broken(AsyncMappingKernelManager):
        async def start_kernel(self, **_: Any) -> str:
            raise OSError("no more processes")

    box = make_box(ServerKernels(Broken()), isolation=Isolation("off"))
    async with box.toolbox:
        assert "No Python kernel could be started: no more processes" in await box.error("python", code="1")
