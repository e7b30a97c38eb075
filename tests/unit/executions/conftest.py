"""A whole service on a fresh data folder: real store, real engine, the simulated model, no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cloutagent_ext.auth.principal import Principal
from cloutagent_ext.engine.ports import Clock, Confine, Kernel, ToolError
from cloutagent_ext.schema.execution import Accepted, ExecuteRequest, ExecutionState, Origin
from cloutagent_ext.schema.project import Agent, Definition
from cloutagent_ext.services import Services, build
from cloutagent_ext.settings import Settings
from tests.support.answered import unanswered
from tests.support.messages_api import MessagesApi

if TYPE_CHECKING:
    from .branching import World

USER = Principal(kind="user", name="ada")

Turn = dict[str, Any]


class NoKernels:
    """These executions need none."""

    async def start(self, *, cwd: Path, env: Mapping[str, str], confine: Confine | None = None) -> Kernel:
        raise ToolError("there are no kernels here")


def bash(command: str, name: str = "done") -> Turn:
    """A turn of the simulated model that runs `command`."""
    return {"text": "I run it.", "tools": [{"name": "bash", "as": name, "input": {"command": command}}]}


def agent(**fields: Any) -> Agent:
    return Agent(**{"task": "Do it.", "tools": ["bash"], "permissions": {"bash": "allow"}, **fields})


class Office:
    """One service, and the few words that the tests need."""

    def __init__(self, data_dir: Path, *, clock: Clock | None = None, **settings: Any) -> None:
        given = {"data_dir": data_dir, "simulated_pace": 0.0, "stop_grace_s": 0.0, **settings}
        # Commands here wait for files of the test, which a sandbox would hide from them.
        given.setdefault("isolation", "off")
        self.services: Services = build(
            Settings.from_environment({}, **given), kernels=NoKernels(), clock=clock
        )
        self.executions = self.services.executions

    async def project(self, *turns: Turn, files: Mapping[str, bytes] | None = None, **definition: Any) -> str:
        """A project whose agent plays `turns`."""
        whole = Definition(**{"name": "Sales", "agent": agent(), **definition})
        played = {"schema_version": 1, "agents": {"main": [*turns, {"text": "Done: {{result.done}}"}]}}
        scenario = {"scenario.json": json.dumps(played).encode()} if turns else {}
        stored = await self.services.store.create(whole, files={**scenario, **(files or {})})
        return str(stored.project.id)

    async def accept(
        self,
        project: str,
        *,
        principal: Principal = USER,
        key: str | None = None,
        origin: Origin = "panel",
        **request: Any,
    ) -> Accepted:
        return await self.executions.accept(
            project,
            ExecuteRequest(**request),
            principal=principal,
            origin=origin,
            idempotency_key=key,
        )

    async def run(self, project: str, **request: Any) -> ExecutionState:
        """Accept and wait for the end."""
        accepted = await self.accept(project, **request)
        async with asyncio.timeout(90):
            return await self.executions.wait(accepted.execution_id)

    async def events(self, execution_id: str) -> list[dict[str, Any]]:
        """Its log so far."""
        events, _ = await (await self.executions.log(execution_id)).page()
        return events

    async def until(self, execution_id: str, type: str, **fields: Any) -> dict[str, Any]:
        """The first event of this type (and fields), as soon as it is there."""
        log = await self.executions.log(execution_id)
        async with asyncio.timeout(90):
            async for line in log.cursor():
                event = json.loads(line)
                if event["type"] == type and fields.items() <= event.items():
                    return dict(event)
        raise AssertionError(f"{execution_id} ended without {type}")


Opens = Callable[..., Awaitable[Office]]


@pytest.fixture
async def open_office(tmp_path: Path) -> AsyncIterator[Opens]:
    """Opens a service on the test's data folder; all are stopped at the end."""
    offices: list[Office] = []

    async def open_(**settings: Any) -> Office:
        office = Office(tmp_path / "data", **settings)
        offices.append(office)
        await office.services.start()
        return office

    yield open_
    for office in offices:
        await office.services.stop(0)
    assert await asyncio.to_thread(unanswered, tmp_path / "data") == []


@pytest.fixture
async def office(open_office: Opens) -> Office:
    """One service with the default settings."""
    return await open_office()


@pytest.fixture
async def world(open_office: Opens, tmp_path: Path) -> AsyncIterator[World]:
    """A service with a scripted model, whose executions others begin from."""
    from .branching import World

    api = MessagesApi(lambda body, number: made.script(body, number))
    async with api:
        office = await open_office(base_url=api.url, api_key="test-key")
        made = World(office, api, tmp_path / "marks")
        yield made
