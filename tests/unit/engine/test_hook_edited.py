"""Arguments that a person changes in an approval: the hooks had judged others, so they judge these too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.engine.ports import Decision

from .harness import Echo
from .hooked import ALLOW, ASK, Bench, call_echo, last_user, result_text, says, script

NO_RM = script(
    "guard",
    """case "$(cat)" in *'"rm'*) echo 'no rm here' >&2; exit 2;; *) exit 0;; esac""",
)
STRICT = script("strict", """case "$(cat)" in *'"rm'*) exit 1;; *) exit 0;; esac""")
SLOW = script("slow", """case "$(cat)" in *'"rm'*) sleep 60;; *) exit 0;; esac""", timeout_s=1)


def wraps(id: str, *, again: bool) -> dict[str, Any]:
    """A rewriter that puts a word before the text; `again`: whether it does so where it is there already."""
    test = "True" if again else "not text.startswith('safe ')"
    return script(
        id,
        "import json, sys; text = json.load(sys.stdin)['tool_input']['text']\n"
        "changed = {'hookSpecificOutput': {'updatedInput': {'text': 'safe ' + text}}}\n"
        f"if {test}: print(json.dumps(changed))",
        run="python",
    )


async def edited(
    tmp_path: Path, *hooks: dict[str, Any], text: str = "rm x", **agent: Any
) -> tuple[Bench, Echo, str]:
    """A call of `echo` whose text a person changes: the bench, the tool, and what the model reads."""
    decision = Decision(allow=True, by="ada", arguments={"text": text})
    made, api, tool = await call_echo(
        tmp_path, *hooks, tool=Echo(default="ask"), decision=decision, agent=agent
    )
    assert made.approvals.asked == ["echo"]
    return made, tool, result_text(last_user(api)[0])


@pytest.mark.parametrize(
    ("guard", "why", "outcome"),
    [(NO_RM, "no rm here", "deny"), (STRICT, "exit code 1", "failed"), (SLOW, "1 s", "failed")],
    ids=["denies", "fails", "takes too long"],
)
async def test_nobody_gets_past_a_guard_by_changing_the_arguments(
    tmp_path: Path, guard: dict[str, Any], why: str, outcome: str
) -> None:
    made, tool, read = await edited(tmp_path, guard)
    assert tool.calls == []
    assert f"The hook {guard['name']} blocked this call" in read
    assert why in read
    assert "as ada changed them" in read
    assert [event["outcome"] for event in made.log.of("hook")] == ["allow", outcome], (
        "both looks are in the log"
    )
    assert made.log.of("tool_result")[0]["is_error"]


async def test_what_the_guards_let_through_runs_as_the_person_wrote_it(tmp_path: Path) -> None:
    made, tool, _ = await edited(tmp_path, NO_RM, says("asks", ASK), says("allows", ALLOW), text="ls y")
    assert tool.calls == [{"text": "ls y"}]
    assert made.approvals.asked == ["echo"], "who wrote them has decided already"
    assert len(made.log.of("hook")) == 6


async def test_arguments_that_were_sent_back_unchanged_are_not_judged_twice(tmp_path: Path) -> None:
    made, tool, _ = await edited(tmp_path, NO_RM, text="hello")
    assert tool.calls == [{"text": "hello"}]
    assert len(made.log.of("hook")) == 1


async def test_a_rewriter_changes_nothing_that_nobody_was_shown(tmp_path: Path) -> None:
    _, tool, _ = await edited(tmp_path, wraps("wrap", again=False), text="safe ls")
    assert tool.calls == [{"text": "safe ls"}], "it has nothing to change in these"
    made, tool, read = await edited(tmp_path, wraps("wrap", again=True), text="safe ls")
    assert tool.calls == []
    assert "would change the arguments that ada wrote" in read
    assert [event["outcome"] for event in made.log.of("hook")] == ["changed", "changed"]


async def test_what_a_hook_adds_is_about_the_arguments_that_run(tmp_path: Path) -> None:
    adds = script(
        "adds",
        "import json, sys; text = json.load(sys.stdin)['tool_input']['text']\n"
        "print(json.dumps({'hookSpecificOutput': {'additionalContext': f'seen: {text}'}}))",
        run="python",
    )
    decision = Decision(allow=True, by="ada", arguments={"text": "ls y"})
    _, api, _ = await call_echo(tmp_path, adds, tool=Echo(default="ask"), decision=decision)
    assert [block["text"] for block in last_user(api)[1:]] == ["[hook Adds, PreToolUse of echo] seen: ls y"]
