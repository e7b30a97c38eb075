"""A trace is a fold over the log: the same spans whoever folds it (the logs are the panel's, too)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cloutagent_ext.executions.trace import TraceFold
from cloutagent_ext.schema.trace import Span, Trace

from .conftest import Office, Opens, bash
from .test_fold import NAMES, events, spec
from .test_queue import gated, open_


def folded(name: str, upto: int | None = None) -> list[Span]:
    fold = TraceFold(spec(name))
    for event in events(name)[:upto]:
        fold.apply(event)
    return fold.spans


def tree(spans: Iterable[Span]) -> list[str]:
    """Each span on a line of its own below its parent, as `kind name [status] ms`."""
    listed = list(spans)
    lines: list[str] = []

    def show(parent: str | None, depth: int) -> None:
        for span in listed:
            if span.parent_id == parent:
                took = "…" if span.duration_ms is None else f"{span.duration_ms} ms"
                lines.append(f"{'  ' * depth}{span.kind} {span.name} [{span.status}] {took}")
                show(span.span_id, depth + 1)

    show(None, 0)
    assert len(lines) == len(listed), "a span hangs on nothing"
    return lines


def test_agents_calls_and_tools_nest_as_they_worked() -> None:
    assert tree(folded("tools-and-subagent")) == [
        "execution execution Sales analyst [ok] 2940 ms",
        "  agent invoke_agent Analyst [ok] 2896 ms",
        "    model chat claude-opus-5-5 [ok] 920 ms",
        "    tool execute_tool python [ok] 504 ms",
        "    tool execute_tool agent__statistician [ok] 1267 ms",
        "      subagent invoke_agent Statistician [ok] 1263 ms",
        "        model chat claude-opus-5-5 [ok] 605 ms",
        "        tool execute_tool bash [error] 250 ms",
        "        model chat claude-opus-5-5 [ok] 405 ms",
        "    model chat claude-opus-5-5 [ok] 705 ms",
    ]


def test_each_span_has_its_own_tokens_and_money_and_the_conventions_names() -> None:
    root, agent, model, tool, *_ = folded("tools-and-subagent")
    assert root.total_cost_usd == 0.0312
    assert agent.total_cost_usd == 0.0243
    assert (model.total_cost_usd, model.usage.output_tokens if model.usage else None) == (0.021, 60)
    assert model.attributes["gen_ai.operation.name"] == "chat"
    assert model.attributes["gen_ai.request.model"] == "claude-opus-5-5"
    assert model.attributes["gen_ai.usage.input_tokens"] == 1500, "the conventions count what was cached, too"
    assert model.attributes["gen_ai.response.time_to_first_chunk"] == 0.9
    assert agent.attributes["gen_ai.agent.name"] == "Analyst"
    assert tool.attributes["gen_ai.tool.call.id"] == "toolu_1"
    assert root.attributes["gen_ai.conversation.id"] == spec("tools-and-subagent").execution_id


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_was_said_or_given_is_in_a_trace(name: str) -> None:
    """A trace may leave the machine: names and numbers, no prompt, no argument, no output."""
    said: list[str] = [spec(name).prompt]
    for event in events(name):
        for field in ("prompt", "content", "input", "output", "result"):
            said += texts(event.get(field))
    shown = "\n".join(span.model_dump_json() for span in folded(name))
    assert [each for each in said if len(each) > 8 and each in shown] == []


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


@pytest.mark.parametrize("name", NAMES)
def test_at_every_moment_the_spans_hang_together_and_at_the_end_none_is_open(name: str) -> None:
    whole = events(name)
    for upto in range(1, len(whole) + 1):
        spans = folded(name, upto)
        tree(spans)
        assert len({span.span_id for span in spans}) == len(spans)
        assert all(span.end is None or span.end >= span.start for span in spans)
        known = {span.span_id: span for span in spans}
        for span in spans:
            parent = known.get(span.parent_id or "")
            assert parent is None or parent.start <= span.start, "nothing begins before what it is part of"
    if whole[-1]["type"] in ("complete", "error", "cancelled"):
        assert [span.name for span in folded(name) if span.end is None] == []


def test_a_running_execution_shows_what_goes_on_now() -> None:
    upto = next(
        n for n, event in enumerate(events("tools-and-subagent"), 1) if event["type"] == "agent_start"
    )
    assert tree(folded("tools-and-subagent", upto))[-1] == "    model chat claude-opus-5-5 [running] …"
    calls = [n for n, event in enumerate(events("tools-and-subagent"), 1) if event["type"] == "tool_call"]
    running = [span.name for span in folded("tools-and-subagent", calls[1]) if span.end is None]
    assert running == [
        "execution Sales analyst", "invoke_agent Analyst", "execute_tool python",
        "execute_tool agent__statistician",
    ]  # fmt: skip


def test_a_try_that_failed_is_a_span_of_its_own_and_a_call_that_was_never_made_is_none() -> None:
    spans = [span for span in folded("failed") if span.kind == "model"]
    assert [(span.status, span.total_cost_usd) for span in spans] == [("error", None), ("ok", 0.02)]
    assert spans[0].message.startswith("The service is overloaded")
    root = folded("failed")[0]
    assert (root.status, root.attributes["error.type"]) == ("error", "COST_LIMIT_EXCEEDED")


@pytest.mark.parametrize("said", [True, False], ids=["with the agent's end", "without"])
@pytest.mark.parametrize(
    ("code", "kept"),
    [("MODEL_ERROR", ["error"]), ("TIMEOUT", ["error"]), ("COST_LIMIT_EXCEEDED", []), ("HOOK_BLOCKED", [])],
)
def test_a_call_of_which_nothing_was_heard_is_shown_where_the_end_was_about_it(
    code: str, kept: list[str], said: bool
) -> None:
    fold = TraceFold(spec("failed"))
    for event in events("failed")[:3]:
        fold.apply(event)
    usage = events("failed")[-1]["usage"]
    base = {"id": 4, "ts": "2026-11-22T08:00:09.000Z", "agent": "main", "span": "main", "usage": usage}
    over = {"total_cost_usd": 0.0, "call_id": None, "result": "", "turns": 0}
    if said:
        fold.apply({**base, **over, "type": "agent_complete"})
    fold.apply({**events("failed")[-1], **base, "id": 5, "code": code})
    assert [span.status for span in fold.spans if span.kind == "model"] == kept
    assert all(span.end for span in fold.spans)


def test_waiting_for_a_person_is_told_on_the_call_that_waited() -> None:
    tool = next(span for span in folded("approved") if span.kind == "tool")
    assert [each.name for each in tool.moments] == ["approval_required", "approval"]
    assert tool.attributes["cloutagent.approval.wait_ms"] == 40_000


def test_a_call_of_an_mcp_servers_tool_and_a_hook_have_kinds_of_their_own() -> None:
    fold = TraceFold(spec("simple"))
    for event in events("simple")[:3]:
        fold.apply(event)
    at, base = "2026-11-22T08:00:09.000Z", {"agent": "main", "ts": "2026-11-22T08:00:08.000Z"}
    call = {"call_id": "c", "tool": "mcp__time__now", "source": "mcp:time", "input": {}}
    fold.apply({"id": 4, "type": "tool_call", "span": "main/1/c", **call, **base})
    hook = {"hook": "guard", "on": "PreToolUse", "outcome": "failed", "message": "m", "duration_ms": 500}
    fold.apply({"id": 5, "type": "hook", "span": "main/1/c", **base, **hook, "ts": at})
    mcp, guard = fold.spans[-2:]
    assert (mcp.kind, mcp.attributes["mcp.method.name"], mcp.attributes["cloutagent.mcp.server"]) == (
        "mcp", "tools/call", "time",
    )  # fmt: skip
    assert (guard.kind, guard.parent_id, guard.duration_ms, guard.status) == (
        "hook",
        mcp.span_id,
        500,
        "error",
    )


def test_events_of_a_later_version_and_names_of_any_length_break_no_trace() -> None:
    fold = TraceFold(spec("simple"))
    for event in events("simple")[:3]:
        fold.apply(event)
    later = {"id": 4, "type": "telepathy", "ts": "2026-11-22T08:00:01.000Z", "span": "main", "agent": "main"}
    assert fold.apply(later) == []
    call = {"call_id": "c" * 9000, "tool": "t" * 9000 + "\ud800", "source": "builtin", "input": {}}
    fold.apply({**later, "type": "tool_call", "span": "main/1/" + "c" * 9000, **call})
    assert len(fold.spans[-1].name) <= 300


async def test_the_trace_of_a_real_run_adds_up_and_is_the_same_after_a_restart(
    open_office: Opens, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    office = await open_office()
    project = await office.project(bash("echo one"), bash(gated(gate)))
    accepted = await office.accept(project)
    running = await until_two_calls(office, accepted.execution_id)
    assert [span.name for span in running.items if span.end is None] == [
        f"execution {running.items[0].name.removeprefix('execution ')}", running.items[1].name,
        "execute_tool bash",
    ]  # fmt: skip
    before = {span.span_id: span for span in running.items if span.end is not None}
    await office.services.stop(0)
    second = await open_office()
    await open_(gate)
    await second.executions.wait(accepted.execution_id)
    trace = await second.executions.results.trace(accepted.execution_id)
    assert trace.trace_id == accepted.execution_id.replace("-", "")
    after = {span.span_id: span for span in trace.items}
    assert {each: after[each] for each in before} == before, "what had ended stays as it was"
    assert [span for span in trace.items if span.end is None] == []
    root = trace.items[0]
    assert {"interrupted", "resumed"} <= {each.name for each in root.moments}
    models = [span for span in trace.items if span.kind == "model" and span.status == "ok"]
    state = await second.executions.state(accepted.execution_id)
    assert sum(span.usage.output_tokens for span in models if span.usage) == state.usage.output_tokens
    assert all(span.attributes["gen_ai.response.finish_reasons"] for span in models)


async def until_two_calls(office: Office, execution_id: str) -> Trace:
    async with asyncio.timeout(90):
        while True:
            trace = await office.executions.results.trace(execution_id)
            tools = [span for span in trace.items if span.kind == "tool"]
            if len(tools) == 2 and trace.items[-1].kind == "tool":
                return trace
            await asyncio.sleep(0.02)


async def test_a_long_trace_comes_in_pages_that_add_up(office: Office) -> None:
    project = await office.project(*[bash("true") for _ in range(3)])
    accepted = await office.accept(project)
    await office.executions.wait(accepted.execution_id)
    whole = await office.executions.results.trace(accepted.execution_id)
    assert whole.next_cursor is None
    found, first = list[Span](), 0
    while True:
        page = await office.executions.results.trace(accepted.execution_id, first=first, limit=3)
        found += page.items
        if page.next_cursor is None:
            break
        first = int(page.next_cursor)
    assert found == whole.items
