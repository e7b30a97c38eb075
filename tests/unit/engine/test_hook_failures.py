"""However a hook's command fails: a guard blocks, an observer is passed over, nothing is left running."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.hooks.actions import KEPT_BYTES
from cloutagent_ext.engine.hooks.answers import Answer, read
from cloutagent_ext.engine.masking import NOTHING, Mask
from tests.support.patience import Promised
from tests.support.survivors import survivors

from .hooked import actions, hook, parsed, script

FAILURES: dict[str, tuple[list[str], str]] = {
    "hangs": (["sleep", "600"], "stopped after 1 s"),
    "hangs and ignores TERM": (
        ["bash", "-c", "trap '' TERM; sleep 600 & wait; sleep 60"],
        "stopped after 1 s",
    ),
    "exit 1": (["bash", "-c", "echo no luck >&2; exit 1"], "exit code 1: no luck"),
    "killed": (["bash", "-c", "kill -KILL $$"], "SIGKILL"),
    "segfault": (["bash", "-c", "kill -SEGV $$"], "SIGSEGV"),
    "no program": (["./not-there"], "not-there"),
    "not on the path": (["not-there-either"], "not-there-either"),
    "not executable": (["./plain.sh"], "plain.sh"),
    "a folder": (["./folder"], "folder"),
    "bad JSON": (["echo", '{"decision": "allow"'], "begins like JSON and is none"),
    "JSON of another kind": (["echo", '{"decision": "perhaps"}'], "perhaps"),
    "a decision that is no word": (
        ["echo", '{"hookSpecificOutput": {"permissionDecision": {"a": 1}}}'],
        "`permissionDecision` is {'a': 1}",
    ),
    "an old decision that is no word": (["echo", '{"decision": ["block"]}'], "`decision` is ['block']"),
    "JSON behind other output": (
        ["printf", 'busy\\n{"decision": "block"}'],
        "does not stand at the beginning",
    ),
    "for another event": (
        ["echo", '{"hookSpecificOutput": {"hookEventName": "PostToolUse"}}'],
        "answers for 'PostToolUse'",
    ),
    "no object": (["echo", '{"hookSpecificOutput": []}'], "no object"),
    "updatedInput of another kind": (["echo", '{"hookSpecificOutput": {"updatedInput": 7}}'], "updatedInput"),
    "too much output": (["bash", "-c", "head -c 70000 /dev/zero | tr '\\0' x"], "70,000 bytes"),
    "deep JSON": ([sys.executable, "-c", "print('{\"a\":' + '[' * 30000)"], "begins like JSON"),
}


async def ask(workspace: Path, definition: dict[str, Any], *, mask: Mask = NOTHING, **bound: Any) -> Answer:
    """What one hook says about one call."""
    one = parsed(definition)
    async with actions(workspace, definition, **bound) as made:
        return read(one, await made.run(one, {"hook_event_name": one.event, "tool_name": "bash"}), mask)


@pytest.mark.parametrize("name", FAILURES)
async def test_a_guard_that_fails_blocks_and_its_reason_names_the_failure(
    tmp_path: Path, name: str, promised: Promised
) -> None:
    (tmp_path / "plain.sh").write_text("exit 0\n")
    (tmp_path / "folder").mkdir()
    command, expected = FAILURES[name]
    guard = hook("guard", {"type": "command", "command": command}, timeout_s=1 if "hangs" in name else 30)
    with promised(15):
        answer = await ask(tmp_path, guard)
        assert answer.permission == "deny"
        assert answer.outcome == "failed"
        assert expected in answer.failed
        assert answer.told().startswith("Guard failed: ")


@pytest.mark.parametrize("name", ["hangs", "exit 1", "killed", "no program", "bad JSON", "too much output"])
async def test_an_observer_that_fails_is_passed_over_and_told(tmp_path: Path, name: str) -> None:
    command, expected = FAILURES[name]
    for event, more in (("PostToolUse", {}), ("PreToolUse", {"on_failure": "continue"})):
        definition = hook("see", {"type": "command", "command": command}, event, timeout_s=1, **more)
        answer = await ask(tmp_path, definition)
        assert (answer.permission, answer.outcome) == (None, "failed")
        assert expected in answer.failed


async def test_an_observer_may_be_told_to_block(tmp_path: Path) -> None:
    answer = await ask(tmp_path, script("see", "exit 1", "UserPromptSubmit", on_failure="block"))
    assert (answer.permission, answer.outcome) == ("deny", "failed")


@pytest.mark.parametrize("output", ["", "not JSON {", '{"decision": "approve"}', "\\xff\\xfe", '{"a": '])
async def test_exit_code_2_blocks_whatever_the_output_says(tmp_path: Path, output: str) -> None:
    answer = await ask(tmp_path, script("guard", f"printf '{output}'; echo 'too risky' >&2; exit 2"))
    assert (answer.permission, answer.reason, answer.outcome) == ("deny", "too risky", "deny")


async def test_exit_code_2_with_100_mb_of_errors_still_blocks_with_their_beginning(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        answer = await ask(
            tmp_path,
            script("guard", "echo because >&2; head -c 100000000 /dev/zero | tr '\\0' x >&2; exit 2"),
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000_000
    assert answer.permission == "deny"
    assert answer.reason.startswith("because\n")
    assert "100,000,008 bytes" in answer.reason
    assert len(answer.reason) < KEPT_BYTES


async def test_more_output_than_a_command_may_have_stops_it(tmp_path: Path) -> None:
    answer = await ask(tmp_path, script("guard", "yes", timeout_s=60))
    assert answer.permission == "deny"
    assert "bytes of output" in answer.failed


async def test_a_hook_that_reads_nothing_of_what_it_is_told_is_not_waited_for(tmp_path: Path) -> None:
    one = script("guard", "exit 0")
    async with actions(tmp_path, one) as made:
        reply = await made.run(parsed(one), {"tool_input": {"content": "x" * 3_000_000}})
    assert not reply.failed


async def test_a_daemon_that_a_hook_starts_is_gone_when_it_has_answered(tmp_path: Path) -> None:
    daemon = "setsid nohup sleep 600 >/dev/null 2>&1 & disown; exit 0"
    answer = await ask(tmp_path, script("guard", daemon))  # `actions` looks for survivors
    assert answer.outcome == "allow"


async def test_an_async_hook_has_no_say_and_ends_with_the_execution(tmp_path: Path) -> None:
    one = script("later", """echo '{"async": true}'; touch up; sleep 600""", "PostToolUse", timeout_s=600)
    async with actions(tmp_path, one) as made:
        answer = read(parsed(one), await made.run(parsed(one), {}), NOTHING)
        assert (answer.permission, answer.outcome) == (None, "allow")
        assert "background" in answer.told()
        assert survivors(made.execution_id)
        await made._commands.close()


async def test_hooks_do_not_hold_up_the_loop(tmp_path: Path) -> None:
    one = script("loud", "head -c 50000000 /dev/zero | tr '\\0' x", timeout_s=60)
    longest, stop = 0.0, False

    async def beat() -> None:
        nonlocal longest
        while not stop:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            longest = max(longest, time.perf_counter() - began)

    pulse = asyncio.create_task(beat())
    await ask(tmp_path, one)
    stop = True
    await pulse
    assert longest < 2, "a loaded machine may be slow; 50 MB read on the loop would be far slower"


# ---------------------------------------------------------------- what it is given


async def test_a_hook_gets_its_own_environment_and_none_of_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "JUPYTER_TOKEN", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"):
        monkeypatch.setitem(os.environ, name, "canary-value")
    await ask(tmp_path, script("see", "env > env.txt"), env={"MINE": "yes"})
    environment = (tmp_path / "env.txt").read_text()
    assert "MINE=yes" in environment
    assert "canary-value" not in environment


async def test_secrets_that_a_hook_prints_are_masked_wherever_they_go(tmp_path: Path) -> None:
    mask = Mask(["s3cret-value"])
    telling = [
        script("a", "echo $TOKEN >&2; exit 2"),
        script("b", "echo $TOKEN >&2; exit 1"),
        script("c", """printf '{"decision": "block", "reason": "%s"}' $TOKEN"""),
        script("d", """printf '{"systemMessage": "%s"}' $TOKEN"""),
        script("e", """printf '{"hookSpecificOutput": {"updatedInput": {"x": "%s"}}}' $TOKEN"""),
        script("f", "echo $TOKEN", "UserPromptSubmit"),
    ]
    for each in telling:
        answer = await ask(tmp_path, each, mask=mask, env={"TOKEN": "s3cret-value"})
        everything = repr(answer) + answer.told()
        assert "s3cret-value" not in everything, each
        assert "[masked]" in everything, each


# ---------------------------------------------------------------- the script itself


@pytest.fixture
def copy(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace, and the project's files beside it, each with a guard that blocks."""
    workspace, copy = tmp_path / "workspace", tmp_path / "hooks"
    for folder in (workspace, copy):
        (folder / ".claude/hooks").mkdir(parents=True)
        (folder / "guard.py").write_text("import sys; sys.exit('closed' and 2)\n")
        (folder / ".claude/hooks/guard.sh").write_text("#!/bin/sh\nexit 2\n")
        (folder / ".claude/hooks/guard.sh").chmod(0o755)
    return workspace, copy


