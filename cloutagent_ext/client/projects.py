"""The async face of one project: run it, change it, its files, keys, secrets, versions and archives.

The handle holds an id and the last thing the server said; everything else is asked for.
Not here: finding projects (`handles`), executions (`runs`), the plain face (`sync`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from ..schema.admin import CreatedKey, FileRow, KeyRow, Scope, SecretRow
from ..schema.backtests import Backtest
from ..schema.cassettes import CassetteRow
from ..schema.execution import Accepted, Batch
from ..schema.mcps import McpTest
from ..schema.project import Definition, PartialLimits, Project, ProjectRow, Validation
from ..schema.versions import Version, VersionDiff, VersionRow
from . import display
from .answers import moment, pages, parse, rows
from .asking import Files, request_body
from .holding import HoldsTools
from .kernel_tools import Tool, Toolset
from .runs import AsyncRun, HasId, id_of, latest
from .tables import executions_frame
from .transport import Transport, file_path, segment

if TYPE_CHECKING:
    import pandas as pd

    from .design import Variants
    from .experiments import AsyncExperiment
    from .outcomes import Score

Form = Literal["zip", "tar.gz", "claude", "python"]

BACKTEST_S = 900.0
"""Longest that a backtest may take: it waits for others, runs 5 minutes, and ends its last hook."""


class AsyncProject(HoldsTools):
    """One project."""

    def __init__(
        self,
        transport: Transport,
        row: ProjectRow,
        *,
        api_key: str | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        self._transport = transport
        self._path = f"v1/projects/{segment(str(row.id))}"
        self._etag: str | None = None
        self.row = row
        """What the list said about it."""
        self.api_key = api_key
        """Text of its first key, on the handle that made the project; it cannot be asked for again."""
        self.warnings = list(warnings)
        """What an import could not take, a sentence each; on the handle that made the project."""
        self.tools = Toolset()
        """Functions of this notebook that executions begun from here may call."""

    @property
    def id(self) -> str:
        return str(self.row.id)

    @property
    def name(self) -> str:
        return self.row.name

    async def run(
        self,
        /,  # a variable of the project may have any name
        prompt: str | None = None,
        *,
        wait: bool = False,
        limits: PartialLimits | Mapping[str, Any] | None = None,
        files: Files | None = None,
        values: Mapping[str, Any] | None = None,
        version: int | str | None = None,
        model: str | None = None,
        replay: str | None = None,
        continue_from: HasId | str | None = None,
        step: bool = False,
        attended: bool | None = None,
        tools: Iterable[Tool] | None = None,
        batch: Batch | Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **variables: Any,
    ) -> AsyncRun:
        """Start an execution, and with `wait` stay until it has ended, or waits for a person.

        `prompt` stands in place of the project's task; `variables` are the project's, by name (`values`
        takes those whose name is also a parameter here), a DataFrame as its handle; `limits` lower the
        project's (`{"max_cost_usd": 0.2}`); `files` go into the workspace: names on the Jupyter server, or
        workspace name → such a name, a `Path` of this machine, or bytes. `version` and `model` stand in
        place of the project's; `replay` is a cassette that plays the model's part, at no cost and without a
        key; `continue_from` is a finished run whose conversation `prompt` goes on with. With `step` every
        tool call asks; `attended=False` says that nobody will answer one that asks. `tools`: which functions
        of this notebook it may call, by name or the functions themselves; without it all that `tool` has
        decorated. `batch` is a ceiling shared with others (`{"id": …, "max_cost_usd": …}`), `metadata`
        anything of yours. The same `idempotency_key` within a day gives the first execution again.
        Raises what the server refuses, before anything has started.
        """
        offered = self.tools.chosen(tools)
        body = await request_body(
            self._transport,
            self._path,
            files=files,
            batch=batch,
            variables=self.values.told({**(values or {}), **variables}),
            client_tools=offered.offer(),
            prompt=prompt or None,
            limits=limits or None,
            version=version,
            model=model,
            replay=replay,
            continue_from=continue_from if continue_from is None else id_of(continue_from),
            step=step,
            metadata=dict(metadata) if metadata else None,
        )
        if attended is not None:
            body["attended"] = attended
        answer = await self._transport.json(
            "POST",
            f"{self._path}/execute",
            body=body,
            # The server answers a repeated key with the first execution, so asking twice starts one.
            headers={"Idempotency-Key": idempotency_key or uuid4().hex},
            repeatable=True,
        )
        run = AsyncRun(self._transport, parse(Accepted, answer).execution_id, project_name=self.name)
        run._serve(offered)
        if wait:
            await run.wait()
        return run

    async def definition(self) -> Project:
        """The project as it is stored; change it and hand it to `save`."""
        answer = await self._transport.request("GET", self._path)
        self._etag = answer.headers.get("etag")
        return parse(Project, answer.json())

    async def save(self, definition: Definition, *, draft: bool = False) -> Project:
        """Store `definition`. Raises `PreconditionFailed` when it was changed elsewhere in between.

        `draft`: without making a version of it, as the panel does while somebody types.
        """
        answer = await self._transport.request(
            "PUT",
            self._path,
            params={"draft": "true"} if draft else None,
            body=definition.model_dump(mode="json"),
            headers={"If-Match": self._etag} if self._etag else None,
        )
        self._etag = answer.headers.get("etag")
        return parse(Project, answer.json())

    async def validate(self, *, connect: bool = False) -> Validation:
        """What would keep it from running, and what its first model call costs.

        Nothing is started, unless `connect` asks for its MCP servers to be tried. That raises
        `NotTrusted` where nobody has agreed to what would be started.
        """
        params = {"connect": "true"} if connect else None
        answer = await self._transport.json(
            "POST", f"{self._path}/validate", params=params, repeatable=not connect
        )
        return parse(Validation, answer)

    async def test_mcp(self, mcp: str) -> McpTest:
        """Connect to one of its MCP servers (by its id), list its tools, and let it go.

        Raises `BadGateway` with the server's own words, and `NotTrusted`.
        """
        return parse(McpTest, await self._transport.json("POST", f"{self._path}/mcps/{segment(mcp)}/test"))

    async def backtest(
        self, hook: str, *, last: int = 50, execution_ids: Sequence[str] | None = None
    ) -> Backtest:
        """What one of its hooks (by its id) would have done to its `last` executions, or to those named.

        Starts that hook, and nothing else. Raises `NotTrusted`, `NotFound`.
        """
        body = {"last": last} if execution_ids is None else {"execution_ids": list(execution_ids)}
        path = f"{self._path}/hooks/{segment(hook)}/backtest"
        return parse(Backtest, await self._transport.json("POST", path, body=body, silence_s=BACKTEST_S))

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

    async def delete_file(self, path: str) -> None:
        """Remove one of the project's own files. Raises `NotFound`."""
        await self._transport.request("DELETE", f"{self._path}/files/{file_path(path)}")

    async def export(self, form: Form = "zip", *, ui: bool = True, executions: bool = False) -> bytes:
        """The project as `zip`, `tar.gz`, `claude` for Claude Code, or `python`; never secrets or keys.

        `ui=False` leaves out where cards stand, `executions=True` adds the logs of its executions.
        """
        params = {"format": form, "ui": str(ui).lower(), "executions": str(executions).lower()}
        return (await self._transport.request("GET", f"{self._path}/export", params=params)).content

    async def duplicate(self) -> AsyncProject:
        """A new project like this one: definition and files. Its first key is in `.api_key`."""
        made = await self._transport.json("POST", f"{self._path}/duplicate")
        return AsyncProject(self._transport, row_of(parse(Project, made)), api_key=made["api_key"])

    async def keys(self) -> list[KeyRow]:
        """Its keys, without their secrets."""
        page = await self._transport.json("GET", f"{self._path}/keys")
        return [parse(KeyRow, item) for item in page["items"]]

    async def create_key(self, name: str, *, scopes: Sequence[Scope] | None = None) -> CreatedKey:
        """A new key; its text is in `.api_key` of what comes back, this once.

        `scopes`: what it may do; without it, read and execute.
        """
        body = {"name": name} if scopes is None else {"name": name, "scopes": list(scopes)}
        return parse(CreatedKey, await self._transport.json("POST", f"{self._path}/keys", body=body))

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
        return [row async for row in pages(self._transport, VersionRow, f"{self._path}/versions")]

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
        return await latest(self._transport, project=self.id, status=status, limit=limit)

    async def executions_df(
        self, *, status: str | None = None, since: datetime | str | None = None, limit: int = 1000
    ) -> pd.DataFrame:
        """Its latest executions as a DataFrame, newest first; columns: `tables.EXECUTIONS`. Needs pandas."""
        return executions_frame(
            await rows(
                self._transport, "v1/executions", limit, project=self.id, status=status, since=moment(since)
            )
        )

    def experiment(
        self,
        rows: Any,
        variants: Variants | None = None,
        *,
        repeats: int = 1,
        scores: Mapping[str, Score] | None = None,
        tools: Iterable[Tool] | None = None,
        max_cost_usd: float | None = None,
        id: str | None = None,
        at_once: int | None = None,
    ) -> AsyncExperiment:
        """Each row of `rows` (a DataFrame, or mappings) under each variant, `repeats` times: not yet begun.

        Columns named like the project's variables are their values; a variant's `prompt` and `variables`
        take any column as `{{column}}`. Variants also differ in `model`, `version`, `tools` and `limits`.
        `scores` are functions of `output`, `row`, `data` or `state` that give a truth value or a number.
        `tools`: functions of this notebook that each trial may call, as for `run`; a trial has its own
        handles, and what it made is in its `values`. `max_cost_usd` is one ceiling for all trials together.
        With the `id` of an earlier one it goes on with that. `at_once`: most trials on their way; without it
        what the project runs and ten that wait.
        """
        from .experiments import AsyncExperiment

        return AsyncExperiment(
            self._transport,
            self,
            rows,
            variants,
            repeats=repeats,
            scores=scores,
            tools=tools,
            max_cost_usd=max_cost_usd,
            id=id,
            at_once=at_once,
        )

    async def cassettes(self) -> list[CassetteRow]:
        """Recordings of its executions, newest first; `run(replay=row.id)` plays one."""
        page = await self._transport.json("GET", f"{self._path}/cassettes")
        return [parse(CassetteRow, item) for item in page["items"]]

    async def download_cassette(self, cassette_id: str) -> bytes:
        """One of them as a file, to keep or to give away."""
        return (await self._transport.request("GET", self._cassette(cassette_id))).content

    async def upload_cassette(self, data: bytes) -> CassetteRow:
        """Keep a recording made elsewhere. It decides which tools a replay calls: take it from friends."""
        headers = {"Content-Type": "application/gzip"}
        made = await self._transport.json("POST", f"{self._path}/cassettes", content=data, headers=headers)
        return parse(CassetteRow, made)

    async def delete_cassette(self, cassette_id: str) -> None:
        """Delete a recording. Raises `NotFound`."""
        await self._transport.request("DELETE", self._cassette(cassette_id))

    def _cassette(self, cassette_id: str) -> str:
        return f"{self._path}/cassettes/{segment(cassette_id)}"

    async def delete(self) -> None:
        """Delete it, files and executions included; the server keeps a backup."""
        await self._transport.request("DELETE", self._path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, id={self.id!r})"

    def _repr_html_(self) -> str:
        return display.project_html(self.row)


def row_of(project: Project) -> ProjectRow:
    """What a list would say about `project`."""
    return ProjectRow(
        id=project.id,
        name=project.name,
        description=project.description,
        version=project.version,
        updated_at=project.updated_at,
        trusted=project.trusted,
    )
