"""Row F33: a key whose last use cannot be noted, and one that is revoked while something of it runs."""

from __future__ import annotations

import asyncio
import errno
import logging
from pathlib import Path

import pytest

from cloutagent_ext import durable

from .caller import DEADLINE_S, Caller, code
from .test_broken_disk import breaking
from .test_executions import BASH

FAILURES = [
    ("open", errno.ENOSPC), ("open", errno.EROFS), ("open", errno.EMFILE), ("rename", errno.EIO),
    ("fsync", errno.EIO),
]  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES, ids=[f"{o} {errno.errorcode[n]}" for o, n in FAILURES])
async def test_a_call_whose_keys_last_use_cannot_be_written_succeeds_and_the_log_says_so(
    server: Caller,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    failure: tuple[str, int],
) -> None:
    project = await server.create()
    key, keys = project["api_key"], server.extension.services.keys
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "cloutagent.auth"):
        patch.setattr(durable, "os", breaking(*failure))
        first = await server.call("GET", f"projects/{project['id']}", key=key)
        assert first.status_code == 200, first.text
        await asyncio.gather(*keys._tasks)
        second = await server.call("GET", f"projects/{project['id']}", key=key)
        assert second.status_code == 200, second.text
    told = [record.getMessage() for record in caplog.records if "last use" in record.getMessage()]
    assert len(told) == 1, "once a minute, not for each call"
    assert key not in told[0]
    [row] = (await server.get(f"projects/{project['id']}/keys"))["items"]
    assert row["last_used_at"] is not None, "what is known is shown"


@pytest.mark.parametrize("settings", [{"isolation": "off"}])  # the command looks for a file of the test
async def test_a_key_that_is_revoked_while_its_execution_runs_ends_nothing_and_is_told_nothing(
    server: Caller, tmp_path: Path
) -> None:
    """What was accepted goes on, since it is the project's; who called hears no more of it by that key."""
    project, gate = await server.create(**BASH), tmp_path / "gate"
    waits = {"command": f"until [ -e {gate} ]; do sleep 0.05; done"}
    turn = {"text": "Now.", "tools": [{"name": "bash", "as": "a", "input": waits}]}
    await server.script(project["id"], turn, {"text": "Done."})
    key, where = project["api_key"], f"projects/{project['id']}"
    execution = await server.execute(project["id"], key=key)
    body = {"prompt": "Go.", "wait": True}
    waiting = asyncio.create_task(server.call("POST", f"{where}/execute", key=key, json=body))
    async with asyncio.timeout(DEADLINE_S):
        while len((await server.get("executions"))["items"]) < 2:
            await asyncio.sleep(0.02)
    [row] = (await server.get(f"{where}/keys"))["items"]
    assert (await server.call("DELETE", f"{where}/keys/{row['id']}")).status_code == 204
    for path in ("", "/stream", "/events"):
        refused = await server.call("GET", f"executions/{execution}{path}", key=key)
        assert (refused.status_code, code(refused)) == (401, "INVALID_API_KEY"), path
    async with asyncio.timeout(DEADLINE_S):
        answer = await waiting
    assert (answer.status_code, code(answer)) == (401, "INVALID_API_KEY"), "not its result"
    await asyncio.to_thread(gate.touch)
    for each in (await server.get("executions"))["items"]:
        assert (await server.ended(each["execution_id"]))["status"] == "completed"
