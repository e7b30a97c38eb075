"""Somebody who calls the server under test: as a Jupyter user, with a key, or as nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

DEADLINE_S = 90.0


@dataclass
class Frame:
    """One frame of an event stream."""

    id: int | None
    data: dict[str, Any]


@dataclass
class Caller:
    http: httpx2.AsyncClient
    app: Any
    """The `ServerApp`."""
    projects: list[dict[str, Any]] = field(default_factory=list)

    @property
    def extension(self) -> Any:
        return next(iter(self.app.extension_manager.extension_apps["cloutagent_ext"]))

    @property
    def user_headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.app.identity_provider.token}"}

    async def call(
        self, method: str, path: str, *, key: str | None = None, nobody: bool = False, **options: Any
    ) -> httpx2.Response:
        """`path` below `cloutagent/api/v1/`, or `/…` below the base URL."""
        headers = dict(options.pop("headers", None) or {})
        if key is not None:
            headers["X-API-Key"] = key
        elif not nobody:
            headers = self.user_headers | headers
        return await self.http.request(method, self.path(path), headers=headers, **options)

    def path(self, path: str) -> str:
        return path.removeprefix("/") if path.startswith("/") else f"cloutagent/api/v1/{path}"

    async def get(self, path: str, **options: Any) -> Any:
        """JSON of a GET that must succeed."""
        response = await self.call("GET", path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    async def create(self, name: str = "A project", **changes: Any) -> dict[str, Any]:
        """A project that the simulated model plays without a scenario; its definition with `api_key`."""
        response = await self.call("POST", "projects", json={"name": name})
        assert response.status_code == 201, response.text
        created = response.json()
        if changes:
            key = created.pop("api_key")
            response = await self.call("PUT", f"projects/{created['id']}", json=merge(created, changes))
            assert response.status_code == 200, response.text
            created = response.json() | {"api_key": key}
        self.projects.append(created)
        return created

    async def script(self, project_id: str, *turns: dict[str, Any], **agents: list[dict[str, Any]]) -> None:
        """What the simulated model plays in this project; a version, so that calls with a key play it too."""
        scenario = {"schema_version": 1, "agents": {"main": list(turns), **agents}}
        response = await self.call(
            "PUT", f"projects/{project_id}/files/scenario.json", content=json.dumps(scenario).encode()
        )
        assert response.status_code == 200, response.text
        definition = await self.get(f"projects/{project_id}")
        response = await self.call("PUT", f"projects/{project_id}", json=definition)
        assert response.status_code == 200, response.text

    async def execute(self, project_id: str, *, key: str | None = None, **body: Any) -> str:
        """Id of an accepted execution."""
        request = {"prompt": "Go."} | body
        response = await self.call("POST", f"projects/{project_id}/execute", json=request, key=key)
        assert response.status_code == 202, response.text
        return str(response.json()["execution_id"])

    async def ended(self, execution_id: str) -> dict[str, Any]:
        """Its final state."""
        async with asyncio.timeout(DEADLINE_S):
            await self.extension.services.executions.wait(execution_id)
        return dict(await self.get(f"executions/{execution_id}"))

    @asynccontextmanager
    async def stream(
        self, path: str, *, method: str = "GET", key: str | None = None, **options: Any
    ) -> AsyncIterator[tuple[httpx2.Response, AsyncIterator[Frame]]]:
        headers = dict(options.pop("headers", None) or {})
        headers |= {"X-API-Key": key} if key is not None else self.user_headers
        async with self.http.stream(method, self.path(path), headers=headers, **options) as response:
            yield response, frames(response)

    async def events(self, execution_id: str, **options: Any) -> list[dict[str, Any]]:
        """All events that a stream gives until the server ends it."""
        async with asyncio.timeout(DEADLINE_S):
            async with self.stream(f"executions/{execution_id}/stream", **options) as (response, found):
                assert response.status_code == 200, response.status_code
                return [frame.data async for frame in found]


async def frames(response: httpx2.Response) -> AsyncIterator[Frame]:
    """The frames of a stream by the letter of the standard, comments and `retry` left out."""
    id_: int | None = None
    data: list[str] = []
    async for line in response.aiter_lines():
        if line.startswith("id:"):
            id_ = int(line[3:].strip())
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield Frame(id_, json.loads("\n".join(data)))
            data = []


def merge(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`value` with `changes` laid over it, objects by objects."""
    merged = dict(value)
    for name, change in changes.items():
        old = merged.get(name)
        merged[name] = merge(old, change) if isinstance(old, dict) and isinstance(change, dict) else change
    return merged


def code(response: httpx2.Response) -> str:
    """The code of an error answer, its envelope checked on the way."""
    body = response.json()
    assert set(body) == {"error"}, body
    error = body["error"]
    assert set(error) == {"code", "message", "details"}, error
    assert error["message"], "an error must say what is wrong"
    assert error["details"]["request_id"] == response.headers["X-Request-Id"]
    assert response.headers["Content-Type"].startswith("application/json")
    return str(error["code"])
