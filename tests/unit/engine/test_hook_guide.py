"""The guard of the user's guide does what the guide says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.hooks.answers import Answer, read
from cloutagent_ext.engine.hooks.matchers import Matcher
from cloutagent_ext.engine.masking import NOTHING
from cloutagent_ext.engine.plan import validate
from cloutagent_ext.schema.project import HookEvent

from .harness import define
from .hooked import actions, parsed

GUIDE = (Path(__file__).parents[3] / "docs/hooks.md").read_text("utf-8")
SECTION = GUIDE


def block(language: str) -> str:
    return re.findall(rf"```{language}[^\n]*\n(.*?)```", SECTION, re.DOTALL)[0]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "guard.py").write_text(block("python"))
    return tmp_path


async def ask(workspace: Path, command: str) -> Answer:
    definition: dict[str, Any] = json.loads(block("json"))
    one = parsed(definition)
    assert Matcher(one.matcher).takes("bash")
    async with actions(workspace, definition) as made:
        reply = await made.run(one, {"tool_name": "bash", "tool_input": {"command": command}})
        return read(one, reply, NOTHING)


@pytest.mark.parametrize(
    ("command", "permission", "reason"),
    [
        ("rm -rf data", "deny", "Deleting is a person's business here."),
        ("git push origin main", "ask", "this leaves the machine"),
        ("ls", None, ""),
    ],
)
async def test_the_guides_guard_decides_as_the_guide_says(
    workspace: Path, command: str, permission: str | None, reason: str
) -> None:
    answer = await ask(workspace, command)
    assert (answer.permission, answer.reason, answer.failed) == (permission, reason, "")


def test_the_guides_hook_is_sound_and_its_table_names_every_event() -> None:
    definition = define(agent={"task": "Do it."}, hooks=[json.loads(block("json"))])
    assert validate(definition, tools=["bash"]) == []
    rows = "".join(line for line in SECTION.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([A-Z]\w+)`", rows)) - {"HOOK_BLOCKED"} == set(HookEvent.__args__)  # type: ignore[attr-defined]
