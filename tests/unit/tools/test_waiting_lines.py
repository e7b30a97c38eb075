"""What stands in line: a sandbox that has not come round yet, notebooks that nobody changes any more."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import subprocess
from types import SimpleNamespace
from typing import Any

from cloutagent_ext.engine.notebooks import CellChange
from cloutagent_ext.engine.tools.room import Room
from cloutagent_ext.jupyter.notebooks import ServerNotebooks


async def test_a_sandbox_with_many_commands_before_it_is_waited_for_not_given_up() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    theirs.setblocking(False)
    command, other = socket.socketpair()
    process = await asyncio.to_thread(subprocess.Popen, ["sleep", "600"])
    room = Room(process, ours)
    with theirs, command, other:
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(b"+")
        starting = asyncio.create_task(room.start_supervisor(command))
        await asyncio.sleep(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                theirs.recv(16)
        assert await starting
        process.kill()
        await room.close()


async def test_a_server_remembers_no_notebook_that_it_is_done_with() -> None:
    """A lock for each path ever changed, and each kernel ever used, is memory that only grows."""
    model = {"content": {"cells": [], "nbformat": 4, "nbformat_minor": 5}, "last_modified": 1}
    server: Any = SimpleNamespace(
        contents_manager=SimpleNamespace(get=lambda *_, **__: model, save=lambda *_: None),
        extension_manager=SimpleNamespace(extension_apps={}),
        session_manager=SimpleNamespace(list_sessions=list),
    )
    notebooks = ServerNotebooks(server)
    before = _locks()
    for number in range(50):
        new = {"cell_type": "code", "source": "1", "metadata": {}, "outputs": []}
        await notebooks.change(f"{number}.ipynb", CellChange("insert", 0, None, new))
    assert _locks() - before < 50


def _locks() -> int:
    gc.collect()
    return sum(type(each) is asyncio.Lock for each in gc.get_objects())
