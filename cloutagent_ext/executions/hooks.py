"""The hooks of one execution bound to what they need: environment, secrets, their own copy of scripts.

Not here: when hooks run and what they mean (`engine.hooks`), trying them on past executions (`backtest`).
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ..engine.hooks.actions import Actions
from ..engine.hooks.scripts import Scripts
from ..engine.tools.commands import Commands
from ..engine.tools.environment import child_environment
from ..schema.project import Hook, HttpAction
from .vault import ProjectSecrets
from .workspace import Workspace

PROJECT_DIR = "CLAUDE_PROJECT_DIR"
"""Where Claude Code's hook scripts look for their project; here it is the workspace."""


@asynccontextmanager
async def bound(
    hooks: list[Hook],
    *,
    execution_id: str,
    commands: Commands,
    workspace: Workspace,
    secrets: ProjectSecrets,
    copy_files: Callable[[Path], Awaitable[None]],
) -> AsyncIterator[Actions | None]:
    """`hooks` ready to run in `workspace`; None where there are none. Raises `EndExecution` (a secret).

    `copy_files` puts the project's files into a folder: the hooks' scripts come from there.
    """
    if not hooks:
        yield None
        return
    environments, headers = {}, {}
    for hook in hooks:
        if isinstance(hook.action, HttpAction):
            headers[hook.id] = await secrets.filled(hook.action.headers)
        else:
            own = {PROJECT_DIR: str(workspace.path)} | await secrets.filled(hook.env)
            environments[hook.id] = child_environment(execution_id, own, home=workspace.home)
    scripts = None
    if environments:
        await asyncio.to_thread(_emptied, workspace.scripts)
        await copy_files(workspace.scripts)
        scripts = await asyncio.to_thread(Scripts, workspace.scripts)
    async with Actions(
        commands=commands,
        workspace=workspace.path,
        scripts=scripts,
        environments=environments,
        headers=headers,
    ) as actions:
        yield actions


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
