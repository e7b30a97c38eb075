"""Hooks beside the tools: before a summary, when a person is waited for, and what costs nothing."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from cloutagent_ext.engine.budget import Budget
from cloutagent_ext.engine.hooks.runner import Hooks
from cloutagent_ext.engine.job import Job
from cloutagent_ext.engine.permissions import Rules
from cloutagent_ext.engine.ports import HookReply, Ports
from cloutagent_ext.engine.scope import Scope
from tests.support.messages_api import Call, MessagesApi, Say
from tests.support.patience import Promised

from .harness import Approvals, Clock, Journal, Log, Nothing, define, live
from .hooked import actions, hook, says, script
from .test_compaction import LONG, SMALL, asks_for_summary, long_tool
from .test_compaction import script as turns


async def test_a_hook_adds_to_what_a_summary_must_say(tmp_path: Path) -> None:
    tell = script("keep", "cat > pre.json; echo keep every figure", "PreCompact")
    plays = turns(Call("echo", {}), Call("echo", {}), Say("done"))
    async with MessagesApi(plays) as api, live(api.url, tmp_path) as bench, actions(tmp_path, tell) as bound:
        bench.hooks = bound
        outcome = await bench.run({"agent": SMALL, "hooks": [tell]}, tools=[long_tool()])
    assert outcome.status == "completed"
    (summary,) = [body for body in api.requests if asks_for_summary(body)]
    assert summary["messages"][-1]["content"][-1]["text"].endswith("keep every figure")
    told = json.loads((tmp_path / "pre.json").read_text())
    assert (told["hook_event_name"], told["trigger"], told["custom_instructions"]) == (
        "PreCompact",
        "auto",
        "",
    )


async def test_a_hook_keeps_a_conversation_from_being_summarised(tmp_path: Path) -> None:
    block = says("keep", '{"decision": "block", "reason": "not now"}', "PreCompact")
    plays = turns(Call("echo", {}), Call("echo", {}), Say("done"))
    async with MessagesApi(plays) as api, live(api.url, tmp_path) as bench, actions(tmp_path, block) as bound:
        bench.hooks = bound
        outcome = await bench.run({"agent": SMALL, "hooks": [block]}, tools=[long_tool()])
    assert outcome.status == "completed"
    assert not any(asks_for_summary(body) for body in api.requests)
    (warning,) = bench.log.of("warning", code="COMPACTION_FAILED")
    assert "The hook Keep blocked it: not now" in warning["message"]
    assert LONG[:100] in json.dumps(api.requests[-1]["messages"]), "it goes on whole"


class Held:
    """Actions that answer when they are let go."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.go = asyncio.Event()

    async def run(self, hook: Any, told: Any) -> HookReply:
        self.told.append(told)
        await self.go.wait()
        return HookReply()


def scope_of(agent: str = "main") -> Scope:
    return Scope(
        agent=agent, agent_id="main", name="Main", span="main", model="m", system="", prompt="", tools={},
        rules=Rules({}), budget=Budget(None, max_cost_usd=None, max_tokens=1), max_turns=1,  # type: ignore[arg-type]
        max_tokens=1, thinking="auto", effort=None,
    )  # fmt: skip


def hooks_of(tmp_path: Path, held: Held, log: Log, *definitions: dict[str, Any]) -> Hooks:
    definition = define(hooks=list(definitions))
    job = Job(
        execution_id="e", definition=definition, project_name="p", prompt="", variables={},
        limits=definition.limits, workspace=tmp_path, created_at="",
    )  # fmt: skip
    ports = Ports(
        models=None, prices=None, events=log, journal=Journal(), approvals=Approvals(),  # type: ignore[arg-type]
        kernels=Nothing(), secrets=Nothing(), clock=Clock(), hooks=held,  # type: ignore[arg-type]
    )  # fmt: skip
    return Hooks(job, ports)


async def test_nobody_waits_for_the_hooks_of_a_notification_until_the_end(tmp_path: Path) -> None:
    held, log = Held(), Log()
    notice = hook("tell", {"type": "http", "url": "http://127.0.0.1:1/"}, "Notification")
    hooks = hooks_of(tmp_path, held, log, notice)
    hooks.notify(scope_of(), "main/1/c1", message="Decide.", title="Waiting", kind="permission_prompt")
    while not held.told:
        await asyncio.sleep(0)
    assert held.told[0]["message"] == "Decide."
    assert held.told[0]["notification_type"] == "permission_prompt"
    assert log.events == [], "it goes on while the hook runs"
    closing = asyncio.create_task(hooks.close(cancelled=False))
    await asyncio.sleep(0)
    assert not closing.done()
    held.go.set()
    await closing
    assert [event["span"] for event in log.of("hook")] == ["main/1/c1"]


async def test_a_cancelled_run_takes_the_hooks_of_its_notifications_along(
    tmp_path: Path, promised: Promised
) -> None:
    held = Held()
    notice = hook("tell", {"type": "http", "url": "http://127.0.0.1:1/"}, "Notification")
    hooks = hooks_of(tmp_path, held, Log(), notice)
    hooks.notify(scope_of(), "main", message="Decide.", title="", kind="")
    while not held.told:
        await asyncio.sleep(0)
    with promised(5):
        await hooks.close(cancelled=True)


async def test_without_hooks_a_call_pays_next_to_nothing_for_them(tmp_path: Path) -> None:
    hooks, scope = hooks_of(tmp_path, Held(), Log()), scope_of()
    calls = 20_000
    began = time.process_time()
    for _ in range(calls):
        await hooks.before_call(scope, "s", tool="echo", call_id="c", arguments={}, problem=lambda _: None)
        hooks.wants("PostToolUse", "echo")
        hooks.context(scope, "s")
        hooks.check(scope)
    each = (time.process_time() - began) / calls
    assert each < 0.000_05, f"{each * 1e6:.1f} µs a call"
