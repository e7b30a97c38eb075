"""Ports for the engine's tests: everything real where it is ours, and recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cloutagent_ext.engine import loop
from cloutagent_ext.engine.job import Job, Outcome
from cloutagent_ext.engine.kept import KeptFiles
from cloutagent_ext.engine.models import ClientModels
from cloutagent_ext.engine.models.anthropic import connect
from cloutagent_ext.engine.models.prices import ListPrices
from cloutagent_ext.engine.past import Past
from cloutagent_ext.engine.ports import (
    Decision,
    EndExecution,
    HookActions,
    Models,
    Ports,
    Question,
    Servers,
    ToolError,
)
from cloutagent_ext.schema.events import EVENT, TextPart
from cloutagent_ext.schema.project import Definition

MODEL = "claude-opus-5-5"


class Log:
    """The `Events` port: every event is checked against the contract when it comes."""

    def __init__(self, order: list[tuple[str, dict[str, Any]]] | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.order = [] if order is None else order
        """Everything that was written, journal included, in the order it was."""
        self._changed = asyncio.Event()

    async def emit(self, type: str, *, agent: str = "main", span: str = "main", **fields: Any) -> int:
        number = len(self.events) + 1
        event = {"id": number, "type": type, "ts": "2026-11-22T08:00:00.000Z", "agent": agent, "span": span}
        event |= fields
        EVENT.validate_json(json.dumps(event, allow_nan=False).encode())
        json.dumps(event, ensure_ascii=False).encode()
        self.events.append(event)
        self.order.append(("event", json.loads(json.dumps(event))))
        self._changed.set()
        return number

    def of(self, type: str, **where: Any) -> list[dict[str, Any]]:
        return [
            event
            for event in self.events
            if event["type"] == type and all(event.get(name) == value for name, value in where.items())
        ]

    def warnings(self) -> list[str]:
        return [event["code"] for event in self.of("warning")]

    def said(self, kind: str = "text", **where: Any) -> str:
        return "".join(event["content"] for event in self.of(kind, **where))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait (at most 10 s) until `condition` holds; looked at after each event."""
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Journal:
    def __init__(self, order: list[tuple[str, dict[str, Any]]] | None = None) -> None:
        self.records: list[dict[str, Any]] = []
        self._order = [] if order is None else order

    async def record(self, kind: str, *, sync: bool = False, **fields: Any) -> None:
        self.records.append(json.loads(json.dumps({"kind": kind, "sync": sync, **fields})))
        self._order.append(("journal", self.records[-1]))

    def kinds(self) -> list[str]:
        return [record["kind"] for record in self.records]


class Clock:
    """Real time plus all that was slept: sleeping takes none."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class Approvals:
    def __init__(self, decision: Decision | None = None) -> None:
        self.asked: list[str] = []
        self.questions: list[Question] = []
        self.rests = 0
        self.decision = decision or Decision(allow=False, by="policy", message="Nobody can answer here.")

    async def decide(self, question: Question) -> Decision:
        self.asked.append(question.tool)
        self.questions.append(question)
        return self.decision

    def rest(self) -> None:
        self.rests += 1


class Nothing:
    async def get(self, name: str) -> str:
        raise EndExecution("TOOL_ERROR", f"no secret {name}")

    async def start(self, **_: Any) -> Any:
        raise ToolError("no kernel here")


class Echo:
    """A small tool: gives back `text`, or does what `action` does."""

    touches = "nothing"
    source = "builtin"
    default_permission = "allow"

    def __init__(
        self,
        name: str = "echo",
        action: Callable[..., Any] | None = None,
        *,
        lock: str | None = None,
        read_only: bool = True,
        default: str = "allow",
    ) -> None:
        self.name = name
        self.description = f"The tool {name}."
        self.input_schema = {
            "type": "object",
            "properties": {"text": {"type": "string"}, "command": {"type": "string"}},
            "additionalProperties": False,
        }
        self.read_only = read_only
        self.default_permission = default  # type: ignore[assignment]
        self.calls: list[dict[str, Any]] = []
        self.contexts: list[Any] = []
        self._action = action
        self._lock = lock

    def lock(self, arguments: Any) -> str | None:
        return self._lock

    async def run(self, arguments: Any, context: Any) -> Any:
        self.calls.append(arguments)
        self.contexts.append(context)
        if self._action is None:
            return [TextPart(text=arguments.get("text", "done"))]
        result = self._action(arguments, context)
        result = await result if asyncio.iscoroutine(result) else result
        return [TextPart(text=result)] if isinstance(result, str) else result


class Bench:
    """One execution's ports and what they recorded."""

    def __init__(self, models: Models, workspace: Path) -> None:
        self.order: list[tuple[str, dict[str, Any]]] = []
        self.log = Log(self.order)
        self.journal = Journal(self.order)
        self.clock = Clock()
        self.approvals = Approvals()
        self.prices = ListPrices()
        self.models = models
        self.workspace = workspace
        self.hooks: HookActions | None = None
        self.servers: Servers | None = None
        self.facts: Any = None

    def kept(self, model: str, past: Past | None) -> KeptFiles | None:
        """As the worker binds it; `forget` is the test's."""
        service = self.models.files(model)
        known = past.kept_files if past is not None else {}
        self.keeps = None if service is None else KeptFiles(service, self.journal, self.clock, known)
        return self.keeps

    async def run(
        self,
        definition: dict[str, Any] | Definition | None = None,
        *,
        tools: list[Any] | None = None,
        prompt: str = "Do it.",
        variables: Mapping[str, str] | None = None,
        past: Past | None = None,
        **job: Any,
    ) -> Outcome:
        if not isinstance(definition, Definition):
            definition = define(**(definition or {}))
        await self.prices.load()
        ports = Ports(
            models=self.models,
            prices=self.prices,
            events=self.log,
            journal=self.journal,
            approvals=self.approvals,
            kernels=Nothing(),  # type: ignore[arg-type]
            secrets=Nothing(),
            clock=self.clock,
            hooks=self.hooks,
            servers=self.servers,
            facts=self.facts,
            kept=self.kept(definition.agent.model, past),
        )
        bound = Job(
            execution_id="00000000-0000-4000-8000-000000000001",
            definition=definition,
            project_name=definition.name,
            prompt=prompt,
            variables=dict(variables or {}),
            limits=definition.limits,
            workspace=self.workspace,
            created_at="2026-11-22T08:00:00.000Z",
            **job,
        )
        return await loop.run(bound, ports, {tool.name: tool for tool in tools or []}, past)


def define(
    *,
    agent: dict[str, Any] | None = None,
    limits: dict[str, Any] | None = None,
    **more: Any,
) -> Definition:
    """A definition with a generous money limit; `agent` and `limits` on top."""
    return Definition.model_validate(
        {
            "name": "Test",
            "agent": {"model": MODEL, "system_prompt": "Be brief.", **(agent or {})},
            "limits": {"max_cost_usd": 100, "max_tokens": 10_000_000, **(limits or {})},
            **more,
        }
    )


def subagent(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "name": id.title(), "description": f"for {id}", "prompt": f"You are {id}.", **more}


@asynccontextmanager
async def live(
    url: str, workspace: Path, *, api_key: str = "test-key", keeps_files: bool = False
) -> AsyncIterator[Bench]:
    """A bench on the real SDK against `url`; `keeps_files`: the service there has the Files API."""
    client = await connect(api_key, url)
    try:
        yield Bench(ClientModels(client, keeps_files=keeps_files), workspace)
    finally:
        await client.close()
