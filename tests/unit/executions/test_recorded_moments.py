"""What a hook that is tried on past executions is asked about: what it would have been asked then."""

from __future__ import annotations

from pathlib import Path

from cloutagent_ext.engine.unfinished import NOT_RUN, OUTCOME_UNKNOWN
from cloutagent_ext.executions.log import EventLog
from cloutagent_ext.executions.recorded_moments import recorded
from cloutagent_ext.schema.project import CommandAction, Hook, HookEvent

CALL = {"call_id": "c", "tool": "bash"}


def hook(event: HookEvent) -> Hook:
    return Hook(id="h", name="H", event=event, action=CommandAction(type="command", command=["true"]))


async def test_arguments_that_a_person_changed_are_a_moment_of_their_own(tmp_path: Path) -> None:
    log = await EventLog.create(tmp_path)
    log.write("tool_call", span="main/1/c", **CALL, source="builtin", input={"command": "ls"})
    log.write("approval", span="main/1/c", call_id="c", decision="allow", by="ada", input={"command": "rm"})
    log.write("tool_call", span="main/2/c", **CALL, source="builtin", input={"command": "pwd"})
    log.write("approval", span="main/2/c", call_id="c", decision="allow", by="ada", input=None)
    await log.close()
    found, complete = recorded(tmp_path, hook("PreToolUse"), 10)
    assert complete
    assert [(each.event_id, each.fields["tool_input"]["command"]) for each in found] == [
        (1, "ls"), (2, "rm"), (3, "pwd"),
    ]  # fmt: skip
    assert {(each.tool, each.call_id) for each in found} == {("bash", "c")}


async def test_a_call_that_did_not_come_to_its_end_has_not_failed(tmp_path: Path) -> None:
    log = await EventLog.create(tmp_path)
    for turn, text in enumerate((f"{OUTCOME_UNKNOWN} It was cut off.", NOT_RUN, "exit code 1"), 1):
        span = f"main/{turn}/c"
        log.write("tool_call", span=span, **CALL, source="builtin", input={"command": "x"})
        output = [{"type": "text", "text": text, "path": None}]
        log.write("tool_result", span=span, **CALL, is_error=True, output=output, duration_ms=1)
    await log.close()
    found, _ = recorded(tmp_path, hook("PostToolUseFailure"), 10)
    assert [each.fields["error"] for each in found] == ["exit code 1"]
