"""The world of executions that begin from others: one service, one scripted model that thinks aloud."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from cloutagent_ext.schema.execution import ExecutionState, ForkRequest
from cloutagent_ext.schema.project import Limits, ProjectUpdate, Variable
from tests.support.messages_api import Call, Failure, MessagesApi, Reply, Say

from .conftest import USER, Office, agent

SYSTEM = "You look after {{thing}}, since {{timestamp}}."


def last_text(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    block = next(each for each in reversed(content) if not each.get("text", "").startswith("Files that came"))
    block = content[0] if block["type"] == "image" else block
    return block["text"] if block["type"] == "text" else block["content"][0]["text"]


class World:
    """One service against one scripted model: two commands, then an answer from the second one."""

    def __init__(self, office: Office, api: MessagesApi, marks: Path) -> None:
        self.office = office
        self.api = api
        self.marks = marks
        self.broken = False

    def script(self, body: dict[str, Any], number: int) -> Reply | Failure:
        if self.broken:
            return Failure(401, "authentication_error", "no such key")
        said = last_text(body)
        turn = sum(message["role"] == "assistant" for message in body["messages"])
        if "Also" in said:
            return thought(Say(f"Also: {said}"), number)
        if turn == 0:
            return thought(
                Call("bash", {"command": f"echo x >> {self.marks}; echo a > file"}, id="t0"), number
            )
        if turn == 1:
            return thought(Call("bash", {"command": "cat file"}, id="t1"), number)
        return thought(Say(f"It says {said.strip()}."), number)

    async def project(self, **definition: Any) -> str:
        return await self.office.project(
            **{
                "agent": agent(system_prompt=SYSTEM),
                "variables": {"thing": Variable(default="files")},
                "limits": Limits(max_cost_usd=5.0),
                **definition,
            }
        )

    async def end_of(self, execution_id: str) -> ExecutionState:
        async with asyncio.timeout(90):
            return await self.office.executions.wait(execution_id)

    async def fork(self, execution_id: str, **request: Any) -> ExecutionState:
        begun = await self.office.executions.fork(execution_id, ForkRequest(**request), principal=USER)
        return await self.end_of(begun.execution_id)

    async def event(self, execution_id: str, type: str, number: int = 0) -> dict[str, Any]:
        events = await self.office.events(execution_id)
        return [event for event in events if event["type"] == type][number]

    async def started(self) -> int:
        """How often the command with an effect ran."""
        return len((await asyncio.to_thread(self.marks.read_text)).split())


def thought(reply: Reply, number: int) -> Reply:
    block = {"type": "thinking", "thinking": f"Thought {number}.", "signature": f"sig-{number}"}
    return Reply([block, *reply.blocks], stop_reason=reply.stop_reason)


def same_prefix(earlier: dict[str, Any], later: dict[str, Any], messages: int) -> None:
    for name in ("system", "tools", "model", "thinking"):
        assert json.dumps(earlier.get(name)) == json.dumps(later.get(name)), name
    assert json.dumps(earlier["messages"][:messages]) == json.dumps(later["messages"][:messages])


async def change_prompt(world: World, project: str) -> None:
    store = world.office.services.store
    body = (await store.read(project)).project.model_dump()
    body["agent"]["system_prompt"] = "You are somebody else."
    kept = {name: body[name] for name in ProjectUpdate.model_fields if name in body}
    await store.save(project, ProjectUpdate.model_validate(kept))
