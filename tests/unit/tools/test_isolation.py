"""The sandbox: what an isolated command sees, what it reaches, and what happens where there is none."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from cloutagent_ext.engine.ports import EndExecution
from cloutagent_ext.engine.tools.isolation import NOT_ISOLATED, Isolation

from .conftest import Box, living


@pytest.fixture(autouse=True)
def _needs_bubblewrap(bubblewrap_works: str | None) -> None:
    if bubblewrap_works is not None:
        pytest.skip(bubblewrap_works)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A server's data folder with another project in it; this execution's workspace lies beside."""
    folder = tmp_path / "data"
    (folder / "projects" / "other").mkdir(parents=True)
    (folder / "projects" / "other" / "agent.config.json").write_text("other project")
    (tmp_path / "data.keys").write_text("key of secrets")
    return folder


@pytest.fixture
def isolation(data_dir: Path, tmp_path: Path) -> Isolation:
    return Isolation(mode="require", secret=(data_dir, tmp_path / "data.keys"))


@pytest.fixture
async def listener() -> AsyncIterator[int]:
    """Port of a service of this machine that answers `hello`."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


SAY_HELLO = "timeout 5 bash -c 'cat </dev/tcp/127.0.0.1/{port}'"


async def test_an_isolated_execution_carries_no_warning(box: Box) -> None:
    await box.run("bash", command="true")
    assert box.warnings == []


async def test_the_data_folder_and_the_keys_are_not_there(box: Box, data_dir: Path, tmp_path: Path) -> None:
    assert "empty" in await box.text("bash", command=f"[ -z \"$(ls -A '{data_dir}')\" ] && echo empty")
    error = await box.error("bash", command=f"cat '{data_dir}'/projects/*/* '{tmp_path}/data.keys'")
    assert "other project" not in error
    assert "key of secrets" not in error


async def test_a_kernel_sees_what_commands_see_and_reaches_nothing(
    box: Box, data_dir: Path, listener: int
) -> None:
    code = f"""
