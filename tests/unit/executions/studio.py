"""Records executions with a model and tells what they did, so that a replay can be compared with them."""

from __future__ import annotations

from collections import deque
from itertools import groupby
from typing import Any

from cloutagent_ext.schema.execution import ExecutionState
from cloutagent_ext.schema.project import Definition
from tests.support.messages_api import Json, MessagesApi, Scripted

from .conftest import Office, Opens, agent

KEY = "key-" + "k" * 40


class Studio:
    """Records with a model, replays in a service that has neither key nor address of one."""

    def __init__(self, opens: Opens, api: MessagesApi) -> None:
        self._opens = opens
        self.api = api

    async def record(
        self,
        definition: Definition,
        script: list[Scripted] | Any,
        *,
        tools: bool = False,
        files: dict[str, bytes] | None = None,
        secrets: dict[str, str] | None = None,
        prompt: str | None = None,
        status: str = "completed",
    ) -> tuple[str, ExecutionState, list[Json], str]:
        """Project, final state, events and cassette of one run."""
        self.api._script = script if callable(script) else deque(script)
        office = await self._opens(api_key=KEY, base_url=self.api.url)
        stored = await office.services.store.create(definition, files=files or {})
        project = str(stored.project.id)
        for name, value in (secrets or {}).items():
            await office.services.secrets.set(project, name, value)
        state = await office.run(project, **({"prompt": prompt} if prompt else {}))
        assert state.status == status, state.error
        events = await office.events(state.execution_id)
        cassette = await office.executions.results.record(state.execution_id, tools=tools)
        await office.services.stop(0)
        return project, state, events, cassette

    async def player(self) -> Office:
        return await self._opens(api_key=None, base_url=None)


def project(**fields: Any) -> Definition:
    return Definition(name="Recorded", **{"agent": agent(), **fields})


_OWN = ("id", "ts", "execution_id", "duration_ms", "total_cost_usd", "turn_cost_usd", "percent_of_limit")


_NOTES = ("REPLAYED", "NOT_ISOLATED", "SIMULATED")
"""Warnings about what plays and what runs, not about what is told."""


def told(events: list[Json]) -> dict[str, list[Json]]:
    """What each agent did, in order; pieces of text put together, times, prices and marks left out."""
    agents: dict[str, list[Json]] = {}
    for event in events:
        kind = event["type"]
        if kind in ("queued", "start", "complete", "error") or event.get("code") in _NOTES:
            continue
        own = (*_OWN, "usage") if kind == "cost_update" else _OWN  # the sum of agents that run side by side
        known = {name: value for name, value in event.items() if name not in own}
        mine = agents.setdefault(event["agent"], [])
        if kind in ("text", "thinking") and mine and mine[-1]["type"] == kind and not mine[-1]["final"]:
            mine[-1] |= {"content": mine[-1]["content"] + event["content"], "final": event["final"]}
        else:
            mine.append(known)
    return {agent: _settled(mine) for agent, mine in agents.items()}


def _settled(events: list[Json]) -> list[Json]:
    """Results of one turn come as the tools end: those beside each other in the order of their ids."""
    found: list[Json] = []
    for kind, group in groupby(events, key=lambda event: event["type"]):
        beside = list(group)
        found += sorted(beside, key=lambda event: event["call_id"]) if kind == "tool_result" else beside
    return found
