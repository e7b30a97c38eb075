"""Hooks for the engine's tests: real scripts below real supervisors, in a temporary workspace."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cloutagent_ext.engine.hooks.actions import Actions
from cloutagent_ext.engine.hooks.scripts import Scripts
from cloutagent_ext.engine.tools.commands import Commands
from cloutagent_ext.engine.tools.environment import child_environment
from cloutagent_ext.engine.tools.isolation import Isolation
from cloutagent_ext.engine.tools.mcp_process import Sandbox
from cloutagent_ext.schema.project import Hook
from tests.support.survivors import survivors

from ...support.messages_api import Call, MessagesApi, Say
from .harness import Bench, Echo, live

DENY = '{"hookSpecificOutput": {"permissionDecision": "deny", "permissionDecisionReason": "not here"}}'
ASK = '{"hookSpecificOutput": {"permissionDecision": "ask"}}'
ALLOW = '{"hookSpecificOutput": {"permissionDecision": "allow"}}'
NOTHING = "{}"


def script(
    id: str, text: str, event: str = "PreToolUse", *, run: str = "bash", **more: Any
) -> dict[str, Any]:
    """A hook that runs `text` with bash, or (`run="python"`) with Python."""
    command = ["bash", "-c", text] if run == "bash" else [sys.executable, "-c", text]
    return hook(id, {"type": "command", "command": command}, event, **more)


def says(id: str, answer: str, event: str = "PreToolUse", **more: Any) -> dict[str, Any]:
    """A hook that prints `answer` (JSON without single quotes)."""
    return script(id, f"cat >/dev/null; printf '%s' '{answer}'", event, **more)


def hook(id: str, action: dict[str, Any], event: str = "PreToolUse", **more: Any) -> dict[str, Any]:
    return {"id": id, "name": id.title(), "event": event, "action": action, **more}


class Scripted(Actions):
    """The real actions, with what tests want to know of them."""

    execution_id: str


@asynccontextmanager
async def actions(
    workspace: Path,
    *hooks: dict[str, Any],
    scripts: Path | None = None,
    env: dict[str, str] | None = None,
    headers: dict[str, dict[str, str]] | None = None,
    isolation: Isolation | None = None,
) -> AsyncIterator[Scripted]:
    """Bound to a workspace; afterwards nothing that a hook started is left."""
    execution_id = str(uuid.uuid4())
    commands = Commands()
    environment = child_environment(execution_id, env or {}, home=workspace)
    own = await asyncio.to_thread(Scripts, scripts) if scripts else None
    made = Scripted(
        commands=commands,
        workspace=workspace,
        sandbox=Sandbox(isolation) if isolation else None,
        scripts=own,
        environments={each["id"]: environment for each in hooks},
        headers=headers,
    )
    made.execution_id = execution_id
    async with made:
        yield made
    assert survivors(execution_id) == [], "a hook has left a process before anybody closed its commands"
    await commands.close()


def parsed(definition: dict[str, Any]) -> Hook:
    return Hook.model_validate(definition)


@asynccontextmanager
async def bench(
    api: MessagesApi, workspace: Path, *hooks: dict[str, Any], **more: Any
) -> AsyncIterator[Bench]:
    async with live(api.url, workspace) as made, actions(workspace, *hooks, **more) as bound:
        made.hooks = bound
        yield made


def last_user(api: MessagesApi) -> list[dict[str, Any]]:
    return api.requests[-1]["messages"][-1]["content"]


def result_text(block: dict[str, Any]) -> str:
    return "".join(part["text"] for part in block["content"])


async def call_echo(
    tmp_path: Path, *hooks: dict[str, Any], tool: Echo | None = None, agent: Any = None, **more: Any
) -> tuple[Bench, MessagesApi, Echo]:
    """One call of `echo` past `hooks`, then an answer."""
    tool = tool or Echo()
    async with (
        MessagesApi([Call("echo", {"text": "hello"}, id="c1"), Say("Done.")]) as api,
        bench(api, tmp_path, *hooks) as made,
    ):
        if "decision" in more:
            made.approvals.decision = more.pop("decision")
        await made.run({"agent": {"tools": ["echo"], **(agent or {})}, "hooks": list(hooks)}, tools=[tool])
    return made, api, tool
