"""Where a command does its work: at this user's running server, or in this process.

Both are the same few questions, so that commands do not know which one answers. Not
here: the answers (`remote`, `local`).
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

from ..schema.admin import CreatedKey, FileRow, KeyRow, SecretRow
from ..schema.archives import BackupRow, Restored
from ..schema.backtests import Backtest
from ..schema.base import JsonObject
from ..schema.cassettes import CassetteRow
from ..schema.execution import ExecuteRequest, ExecutionState, ForkRequest, Origin, ResumeRequest
from ..schema.project import Project, ProjectRow, Validation

Format = Literal["zip", "tar.gz", "claude", "python"]


class Started(Protocol):
    """An execution that was accepted."""

    id: str

    def events(self) -> AsyncGenerator[Any, None]:
        """Its events from the first, until it has ended."""
        ...

    async def state(self) -> ExecutionState:
        """Its final state; asked for after the last event."""
        ...

    async def cancel(self) -> None:
        """Stop it; nothing happens when it has ended already."""
        ...

    async def decide(
        self, call_id: str, *, allow: bool, message: str = "", arguments: JsonObject | None = None
    ) -> None:
        """Answer a tool call that asks. Raises NotFound, Conflict, InvalidRequest."""
        ...

    async def files(self) -> list[FileRow]:
        """What lies in its workspace."""
        ...

    async def read(self, path: str) -> bytes:
        """One of these files."""
        ...


class Desk(Protocol):
    """All that commands ask for. `project` is a name or an id."""

    where: str
    """For people: `http://…`, or the data folder."""

    async def projects(self) -> list[ProjectRow]: ...

    async def definition(self, project: str) -> Project:
        """The project as it is saved."""
        ...

    async def create(self, name: str, template: str | None) -> tuple[ProjectRow, str]:
        """The new project and the text of its first key."""
        ...

    async def validate(self, project: str, *, connect: bool) -> Validation:
        """The dry check; with `connect` its MCP servers are started and asked for their tools."""
        ...

    async def backtest(self, project: str, hook: str, last: int) -> Backtest:
        """What a hook would have done to the project's last executions."""
        ...

    async def keys(self, project: str) -> list[KeyRow]: ...

    async def create_key(self, project: str, name: str) -> CreatedKey: ...

    async def revoke_key(self, project: str, key_id: str) -> None: ...

    async def secrets(self, project: str) -> list[SecretRow]: ...

    async def set_secret(self, project: str, name: str, value: str) -> SecretRow: ...

    async def delete_secret(self, project: str, name: str) -> None: ...

    async def export(self, project: str, form: Format, *, ui: bool, executions: bool) -> bytes:
        """The project as an archive."""
        ...

    async def load(self, archive: bytes) -> tuple[ProjectRow, str, list[str]]:
        """The new project, the text of its first key, and what could not be taken."""
        ...

    async def backups(self) -> list[BackupRow]: ...

    async def make_backup(self) -> BackupRow: ...

    async def restore(self, backup: str, project: str | None) -> Restored:
        """Put back `project`, else all; a deleted one is named by its id."""
        ...

    async def save_cassette(self, execution_id: str, *, tools: bool) -> str:
        """Id of the new cassette."""
        ...

    async def notebook(self, execution_id: str) -> bytes:
        """The execution as an `.ipynb`."""
        ...

    async def cassettes(self, project: str) -> list[CassetteRow]: ...

    async def download_cassette(self, project: str, cassette_id: str) -> bytes: ...

    async def upload_cassette(self, project: str, data: bytes) -> CassetteRow: ...

    async def delete_cassette(self, project: str, cassette_id: str) -> None: ...

    async def start(self, project: str, request: ExecuteRequest) -> Started: ...

    async def resume(self, execution: str, request: ResumeRequest) -> Started:
        """The execution that goes on: itself, or a new one."""
        ...

    async def fork(self, execution: str, request: ForkRequest) -> Started: ...


def is_id(text: str) -> bool:
    """Whether `text` is a project's id rather than its name."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def options() -> argparse.ArgumentParser:
    """The options that choose the desk, for every command."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    where = parser.add_argument_group("where")
    where.add_argument(
        "--url",
        help="address of a Jupyter server, as Jupyter prints it, token included (default: your running one)",
    )
    where.add_argument("--token", help="Jupyter's token for --url")
    where.add_argument(
        "--in-process",
        action="store_true",
        default=argparse.SUPPRESS,
        help="use no server: work here, on the same data folder",
    )
    where.add_argument(
        "--data-dir", type=Path, help="data folder; implies --in-process (default: as for the server)"
    )
    return parser


def open_desk(
    arguments: argparse.Namespace, *, executes: bool = False, origin: Origin = "cli"
) -> AbstractAsyncContextManager[Desk]:
    """The desk that the options choose; `executes` when executions are to run in this process.

    `origin`: what the state of its executions says about who started them.
    """
    from . import local, remote

    def here() -> AbstractAsyncContextManager[Desk]:
        return local.open_desk(arguments.data_dir, executes=executes, origin=origin)

    if arguments.in_process or arguments.data_dir:
        return here()
    if arguments.url:
        return remote.open_desk(arguments.url, arguments.token, origin=origin)
    return remote.open_desk(None, arguments.token, otherwise=here, origin=origin)
