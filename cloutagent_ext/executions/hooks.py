"""The hooks of one execution bound to what they need: environment, secrets, their own copy of scripts.

Not here: when hooks run and what they mean (`engine.hooks`), trying them on past executions (`backtest`).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ..engine.hooks.actions import Actions
from ..engine.hooks.scripts import Scripts
from ..engine.tools.commands import Commands
from ..engine.tools.environment import child_environment
from ..engine.tools.mcp_process import Sandbox
from ..schema.project import Hook, HttpAction
from .propagation import beside
from .vault import ProjectSecrets
from .workspace import Workspace

PROJECT_DIR = "CLAUDE_PROJECT_DIR"
"""Where Claude Code's hook scripts look for their project; here it is the workspace."""


@dataclass(frozen=True)
class Prepared:
    """Hooks with their secrets filled in."""

    hooks: list[Hook]
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    """The whole environment of each command, by hook."""
    headers: dict[str, dict[str, str]] = field(default_factory=dict)


async def prepared(
    hooks: list[Hook],
    secrets: ProjectSecrets,
    workspace: Workspace,
    execution_id: str,
    trace: Mapping[str, str] = MappingProxyType({}),
) -> Prepared:
    """`hooks` with what they are given. Raises `EndExecution` where a secret is missing or locked.

    `trace`: headers for those that are an address, besides their own.

    A hook's environment is its own: the allow-list of all children and its `env`; not `agent.env`,
    which is for the agent's commands. Its home is not the agent's either: interpreters run what they
    find in one (`usercustomize.py`), and a guard must run nothing that the agent has left there.
    """
    made = Prepared(hooks)
    for hook in hooks:
        if isinstance(hook.action, HttpAction):
            made.headers[hook.id] = beside(await secrets.filled(hook.action.headers), trace)
        else:
            own = {PROJECT_DIR: str(workspace.path)} | await secrets.filled(hook.env)
            made.environments[hook.id] = child_environment(execution_id, own, home=workspace.hooks_home)
    return made


@asynccontextmanager
async def bound(
    made: Prepared,
    *,
    commands: Commands,
    workspace: Workspace,
    sandbox: Sandbox,
    copy_files: Callable[[Path], Awaitable[None]],
) -> AsyncIterator[Actions | None]:
    """The hooks ready to run in `workspace`; None where there are none.

    `copy_files` puts the project's files into a folder: the hooks' scripts come from there.
    """
    if not made.hooks:
        yield None
        return
    scripts = None
    if made.environments:
        await asyncio.to_thread(_emptied, workspace.scripts)
        await asyncio.to_thread(workspace.hooks_home.mkdir, exist_ok=True)
        await copy_files(workspace.scripts)
        scripts = await asyncio.to_thread(Scripts, workspace.scripts)
    async with Actions(
        commands=commands,
        workspace=workspace.path,
        home=workspace.hooks_home,
        sandbox=sandbox,
        scripts=scripts,
        environments=made.environments,
        headers=made.headers,
    ) as actions:
        yield actions


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
