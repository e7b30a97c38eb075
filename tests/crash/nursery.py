"""A warm process that forks one child per life: a service on a data folder, killed or seen to its end.

    python -m tests.crash.nursery

Reads one JSON object a line, forks, and writes one when that child is gone. Everything is
imported once and no loop or thread lives here, so a fork is whole. Orders:
`{"data", "url", "do", "die": point or null, "out": file}`; what `do` may be is in `life`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import anthropic  # noqa: F401 - warm
import genai_prices.data  # noqa: F401
import jsonschema  # noqa: F401

from cloutagent_ext import failpoints
from cloutagent_ext.engine.models.anthropic import connect  # noqa: F401
from cloutagent_ext.errors import Conflict
from cloutagent_ext.schema.execution import ENDED, ExecuteRequest, ForkRequest
from cloutagent_ext.schema.project import Agent, Definition, Hook, Limits, ProjectUpdate, Subagent
from cloutagent_ext.services import build
from cloutagent_ext.settings import Settings
from tests.unit.executions.conftest import USER, NoKernels

LIFE_S = 60
PROJECT = Definition(
    name="Crash",
    agent=Agent(
        task="Go.",
        tools=["bash", "view"],
        permissions={"bash": "allow"},
        compact_at_tokens=10_000,
        max_tokens=2000,
        model="claude-opus-5-5",
    ),
    subagents=[
        Subagent(
            id="helper", name="Helper", description="h", prompt="Help.", tools=["bash"],
            permissions={"bash": "allow"},
        )
    ],
    hooks=[
        Hook.model_validate(
            {"id": "look", "name": "Look", "event": "PreToolUse", "matcher": "view",
             "action": {"type": "command", "command": ["true"]}}
        )
    ],
    limits=Limits(max_cost_usd=50, max_tokens=5_000_000),
)  # fmt: skip


async def life(order: dict[str, Any]) -> dict[str, Any]:
    settings = Settings.from_environment(
        {},
        data_dir=Path(order["data"]),
        base_url=order["url"],
        api_key="test-key",
        stop_grace_s=0.0,
        isolation=order.get("isolation", "off"),
    )
    services = build(settings, kernels=NoKernels())
    executions = services.executions
    seen = failpoints.watch() if order.get("watch") else {}
    if order.get("die") and order["do"] != "recover":
        await services.start()
        failpoints.arm(order["die"])
    else:
        if order.get("die"):
            failpoints.arm(order["die"])
        await services.start()
    said: dict[str, Any] = {}
    if order["do"] == "save":
        await services.store.save(order["project"], ProjectUpdate(**{**dict(PROJECT), "name": "Saved"}))
    if order["do"] == "fork":
        [row] = (await executions.list()).items
        await executions.fork(row.execution_id, ForkRequest(from_event=1), principal=USER)
    if order["do"] == "make":
        said["project"] = str((await services.store.create(PROJECT)).project.id)
    if order["do"] in ("run", "cancel"):
        accepted = await executions.accept(order["project"], ExecuteRequest(), principal=USER, origin="panel")
        write(order["out"] + ".accepted", {"id": accepted.execution_id})
        if order["do"] == "cancel":
            log = await executions.log(accepted.execution_id)
            async for line in log.cursor():
                if b'"tool_call"' in line:
                    break
            await executions.cancel(accepted.execution_id, by="ada")
    states = {}
    if order["do"] != "make":
        for row in (await executions.list()).items:
            state = await executions.wait(row.execution_id)
            states[row.execution_id] = state.model_dump(mode="json")
            if state.status not in ENDED:
                with contextlib.suppress(Conflict):
                    await executions.cancel(row.execution_id, by="nobody")
    await services.stop(0)
    return {**said, "states": states, "seen": dict(seen)}


def write(path: str, content: Any) -> None:
    Path(path + ".tmp").write_text(json.dumps(content))
    Path(path + ".tmp").rename(path)


def child(order: dict[str, Any]) -> None:
    try:
        signal.alarm(LIFE_S)
        write(order["out"], asyncio.run(life(order)))
        os._exit(0)
    except BaseException as error:
        import traceback

        write(order["out"] + ".failed", {"error": repr(error), "trace": traceback.format_exc()})
        os._exit(3)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            devnull = os.open(os.devnull, os.O_RDWR)
            os.dup2(devnull, 0)
            os.dup2(devnull, 1)
            child(order)
        _, status = os.waitpid(pid, 0)
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        print(json.dumps({"signal": killed, "code": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
