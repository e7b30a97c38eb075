"""The async face of a server: connect, find and make projects, look after backups.

Not here: what one project can do (`projects`), executions (`runs`), the plain face (`sync`).
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from ..errors import Conflict, Forbidden, NotFound, Unauthorized, Unreachable
from ..schema.admin import TemplateRow
from ..schema.archives import BackupRow, Restored
from ..schema.metrics import Metrics, Window
from ..schema.project import Project, ProjectCreate, ProjectRow
from . import discovery
from .answers import moment, pages, parse, rows
from .projects import AsyncProject, row_of
from .runs import AsyncRun, latest
from .tables import executions_frame
from .transport import TRIES, Transport, segment

if TYPE_CHECKING:
    import pandas as pd


class AsyncClient:
    """One server, as one caller sees it. Close it when done, or use it as a context manager."""

    def __init__(self, transport: Transport, *, project: str | None = None) -> None:
        self._transport = transport
        self._project = project

    @classmethod
    async def connect(
        cls,
        url: str | None = None,
        *,
        token: str | None = None,
        api_key: str | None = None,
        project: str | None = None,
        origin: str = "notebook",
    ) -> AsyncClient:
        """See `cloutagent_ext.connect`. `origin` is what the execution's state says about its caller."""
        if url is None:
            servers = await asyncio.to_thread(discovery.running)
        else:
            servers = [discovery.from_address(url, token)]
        asked: list[str] = []
        for server in servers:
            use = token if token is not None else server.token
            transport = await Transport.open(server.url, token=use, api_key=api_key, origin=origin)
            try:
                # A server that was looked up may be just going away: one try, then the next server.
                await transport.json("GET", "health", tries=TRIES if url is not None else 1)
            except (Unreachable, NotFound, Unauthorized, Forbidden) as refusal:
                await transport.close()
                if url is not None:
                    raise
                asked.append(refusal.message)
                continue
            except BaseException:
                await transport.close()
                raise
            return cls(transport, project=project)
        raise Unreachable(
            "No running Jupyter server with CloutAgent was found for this user. Start one with "
            "`jupyter lab`, or name it: connect('http://localhost:8888', token='…').",
            asked=asked,
        )

    async def close(self) -> None:
        """Let go of the connection; executions go on."""
        await self._transport.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._transport.url

    async def projects(self, q: str | None = None) -> list[ProjectRow]:
        """All projects, newest change first; `q` keeps those whose name or description contains it."""
        return [row async for row in pages(self._transport, ProjectRow, "v1/projects", q=q)]

    async def project(self, name_or_id: str | None = None) -> AsyncProject:
        """The project of this name or id; without one, `connect`'s, or the only one there is.

        Raises `NotFound` (with the names there are) and `Conflict` when several have this name.
        """
        wanted = str(name_or_id or self._project or "") or None
        rows = await self.projects()
        if wanted is None:
            matches, wanted = rows, "one"
        elif _is_id(wanted):
            matches = [row for row in rows if str(row.id) == wanted.lower()]
        else:
            matches = [row for row in rows if row.name == wanted]
        if len(matches) == 1:
            return AsyncProject(self._transport, matches[0])
        if not matches:
            known = ", ".join(f"“{row.name}”" for row in rows[:10]) or "none yet"
            raise NotFound(f"There is no project “{wanted}”. Projects here: {known}.")
        named = ", ".join(f"“{row.name}” ({row.id})" for row in matches[:10])
        raise Conflict(f"Several projects fit; name one by its id: {named}.")

    async def create_project(
        self, name: str, *, template: str | None = None, exist_ok: bool = False
    ) -> AsyncProject:
        """A new project; its first key is in `.api_key` of what comes back, this once.

        `exist_ok`: where there is one of this name, that one as it is; `Conflict` where several have it.
        """
        if exist_ok:
            try:
                return await self.project(name)
            except NotFound:
                pass
        body = ProjectCreate(name=name, template=template).model_dump(exclude_none=True)
        made = await self._transport.json("POST", "v1/projects", body=body)
        return AsyncProject(self._transport, row_of(parse(Project, made)), api_key=made["api_key"])

    async def import_project(self, archive: bytes | str | PathLike[str]) -> AsyncProject:
        """A new project from a zip or tar.gz (its bytes, or where it lies), ours or a Claude Code project.

        Its first key is in `.api_key`, what could not be taken in `.warnings`. It starts nothing
        until somebody trusts it.
        """
        if not isinstance(archive, bytes):
            archive = await asyncio.to_thread(Path(archive).read_bytes)
        kind = "application/zip" if archive[:2] == b"PK" else "application/gzip"
        path, headers = "v1/projects/import", {"Content-Type": kind}
        made = await self._transport.json("POST", path, content=archive, headers=headers)
        return AsyncProject(
            self._transport,
            row_of(parse(Project, made)),
            api_key=made["api_key"],
            warnings=made["warnings"],
        )

    async def backups(self) -> list[BackupRow]:
        """All backups, newest first."""
        return [row async for row in pages(self._transport, BackupRow, "v1/backups")]

    async def make_backup(self) -> BackupRow:
        """A backup of all projects, now."""
        return parse(BackupRow, await self._transport.json("POST", "v1/backups"))

    async def restore(self, backup: str, project_id: str | None = None) -> Restored:
        """Put one project, or all of the backup, back; what that replaces is kept."""
        path = f"v1/backups/{segment(backup)}/restore"
        return parse(Restored, await self._transport.json("POST", path, body={"project": project_id}))

    async def download_backup(self, backup: str) -> bytes:
        """A backup, as one zip: secrets in it are encrypted, of keys it has the hashes."""
        return (await self._transport.request("GET", f"v1/backups/{segment(backup)}")).content

    async def templates(self) -> list[TemplateRow]:
        """The starter projects."""
        return [row async for row in pages(self._transport, TemplateRow, "v1/templates")]

    async def executions(
        self, *, project: str | None = None, status: str | None = None, limit: int = 20
    ) -> list[AsyncRun]:
        """The latest executions, newest first; `project` is an id."""
        return await latest(self._transport, project=project, status=status, limit=limit)

    async def executions_df(
        self,
        *,
        project: str | None = None,
        status: str | None = None,
        since: datetime | str | None = None,
        limit: int = 1000,
    ) -> pd.DataFrame:
        """The latest executions as a DataFrame, newest first; columns in `tables.EXECUTIONS`. Needs pandas.

        `project` is an id, `since` a time at or after which they were made.
        """
        asked = {"project": project, "status": status, "since": moment(since)}
        return executions_frame(await rows(self._transport, "v1/executions", limit, **asked))

    async def metrics(
        self, window: Window = "24h", *, project: str | None = None, simulated: bool = False
    ) -> Metrics:
        """What the dashboard draws of a window: counts, money, tokens, times.

        `project` is an id. Executions that no model was paid for are counted with `simulated`, and only then.
        """
        params = {"window": window, "project": project, "simulated": "true" if simulated else None}
        return parse(Metrics, await self._transport.json("GET", "v1/metrics", params=params))

    async def execution(self, execution_id: str) -> AsyncRun:
        """An execution started earlier, or elsewhere."""
        run = AsyncRun(self._transport, execution_id)
        await run.state()
        return run

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
