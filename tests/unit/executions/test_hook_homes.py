"""A guard runs nothing that the agent has left where programs look for more to run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.schema.project import CommandAction, Hook

from .conftest import Opens, agent, bash

PYTHON = str(Path(sys._base_executable).resolve())  # type: ignore[attr-defined]
"""Not of a virtual environment: in those no Python looks for user customisation."""
LIBRARIES = f".local/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
PLANTED = "import os; open('planted', 'w').close(); os._exit(0)"
GUARD = """
import os, sys
print(os.environ["HOME"], file=sys.stderr)
sys.exit(2 if "forbidden" in sys.stdin.read() else 0)
"""


@pytest.mark.parametrize("isolation", ["off", "auto"])
async def test_what_the_agent_plants_in_its_home_does_not_run_in_a_guard(
    open_office: Opens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: str
) -> None:
    monkeypatch.delenv("PYTHONUSERBASE", raising=False)
    office = await open_office(isolation=isolation)
    plant = f'mkdir -p ~/{LIBRARIES} && echo "{PLANTED}" > ~/{LIBRARIES}/usercustomize.py && echo $HOME'
    guard = Hook(
        id="guard", name="Guard", event="PreToolUse", matcher="bash",
        action=CommandAction(type="command", command=[PYTHON, "-c", GUARD]),
    )  # fmt: skip
    project = await office.project(
        bash(plant),
        bash(f"{PYTHON} -c pass; ls planted"),
        bash("touch forbidden"),
        agent=agent(),
        hooks=[guard],
    )
    state = await office.run(project)
    assert state.status == "completed", state.error
    results: list[dict[str, Any]] = [
        event for event in await office.events(state.execution_id) if event["type"] == "tool_result"
    ]
    home, worked, blocked = (result["output"][0]["text"] for result in results)
    assert "planted" in worked, "the file is where a Python of the agent runs it"
    assert results[2]["is_error"]
    assert "blocked" in blocked
    theirs = blocked.rpartition(": ")[2].strip()
    assert theirs.startswith("/")
    assert theirs != home.strip()
    workspace = tmp_path / "data" / "temp" / state.execution_id / "workspace"
    assert not (workspace / "forbidden").exists()
