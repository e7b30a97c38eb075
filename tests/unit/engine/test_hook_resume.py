"""A death at any record of a run with hooks: what one has decided holds, one that had not is asked again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cloutagent_ext.engine.past import Past

from ...support.messages_api import Call, MessagesApi, Say
from .harness import Bench, Echo, define, live
from .hooked import actions, script

GUARD = (
    "import json, sys\n"
    "told = json.load(sys.stdin)\n"
    "open('asked', 'a').write(told['hook_event_name'] + ' ' + told['tool_use_id'] + '\\n')\n"
)
HIDE = GUARD + (
    "says = {'updatedToolOutput': 'hidden', 'additionalContext': 'look'}\n"
    "print(json.dumps({'hookSpecificOutput': says}))\n"
)
ONCE = (
    "import json, sys\n"
    "if not json.load(sys.stdin)['stop_hook_active']:\n"
    "    print(json.dumps({'decision': 'block', 'reason': 'once more'}))\n"
)


def past_of(prefix: list[tuple[str, dict[str, Any]]]) -> Past:
    parts: dict[str, list[Any]] = {"journal": [], "event": []}
    for kind, entry in prefix:
        parts[kind].append(json.loads(json.dumps(entry)))
    return Past.of(parts["journal"], parts["event"])


def answer(body: dict[str, Any], _: int) -> Any:
    turn = sum(message["role"] == "assistant" for message in body["messages"])
    return [Call("echo", {"text": "s3cret"}, id="c1"), Say("Done?"), Say("Done.")][turn]


async def test_after_a_death_at_any_record_no_hook_is_skipped_and_no_decided_call_asked_twice(
    tmp_path: Path,
) -> None:
    hooks = [
        script("guard", GUARD, run="python"),
        script("hide", HIDE, "PostToolUse", run="python"),
        script("stop", ONCE, "Stop", run="python"),
    ]
    definition = define(agent={"tools": ["echo"]}, hooks=hooks)
    async with (
        MessagesApi(answer) as api,
        live(api.url, tmp_path) as bench,
        actions(tmp_path, *hooks) as bound,
    ):
        bench.hooks = bound
        first = Echo(read_only=False)
        outcome = await bench.run(definition, tools=[first])
        assert outcome.result is not None
        assert outcome.result.text == "Done."
        final = api.requests[-1]["messages"]
        assert final[2]["content"][0]["content"] == [{"type": "text", "text": "hidden"}]
        whole = bench.order
        kinds = [entry.get("kind") or entry["type"] for _, entry in whole]
        assert "tool_ended" in kinds
        for cut in range(1, len(whole)):
            (tmp_path / "asked").unlink(missing_ok=True)
            again, tool = Bench(bench.models, tmp_path), Echo(read_only=False)
            again.hooks = bound
            outcome = await again.run(definition, tools=[tool], past=past_of(whole[:cut]))
            label = f"after record {cut}: {kinds[cut - 1]}"
            assert outcome.status == "completed", (label, outcome)
            asked = (tmp_path / "asked").read_text().split("\n") if (tmp_path / "asked").exists() else []
            before = kinds[:cut]
            assert ("PreToolUse c1" in asked) == ("tool_started" not in before), label
            hidden = api.requests[-1]["messages"][2]["content"][0]
            if "tool_started" in before and "tool_ended" not in before:
                assert hidden["is_error"], label
                continue
            assert bool(tool.calls) == ("tool_started" not in before), label
            assert ("PostToolUse c1" in asked) == ("tool_done" not in before), label
            assert "s3cret" not in json.dumps(api.requests[-1]["messages"][2:]), label
            assert api.requests[-1]["messages"] == final, label


async def test_the_prompt_of_a_continuation_is_shown_to_its_guard_once(tmp_path: Path) -> None:
    look = 'told=$(cat); echo "$told" >> asked; case $told in *forbidden*) echo no >&2; exit 2;; esac'
    hooks = [script("look", look, "UserPromptSubmit")]
    definition = define(agent={"tools": ["echo"]}, hooks=hooks)
    async with (
        MessagesApi(lambda *_: Say("Done.")) as api,
        live(api.url, tmp_path) as bench,
        actions(tmp_path, *hooks) as bound,
    ):
        bench.hooks = bound
        await bench.run(definition, prompt="First.")
        journal = [entry for kind, entry in bench.order if kind == "journal"]
        span = journal[-1]["span"]
        said = {"role": "user", "content": [{"type": "text", "text": "forbidden"}]}
        journal += [
            {"kind": "origin", "how": "continued", "ran_s": 0.0},
            {"kind": "user", "agent": "main", "span": span, "message": said},
        ]
        requests = len(api.requests)
        blocked = Bench(bench.models, tmp_path)
        blocked.hooks = bound
        outcome = await blocked.run(definition, prompt="forbidden", past=Past.of(journal))
        assert (outcome.code, len(api.requests)) == ("HOOK_BLOCKED", requests)
        again = Bench(bench.models, tmp_path)
        again.hooks = bound
        assert (await again.run(definition, prompt="fine", past=Past.of(journal))).status == "completed"
        passed = next(record for record in again.journal.records if record["kind"] == "prompt_passed")
        before = (tmp_path / "asked").read_text()
        after = Bench(bench.models, tmp_path)
        after.hooks = bound
        assert (
            await after.run(definition, prompt="fine", past=Past.of([*journal, passed]))
        ).status == "completed"
        assert (tmp_path / "asked").read_text() == before, "a resume of it asks no second time"


async def test_a_run_that_a_hook_has_ended_does_not_go_on_after_a_death(tmp_path: Path) -> None:
    hooks = [script("halt", """printf '{"continue": false, "stopReason": "enough"}'""", "PostToolUse")]
    definition = define(agent={"tools": ["echo"]}, hooks=hooks)
    async with (
        MessagesApi(answer) as api,
        live(api.url, tmp_path) as bench,
        actions(tmp_path, *hooks) as bound,
    ):
        bench.hooks = bound
        assert (await bench.run(definition, tools=[Echo()])).code == "HOOK_BLOCKED"
        whole = bench.order
        stop = [entry.get("kind") for _, entry in whole].index("hook_stop")
        requests = len(api.requests)
        for cut in range(stop + 1, len(whole)):
            again = Bench(bench.models, tmp_path)
            again.hooks = bound
            outcome = await again.run(definition, tools=[Echo()], past=past_of(whole[:cut]))
            assert (outcome.code, outcome.message) == (
                "HOOK_BLOCKED",
                "The hook Halt ended the execution: enough",
            )
        assert len(api.requests) == requests, "no model is asked any more"
