"""What the command line shows while an execution runs."""

from __future__ import annotations

import io
from typing import Any

from cloutagent_ext.cli.progress import Progress, printable, summary
from cloutagent_ext.client.stream import read_event
from cloutagent_ext.schema.execution import ExecutionState

from .conftest import NOW, RUN, USAGE, state


def shown(*events: dict[str, Any], live: bool = False, end: dict[str, Any] | None = None) -> str:
    import json

    out = io.StringIO()
    progress = Progress(out, live=live)
    for number, event in enumerate(events, 1):
        whole = {"id": number, "ts": NOW, "agent": "main", "span": "main/1", **event}
        progress.take(read_event(json.dumps(whole)))
    if end:
        progress.end(ExecutionState.model_validate(end))
    return out.getvalue()


def call(**fields: Any) -> dict[str, Any]:
    return {"type": "tool_call", "call_id": "c1", "tool": "bash", "input": {"command": "ls"}, **fields}


def result(**fields: Any) -> dict[str, Any]:
    said = [{"type": "text", "text": "no such file\nmore"}]
    return {
        "type": "tool_result", "call_id": "c1", "tool": "bash", "is_error": False, "output": said,
        "duration_ms": 1200, **fields,
    }  # fmt: skip


def test_pieces_of_text_become_whole_lines() -> None:
    text = shown(
        {"type": "text", "content": "First li"},
        {"type": "text", "content": "ne.\nSecond "},
        {"type": "text", "content": "line.", "final": True},
    )
    assert text == "First line.\nSecond line.\n"


def test_tools_and_their_failures_are_named_under_their_agent() -> None:
    start = {"type": "agent_start", "agent": "s#1", "name": "Statistician", "model": "m", "prompt": "p"}
    text = shown(start, call(), result(), call(agent="s#1"), result(agent="s#1", is_error=True))
    assert text.splitlines() == [
        "→ bash  ls",
        "✓ bash  1.2 s",
        "  Statistician │ → bash  ls",
        "  Statistician │ ✕ bash  1.2 s  no such file …",
    ]


def test_nothing_from_outside_reaches_the_terminal_as_a_command() -> None:
    nasty = "\x1b]52;c;cm0=\x07ok\x9b31m\u202eabc\r"
    assert printable(nasty) == "]52;c;cm0=ok31mabc"
    assert "\x1b" not in shown({"type": "text", "content": nasty, "final": True}, call(input={"x": nasty}))


def test_a_terminal_gets_one_live_line_that_is_erased_before_each_other_line() -> None:
    usage = {**USAGE, "cache_read_input_tokens": 1000}
    cost = {
        "type": "cost_update", "usage": usage, "total_cost_usd": 0.0123, "turn_usage": USAGE,
        "turn_cost_usd": 0.01,
        "percent_of_limit": {"cost": 1, "tokens": 1, "time": 1},
    }  # fmt: skip
    text = shown(call(), cost, result(), live=True, end=state())
    before, _, last = text.rpartition("\r\x1b[K")
    assert "bash 0 s · 0 s · 1,015 tokens · $0.0123" in before
    assert "Ctrl-C cancels" in before
    assert last == "completed · 1.2 s · 15 tokens · $0.0100\n"


def test_a_failure_says_code_and_sentence() -> None:
    error = {"code": "TIMEOUT", "message": "It took longer than 3 s.", "details": {}}
    assert shown(end=state("failed", error=error)).splitlines()[0] == "✕ TIMEOUT: It took longer than 3 s."


def test_files_that_were_made_are_named_with_the_way_to_get_them() -> None:
    assert "3 files in its workspace; --save FOLDER" in shown(end=state(files=3))


def test_a_simulation_says_so_at_its_start() -> None:
    limits = {"max_cost_usd": 1.0, "max_tokens": 1000, "timeout_s": 60, "max_turns": 5}
    start = {
        "type": "start", "execution_id": RUN, "project_id": "p", "version": 1, "model": "m", "limits": limits,
        "simulated": True, "origin": "cli",
    }  # fmt: skip
    assert shown(start) == "running m (simulated: no model is asked)\n"


def test_a_summary_is_the_first_telling_line() -> None:
    assert summary({"code": "import json\n\nx = 1\ny = 2"}) == "x = 1 …"
    assert summary({"n": 3}) == ""
    assert summary({"path": "a.csv"}) == "a.csv"


def test_events_of_a_newer_server_are_passed_over() -> None:
    assert shown({"type": "confetti"}) == ""
