"""Commands in this process, without a server, on the same data folder under the same locks.

A server that starts meanwhile sees these executions in their logs; one that runs
already is left alone. Kernels belong to this process and end with it.
"""

from __future__ import annotations

import asyncio
import getpass
import io
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CloutError, Conflict
from ..schema.admin import CreatedKey, FileRow, KeyRow, Rotation, SecretRow
from ..schema.archives import BackupRow, Restored
from ..schema.backtests import Backtest, BacktestRequest
from ..schema.base import JsonObject
from ..schema.cassettes import CassetteRow
from ..schema.events import EVENT
from ..schema.execution import ExecuteRequest, ExecutionState, ForkRequest, Origin, ResumeRequest
from ..schema.project import Definition, Project, ProjectRow, Validation
from .desk import Desk, Format, Started, is_id

if TYPE_CHECKING:
    from ..auth.principal import Principal
    from ..services import Services

FIRST_KEY = "First key"


@asynccontextmanager
async def open_desk(data_dir: Path | None, *, executes: bool, origin: Origin = "cli") -> AsyncIterator[Desk]:
    """A desk of this process; its executions are ended with it."""
    async with open_local(data_dir, executes=executes, origin=origin) as desk:
        yield desk


@asynccontextmanager
async def open_local(
    data_dir: Path | None, *, executes: bool = False, origin: Origin = "cli"
) -> AsyncIterator[LocalDesk]:
    """The same, with what only a data folder can be asked."""
    from ..jupyter.kernels import LocalKernels
    from ..services import build
    from ..settings import Settings

    # The simulated model speaks at a reading pace; where nobody reads along it need not.
    pace = None if sys.stderr.isatty() else 0.0
    settings = Settings.from_environment(
        os.environ, data_dir=data_dir, root_dir=Path.cwd(), simulated_pace=pace
    )
    services = await asyncio.to_thread(build, settings, kernels=LocalKernels())
    if not executes:
        await services.store.open()
        services.telemetry.start(export=False)
        try:
            yield LocalDesk(services, origin)
        finally:
            await services.telemetry.stop()
        return
    # What a dead server left unfinished is the next server's business, not a single command's.
    await services.start(recover=False)
    try:
        yield LocalDesk(services, origin)
    finally:
        await services.stop()


