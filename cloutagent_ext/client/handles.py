"""The async face: a client and its projects.

Handles hold an id and the last thing the server said; everything else is asked for.
Not here: executions (`runs`), the plain face (`sync`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import PurePath
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ValidationError

from ..errors import Conflict, Forbidden, NotFound, Unauthorized, Unreachable
from ..schema.admin import CreatedKey, FileRow, KeyRow, SecretRow, TemplateRow
from ..schema.archives import BackupRow, Restored
from ..schema.base import invalid_request
from ..schema.execution import Accepted, ExecuteRequest, ExecutionState
from ..schema.project import Definition, PartialLimits, Project, ProjectCreate, ProjectRow, Validation
from ..schema.versions import Version, VersionDiff, VersionRow
from . import discovery, display
from .runs import AsyncRun
from .transport import TRIES, Transport, file_path, segment

M = TypeVar("M", bound=BaseModel)

Files = Mapping[str, str] | Iterable[str]
"""Files of the Jupyter server for the workspace: names, or workspace name → name on the server."""


def parse(model: type[M], data: Any) -> M:
    """`data` as `model`; fields of a newer server are let through unread."""
    return model.model_validate(data, extra="ignore")


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
        return [row async for row in self._pages(ProjectRow, "v1/projects", q=q)]

    async def project(self, name_or_id: str | None = None) -> AsyncProject:
        """The project of this name or id; without one, `connect`'s, or the only one there is.

        Raises `NotFound` (with the names there are) and `Conflict` when several have this name.
        """
        wanted = name_or_id or self._project
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

    async def create_project(self, name: str, *, template: str | None = None) -> AsyncProject:
        """A new project; its first key is in `.api_key` of what comes back, this once."""
        body = ProjectCreate(name=name, template=template).model_dump(exclude_none=True)
        made = await self._transport.json("POST", "v1/projects", body=body)
        return AsyncProject(self._transport, _row_of(parse(Project, made)), api_key=made["api_key"])

    async def export_project(
        self, project_id: str, form: str = "zip", *, ui: bool = True, executions: bool = False
    ) -> bytes:
        """The project as an archive: `zip`, `tar.gz`, or `claude` for Claude Code."""
        path = f"v1/projects/{segment(project_id)}/export"
        params = {"format": form, "ui": str(ui).lower(), "executions": str(executions).lower()}
        return (await self._transport.request("GET", path, params=params)).content

    async def import_project(self, archive: bytes) -> tuple[ProjectRow, str, list[str]]:
        """A new project from a zip or tar.gz: its row, its first key, and what could not be taken."""
        kind = "application/zip" if archive[:2] == b"PK" else "application/gzip"
        path, headers = "v1/projects/import", {"Content-Type": kind}
        made = await self._transport.json("POST", path, content=archive, headers=headers)
        return _row_of(parse(Project, made)), made["api_key"], made["warnings"]

    async def backups(self) -> list[BackupRow]:
        """All backups, newest first."""
        return [row async for row in self._pages(BackupRow, "v1/backups")]

    async def make_backup(self) -> BackupRow:
        """A backup of all projects, now."""
        return parse(BackupRow, await self._transport.json("POST", "v1/backups"))

    async def restore(self, backup: str, project_id: str | None = None) -> Restored:
        """Put one project, or all of the backup, back; what that replaces is kept."""
        path = f"v1/backups/{segment(backup)}/restore"
        return parse(Restored, await self._transport.json("POST", path, body={"project": project_id}))

    async def templates(self) -> list[TemplateRow]:
        """The starter projects."""
        return [row async for row in self._pages(TemplateRow, "v1/templates")]

    async def executions(
        self, *, project: str | None = None, status: str | None = None, limit: int = 20
    ) -> list[AsyncRun]:
        """The latest executions, newest first; `project` is an id."""
        path = "v1/executions"
        found = []
        async for state in self._pages(ExecutionState, path, project=project, status=status, limit=limit):
            found.append(AsyncRun(self._transport, state.execution_id, state))
            if len(found) == limit:
                break
        return found

    async def execution(self, execution_id: str) -> AsyncRun:
        """An execution started earlier, or elsewhere."""
        run = AsyncRun(self._transport, execution_id)
        await run.state()
        return run

    async def _pages(self, model: type[M], path: str, **params: Any) -> AsyncIterator[M]:
        cursor: str | None = None
        while True:
            page = await self._transport.json("GET", path, params={**params, "cursor": cursor})
            for item in page["items"]:
                yield parse(model, item)
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


class AsyncProject:
    """One project."""

    def __init__(self, transport: Transport, row: ProjectRow, *, api_key: str | None = None) -> None:
        self._transport = transport
        self._path = f"v1/projects/{segment(str(row.id))}"
        self._etag: str | None = None
        self.row = row
        """What the list said about it."""
        self.api_key = api_key
        """Text of its first key, on the handle that made the project; it cannot be asked for again."""

    @property
    def id(self) -> str:
        return str(self.row.id)

    @property
    def name(self) -> str:
        return self.row.name

    async def run(
        self,
        prompt: str | None = None,
        *,
        wait: bool = False,
        limits: PartialLimits | Mapping[str, Any] | None = None,
        files: Files | None = None,
        values: Mapping[str, Any] | None = None,
        **variables: Any,
    ) -> AsyncRun:
        """Start an execution, and with `wait` stay until it has ended.

        `prompt` stands in place of the project's task; `variables` are the project's, by name
        (`values` takes those whose name is also a parameter here); `limits` lower the project's
        (`{"max_cost_usd": 0.2}`); `files` are copied from the Jupyter server into the workspace.
        Raises what the server refuses, before anything has started.
        """
        asked = {
            "prompt": prompt,
            "variables": _texts({**(values or {}), **variables}),
            "limits": limits,
            "files": _input_files(files),
        }
        try:
            request = ExecuteRequest.model_validate({name: value for name, value in asked.items() if value})
        except ValidationError as error:
            raise invalid_request(error, "What was asked for") from error
        answer = await self._transport.json(
            "POST",
            f"{self._path}/execute",
            body=request.model_dump(exclude_unset=True, exclude_none=True),
            # The server answers a repeated key with the first execution, so asking twice starts one.
            headers={"Idempotency-Key": uuid4().hex},
            repeatable=True,
        )
        run = AsyncRun(self._transport, parse(Accepted, answer).execution_id, project_name=self.name)
        if wait:
            await run.wait()
        return run

    async def definition(self) -> Project:
        """The project as it is stored; change it and hand it to `save`."""
        answer = await self._transport.request("GET", self._path)
        self._etag = answer.headers.get("etag")
        return parse(Project, answer.json())

    async def save(self, definition: Definition) -> Project:
        """Store `definition`. Raises `PreconditionFailed` when it was changed elsewhere in between."""
        answer = await self._transport.request(
            "PUT",
            self._path,
            body=definition.model_dump(mode="json"),
            headers={"If-Match": self._etag} if self._etag else None,
        )
        self._etag = answer.headers.get("etag")
        return parse(Project, answer.json())

    async def validate(self) -> Validation:
        """What would keep it from running, and what its first model call costs; nothing is started."""
        return parse(
            Validation, await self._transport.json("POST", f"{self._path}/validate", repeatable=True)
        )

    async def files(self) -> list[FileRow]:
        """The project's own files."""
        page = await self._transport.json("GET", f"{self._path}/files")
        return [parse(FileRow, item) for item in page["items"]]

    async def read_file(self, path: str) -> bytes:
        """One of the project's own files."""
        return (await self._transport.request("GET", f"{self._path}/files/{file_path(path)}")).content

    async def write_file(self, path: str, data: bytes | str) -> FileRow:
        """Put `data` into a file of the project; text as UTF-8."""
        content = data.encode() if isinstance(data, str) else data
        target = f"{self._path}/files/{file_path(path)}"
        return parse(FileRow, await self._transport.json("PUT", target, content=content, repeatable=True))

    async def keys(self) -> list[KeyRow]:
        """Its keys, without their secrets."""
        page = await self._transport.json("GET", f"{self._path}/keys")
        return [parse(KeyRow, item) for item in page["items"]]

    async def create_key(self, name: str) -> CreatedKey:
        """A new key; its text is in `.api_key` of what comes back, this once."""
        return parse(
            CreatedKey, await self._transport.json("POST", f"{self._path}/keys", body={"name": name})
        )

    async def revoke_key(self, key_id: str) -> None:
        """From now on this key is refused."""
        await self._transport.request("DELETE", f"{self._path}/keys/{segment(key_id)}")

    async def secrets(self) -> list[SecretRow]:
        """Names and dates of its secrets; a value never comes out of a server."""
        page = await self._transport.json("GET", f"{self._path}/secrets")
        return [parse(SecretRow, item) for item in page["items"]]

    async def set_secret(self, name: str, value: str) -> SecretRow:
        """Keep `value` under `name`, replacing what was there."""
        body = {"name": name, "value": value}
        return parse(SecretRow, await self._transport.json("POST", f"{self._path}/secrets", body=body))

    async def delete_secret(self, name: str) -> None:
        """Forget a secret."""
        await self._transport.request("DELETE", f"{self._path}/secrets/{segment(name)}")

    async def versions(self) -> list[VersionRow]:
        """Its versions, newest first."""
        pages = AsyncClient(self._transport)._pages(VersionRow, f"{self._path}/versions")
        return [row async for row in pages]

    async def version(self, number: int | str) -> Version:
        """One version with its definition. Raises `NotFound`."""
        return parse(Version, await self._transport.json("GET", self._version(number)))

    async def make_version(self, label: str | None = None) -> VersionRow:
        """A version of what is saved, made now; one with a label is never pruned."""
        body = {} if label is None else {"label": label}
        return parse(VersionRow, await self._transport.json("POST", f"{self._path}/versions", body=body))

    async def restore(self, number: int | str) -> Project:
        """Make it what version `number` was, as a new version. Raises `Conflict` while executions run."""
        return await self._change("POST", f"{self._version(number)}/restore")

    async def publish(self, number: int | str) -> Project:
        """From now on calls with a key run version `number`."""
        return await self._change("POST", f"{self._version(number)}/publish")

    async def unpublish(self, number: int | str) -> Project:
        """Calls with a key run the newest version again; `number` is the published one."""
        return await self._change("DELETE", f"{self._version(number)}/publish")

    async def diff(self, before: int | str, after: int | str) -> VersionDiff:
        """What differs between two versions, per file and per field."""
        path = f"{self._version(before)}/diff/{segment(str(after))}"
        return parse(VersionDiff, await self._transport.json("GET", path))

    async def trust(self, hash: str) -> Project:
        """Agree to what `NotTrusted` showed: its `details["hash"]` stands for exactly that."""
        answer = await self._transport.json(
            "POST", f"{self._path}/trust", body={"hash": hash}, repeatable=True
        )
        return parse(Project, answer)

    def _version(self, number: int | str) -> str:
        return f"{self._path}/versions/{segment(str(number))}"

    async def _change(self, method: str, path: str) -> Project:
        answer = await self._transport.request(method, path)
        self._etag = answer.headers.get("etag")
        return parse(Project, answer.json())

    async def executions(self, *, status: str | None = None, limit: int = 20) -> list[AsyncRun]:
        """Its latest executions, newest first."""
        return await AsyncClient(self._transport).executions(project=self.id, status=status, limit=limit)

    async def delete(self) -> None:
        """Delete it, files and executions included; the server keeps a backup."""
        await self._transport.request("DELETE", self._path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, id={self.id!r})"

    def _repr_html_(self) -> str:
        return display.project_html(self.row)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _row_of(project: Project) -> ProjectRow:
    return ProjectRow(
        id=project.id,
        name=project.name,
        description=project.description,
        version=project.version,
        updated_at=project.updated_at,
        trusted=project.trusted,
    )


def _texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Variables as the contract takes them: text; numbers, truth values and paths are written out."""
    return {name: str(value) if isinstance(value, PurePath) else value for name, value in values.items()}


def _input_files(files: Files | None) -> list[dict[str, str]]:
    if files is None:
        return []
    pairs = files.items() if isinstance(files, Mapping) else [(PurePath(name).name, name) for name in files]
    return [{"path": target, "contents_path": source} for target, source in pairs]
