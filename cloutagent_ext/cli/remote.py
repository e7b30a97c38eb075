"""Commands at a running server, through the Python client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from ..client.handles import AsyncClient
from ..client.runs import AsyncRun
from ..errors import Conflict, Unreachable
from ..schema.admin import CreatedKey, FileRow, KeyRow, SecretRow
from ..schema.archives import BackupRow, Restored
from ..schema.backtests import Backtest
from ..schema.base import JsonObject
from ..schema.cassettes import CassetteRow
from ..schema.execution import ExecuteRequest, ExecutionState, ForkRequest, Origin, ResumeRequest
from ..schema.project import Project, ProjectRow, Validation
from .desk import Desk, Format, Started, is_id


@asynccontextmanager
async def open_desk(
    url: str | None,
    token: str | None,
    *,
    origin: Origin = "cli",
    otherwise: Callable[[], AbstractAsyncContextManager[Desk]] | None = None,
) -> AsyncIterator[Desk]:
    """The server at `url`, or this user's; where none runs, what `otherwise` opens."""
    try:
        client = await AsyncClient.connect(url, token=token, origin=origin)
    except Unreachable:
        if otherwise is None:
            raise
        async with otherwise() as desk:
            yield desk
        return
    async with client:
        yield RemoteDesk(client)


class RemoteDesk:
    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.where = client.url

    async def projects(self) -> list[ProjectRow]:
        return await self._client.projects()

    async def definition(self, project: str) -> Project:
        return await (await self._client.project(project)).definition()

    async def create(self, name: str, template: str | None) -> tuple[ProjectRow, str]:
        made = await self._client.create_project(name, template=template)
        return made.row, made.api_key or ""

    async def validate(self, project: str, *, connect: bool) -> Validation:
        return await (await self._client.project(project)).validate(connect=connect)

    async def backtest(self, project: str, hook: str, last: int) -> Backtest:
        return await (await self._client.project(project)).backtest(hook, last=last)

    async def keys(self, project: str) -> list[KeyRow]:
        return await (await self._client.project(project)).keys()

    async def create_key(self, project: str, name: str) -> CreatedKey:
        return await (await self._client.project(project)).create_key(name)

    async def revoke_key(self, project: str, key_id: str) -> None:
        await (await self._client.project(project)).revoke_key(key_id)

    async def secrets(self, project: str) -> list[SecretRow]:
        return await (await self._client.project(project)).secrets()

    async def set_secret(self, project: str, name: str, value: str) -> SecretRow:
        return await (await self._client.project(project)).set_secret(name, value)

    async def delete_secret(self, project: str, name: str) -> None:
        await (await self._client.project(project)).delete_secret(name)

    async def export(self, project: str, form: Format, *, ui: bool, executions: bool) -> bytes:
        return await (await self._client.project(project)).export(form, ui=ui, executions=executions)

    async def load(self, archive: bytes) -> tuple[ProjectRow, str, list[str]]:
        made = await self._client.import_project(archive)
        return made.row, made.api_key or "", made.warnings

    async def backups(self) -> list[BackupRow]:
        return await self._client.backups()

    async def make_backup(self) -> BackupRow:
        return await self._client.make_backup()

    async def restore(self, backup: str, project: str | None) -> Restored:
        if project is not None and not is_id(project):
            project = str((await self._client.project(project)).id)
        return await self._client.restore(backup, project)

    async def save_cassette(self, execution_id: str, *, tools: bool) -> str:
        return await (await self._client.execution(execution_id)).save_cassette(tools=tools)

    async def notebook(self, execution_id: str) -> bytes:
        return await (await self._client.execution(execution_id)).notebook()

    async def cassettes(self, project: str) -> list[CassetteRow]:
        return await (await self._client.project(project)).cassettes()

    async def download_cassette(self, project: str, cassette_id: str) -> bytes:
        return await (await self._client.project(project)).download_cassette(cassette_id)

    async def upload_cassette(self, project: str, data: bytes) -> CassetteRow:
        return await (await self._client.project(project)).upload_cassette(data)

    async def delete_cassette(self, project: str, cassette_id: str) -> None:
        await (await self._client.project(project)).delete_cassette(cassette_id)

    async def start(self, project: str, request: ExecuteRequest) -> Started:
        found = await self._client.project(project)
        return RemoteRun(
            await found.run(
                request.prompt,
                limits=request.limits,
                values=request.variables,
                replay=request.replay,
                continue_from=request.continue_from,
                step=request.step,
                attended=request.attended,
            )
        )

    async def resume(self, execution: str, request: ResumeRequest) -> Started:
        limits = request.limits.model_dump(exclude_none=True) if request.limits else None
        return RemoteRun(await (await self._client.execution(execution)).resume(limits))

    async def fork(self, execution: str, request: ForkRequest) -> Started:
        changed = request.tool_result
        forked = await (await self._client.execution(execution)).fork(
            request.from_event,
            prompt=request.prompt,
            variables=request.variables,
            model=request.model,
            tool_result=None if changed is None else (changed.call_id, changed.text),
        )
        return RemoteRun(forked)


class RemoteRun:
    def __init__(self, run: AsyncRun) -> None:
        self._run = run
        self.id = run.id

    def events(self) -> AsyncGenerator[Any, None]:
        return self._run.events()

    async def state(self) -> ExecutionState:
        return await self._run.wait()

    async def cancel(self) -> None:
        try:
            await self._run.cancel()
        except Conflict:
            return  # it has ended in the meantime

    async def decide(
        self, call_id: str, *, allow: bool, message: str = "", arguments: JsonObject | None = None
    ) -> None:
        if allow:
            await self._run.allow(call_id, input=arguments, message=message)
        else:
            await self._run.deny(call_id, message)

    async def files(self) -> list[FileRow]:
        return await self._run.files()

    async def read(self, path: str) -> bytes:
        return await self._run.download(path)