class LocalDesk:
    def __init__(self, services: Services, origin: Origin = "cli") -> None:
        self._services = services
        self._origin = origin
        self.where = str(services.settings.data_dir)

    @contextmanager
    def _audited(self, action: str, **what: Any) -> Iterator[dict[str, Any]]:
        """An audit line for what is done inside, as a server writes one; what comes out may be added to."""
        outcome = "INTERNAL"
        try:
            yield what
            outcome = "ok"
        except CloutError as error:
            outcome = error.error_code
            raise
        finally:
            who = {"kind": "cli", "name": user()}
            audit = self._services.telemetry.audit
            audit.tell(action, who=who, address="local", outcome=outcome, **what)

    async def projects(self) -> list[ProjectRow]:
        rows: list[ProjectRow] = []
        cursor: str | None = None
        while True:
            page = await self._services.store.list(cursor=cursor)
            rows += page.items
            cursor = page.next_cursor
            if cursor is None:
                return rows

    async def definition(self, project: str) -> Project:
        return (await self._services.store.read(await self._services.store.resolve(project))).project

    async def create(self, name: str, template: str | None) -> tuple[ProjectRow, str]:
        definition, files = Definition(name=name), dict[str, bytes]()
        if template is not None:
            definition, files = await self._services.templates.load(template)
            definition = definition.model_copy(update={"name": name})
        stored = await self._services.store.create(definition, files=files)
        key = await self._services.keys.create(str(stored.project.id), FIRST_KEY)
        known = stored.project.model_dump(include=set(ProjectRow.model_fields) - {"unreadable"})
        return ProjectRow(**known), key.api_key

    async def validate(self, project: str, *, connect: bool) -> Validation:
        project_id = await self._services.store.resolve(project)
        stored = await self._services.store.read(project_id)
        known = set(Definition.model_fields)
        definition = Definition.model_validate(stored.project.model_dump(include=known))
        found = await self._services.executions.validate(definition, project_id)
        if connect:
            try:
                found = await (await self._services.trials.get()).connected(project_id, definition, found)
            finally:
                await (await self._services.trials.get()).close()
        return found

    async def backtest(self, project: str, hook: str, last: int) -> Backtest:
        project_id = await self._services.store.resolve(project)
        return await (await self._services.backtests.get()).run(project_id, hook, BacktestRequest(last=last))

    async def keys(self, project: str) -> list[KeyRow]:
        return list(await self._services.keys.list(await self._services.store.resolve(project)))

    async def create_key(self, project: str, name: str) -> CreatedKey:
        project_id = await self._services.store.resolve(project)
        with self._audited("key.create", project_id=project_id) as told:
            created = await self._services.keys.create(project_id, name)
            told |= {"key_id": created.id, "key_name": created.name}
        return created

    async def revoke_key(self, project: str, key_id: str) -> None:
        project_id = await self._services.store.resolve(project)
        with self._audited("key.revoke", project_id=project_id, key_id=key_id):
            await self._services.keys.revoke(project_id, key_id)

    async def secrets(self, project: str) -> list[SecretRow]:
        return list(await self._services.secrets.list(await self._services.store.resolve(project)))

    async def set_secret(self, project: str, name: str, value: str) -> SecretRow:
        project_id = await self._services.store.resolve(project)
        with self._audited("secret.set", project_id=project_id, name=name):
            return (await self._services.secrets.set(project_id, name, value))[0]

    async def delete_secret(self, project: str, name: str) -> None:
        project_id = await self._services.store.resolve(project)
        with self._audited("secret.delete", project_id=project_id, name=name):
            await self._services.secrets.delete(project_id, name)

    async def rotate_secrets(self, *, new_key: bool) -> Rotation:
        """Of all projects; only here, since no server does this for others."""
        with self._audited("secrets.rotate", new_key=new_key):
            return await self._services.secrets.rotate(new_key=new_key)

    async def export(self, project: str, form: Format, *, ui: bool, executions: bool) -> bytes:
        project_id = await self._services.store.resolve(project)
        if form == "python":
            from ..executions import programs

            return (await programs.of(self._services.store, self._services.models, project_id))[1]
        sink = io.BytesIO()
        await self._services.store.archives.export(project_id, sink, form, ui=ui, executions=executions)
        return sink.getvalue()

    async def load(self, archive: bytes) -> tuple[ProjectRow, str, list[str]]:
        project_id, warnings = await self._services.store.archives.load(io.BytesIO(archive), len(archive))
        key = await self._services.keys.create(project_id, FIRST_KEY)
        project = (await self._services.store.read(project_id)).project
        known = project.model_dump(include=set(ProjectRow.model_fields) - {"unreadable"})
        return ProjectRow(**known), key.api_key, warnings

    async def backups(self) -> list[BackupRow]:
        return await self._services.backups.rows()

    async def make_backup(self) -> BackupRow:
        return await self._services.backups.make()

    async def restore(self, backup: str, project: str | None) -> Restored:
        if project is not None and not is_id(project):
            project = await self._services.store.resolve(project)
        busy = self._services.executions.busy
        with self._audited("backup.restore", name=backup, project_id=project or "all"):
            return await self._services.backups.restore(backup, project_id=project, busy=busy)

    async def save_cassette(self, execution_id: str, *, tools: bool) -> str:
        return await self._services.executions.results.record(execution_id, tools=tools)

    async def notebook(self, execution_id: str) -> bytes:
        return await self._services.executions.results.notebook(execution_id)

    async def cassettes(self, project: str) -> list[CassetteRow]:
        return await self._services.executions.cassettes.rows(await self._services.store.resolve(project))

    async def download_cassette(self, project: str, cassette_id: str) -> bytes:
        project_id = await self._services.store.resolve(project)
        return await self._services.executions.cassettes.read(project_id, cassette_id)

    async def upload_cassette(self, project: str, data: bytes) -> CassetteRow:
        project_id = await self._services.store.resolve(project)
        return await self._services.executions.cassettes.take(project_id, data)

    async def delete_cassette(self, project: str, cassette_id: str) -> None:
        project_id = await self._services.store.resolve(project)
        await self._services.executions.cassettes.delete(project_id, cassette_id)

    async def start(self, project: str, request: ExecuteRequest) -> Started:
        project_id = await self._services.store.resolve(project)
        accepted = await self._services.executions.accept(
            project_id, request, principal=_caller(), origin=self._origin
        )
        return LocalRun(self._services, accepted.execution_id)

    async def resume(self, execution: str, request: ResumeRequest) -> Started:
        begun = await self._services.executions.resume(execution, request, principal=_caller())
        return LocalRun(self._services, begun.execution_id)

    async def fork(self, execution: str, request: ForkRequest) -> Started:
        begun = await self._services.executions.fork(execution, request, principal=_caller())
        return LocalRun(self._services, begun.execution_id)


def user() -> str:
    """Who calls, for logs: the login name, else the number, as in a container that has no names."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter from Python 3.13 on
        return f"uid {os.getuid()}"


def _caller() -> Principal:
    from ..auth.principal import Principal

    return Principal(kind="user", name=user())


class LocalRun:
    def __init__(self, services: Services, execution_id: str) -> None:
        self._executions = services.executions
        self.id = execution_id

    async def events(self) -> AsyncGenerator[Any, None]:
        log = await self._executions.log(self.id)
        async with aclosing(log.cursor()) as lines:
            async for line in lines:
                yield EVENT.validate_json(line)

    async def state(self) -> ExecutionState:
        return await self._executions.wait(self.id)

    async def cancel(self) -> None:
        try:
            await self._executions.cancel(self.id, by=user())
        except Conflict:
            return  # it has ended in the meantime

    async def decide(
        self, call_id: str, *, allow: bool, message: str = "", arguments: JsonObject | None = None
    ) -> None:
        from ..engine.ports import Decision

        decision = Decision(allow, user(), message, arguments)
        await self._executions.decide(self.id, call_id, decision)

    async def files(self) -> list[FileRow]:
        return list(await self._executions.results.files(self.id))

    async def read(self, path: str) -> bytes:
        return await asyncio.to_thread((await self._executions.results.file(self.id, path)).read_bytes)
