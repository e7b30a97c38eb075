"""Tries one hook on what past executions did, before it is trusted with the next one.

Only that hook is started, once for each recorded moment, one after another, in a folder of its own
with the project's files (not with what the executions had in theirs), and only if a person has agreed
to it, switched on or off. Afterwards folder and processes are gone. Not here: reading the logs
(`recorded_moments`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.hooks import moments
from ..engine.hooks.answers import Answer, read
from ..engine.masking import Mask
from ..engine.ports import EndExecution, HookActions
from ..engine.tools.commands import Commands
from ..engine.tools.isolation import Isolation
from ..engine.tools.mcp_process import Sandbox
from ..engine.tools.processes import end_all
from ..errors import Conflict, NotFound, UnreadableFile
from ..schema.backtests import Backtest, BacktestRequest, BacktestRow
from ..schema.project import Definition, Hook
from . import hooks
from .acceptance import folders
from .recorded_moments import Moment, recorded
from .records import Records
from .vault import Vault
from .workspace import Workspace

if TYPE_CHECKING:
    from ..store.projects import ProjectStore

MOST_MOMENTS = 1000
"""Times that one backtest starts its hook, at most."""
MOST_S = 300.0
"""Seconds after which it stops and gives what it has."""
AT_ONCE = 2
"""Backtests that run at the same time; more wait."""


class Backtests:
    """The backtests of all projects of this process."""

    def __init__(
        self,
        store: ProjectStore,
        vault: Vault,
        records: Records,
        data_dir: Path,
        root_dir: Path | None,
        isolation: Isolation,
    ) -> None:
        self._store = store
        self._vault = vault
        self._records = records
        self._data_dir = data_dir
        self._root_dir = root_dir
        self._isolation = isolation
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(self, project_id: str, hook_id: str, request: BacktestRequest) -> Backtest:
        """What the hook would have done. Cancelled: nothing of it is left.

        Raises NotFound (project, hook, execution), Conflict (NOT_TRUSTED, a secret), InvalidRequest.
        """
        project = (await self._store.read(project_id)).project
        hook = next((each for each in project.hooks if each.id == hook_id), None)
        if hook is None:
            raise NotFound(f"The project has no hook {hook_id!r}.")
        await self._store.check_trust(project_id)
        if not hook.enabled:
            await self._store.check_trust_off(project_id)
        ids = await self._executions(project_id, request)
        async with self._places:
            return await self._run(project_id, project, hook, ids)

    async def _executions(self, project_id: str, request: BacktestRequest) -> list[str]:
        mine = [execution_id for execution_id, _ in await self._records.ids(project_id)]
        if request.execution_ids is None:
            return mine[: request.last]
        wanted = list(dict.fromkeys(request.execution_ids))
        if unknown := [each for each in wanted if each not in set(mine)]:
            raise NotFound(f"The project has no execution {unknown[0]!r}.")
        return wanted

    async def _run(self, project_id: str, definition: Definition, hook: Hook, ids: list[str]) -> Backtest:
        rows: list[BacktestRow] = []
        skipped: list[str] = []
        complete, until, looked = True, time.monotonic() + MOST_S, 0
        async with self._bound(project_id, definition, hook) as (actions, mask, workspace):
            for execution_id in ids:
                room = MOST_MOMENTS - len(rows)
                if not complete or room <= 0:
                    complete = False
                    break
                folder = self._records.folder(project_id, execution_id)
                try:
                    found, complete = await asyncio.to_thread(recorded, folder, hook, room)
                except (OSError, UnreadableFile):
                    skipped.append(execution_id)
                    continue
                looked += 1
                for moment in found:
                    if time.monotonic() > until:
                        complete = False
                        break
                    rows.append(await _ask(hook, actions, mask, workspace, execution_id, moment))
        return _summed(hook, rows, looked, complete=complete, skipped=skipped)

    @contextlib.asynccontextmanager
    async def _bound(
        self, project_id: str, definition: Definition, hook: Hook
    ) -> AsyncIterator[tuple[HookActions, Mask, Workspace]]:
        trial = f"backtest-{uuid.uuid4()}"
        workspace, commands = Workspace(self._data_dir, trial), Commands(self._isolation)
        secrets = self._vault.of(project_id)

        async def copy_files(target: Path) -> None:
            await self._store.copy_files(project_id, target)

        try:
            await workspace.prepare(copy_files)
            made = await hooks.prepared([hook], secrets, workspace, trial)
            named = await asyncio.to_thread(folders, definition, self._root_dir)
            async with hooks.bound(
                made,
                commands=commands,
                workspace=workspace,
                sandbox=Sandbox(self._isolation, named, definition.agent.network),
                copy_files=copy_files,
            ) as actions:
                assert actions is not None
                yield actions, secrets.mask, workspace
        except EndExecution as end:  # a secret
            raise Conflict(end.message, **end.details) from None
        finally:
            await asyncio.shield(asyncio.ensure_future(_clear(trial, commands, workspace)))


async def _clear(trial: str, commands: Commands, workspace: Workspace) -> None:
    await commands.close()
    if commands.started:
        await end_all(trial)
    await workspace.remove()


async def _ask(
    hook: Hook,
    actions: HookActions,
    mask: Mask,
    workspace: Workspace,
    execution_id: str,
    moment: Moment,
) -> BacktestRow:
    began = time.monotonic()
    told = moments.moment(
        hook.event,
        execution_id=execution_id,
        cwd=str(workspace.path),
        agent=moment.agent,
        **moment.fields,
    )
    answer = read(hook, await actions.run(hook, told), mask)
    return BacktestRow(
        execution_id=execution_id,
        event_id=moment.event_id,
        agent=moment.agent,
        call_id=moment.call_id,
        tool=moment.tool,
        outcome="ask" if _asks(answer) else answer.outcome,
        message=answer.told(),
        duration_ms=round((time.monotonic() - began) * 1000),
    )


def _asks(answer: Answer) -> bool:
    return answer.permission == "ask" and not answer.failed and answer.stop is None


def _summed(
    hook: Hook, rows: list[BacktestRow], looked: int, *, complete: bool, skipped: list[str]
) -> Backtest:
    def count(outcome: str) -> int:
        return sum(row.outcome == outcome for row in rows)

    return Backtest(
        hook=hook.id,
        on=hook.event,
        executions=looked,
        seen=len(rows),
        allowed=count("allow"),
        asked=count("ask"),
        denied=count("deny"),
        changed=count("changed"),
        failed=count("failed"),
        complete=complete,
        skipped=skipped,
        rows=rows,
    )
