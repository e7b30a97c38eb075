"""`agent.network`: what a project starts reaches the network with it, and in its sandboxes nothing without.

A command, a hook and an MCP server of one execution. What else a sandbox hides: `tools/test_isolation`.
"""

from __future__ import annotations

import asyncio
import sys

import pytest

from cloutagent_ext.engine.tools.bubblewrap import problem
from cloutagent_ext.schema.project import CommandAction, Hook, McpServer

from .conftest import Opens, agent, bash

REACH = """
import socket, sys
try:
    said = socket.create_connection(("127.0.0.1", {port}), 30).recv(5).decode()
except OSError as error:
    said = type(error).__name__
print(said, file=open(sys.argv[1], "w"))
"""


async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("network", [False, True], ids=["without", "with"])
async def test_a_command_a_hook_and_a_server_reach_this_machine_with_the_network_only(
    open_office: Opens, network: bool
) -> None:
    if (why := await asyncio.to_thread(problem)) is not None:
        pytest.skip(f"no sandbox here: {why}")
    office = await open_office(isolation="require")
    async with await asyncio.start_server(hello, "127.0.0.1", 0) as listener:
        code = REACH.format(port=listener.sockets[0].getsockname()[1])
        asks = CommandAction(type="command", command=["python", "reach.py", "hook"])
        project = await office.project(
            bash("python reach.py command; cat command hook server"),
            agent=agent(network=network),
            hooks=[Hook(id="asks", name="Asks", event="PreToolUse", action=asks)],
            mcps=[McpServer(id="looks", name="Looks", command=sys.executable, args=["-c", code, "server"])],
            files={"reach.py": code.encode()},
        )
        state = await office.run(project)
    assert state.status == "completed", state.error
    assert state.result is not None
    assert state.result.text.split() == ["Done:", *["hello" if network else "ConnectionRefusedError"] * 3]
    events = await office.events(state.execution_id)
    assert not [event for event in events if event.get("code") == "NOT_ISOLATED"]
