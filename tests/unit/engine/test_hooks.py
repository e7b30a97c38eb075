"""Hooks in a run: what they decide, change and add reaches the tool, the model and the log, and no more."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.ports import Decision
from tests.support.patience import Promised

from ...support.messages_api import Call, Calls, MessagesApi, Say
from .harness import Echo, live, subagent
from .hooked import (
    ALLOW,
    ASK,
    DENY,
    NOTHING,
    actions,
    bench,
    call_echo,
    last_user,
    result_text,
    says,
    script,
    survivors,
)

# ---------------------------------------------------------------- what a hook is told


async def test_a_hook_is_told_what_claude_code_tells_it(tmp_path: Path) -> None:
    keep = script("keep", "cat > pre.json")
    after = script("after", "cat > post.json", "PostToolUse")
    made, _, _ = await call_echo(tmp_path, keep, after)
    told = json.loads((tmp_path / "pre.json").read_text())
    assert told == {
        "session_id": "00000000-0000-4000-8000-000000000001",
        "cwd": str(tmp_path),
        "hook_event_name": "PreToolUse",
        "tool_name": "echo",
        "tool_input": {"text": "hello"},
        "tool_use_id": "c1",
    }
    told = json.loads((tmp_path / "post.json").read_text())
    assert told["tool_response"] == [{"type": "text", "text": "hello", "path": None}]
    assert told["hook_event_name"] == "PostToolUse"
    assert told["duration_ms"] >= 0
    assert [(e["hook"], e["on"], e["outcome"]) for e in made.log.of("hook")] == [
        ("keep", "PreToolUse", "allow"),
        ("after", "PostToolUse", "allow"),
    ]


async def test_a_subagents_hooks_are_told_whose_they_are(tmp_path: Path) -> None:
    hooks = [
        script("start", "cat > start.json", "SubagentStart"),
        script("call", "cat > call.json", matcher="echo"),
        script("stop", "cat > stop.json", "SubagentStop"),
    ]
    replies = [
        Call("agent__reader", {"prompt": "Look."}),
        Call("echo", {"text": "x"}),
        Say("Seen."),
        Say("Done."),
    ]
    async with MessagesApi(replies) as api, bench(api, tmp_path, *hooks) as made:
        outcome = await made.run(
            {"subagents": [subagent("reader", tools=["echo"])], "hooks": hooks}, tools=[Echo()]
        )
    assert outcome.status == "completed"
    for name in ("start", "call", "stop"):
        told = json.loads((tmp_path / f"{name}.json").read_text())
        assert (told["agent_id"], told["agent_type"]) == ("reader#1", "reader")
    assert told["last_assistant_message"] == "Seen."
    assert told["stop_hook_active"] is False
    assert {event["agent"] for event in made.log.of("hook")} == {"reader#1"}


# ---------------------------------------------------------------- decisions


async def test_a_denied_call_does_not_run_and_the_model_reads_why(tmp_path: Path) -> None:
    made, api, tool = await call_echo(tmp_path, says("guard", DENY))
    assert tool.calls == []
    (block,) = last_user(api)
    assert block["is_error"]
    assert result_text(block) == "The hook Guard blocked this call: not here"
    (event,) = made.log.of("hook")
    assert (event["outcome"], event["message"]) == ("deny", "Guard blocks: not here")
    assert event["span"] == "main/1/c1"
    assert "tool_started" not in made.journal.kinds(), "a resume must see that nothing had run"


@pytest.mark.parametrize(
    ("answers", "runs", "asked"),
    [
        ([ALLOW, DENY], False, False),
        ([DENY, ALLOW], False, False),
        ([ASK, DENY], False, False),
        ([DENY, ASK], False, False),
        ([ALLOW, ASK], False, True),
        ([ASK, ALLOW], False, True),
        ([NOTHING, ALLOW], True, False),
        ([NOTHING, NOTHING], True, False),
        (['{"decision": "block", "reason": "old spelling"}', ALLOW], False, False),
        (['{"decision": "approve"}', NOTHING], True, False),
        (['{"hookSpecificOutput": {"permissionDecision": "defer"}}', ALLOW], False, True),
    ],
)
async def test_deny_beats_ask_beats_allow_whatever_the_order(
    tmp_path: Path, answers: list[str], runs: bool, asked: bool
) -> None:
    hooks = [says(f"h{number}", answer) for number, answer in enumerate(answers)]
    made, _, tool = await call_echo(tmp_path, *hooks)
    assert (bool(tool.calls), bool(made.approvals.asked)) == (runs, asked)
    assert len(made.log.of("hook")) == 2, "every hook is told, whatever another one said"


@pytest.mark.parametrize(
    ("rules", "answer", "runs", "asked"),
    [
        ({}, ALLOW, True, False),
        ({}, NOTHING, False, True),
        ({"echo": "ask"}, ALLOW, False, True),
        ({"echo": "deny"}, ALLOW, False, False),
        ({"echo": "allow"}, ASK, False, True),
        ({"echo": "allow"}, NOTHING, True, False),
    ],
)
async def test_a_hooks_allow_answers_only_the_tools_own_question(
    tmp_path: Path, rules: dict[str, str], answer: str, runs: bool, asked: bool
) -> None:
    tool = Echo(default="ask")
    made, _, _ = await call_echo(tmp_path, says("h", answer), tool=tool, agent={"permissions": rules})
    assert (bool(tool.calls), bool(made.approvals.asked)) == (runs, asked)


async def test_a_person_who_allows_what_a_hook_asked_about_lets_it_run(tmp_path: Path) -> None:
    _, _, tool = await call_echo(tmp_path, says("h", ASK), decision=Decision(allow=True, by="ada"))
    assert tool.calls == [{"text": "hello"}]


# ---------------------------------------------------------------- rewriting and adding


def appends(id: str, letter: str, pause: float = 0) -> dict[str, Any]:
    """A rewriter: what comes in, with `letter` behind it."""
    return script(
        id,
        "import json, sys, time; told = json.load(sys.stdin); "
        f"time.sleep({pause}); text = told['tool_input']['text'] + '{letter}'; "
        "print(json.dumps({'hookSpecificOutput': {'updatedInput': {'text': text}}}))",
        run="python",
    )


async def test_rewriters_apply_in_the_projects_order_however_long_they_take(tmp_path: Path) -> None:
    made, api, tool = await call_echo(
        tmp_path, appends("a", "A", 0.4), appends("b", "B"), appends("c", "C", 0.1)
    )
    assert tool.calls == [{"text": "helloABC"}]
    assert result_text(last_user(api)[0]) == "helloABC"
    assert [event["outcome"] for event in made.log.of("hook")] == ["changed"] * 3
    assert 'changed the input to {"text": "helloABC"}' in made.log.of("hook")[-1]["message"]
    assert api.requests[-1]["messages"][1]["content"][0]["input"] == {"text": "hello"}, "what was sent stays"


async def test_rules_judge_what_the_hooks_made_of_the_call(tmp_path: Path) -> None:
    tool = Echo()
    rewrite = says("r", '{"hookSpecificOutput": {"updatedInput": {"command": "rm x"}}}')
    await call_echo(tmp_path, rewrite, tool=tool, agent={"permissions": {"echo(rm *)": "deny"}})
    assert tool.calls == []


async def test_a_rewriter_whose_input_fits_no_tool_counts_as_failed(tmp_path: Path) -> None:
    made, _, tool = await call_echo(
        tmp_path, says("r", '{"hookSpecificOutput": {"updatedInput": {"text": 1}}}')
    )
    assert tool.calls == []
    assert made.log.of("hook")[0]["outcome"] == "failed"
    open_ = says("r", '{"hookSpecificOutput": {"updatedInput": {"text": 1}}}', on_failure="continue")
    _, _, tool = await call_echo(tmp_path, open_)
    assert tool.calls == [{"text": "hello"}]


async def test_what_hooks_add_comes_behind_all_results_of_the_turn(tmp_path: Path) -> None:
    hooks = [
        says("pre", '{"hookSpecificOutput": {"additionalContext": "before"}}'),
        says("post", '{"decision": "block", "reason": "look again"}', "PostToolUse"),
    ]
    async with (
        MessagesApi([Calls([("echo", {"text": "1"}), ("echo", {"text": "2"})]), Say("Done.")]) as api,
        bench(api, tmp_path, *hooks) as made,
    ):
        await made.run({"agent": {"tools": ["echo"]}, "hooks": hooks}, tools=[Echo()])
    assert [block["type"] for block in last_user(api)] == ["tool_result"] * 2 + ["text"] * 4
    assert [block["text"] for block in last_user(api)[2:4]] == [
        "[hook Pre, PreToolUse of echo] before",
        "[hook Post, PostToolUse of echo] look again",
    ]
    done = [record for record in made.journal.records if record["kind"] == "tool_done"]
    assert [len(record["added"]) for record in done] == [2, 2], "a resume needs what was added"


async def test_a_hook_may_replace_the_output_before_the_model_sees_it(tmp_path: Path) -> None:
    hide = says("hide", '{"hookSpecificOutput": {"updatedToolOutput": "gone"}}', "PostToolUse")
    see = script("see", "cat > seen.json", "PostToolUse")
    made, api, _ = await call_echo(tmp_path, hide, see)
    assert result_text(last_user(api)[0]) == "gone"
    assert made.log.of("tool_result")[0]["output"][0]["text"] == "gone"
    assert json.loads((tmp_path / "seen.json").read_text())["tool_response"][0]["text"] == "gone"


async def test_a_failed_call_goes_to_its_own_event_and_a_denied_one_to_neither(tmp_path: Path) -> None:
    def fail(arguments: Any, context: Any) -> str:
        raise RuntimeError("broken")

    hooks = [
        script("well", "touch well", "PostToolUse"),
        script("ill", "cat > ill.json", "PostToolUseFailure"),
    ]
    await call_echo(tmp_path, *hooks, tool=Echo(action=fail))
    assert "broken" in json.loads((tmp_path / "ill.json").read_text())["error"]
    assert not (tmp_path / "well").exists()
    (tmp_path / "ill.json").unlink()
    await call_echo(tmp_path, says("guard", DENY), *hooks)
    assert not (tmp_path / "ill.json").exists()


# ---------------------------------------------------------------- and else


async def test_a_hook_is_for_the_tools_of_its_matcher_only(tmp_path: Path) -> None:
    made, _, tool = await call_echo(tmp_path, says("guard", DENY, matcher="bash|Edit"))
    assert tool.calls
    assert made.log.of("hook") == []


async def test_a_hook_that_is_switched_off_is_not_asked(tmp_path: Path) -> None:
    made, _, tool = await call_echo(tmp_path, says("guard", DENY, enabled=False))
    assert tool.calls
    assert made.log.of("hook") == []


async def test_where_nothing_can_run_hooks_a_guard_blocks(tmp_path: Path) -> None:
    tool = Echo()
    async with MessagesApi([Call("echo", {}), Say("Done.")]) as api, live(api.url, tmp_path) as made:
        await made.run({"agent": {"tools": ["echo"]}, "hooks": [says("guard", ALLOW)]}, tools=[tool])
    assert tool.calls == []
    assert made.log.of("hook")[0]["outcome"] == "failed"


async def test_observers_of_one_event_run_side_by_side(tmp_path: Path) -> None:
    meet = "touch $0; until [ -e one ] && [ -e two ]; do sleep 0.02; done"
    hooks = [
        script(name, meet.replace("$0", name), "UserPromptSubmit", timeout_s=20, on_failure="block")
        for name in ("one", "two")
    ]
    async with MessagesApi([Say("Done.")]) as api, bench(api, tmp_path, *hooks) as made:
        outcome = await made.run({"hooks": hooks})
    assert outcome.status == "completed"


async def test_a_cancelled_run_leaves_no_hook_behind_and_starts_none(
    tmp_path: Path, promised: Promised
) -> None:
    hooks = [
        script("slow", "touch up; setsid sleep 600 & sleep 600", timeout_s=600),
        script("end", "touch end", "SessionEnd"),
    ]
    async with (
        MessagesApi([Call("echo", {}), Say("Done.")]) as api,
        live(api.url, tmp_path) as made,
        actions(tmp_path, *hooks) as bound,
    ):
        made.hooks = bound
        task = asyncio.create_task(made.run({"agent": {"tools": ["echo"]}, "hooks": hooks}, tools=[Echo()]))
        async with asyncio.timeout(60):
            while not (tmp_path / "up").exists():
                await asyncio.sleep(0.02)
        task.cancel()
        with promised(5):
            await asyncio.wait({task})
        assert task.cancelled()
        assert survivors(bound.execution_id) == []
    assert not (tmp_path / "end").exists()