import os, socket
print(os.listdir({str(data_dir)!r}))
open("made", "w").write("here")
print(len([name for name in os.listdir("/proc") if name.isdigit()]) < 10)
socket.create_connection(("127.0.0.1", {listener}), 5)
"""
    refused = await box.error("python", code=code)
    assert "[]\nTrue\n" in refused
    assert "ConnectionRefusedError" in refused
    assert "PermissionError" in await box.error("python", code=f"open('{data_dir.parent}/data.keys').read()")
    assert await box.text("bash", command="cat made; echo shared >/tmp/seen") == "here"
    assert await box.text("python", code="open('/tmp/seen').read()") == "'shared\\n'\n"
    assert box.warnings == []


async def test_nothing_of_a_kernel_in_a_sandbox_is_left_in_the_machines_tmp(
    make_box: Callable[..., Box], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = tmp_path / "t"
    places.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(places))
    box = make_box()
    async with box.toolbox:
        await box.run("python", code="1")
        (place,) = places.iterdir()
        assert place.stat().st_mode & 0o077 == 0, "others could speak to the kernel"
    assert list(places.iterdir()) == []


async def test_a_workspace_inside_the_data_folder_is_there_and_nothing_beside_it(
    make_box: Callable[..., Box], data_dir: Path
) -> None:
    workspace = data_dir / "temp" / "e1" / "workspace"
    workspace.mkdir(parents=True)
    (data_dir / "temp" / "e2" / "workspace").mkdir(parents=True)
    box = make_box(workspace=workspace)
    async with box.toolbox:
        assert await box.text("bash", command="pwd; touch made; ls ../..") == f"{workspace}\ne1\n"
        assert (workspace / "made").exists()
        assert await box.text("bash", command=f"ls '{data_dir}'") == "temp\n"


async def test_a_project_that_names_a_secret_folder_does_not_get_it(
    make_box: Callable[..., Box], data_dir: Path, tmp_path: Path
) -> None:
    box = make_box(folders={data_dir / "projects": "read", tmp_path / "data.keys": "write", tmp_path: "read"})
    async with box.toolbox:
        said = await box.error(
            "bash", command=f"cat '{data_dir}'/projects/other/* '{tmp_path}/data.keys' 2>&1; false"
        )
        assert "other project" not in said
        assert "key of secrets" not in said


async def test_named_folders_are_read_or_written_as_the_project_says(
    make_box: Callable[..., Box], tmp_path: Path
) -> None:
    read, write, other = (tmp_path / name for name in ("read", "write", "other"))
    for folder in (read, write, other):
        folder.mkdir()
        (folder / "text").write_text(folder.name)
    box = make_box(folders={read: "read", write: "write"})
    async with box.toolbox:
        assert await box.text("bash", command=f"cat {read}/text {write}/text") == "readwrite"
        assert "No such file" in await box.error("bash", command=f"cat {other}/text")
        assert "Read-only" in await box.error("bash", command=f"echo x >{read}/text")
        await box.run("bash", command=f"echo changed >{write}/text")
    assert (write / "text").read_text() == "changed\n"


async def test_homes_run_and_other_temporary_files_are_hidden(box: Box, tmp_path: Path) -> None:
    (tmp_path / "beside").write_text("beside")
    home = Path(os.environ.get("HOME", "/root"))
    for folder in {"/root", "/home", "/run", str(home), str(tmp_path)}:
        there = await box.text("bash", command=f"ls -A {folder} 2>/dev/null || true")
        assert "beside" not in there
        assert not {".bashrc", ".ssh", ".jupyter", ".cache", ".config", "docker.sock", "dbus"} & set(
            there.split()
        )


async def test_the_system_is_read_only(box: Box) -> None:
    for place in ("/usr/local/x", "/etc/x", "/x", "/opt/x", str(Path(sys.prefix) / "x")):
        assert "Read-only" in await box.error("bash", command=f"touch {place}")
    assert await box.text("bash", command="cat /proc/sys/kernel/core_pattern")
    assert await box.error("bash", command="echo '|/bin/true' >/proc/sys/kernel/core_pattern")


async def test_password_files_are_closed_to_a_server_that_runs_as_root(box: Box) -> None:
    said = await box.error("bash", command="cat /etc/shadow; false")
    assert "root:" not in said


async def test_processes_of_the_machine_are_neither_seen_nor_reached(box: Box) -> None:
    assert str(os.getpid()) not in (await box.text("bash", command="ls /proc")).split()
    other = subprocess.Popen(["sleep", "600"])
    try:
        await box.error("bash", command=f"kill -9 {other.pid}")
        await box.error("bash", command="pkill -9 -x sleep; kill -9 -1; false")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    assert await box.text("bash", command="echo next") == "next\n"


async def test_without_network_no_service_of_this_machine_is_reached(box: Box, listener: int) -> None:
    assert "hello" not in await box.error("bash", command=SAY_HELLO.format(port=listener))
    devices = await box.text("bash", command="tail -n +3 /proc/net/dev | cut -d: -f1")
    assert devices.split() == ["lo"]


async def test_with_network_the_machine_is_reached(make_box: Callable[..., Box], listener: int) -> None:
    box = make_box(network=True)
    async with box.toolbox:
        assert await box.text("bash", command=SAY_HELLO.format(port=listener)) == "hello"


async def test_no_abstract_socket_of_the_machine_is_reached_without_network(box: Box) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0cloutagent-test")
        server.listen()
        code = "import socket as s; s.socket(s.AF_UNIX).connect('\\0cloutagent-test')"
        assert "Refused" in await box.error("bash", command=f'python -c "{code}"')


async def test_a_server_left_in_the_background_serves_the_next_command(box: Box) -> None:
    """One sandbox for all commands: else the second would meet an empty loopback and unknown pids."""
    (box.workspace / "page").write_text("served")
    await box.run("bash", command="python -m http.server 8123 --bind 127.0.0.1 >log 2>&1 & echo $! >pid")
    fetch = (
        "for i in $(seq 50); do python -c 'import urllib.request as u; "
        'print(u.urlopen("http://127.0.0.1:8123/page").read())\' 2>/dev/null && break; sleep 0.1; done'
    )
    assert "served" in await box.text("bash", command=fetch)
    await box.run("bash", command="kill $(cat pid)")
    assert not living("http.server")


async def test_temporary_files_are_the_executions_own_and_last_as_long(box: Box) -> None:
    await box.run("bash", command="echo kept >/tmp/cloutagent-note")
    assert await box.text("bash", command="cat /tmp/cloutagent-note") == "kept\n"
    assert not Path("/tmp/cloutagent-note").exists()


async def test_python_with_its_libraries_works_inside(box: Box) -> None:
    assert (
        await box.text("bash", command="python -c 'import pandas; print(pandas.Series([2]).sum())'") == "2\n"
    )


async def test_a_command_gains_no_privileges(box: Box) -> None:
    status = await box.text("bash", command="grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status")
    assert status.split() == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]


async def test_where_it_must_be_and_cannot_be_no_command_starts(
    make_box: Callable[..., Box], tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    for program, why in ((str(broken), "No permissions to create"), ("/nonexistent/bwrap", "not installed")):
        box = make_box(isolation=Isolation(mode="require", program=program))
        async with box.toolbox:
            with pytest.raises(EndExecution, match=why) as caught:
                await box.run("bash", command="touch ran")
            assert caught.value.code == "TOOL_ERROR"
        assert not (box.workspace / "ran").exists()


async def test_where_it_cannot_be_auto_runs_and_says_so(make_box: Callable[..., Box]) -> None:
    box = make_box(isolation=Isolation(mode="auto", program="/nonexistent/bwrap"))
    async with box.toolbox:
        assert await box.text("bash", command="echo ran") == "ran\n"
        assert box.warnings == [("NOT_ISOLATED", NOT_ISOLATED)]


async def test_a_sandbox_that_was_ended_from_outside_is_replaced(box: Box) -> None:
    await box.run("bash", command="sleep 601 &")
    while not (sleepers := [pid for pid in living("601") if psutil.Process(pid).name() == "sleep"]):
        await asyncio.sleep(0.01)
    (sleeper,) = sleepers
    warden = next(p for p in psutil.Process(sleeper).parents() if "warden.py" in " ".join(p.cmdline()[-1:]))
    warden.kill()
    await asyncio.to_thread(psutil.wait_procs, [warden], 5)
    assert living("601") == []
    assert await box.text("bash", command="echo next") == "next\n"


async def test_any_command_line_can_be_isolated_by_itself(isolation: Isolation, tmp_path: Path) -> None:
    """What hooks and MCP servers are started with."""
    workspace, extra = tmp_path / "w", tmp_path / "extra"
    workspace.mkdir()
    extra.mkdir()
    (extra / "tool").write_text("its own")
    wrapped = await isolation.around(["cat", str(extra / "tool")], workspace=workspace, readable=[extra])
    assert wrapped.isolated
    ran = await asyncio.create_subprocess_exec(*wrapped.argv, cwd=workspace, stdout=subprocess.PIPE)
    assert await ran.communicate() == (b"its own", None)
    wrapped = await isolation.around(["cat", str(extra / "tool")], workspace=workspace)
    ran = await asyncio.create_subprocess_exec(
        *wrapped.argv, cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert b"No such file" in (await ran.communicate())[1]


async def test_what_an_isolated_command_leaves_behind_ends_with_it(
    isolation: Isolation, tmp_path: Path
) -> None:
    wrapped = await isolation.around(
        ["bash", "-c", "env -i setsid sleep 86399 & sleep 0.2; echo done"], workspace=tmp_path
    )
    ran = await asyncio.create_subprocess_exec(*wrapped.argv, cwd=tmp_path, stdout=subprocess.PIPE)
    assert (await ran.communicate())[0] == b"done\n"
    while living("86399"):
        await asyncio.sleep(0.01)


@pytest.fixture(params=["require", "off"])
def wild(request: pytest.FixtureRequest) -> Isolation:
    """With and without a sandbox: what a command must not be able to do to the server either way."""
    return Isolation(mode=request.param, memory_bytes=400 * 1024**2, disk_bytes=64 * 1024**2)


async def test_a_wild_command_is_stopped_and_the_next_one_runs(
    make_box: Callable[..., Box], wild: Isolation
) -> None:
    box = make_box(isolation=wild)
    hold = "data = [bytearray(60_000_000) for _ in range({n})]; import time; time.sleep(60)"
    async with box.toolbox:
        for command, said in (
            (f'python -c "{hold.format(n=10)}"', "MemoryError"),  # one process: refused by the system
            (f'for _ in $(seq 4); do python -c "{hold.format(n=3)}" & done; wait', "more memory"),  # together
            (
                "for i in $(seq 200); do head -c 1M /dev/zero >f$i; sleep 0.05; done; sleep 60",
                "workspace holds",
            ),
            ("yes | head -c 300M", "bytes of output"),
            ("mkfifo pipe; timeout 60 cat pipe", "stopped after 2 s"),
            ("cat /dev/zero >/dev/null", "stopped after 2 s"),
        ):
            limit = 2 if "2 s" in said else 60
            assert said in await box.error("bash", command=f"rm -f f*; {command}", timeout_s=limit), command
        await box.run("bash", command='mkdir gone; cd gone; rmdir "$PWD"')
        assert await box.text("bash", command="pwd") == f"{box.workspace}\n"
        assert (await box.text("bash", command="sleep 600 & echo early")).startswith("early\n")


@pytest.mark.nightly
async def test_a_fork_bomb_is_stopped_while_it_grows(make_box: Callable[..., Box], wild: Isolation) -> None:
    """A bounded one: at most 4,095 processes, each of which would wait for a minute."""
    box = make_box(isolation=wild)
    bomb = "b() { [ $1 -gt 0 ] && { b $(($1 - 1)) & b $(($1 - 1)) & }; exec sleep 60; }; b 11"
    async with box.toolbox:
        assert "too many processes" in await box.error("bash", command=bomb, timeout_s=50)
        assert await box.text("bash", command="echo next") == "next\n"


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(0, 500, 50))
async def test_nothing_survives_five_hundred_cancels(make_box: Callable[..., Box], first: int) -> None:
    """However it got away, and whenever the cancel came."""
    from .test_survivors import ESCAPES, command, gone, number

    for trial in range(first, first + 50):
        isolation = Isolation(mode="auto" if trial % 2 else "off")
        box, n = make_box(isolation=isolation), number()
        name = list(ESCAPES)[trial % len(ESCAPES)]
        async with box.toolbox:
            call = asyncio.create_task(box.run("bash", command=command(name, n) + "\nsleep 599"))
            await asyncio.sleep(trial % 25 / 20)
            call.cancel()
            await asyncio.wait({call})
        await gone(n)
