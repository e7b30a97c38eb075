"""Two at one kernel: an execution's code, and what somebody else runs there meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.jupyter.channels import Channels
from cloutagent_ext.jupyter.kernel import JupyterKernel

from .caller import Caller


class Shared:
    """A kernel of the server, the tool's face of it, and somebody else who works in it, too."""

    def __init__(self, kernel: JupyterKernel, other: Any) -> None:
        self.kernel = kernel
        self.other = other
        self.shown: list[str] = []

    async def mine(self, code: str, timeout_s: float = 30) -> str:
        """What became of code of ours."""

        def show(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] != "execute_input":
                self.shown.append(content.get("text") or content.get("ename") or "")

        return await self.kernel.execute(code, timeout_s=timeout_s, on_output=show)

    def theirs(self, code: str) -> str:
        """Somebody else's cell, as Lab sends it; its message id."""
        return str(self.other.execute(code, stop_on_error=True))

    async def reply(self, message_id: str) -> str:
        async with asyncio.timeout(90):
            while True:
                message = await self.other.get_shell_msg(timeout=30)
                if message["parent_header"].get("msg_id") == message_id:
                    return str(message["content"]["status"])


@pytest.fixture
async def two(server: Caller) -> AsyncIterator[Shared]:
    manager = server.app.kernel_manager
    kernel_id = await manager.start_kernel(kernel_name="python3")
    other = Channels(manager.get_kernel(kernel_id))
    other.start()
    await other.ready(60)

    async def end() -> None:
        await manager.shutdown_kernel(kernel_id, now=True)

    kernel = JupyterKernel(manager.get_kernel(kernel_id), end)
    await kernel.ready()
    yield Shared(kernel, other.client)
    other.stop()
    await kernel.close()


async def test_two_executions_at_one_kernel_both_get_their_answers(two: Shared, server: Caller) -> None:
    manager = server.app.kernel_manager
    [kernel_id] = manager.list_kernel_ids()

    async def let_go() -> None:
        pass

    second = JupyterKernel(manager.get_kernel(kernel_id), let_go)
    await second.ready()
    assert await two.mine("1") == "ok"
    assert await second.execute("2", timeout_s=30, on_output=lambda _: None) == "ok"
    assert await two.mine("3") == "ok"
    second._channels.stop()


def raises(gate: Path) -> str:
    """A cell that raises as soon as `gate` is there."""
    return f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n1 / 0"


async def opened(gate: Path) -> None:
    """When what was sent last has had the time to be in the queue."""
    await asyncio.sleep(0.7)
    await asyncio.to_thread(gate.write_text, "")


async def test_code_that_anothers_error_throws_out_of_the_queue_is_run_all_the_same(
    two: Shared, tmp_path: Path
) -> None:
    theirs = two.theirs(raises(tmp_path / "gate"))
    mine = asyncio.create_task(two.mine("mine = 6 * 7; print(mine)"))
    await opened(tmp_path / "gate")
    assert await mine == "ok"
    assert two.shown == ["42\n"], "its own output, once, and nothing of theirs"
    assert await two.reply(theirs) == "error"


async def test_somebody_who_prints_without_end_does_not_hold_it_up(two: Shared, tmp_path: Path) -> None:
    chatter = (
        "import threading, time\n"
        "def chat():\n"
        "    while True: print('theirs', flush=True); time.sleep(0.02)\n"
        "threading.Thread(target=chat, daemon=True).start()"
    )
    assert await two.reply(two.theirs(chatter)) == "ok"
    two.theirs(raises(tmp_path / "gate"))
    mine = asyncio.create_task(two.mine("print('mine')", timeout_s=60))
    await opened(tmp_path / "gate")
    async with asyncio.timeout(60):
        assert await mine == "ok"
    assert "mine" in "".join(two.shown)


async def test_an_error_of_ours_throws_nothing_of_theirs_out(two: Shared, tmp_path: Path) -> None:
    started = tmp_path / "started"
    mine = asyncio.create_task(two.mine(f"open({str(started)!r}, 'w').close()\n" + raises(tmp_path / "gate")))
    async with asyncio.timeout(90):
        while not started.exists():
            await asyncio.sleep(0.02)
    theirs = two.theirs("x = 1")
    await opened(tmp_path / "gate")
    assert await mine == "error"
    assert two.shown[-1] == "ZeroDivisionError"
    assert await two.reply(theirs) == "ok"


async def test_what_is_thrown_out_again_and_again_is_said_and_ends(two: Shared) -> None:
    """Somebody whose cells raise one after the other: it is told, with the reason, and nothing hangs."""
    going = True

    async def raising() -> None:
        while going:
            for _ in range(3):
                two.theirs("import time; time.sleep(0.05); 1 / 0")
            await asyncio.sleep(0.02)

    others = asyncio.create_task(raising())
    async with asyncio.timeout(60):
        outcome = await two.mine("print('mine')", timeout_s=40)
    going = False
    await others
    assert (outcome, two.shown[-1]) in (("error", "Aborted"), ("ok", "mine\n"))
