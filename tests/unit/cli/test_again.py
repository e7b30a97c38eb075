"""`resume` and `fork` from a shell, without a server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cloutagent_ext.cli import exits, main
from cloutagent_ext.schema.project import Limits
from tests.unit.executions.conftest import Office, bash


def failed_run(data: Path) -> tuple[str, int]:
    """An execution that its turns ended, and its last event."""

    async def run() -> tuple[str, int]:
        office = Office(data)
        await office.services.start()
        project = await office.project(bash("echo x >> made"), limits=Limits(max_turns=4))
        state = await office.run(project, limits={"max_turns": 1})
        await office.services.stop(0)
        return state.execution_id, state.last_event_id

    return asyncio.run(run())


def test_a_failed_execution_goes_on_and_is_forked_from_a_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUTAGENT_ISOLATION", "off")
    execution, _ = failed_run(tmp_path)
    where = ["--data-dir", str(tmp_path), "--json", "--quiet"]
    assert main(["resume", execution, *where]) == exits.USAGE
    assert "max_turns" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main(["resume", execution, "--max-turns", "4", *where]) == exits.OK
    state = json.loads(capsys.readouterr().out)
    assert (state["status"], state["resumed_from"]) == ("completed", execution)
    last = str(state["last_event_id"])
    forked = ["fork", state["execution_id"], "--from-event", last, "--prompt", "More", *where]
    assert main(forked) == exits.OK
    assert json.loads(capsys.readouterr().out)["forked_from"] == state["execution_id"]
