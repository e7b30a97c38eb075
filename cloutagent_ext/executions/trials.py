"""Tries a project's MCP servers on somebody's wish: connects, lists their tools, lets go.

Only what a person here has agreed to is started, in a folder of its own that is gone
afterwards, as everything that was started there is. Not here: servers of an execution
(`worker`), the dry check (`acceptance`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..engine import plan
from ..engine.ports import EndExecution
from ..engine.tools.isolation import Isolation
from ..engine.tools.mcp import McpServers
from ..engine.tools.mcp_process import Sandbox
from ..engine.tools.processes import end_all
from ..errors import BadGateway, Conflict, InvalidProject, NotFound, Unavailable
from ..schema.mcps import McpTest, McpToolRow
from ..schema.project import READ_ONLY_FIELDS, Definition, McpServer, Problem, Validation
from .acceptance import folders
from .servers import reaches
from .vault import Vault
from .workspace import Workspace

if TYPE_CHECKING:
    from ..engine.tools.mcp_connection import Connection
    from ..store.projects import ProjectStore

T = TypeVar("T")

AT_ONCE = 4
"""Tests that run at the same time; more wait."""


@dataclass(frozen=True)
class _Tried:
    """How it went with one server."""

    server: McpServer
    connection: Connection
    duration_ms: int


class Trials:
    """The tests of all projects of this process. `close` it: what still runs is ended."""

    def __init__(
        self, store: ProjectStore, vault: Vault, data_dir: Path, root_dir: Path | None, isolation: Isolation
    ) -> None:
        self._store = store
        self._vault = vault
        self._data_dir = data_dir
        self._root_dir = root_dir
        self._isolation = isolation
        self._places = asyncio.Semaphore(AT_ONCE)
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def test(self, project_id: str, server_id: str) -> McpTest:
        """What the server offers.

        Raises NotFound, Conflict (it is switched off, NOT_TRUSTED, SECRETS_LOCKED), InvalidProject,
        and BadGateway MCP_CONNECTION_FAILED with the server's own words.
        """
        stored = await self._store.read(project_id)
        definition = Definition.model_validate(stored.project.model_dump(exclude=set(READ_ONLY_FIELDS)))
        server = next((each for each in definition.mcps if each.id == server_id), None)
        if server is None:
            raise NotFound(f"This project has no MCP server {server_id!r}.")
        if not server.enabled:
            raise Conflict(
                f"{server.name} is switched off, and nobody has agreed to start it. Switch it on first."
            )
        await self._store.check_trust(project_id)
        problems = [each for each in await self._problems(project_id, definition) if each.severity == "error"]
        about_it = [each for each in problems if each.node == f"mcp:{server.id}"]
        if about_it:
            raise InvalidProject(
                f"{server.name} cannot be tested. {about_it[0].message}",
                problems=[each.model_dump(mode="json") for each in about_it],
            )
        (tried,) = await self._guarded(self._try(project_id, definition, [server]))
        connection = tried.connection
        if connection.lost is not None:
            raise BadGateway(
                f"{server.name} cannot be reached: {connection.lost}.",
                code="MCP_CONNECTION_FAILED",
                server=server.id,
                stderr=list(connection.said),
            )
        about = connection.about
        return McpTest(
            server=server.id,
            name=about.name,
            version=about.version,
            protocol_version=about.protocol_version,
            instructions=about.instructions,
            tools=[
                McpToolRow(
                    name=offer.name,
                    called=offer.called,
                    description=offer.description,
                    read_only=offer.read_only,
                    input_schema=offer.input_schema,
                )
                for offer in connection.listing.offers.values()
            ],
            left_out=list(connection.listing.left_out),
            stderr=list(connection.said),
            duration_ms=tried.duration_ms,
        )

    async def connected(self, project_id: str, definition: Definition, found: Validation) -> Validation:
        """`found`, with what trying each enabled server, side by side, has shown. Raises NotTrusted."""
        await self._store.check_trust(project_id)
        broken = {each.node for each in found.problems if each.severity == "error"}
        servers = [each for each in definition.mcps if each.enabled and f"mcp:{each.id}" not in broken]
        if not servers or {None, "agent"} & {p.node for p in found.problems if p.code in _LOCKED}:
            return found
        places = {each.id: index for index, each in enumerate(definition.mcps)}
        shown = list(found.problems)
        for tried in await self._guarded(self._try(project_id, definition, servers)):
            shown += _shown(tried, f"mcps.{places[tried.server.id]}")
        order = {"error": 0, "warning": 1, "info": 2}
        shown.sort(key=lambda problem: order[problem.severity])
        ok = not any(problem.severity == "error" for problem in shown)
        return found.model_copy(update={"problems": shown, "ok": ok})

    async def close(self) -> None:
        """End what runs; no test begins any more."""
        self._closed = True
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    # ------------------------------------------------------------ inside

    async def _problems(self, project_id: str, definition: Definition) -> list[Problem]:
        names = await self._vault.names(project_id, definition)
        return plan.validate(definition, secrets=names)

    async def _guarded(self, trial: Coroutine[Any, Any, T]) -> T:
        """In a task of ours: a caller that goes away, or the end of the server, leaves nothing running."""
        if self._closed:
            trial.close()
            raise Unavailable("The server is shutting down; try again when it is back.", code="SHUTTING_DOWN")
        task = asyncio.create_task(trial, name="test of MCP servers")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task})
            if self._closed:
                raise Unavailable("The server is shutting down.", code="SHUTTING_DOWN") from None
            raise

    async def _try(
        self, project_id: str, definition: Definition, servers: Sequence[McpServer]
    ) -> list[_Tried]:
        named = await asyncio.to_thread(folders, definition, self._root_dir)
        sandbox = Sandbox(self._isolation, named, definition.agent.network)
        async with self._places, self._room(project_id) as (trial_id, workspace):
            secrets = self._vault.of(project_id)
            # All its tools are shown: which of them are ticked is what the person decides.
            plain = [server.model_copy(update={"enabled_tools": None}) for server in servers]
            try:
                reached = await reaches(plain, secrets, workspace, trial_id)
            except EndExecution as error:
                raise Conflict(error.message) from None
            async with McpServers(reached, events=_Nobody(), mask=secrets.mask, sandbox=sandbox) as bound:
                began = time.monotonic()
                connections = await bound.connections(reached)

                async def tried(server: McpServer, connection: Connection) -> _Tried:
                    await connection.ready()
                    return _Tried(server, connection, round((time.monotonic() - began) * 1000))

                return await asyncio.gather(*map(tried, servers, connections))

    @contextlib.asynccontextmanager
    async def _room(self, project_id: str) -> AsyncIterator[tuple[str, Workspace]]:
        trial_id = f"test-{uuid.uuid4()}"
        workspace = Workspace(self._data_dir, trial_id)
        try:
            await workspace.prepare(lambda target: self._store.copy_files(project_id, target))
            yield trial_id, workspace
        finally:
            await asyncio.shield(asyncio.ensure_future(_cleared(trial_id, workspace)))


_LOCKED = frozenset({"SECRETS_LOCKED", "UNREADABLE_FILE"})


async def _cleared(trial_id: str, workspace: Workspace) -> None:
    await end_all(trial_id)
    await workspace.remove()


def _shown(tried: _Tried, path: str) -> list[Problem]:
    server, connection = tried.server, tried.connection
    node = f"mcp:{server.id}"
    if connection.lost is not None:
        goes_on = "" if server.essential else " An execution goes on without its tools."
        return [
            Problem(
                severity="error" if server.essential else "warning",
                code="MCP_CONNECTION_FAILED",
                node=node,
                path=path,
                message=f"{server.name} cannot be reached: {connection.lost}.{goes_on}",
            )
        ]
    offered = {offer.name for offer in connection.listing.offers.values()}
    return [
        Problem(
            severity="warning",
            code="UNKNOWN_MCP_TOOL",
            node=node,
            path=f"{path}.enabled_tools.{index}",
            message=f"{server.name} offers no tool called {name}: take it off the list.",
        )
        for index, name in enumerate(server.enabled_tools or [])
        if name not in offered
    ]


class _Nobody:
    """Events of a test: told to nobody, since its answer says it all."""

    async def emit(self, type: str, *, agent: str = "main", span: str = "main", **fields: Any) -> int:
        return 0