COMMANDS = {
    "an interpreter": [sys.executable, "guard.py"],
    "an interpreter with options": [sys.executable, "-B", "./guard.py", "--strict"],
    "a program": ["./.claude/hooks/guard.sh"],
    "a line for a shell": ["bash", "-c", "$CLAUDE_PROJECT_DIR/.claude/hooks/guard.sh"],
    "a quoted line": ["bash", "-c", '"$CLAUDE_PROJECT_DIR"/.claude/hooks/guard.sh --x'],
    "a quoted path": ["bash", "-c", 'sh "$CLAUDE_PROJECT_DIR/.claude/hooks/guard.sh"'],
    "a relative line": ["sh", "-c", "cd . && sh .claude/hooks/guard.sh"],
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_an_agent_that_rewrites_a_guard_in_its_workspace_is_guarded_all_the_same(
    copy: tuple[Path, Path], name: str
) -> None:
    workspace, scripts = copy
    (workspace / "guard.py").write_text("")
    (workspace / ".claude/hooks/guard.sh").write_text("#!/bin/sh\nexit 0\n")
    (workspace / "sys.py").write_text("def exit(code): raise SystemExit(0)\n")
    guard = hook("guard", {"type": "command", "command": COMMANDS[name]})
    answer = await ask(workspace, guard, scripts=scripts, env={"CLAUDE_PROJECT_DIR": str(workspace)})
    assert (answer.permission, answer.outcome) == ("deny", "deny")


async def test_what_a_hook_reads_is_the_workspaces(copy: tuple[Path, Path]) -> None:
    workspace, scripts = copy
    (workspace / "notes.txt").write_text("from the workspace")
    (scripts / "notes.txt").write_text("from the project")
    answer = await ask(workspace, script("see", "cat notes.txt", "UserPromptSubmit"), scripts=scripts)
    assert answer.context == "from the workspace"


async def test_a_hook_that_rewrites_itself_is_not_run_again(copy: tuple[Path, Path]) -> None:
    workspace, scripts = copy
    (scripts / "guard.py").write_text("import sys; open(__file__, 'w').write('')\n")
    definition = hook("guard", {"type": "command", "command": [sys.executable, "guard.py"]})
    async with actions(workspace, definition, scripts=scripts) as made:
        answers = [
            read(parsed(definition), await made.run(parsed(definition), {}), NOTHING) for _ in range(2)
        ]
    assert [answer.outcome for answer in answers] == ["allow", "failed"]
    assert answers[1].permission == "deny"
    assert "guard.py has changed" in answers[1].failed


async def test_a_hook_that_changes_what_the_project_says_of_it_changes_nothing_of_this_run(
    tmp_path: Path,
) -> None:
    """Its definition was read when the execution was accepted."""
    definition = script("guard", "echo '{\"enabled\": false}' > guard.json; exit 2")
    async with actions(tmp_path, definition) as made:
        for _ in range(2):
            assert (await made.run(parsed(definition), {})).blocks
