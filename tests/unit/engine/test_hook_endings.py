"""Hooks at the edges of a run: prompt, start and stop, and how one ends it.

What they do to calls: `test_hooks`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloutagent_ext.engine.hooks.runner import MAX_STOP_BLOCKS

from ...support.messages_api import Call, Calls, MessagesApi, Say
from .harness import Echo, subagent
from .hooked import (
    bench,
    call_echo,
    last_user,
    says,
    script,
)

# ---------------------------------------------------------------- prompt, start and stop


async def test_a_blocked_prompt_ends_the_run_before_any_model_call(tmp_path: Path) -> None:
    block = script("no", "echo 'not about this' >&2; exit 2", "UserPromptSubmit")
    async with MessagesApi([Say("Done.")]) as api, bench(api, tmp_path, block) as made:
        outcome = await made.run({"hooks": [block]})
    assert (outcome.status, outcome.code) == ("failed", "HOOK_BLOCKED")
    assert outcome.message == "The hook No blocked the prompt: not about this"
    assert api.requests == []
    assert outcome.total_cost_usd == 0


async def test_what_start_hooks_say_goes_along_with_the_prompt(tmp_path: Path) -> None:
    hooks = [
        script("hello", "echo today is Monday", "SessionStart"),
        says("more", '{"hookSpecificOutput": {"additionalContext": "be careful"}}', "UserPromptSubmit"),
    ]
    async with MessagesApi([Say("Done.")]) as api, bench(api, tmp_path, *hooks) as made:
        await made.run({"hooks": hooks}, prompt="Do it.")
    assert [block["text"] for block in api.requests[0]["messages"][0]["content"]] == [
        "Do it.",
        "[hook Hello] today is Monday",
        "[hook More] be careful",
    ]


async def test_a_stop_hook_sends_the_agent_back_with_its_reason_once(tmp_path: Path) -> None:
    text = (
        "import json, sys\n"
        "active = json.load(sys.stdin)['stop_hook_active']\n"
        "open('log', 'a').write(str(active))\n"
        "if not active: print(json.dumps({'decision': 'block', 'reason': 'run the tests'}))"
    )
    hook = script("tests", text, "Stop", run="python")
    async with MessagesApi([Say("Done?"), Say("Done!")]) as api, bench(api, tmp_path, hook) as made:
        outcome = await made.run({"hooks": [hook]})
    assert outcome.result is not None
    assert outcome.result.text == "Done!"
    assert last_user(api) == [{"type": "text", "text": "[hook Tests] run the tests"}]
    assert (tmp_path / "log").read_text() == "FalseTrue"


async def test_a_stop_hook_that_is_never_content_ends_the_run(tmp_path: Path) -> None:
    hook = says("never", '{"decision": "block", "reason": "again"}', "Stop")
    async with (
        MessagesApi(lambda *_: Say("Done.")) as api,
        bench(api, tmp_path, hook) as made,
    ):
        outcome = await made.run({"hooks": [hook]})
    assert outcome.code == "HOOK_BLOCKED"
    assert len(api.requests) == MAX_STOP_BLOCKS + 1
    assert outcome.result is not None
    assert outcome.result.text == "Done.", "what there is by then is kept"


# ---------------------------------------------------------------- ending the run


STOP = '{"continue": false, "stopReason": "enough"}'


async def test_continue_false_before_a_call_keeps_it_from_running_and_ends_after_the_step(
    tmp_path: Path,
) -> None:
    hook = says("halt", STOP, matcher="echo")
    tools = [Echo(), Echo("other")]
    async with (
        MessagesApi([Calls([("echo", {}), ("other", {})]), Say("never")]) as api,
        bench(api, tmp_path, hook) as made,
    ):
        outcome = await made.run({"agent": {"tools": ["echo", "other"]}, "hooks": [hook]}, tools=tools)
    assert (outcome.code, outcome.message) == ("HOOK_BLOCKED", "The hook Halt ended the execution: enough")
    assert len(api.requests) == 1
    assert [len(tool.calls) for tool in tools] == [0, 1]
    assert made.journal.kinds()[-1] == "user", "the transcript holds an answer for every call"


@pytest.mark.parametrize("event", ["UserPromptSubmit", "SessionStart", "PostToolUse", "Stop"])
async def test_continue_false_ends_the_run_wherever_it_is_said(tmp_path: Path, event: str) -> None:
    made, api, _ = await call_echo(tmp_path, says("halt", STOP, event))
    assert len(api.requests) == {"PostToolUse": 1, "Stop": 2}.get(event, 0)
    assert made.log.of("hook")[-1]["outcome"] == "deny"


async def test_a_subagents_hook_ends_the_whole_run(tmp_path: Path) -> None:
    hook = says("halt", STOP, matcher="echo")
    replies = [Call("agent__reader", {"prompt": "Look."}), Call("echo", {}), Say("never"), Say("never")]
    async with MessagesApi(replies) as api, bench(api, tmp_path, hook) as made:
        outcome = await made.run(
            {"subagents": [subagent("reader", tools=["echo"])], "hooks": [hook]}, tools=[Echo()]
        )
    assert outcome.code == "HOOK_BLOCKED"
    assert len(api.requests) == 2


async def test_the_hooks_of_the_end_hear_how_it_ended(tmp_path: Path) -> None:
    hooks = [script("error", "cat > error.json", "Error"), script("end", "cat > end.json", "SessionEnd")]
    async with MessagesApi([Say("Done.")]) as api, bench(api, tmp_path, *hooks) as made:
        await made.run({"hooks": hooks})
    assert json.loads((tmp_path / "end.json").read_text())["reason"] == "completed"
    assert not (tmp_path / "error.json").exists()
    async with (
        MessagesApi(lambda *_: Call("echo", {"text": "again"})) as api,
        bench(api, tmp_path, *hooks) as made,
    ):
        definition = {"agent": {"tools": ["echo"]}, "limits": {"max_turns": 2}, "hooks": hooks}
        outcome = await made.run(definition, tools=[Echo()])
    assert outcome.code == "TURN_LIMIT_EXCEEDED"
    error = json.loads((tmp_path / "error.json").read_text())
    assert (error["code"], error["error"]) == ("TURN_LIMIT_EXCEEDED", outcome.message)
    assert json.loads((tmp_path / "end.json").read_text())["reason"] == "TURN_LIMIT_EXCEEDED"
